// MultiXactLog: reading offsets and members of multixacts.
#include "xact/multixact.h"

#include <string>

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
  options.buffers = 16;
  options.read_only = read_only;
  return options;
}

SlruOptions members_options(bool read_only) {
  SlruOptions options;
  options.name = "multixact members";
  options.directory = "pg_multixact/members";
  options.buffers = 32;
  options.read_only = read_only;
  return options;
}

bool multi_precedes(MultiXactId left, MultiXactId right) {
  return static_cast<int32_t>(left - right) < 0;
}

std::string describe(MultiXactId multi) { return "multixact " + std::to_string(multi); }

}  // namespace

void MultiXactLog::plan(SegmentPlan& plan, uint32_t block_size) {
  Slru::plan(plan, offsets_options(false), block_size);
  Slru::plan(plan, members_options(false), block_size);
}

MultiXactLog::MultiXactLog(Segment& segment, StorageServices& services, bool read_only)
    : block_size_(services.storage.options().block_size),
      offsets_(segment, services, offsets_options(read_only)),
      members_(segment, services, members_options(read_only)) {}

Status MultiXactLog::create_first_pages() {
  SlruPage page;
  RETURN_IF_ERROR(offsets_.zero_page(0, &page));
  page.release();
  return members_.zero_page(0, &page);
}

Status MultiXactLog::offset_of(MultiXactId multi, uint32_t* offset) {
  const uint32_t per_page = block_size_ / uint32_t{sizeof(uint32_t)};
  SlruPage page;
  RETURN_IF_ERROR(
      offsets_.lock_page(multi / per_page, LockMode::shared, describe(multi).c_str(), &page));
  *offset = load<uint32_t>(page.bytes() + multi % per_page * sizeof(uint32_t));
  return Status::ok;
}

Status MultiXactLog::members(MultiXactId multi, const TransactionCounters& counters,
                             std::vector<MultiXactMember>* members) {
  members->clear();
  if (multi == 0 || multi_precedes(multi, counters.oldestMulti)) {
    return Status::error(ErrorCode::data_corrupted,
                         "MultiXactId %u does no longer exist -- apparent wraparound", multi);
  }
  if (!multi_precedes(multi, counters.nextMulti)) {
    return Status::error(ErrorCode::data_corrupted,
                         "MultiXactId %u has not been created yet -- apparent wraparound", multi);
  }
  uint32_t offset = 0;
  RETURN_IF_ERROR(offset_of(multi, &offset));
  // The list ends where the next one begins.
  uint32_t end = counters.nextMultiOffset;
  if (multi + 1 != counters.nextMulti) {
    RETURN_IF_ERROR(offset_of(multi + 1 == 0 ? 1 : multi + 1, &end));
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

Status MultiXactLog::write_all_dirty() {
  RETURN_IF_ERROR(offsets_.write_all_dirty());
  return members_.write_all_dirty();
}

Status MultiXactLog::sync() {
  RETURN_IF_ERROR(offsets_.sync());
  return members_.sync();
}

}  // namespace pgdata
