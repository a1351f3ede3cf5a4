// Redo of resource manager MultiXact. Source: multixact_redo in src/backend/access/transam/multixact.c, PostgreSQL 18.
#include <cstring>
#include <string>

#include "layout/wal_transaction_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"
#include "xact/multixact.h"

namespace pgdata {

namespace {

constexpr uint32_t members_per_group = 4;
constexpr uint32_t group_bytes = 4 + members_per_group * sizeof(TransactionId);
constexpr MultiXactId first_multixact_id = 1;

struct Geometry {
  explicit Geometry(uint32_t block_size)
      : offsets_per_page(block_size / uint32_t{sizeof(uint32_t)}),
        groups_per_page(block_size / group_bytes),
        members_per_page(groups_per_page * members_per_group) {}
  uint32_t offsets_per_page;
  uint32_t groups_per_page;
  uint32_t members_per_page;
};

Status write_offset(RedoContext& redo, const Geometry& geometry, MultiXactId multi,
                    uint32_t offset) {
  SlruPage page;
  RETURN_IF_ERROR(redo.transactions().multixacts().offset_pages().lock_page(
      multi / geometry.offsets_per_page, LockMode::exclusive,
      ("multixact " + std::to_string(multi)).c_str(), &page));
  store<uint32_t>(page.bytes() + multi % geometry.offsets_per_page * sizeof(uint32_t), offset);
  page.mark_dirty();
  return Status::ok;
}

Status write_members(RedoContext& redo, const Geometry& geometry, MultiXactId multi, uint32_t first,
                     const std::byte* members, uint32_t count) {
  Slru& pages = redo.transactions().multixacts().member_pages();
  SlruPage page;
  uint64_t page_number = UINT64_MAX;
  for (uint32_t i = 0; i < count; ++i) {
    const auto member = load<MultiXactMember>(members + i * sizeof(MultiXactMember));
    const uint32_t at = first + i;  // wraps
    if (at / geometry.members_per_page != page_number) {
      page_number = at / geometry.members_per_page;
      RETURN_IF_ERROR(pages.lock_page(page_number, LockMode::exclusive,
                                      ("multixact " + std::to_string(multi)).c_str(), &page));
    }
    std::byte* group =
        page.bytes() + at / members_per_group % geometry.groups_per_page * group_bytes;
    const uint32_t in_group = at % members_per_group;
    group[in_group] = static_cast<std::byte>(member.status);
    store(group + members_per_group + in_group * sizeof(TransactionId), member.xid);
    page.mark_dirty();
    redo.transactions().advance_next_xid_past(member.xid);
  }
  return Status::ok;
}

Status redo_create(RedoContext& redo, const Geometry& geometry) {
  RedoBytes bytes(redo.record().main_data, redo.record().main_data_length);
  const std::byte* head = bytes.take(sizeof(xl_multixact_create));
  if (head == nullptr) return redo.corrupted("multixact too short");
  const auto create = load<xl_multixact_create>(head);
  if (create.mid < first_multixact_id || create.nmembers < 0)
    return redo.corrupted("invalid multixact");
  const auto count = static_cast<uint32_t>(create.nmembers);
  const std::byte* members = bytes.take(count * sizeof(MultiXactMember));
  if (members == nullptr) return redo.corrupted("multixact without all its members");

  RedoDriver& driver = redo.driver();
  const MultiXactId following =
      create.mid + 1 < first_multixact_id ? first_multixact_id : create.mid + 1;
  // Offset 0 means "none".
  uint32_t following_offset = create.moff + count;
  if (following_offset == 0) following_offset = 1;
  const uint64_t page = create.mid / geometry.offsets_per_page;
  const uint64_t following_page = following / geometry.offsets_per_page;
  // Minor releases before 18.2 made the next page only when its first multixact was assigned.
  if (following_page != page && driver.latest_offsets_page == page) {
    SlruPage zeroed;
    RETURN_IF_ERROR(
        redo.transactions().multixacts().offset_pages().zero_page(following_page, &zeroed));
    driver.early_offsets_page = driver.latest_offsets_page = following_page;
  }
  RETURN_IF_ERROR(write_offset(redo, geometry, create.mid, create.moff));
  RETURN_IF_ERROR(write_offset(redo, geometry, following, following_offset));
  RETURN_IF_ERROR(write_members(redo, geometry, create.mid, create.moff, members, count));
  redo.transactions().advance_next_multixact(following, create.moff + count);
  return Status::ok;
}

Status redo_truncate(RedoContext& redo) {
  const xl_multixact_truncate* body = redo.main_data<xl_multixact_truncate>();
  if (body == nullptr) return redo.corrupted("truncation too short");
  const auto truncate = load<xl_multixact_truncate>(body);
  TransactionSystem& transactions = redo.transactions();
  transactions.advance_oldest_multixact(truncate.endTruncOff, truncate.oldestMultiDB);
  return transactions.multixacts().remove_before(truncate.endTruncOff, truncate.startTruncMemb,
                                                 truncate.endTruncMemb);
}

}  // namespace

// Source: TrimMultiXact.
Status trim_multixacts(TransactionSystem& transactions, uint32_t block_size) {
  const Geometry geometry(block_size);
  const TransactionCounters counters = transactions.counters();
  MultiXactLog& log = transactions.multixacts();
  const std::string what = "multixact " + std::to_string(counters.nextMulti);
  {
    SlruPage page;
    const uint32_t entry = counters.nextMulti % geometry.offsets_per_page;
    const uint64_t number = counters.nextMulti / geometry.offsets_per_page;
    if (entry == 0 || counters.nextMulti == first_multixact_id) {
      RETURN_IF_ERROR(log.offset_pages().zero_page(number, &page));
    } else {
      RETURN_IF_ERROR(
          log.offset_pages().lock_page(number, LockMode::exclusive, what.c_str(), &page));
    }
    const size_t at = entry * sizeof(uint32_t);
    std::memset(page.bytes() + at, 0, block_size - at);
    store<uint32_t>(page.bytes() + at, counters.nextMultiOffset);
    page.mark_dirty();
  }
  const uint32_t in_page = counters.nextMultiOffset % geometry.members_per_page;
  if (in_page == 0) return Status::ok;  // its page does not exist yet
  SlruPage page;
  RETURN_IF_ERROR(log.member_pages().lock_page(counters.nextMultiOffset / geometry.members_per_page,
                                               LockMode::exclusive, what.c_str(), &page));
  // Flags of the group are set when its members are.
  const size_t at = in_page / members_per_group * group_bytes + members_per_group +
                    in_page % members_per_group * sizeof(TransactionId);
  std::memset(page.bytes() + at, 0, block_size - at);
  page.mark_dirty();
  return Status::ok;
}

Status multixact_redo(RedoContext& redo) {
  const Geometry geometry(redo.services().storage.options().block_size);
  MultiXactLog& log = redo.transactions().multixacts();
  switch (redo.info()) {
    case XLOG_MULTIXACT_ZERO_OFF_PAGE:
    case XLOG_MULTIXACT_ZERO_MEM_PAGE: {
      const int64_t* body = redo.main_data<int64_t>();
      if (body == nullptr || load<int64_t>(body) < 0) return redo.corrupted("invalid page");
      const auto number = static_cast<uint64_t>(load<int64_t>(body));
      SlruPage page;
      if (redo.info() == XLOG_MULTIXACT_ZERO_MEM_PAGE)
        return log.member_pages().zero_page(number, &page);
      const bool made_early = redo.driver().early_offsets_page == number;
      redo.driver().early_offsets_page = UINT64_MAX;
      redo.driver().latest_offsets_page = number;
      return made_early ? Status() : log.offset_pages().zero_page(number, &page);
    }
    case XLOG_MULTIXACT_CREATE_ID:
      return redo_create(redo, geometry);
    case XLOG_MULTIXACT_TRUNCATE_ID:
      return redo_truncate(redo);
    default:
      return redo.corrupted("unknown operation");
  }
}

}  // namespace pgdata
