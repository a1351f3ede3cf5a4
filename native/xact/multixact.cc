// MultiXactLog: reading and writing offsets and members of multixacts.
#include "xact/multixact.h"

#include <algorithm>
#include <string>

#include "layout/wal_record.h"
#include "wal/wal.h"

namespace pgdata {

namespace {

constexpr uint32_t members_per_group = 4;
constexpr uint32_t group_bytes = 4 + members_per_group * sizeof(TransactionId);
// More members than any transaction history gives; a longer list is a damaged offset.
constexpr uint32_t members_max = 1u << 20;
constexpr uint8_t status_max = static_cast<uint8_t>(MultiXactStatus::update);

SlruOptions offsets_options(bool read_only) {
  SlruOptions options;
  options.name = "multixact offsets";
  options.directory = "pg_multixact/offsets";
  options.area = SlruArea::multixact_offset;
  options.buffers = 16;
  options.read_only = read_only;
  return options;
}

SlruOptions members_options(bool read_only) {
  SlruOptions options;
  options.name = "multixact members";
  options.directory = "pg_multixact/members";
  options.area = SlruArea::multixact_member;
  options.buffers = 32;
  options.read_only = read_only;
  return options;
}

std::string describe(MultiXactId multi) { return "multixact " + std::to_string(multi); }

}  // namespace

void MultiXactLog::plan(SegmentPlan& plan, uint32_t block_size) {
  Slru::plan(plan, offsets_options(false), block_size);
  Slru::plan(plan, members_options(false), block_size);
}

MultiXactLog::MultiXactLog(Segment& segment, StorageServices& services, bool read_only)
    : services_(services),
      block_size_(services.storage.options().block_size),
      offsets_(segment, services, offsets_options(read_only)),
      members_(segment, services, members_options(read_only)) {}

Status MultiXactLog::create_first_pages() {
  SlruPage page;
  RETURN_IF_ERROR(offsets_.zero_page(0, &page));
  page.release();
  return members_.zero_page(0, &page);
}

Status MultiXactLog::offset_of(MultiXactId multi, uint32_t* offset) {
  const uint32_t per_page = offsets_per_page();
  SlruPage page;
  RETURN_IF_ERROR(
      offsets_.lock_page(multi / per_page, LockMode::shared, describe(multi).c_str(), &page));
  *offset = load<uint32_t>(page.bytes() + multi % per_page * sizeof(uint32_t));
  return Status::ok;
}

Status MultiXactLog::zero_page(Slru& pages, uint64_t page, uint8_t info) {
  {
    SlruPage zeroed;
    RETURN_IF_ERROR(pages.zero_page(page, &zeroed));
  }
  const auto number = static_cast<int64_t>(page);
  WalRecord record;
  record.begin(RmgrId::multixact, info, invalid_transaction_id);
  record.data(&number, sizeof(number));
  return services_.wal.insert(record, nullptr);
}

Status MultiXactLog::extend(MultiXactId multi, uint32_t offset, uint32_t count) {
  const MultiXactId next = next_multixact(multi);
  // After a wrap the first one of page 0 is 1.
  if (next % offsets_per_page() == 0 || next == 1)
    RETURN_IF_ERROR(zero_page(offsets_, next / offsets_per_page(), XLOG_MULTIXACT_ZERO_OFF_PAGE));
  const uint32_t per_page = block_size_ / group_bytes * members_per_group;
  for (uint32_t left = count; left > 0;) {
    const uint32_t in_page = offset % per_page;
    if (in_page == 0)
      RETURN_IF_ERROR(zero_page(members_, offset / per_page, XLOG_MULTIXACT_ZERO_MEM_PAGE));
    uint32_t here = std::min(left, per_page - in_page);
    // The last page is not full when the numbers begin again.
    if (const uint32_t until_wrap = 0u - offset; until_wrap != 0) here = std::min(here, until_wrap);
    offset += here;
    left -= here;
  }
  return Status::ok;
}

Status MultiXactLog::find_offset(MultiXactId multi, uint32_t* offset, bool* known) {
  RETURN_IF_ERROR(offsets_.page_exists(multi / offsets_per_page(), known));
  return *known ? offset_of(multi, offset) : Status();
}

Status MultiXactLog::oldest_kept(MultiXactId* oldest, bool* any) {
  std::vector<uint64_t> segments;
  RETURN_IF_ERROR(offsets_.list_segments(&segments));
  *any = false;
  for (const uint64_t segment : segments) {
    auto first = static_cast<MultiXactId>(segment * Slru::pages_per_segment * offsets_per_page());
    if (first == 0) first = 1;
    if (*any && !multixact_precedes(first, *oldest)) continue;
    *oldest = first;
    *any = true;
  }
  return Status::ok;
}

uint32_t MultiXactLog::members_per_segment() const {
  return block_size_ / group_bytes * members_per_group * Slru::pages_per_segment;
}

Status MultiXactLog::remove_before(MultiXactId end, uint32_t start_member, uint32_t end_member) {
  const uint32_t last_segment = 0xFFFFFFFFu / members_per_segment();
  uint32_t segment = start_member / members_per_segment();
  // Never the one that the next members go to.
  while (segment != end_member / members_per_segment()) {
    RETURN_IF_ERROR(members_.remove_segment(segment));
    segment = segment == last_segment ? 0 : segment + 1;
  }
  const MultiXactId last = end == 1 ? 0xFFFFFFFFu : end - 1;
  return offsets_.truncate_before(last / offsets_per_page(),
                                  (uint64_t{1} << 32) / offsets_per_page());
}

Status MultiXactLog::set_offset(MultiXactId multi, uint32_t offset) {
  SlruPage page;
  RETURN_IF_ERROR(offsets_.lock_page(multi / offsets_per_page(), LockMode::exclusive,
                                     describe(multi).c_str(), &page));
  store<uint32_t>(page.bytes() + multi % offsets_per_page() * sizeof(uint32_t), offset);
  page.mark_dirty();
  return Status::ok;
}

Status MultiXactLog::record(MultiXactId multi, uint32_t offset,
                            std::span<const MultiXactMember> members) {
  RETURN_IF_ERROR(set_offset(multi, offset));
  const uint32_t end = offset + static_cast<uint32_t>(members.size());
  // Offset 0 means that there is none.
  RETURN_IF_ERROR(set_offset(next_multixact(multi), end == 0 ? 1 : end));
  const uint32_t groups_per_page = block_size_ / group_bytes;
  const uint32_t members_per_page = groups_per_page * members_per_group;
  SlruPage page;
  uint64_t page_number = UINT64_MAX;
  for (size_t i = 0; i < members.size(); ++i) {
    const uint32_t member = offset + static_cast<uint32_t>(i);
    if (member / members_per_page != page_number) {
      page.release();
      page_number = member / members_per_page;
      RETURN_IF_ERROR(
          members_.lock_page(page_number, LockMode::exclusive, describe(multi).c_str(), &page));
      page.mark_dirty();
    }
    std::byte* group = page.bytes() + member / members_per_group % groups_per_page * group_bytes;
    const uint32_t in_group = member % members_per_group;
    group[in_group] = static_cast<std::byte>(members[i].status);
    store<TransactionId>(group + members_per_group + in_group * sizeof(TransactionId),
                         members[i].xid);
  }
  return Status::ok;
}

Status MultiXactLog::start(MultiXactId next, uint32_t next_offset) {
  if (next_offset == 0) return Status::ok;
  Status status = set_offset(next, next_offset);
  if (status.code() != ErrorCode::undefined_file || next % offsets_per_page() != 0) return status;
  RETURN_IF_ERROR(zero_page(offsets_, next / offsets_per_page(), XLOG_MULTIXACT_ZERO_OFF_PAGE));
  return set_offset(next, next_offset);
}

Status MultiXactLog::members(MultiXactId multi, const TransactionCounters& counters,
                             std::vector<MultiXactMember>* members) {
  members->clear();
  if (multi == 0 || multixact_precedes(multi, counters.oldestMulti)) {
    return Status::error(ErrorCode::data_corrupted,
                         "MultiXactId %u does no longer exist -- apparent wraparound", multi);
  }
  if (!multixact_precedes(multi, counters.nextMulti)) {
    return Status::error(ErrorCode::data_corrupted,
                         "MultiXactId %u has not been created yet -- apparent wraparound", multi);
  }
  uint32_t offset = 0;
  RETURN_IF_ERROR(offset_of(multi, &offset));
  // The list ends where the next one begins.
  uint32_t end = counters.nextMultiOffset;
  if (next_multixact(multi) != counters.nextMulti) {
    RETURN_IF_ERROR(offset_of(next_multixact(multi), &end));
  }
  const uint32_t count = end - offset;
  if (offset == 0 || end == 0 || count > members_max) {
    return Status::error(ErrorCode::data_corrupted,
                         "MultiXactId %u has invalid member offsets %u to %u", multi, offset, end);
  }
  const uint32_t groups_per_page = block_size_ / group_bytes;
  const uint32_t members_per_page = groups_per_page * members_per_group;
  SlruPage page;
  uint64_t page_number = UINT64_MAX;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t member = offset + i;
    if (member / members_per_page != page_number) {
      page_number = member / members_per_page;
      RETURN_IF_ERROR(
          members_.lock_page(page_number, LockMode::shared, describe(multi).c_str(), &page));
    }
    const std::byte* group =
        page.bytes() + member / members_per_group % groups_per_page * group_bytes;
    const uint32_t in_group = member % members_per_group;
    const auto xid =
        load<TransactionId>(group + members_per_group + in_group * sizeof(TransactionId));
    // Offset 0 is skipped at the wrap, and its member is then no transaction.
    if (!is_valid(xid)) continue;
    const auto status = static_cast<uint8_t>(group[in_group]);
    if (status > status_max) {
      return Status::error(ErrorCode::data_corrupted,
                           "MultiXactId %u has a member with invalid status %u", multi,
                           unsigned{status});
    }
    members->push_back({xid, static_cast<MultiXactStatus>(status)});
  }
  return Status::ok;
}

Status MultiXactLog::write_all_dirty(uint64_t* written) {
  RETURN_IF_ERROR(offsets_.write_all_dirty(written));
  return members_.write_all_dirty(written);
}

Status MultiXactLog::sync() {
  RETURN_IF_ERROR(offsets_.sync());
  return members_.sync();
}

}  // namespace pgdata
