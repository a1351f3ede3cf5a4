// SubtransactionLog: parents in Slru pages.
#include "xact/subtransactions.h"

#include <string>

#include "base/invariant.h"

namespace pgdata {

namespace {

SlruOptions subtrans_options(bool read_only) {
  SlruOptions options;
  options.name = "subtrans";
  options.directory = "pg_subtrans";
  options.area = SlruArea::subtransaction;
  options.buffers = 32;
  options.durable = false;
  options.read_only = read_only;
  return options;
}

std::string describe(TransactionId xid) { return "transaction " + std::to_string(value_of(xid)); }

}  // namespace

void SubtransactionLog::plan(SegmentPlan& plan, uint32_t block_size) {
  Slru::plan(plan, subtrans_options(false), block_size);
}

SubtransactionLog::SubtransactionLog(Segment& segment, StorageServices& services, bool read_only)
    : block_size_(services.storage.options().block_size),
      pages_(segment, services, subtrans_options(read_only)) {}

Status SubtransactionLog::create_first_page() {
  SlruPage page;
  return pages_.zero_page(0, &page);
}

Status SubtransactionLog::start(TransactionId oldest_active, TransactionId next_xid) {
  const uint32_t last = value_of(next_xid) / xids_per_page();
  const uint32_t last_of_all = 0xFFFFFFFFu / xids_per_page();
  uint32_t page = value_of(oldest_active) / xids_per_page();
  for (uint32_t steps = 0;; ++steps) {
    if (steps > last_of_all) {
      return Status::error(ErrorCode::data_corrupted,
                           "oldest active transaction %u is not before %u", value_of(oldest_active),
                           value_of(next_xid));
    }
    SlruPage zeroed;
    RETURN_IF_ERROR(pages_.zero_page(page, &zeroed));
    if (page == last) return Status::ok;
    page = page == last_of_all ? 0 : page + 1;
  }
}

Status SubtransactionLog::extend(TransactionId xid) {
  // The first normal id is not first on its page, but starts a new one at the wrap.
  if (value_of(xid) % xids_per_page() != 0 && xid != first_normal_transaction_id) return Status::ok;
  SlruPage page;
  return pages_.zero_page(value_of(xid) / xids_per_page(), &page);
}

Status SubtransactionLog::truncate(TransactionId oldest) {
  // The page of the oldest itself may not be there yet.
  const uint32_t before = value_of(oldest) - 1;
  const TransactionId last{before < value_of(first_normal_transaction_id) ? 0xFFFFFFFFu : before};
  return pages_.truncate_before(value_of(last) / xids_per_page(),
                                (uint64_t{1} << 32) / xids_per_page());
}

Status SubtransactionLog::set_parent(TransactionId xid, TransactionId parent) {
  INVARIANT(is_normal(parent));
  INVARIANT(precedes(parent, xid));
  SlruPage page;
  RETURN_IF_ERROR(pages_.lock_page(value_of(xid) / xids_per_page(), LockMode::exclusive,
                                   describe(xid).c_str(), &page));
  std::byte* entry = page.bytes() + value_of(xid) % xids_per_page() * sizeof(TransactionId);
  const auto before = load<TransactionId>(entry);
  if (before == parent) return Status::ok;
  if (is_valid(before)) {
    return Status::error(ErrorCode::data_corrupted, "transaction %u already has parent %u",
                         value_of(xid), value_of(before));
  }
  store(entry, parent);
  page.mark_dirty();
  return Status::ok;
}

Status SubtransactionLog::parent_of(TransactionId xid, TransactionId* parent) {
  *parent = invalid_transaction_id;
  if (!is_normal(xid)) return Status::ok;
  SlruPage page;
  RETURN_IF_ERROR(pages_.lock_page(value_of(xid) / xids_per_page(), LockMode::shared,
                                   describe(xid).c_str(), &page));
  *parent =
      load<TransactionId>(page.bytes() + value_of(xid) % xids_per_page() * sizeof(TransactionId));
  return Status::ok;
}

Status SubtransactionLog::topmost_of(TransactionId xid, TransactionId oldest,
                                     TransactionId* topmost) {
  *topmost = xid;
  // Each parent is older, so this ends.
  while (!precedes(*topmost, oldest)) {
    TransactionId parent;
    RETURN_IF_ERROR(parent_of(*topmost, &parent));
    if (!is_valid(parent)) return Status::ok;
    if (!precedes(parent, *topmost)) {
      return Status::error(ErrorCode::data_corrupted,
                           "pg_subtrans contains invalid entry: xid %u points to parent xid %u",
                           value_of(*topmost), value_of(parent));
    }
    *topmost = parent;
  }
  return Status::ok;
}

}  // namespace pgdata
