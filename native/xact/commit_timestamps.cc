// CommitTimestampLog: entries of ten bytes in Slru pages.
#include "xact/commit_timestamps.h"

#include <string>

#include "base/invariant.h"
#include "layout/replication_records.h"
#include "layout/wal_record.h"
#include "wal/wal.h"

namespace pgdata {

namespace {

constexpr uint32_t entry_bytes = sizeof(TimestampTz) + sizeof(uint16_t);
constexpr const char* shared_range = "commit timestamps";

SlruOptions commit_timestamp_options(bool read_only) {
  SlruOptions options;
  options.name = "commit timestamp pages";
  options.directory = "pg_commit_ts";
  options.area = SlruArea::commit_timestamp;
  options.buffers = 32;
  options.read_only = read_only;
  return options;
}

std::string describe(TransactionId xid) { return "transaction " + std::to_string(value_of(xid)); }

}  // namespace

struct CommitTimestampLog::Shared {
  LwLock lock;  // of all below; `active` changes only while nobody commits
  bool active;
  TransactionId oldest;
  TransactionId newest;
  TransactionId last_xid;
  TimestampTz last_time;
  uint16_t last_origin;
};

void CommitTimestampLog::plan(SegmentPlan& plan, uint32_t block_size) {
  plan.reserve(shared_range, sizeof(Shared));
  Slru::plan(plan, commit_timestamp_options(false), block_size);
}

CommitTimestampLog::CommitTimestampLog(Segment& segment, StorageServices& services, bool read_only)
    : services_(services),
      block_size_(services.storage.options().block_size),
      read_only_(read_only),
      shared_(reinterpret_cast<Shared*>(segment.find(shared_range))),
      pages_(segment, services, commit_timestamp_options(read_only)) {}

uint32_t CommitTimestampLog::entries_per_page() const { return block_size_ / entry_bytes; }

void CommitTimestampLog::load(TransactionId oldest, TransactionId newest) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  shared_->oldest = oldest;
  shared_->newest = newest;
}

void CommitTimestampLog::limits(TransactionId* oldest, TransactionId* newest) const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  *oldest = shared_->oldest;
  *newest = shared_->newest;
}

bool CommitTimestampLog::is_active() const { return shared_->active; }

Status CommitTimestampLog::activate(TransactionId next_xid) {
  {
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    if (shared_->active) return Status::ok;
    if (!is_valid(shared_->oldest)) shared_->oldest = shared_->newest = next_xid;
  }
  if (!read_only_) {
    bool exists = false;
    RETURN_IF_ERROR(pages_.page_exists(page_of(next_xid), &exists));
    if (!exists) {
      SlruPage page;
      RETURN_IF_ERROR(pages_.zero_page(page_of(next_xid), &page));
      RETURN_IF_ERROR(pages_.write_page(page));
    }
  }
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  shared_->active = true;
  return Status::ok;
}

Status CommitTimestampLog::deactivate() {
  {
    LwLockGuard guard(shared_->lock, LockMode::exclusive);
    shared_->active = false;
    shared_->oldest = invalid_transaction_id;
    shared_->newest = invalid_transaction_id;
    shared_->last_xid = invalid_transaction_id;
    shared_->last_time = 0;
    shared_->last_origin = 0;
  }
  return read_only_ ? Status() : pages_.remove_all_segments();
}

Status CommitTimestampLog::extend(TransactionId xid) {
  if (!is_active()) return Status::ok;
  // The first normal id is not first on its page, but starts a new one at the wrap.
  if (value_of(xid) % entries_per_page() != 0 && xid != first_normal_transaction_id)
    return Status::ok;
  const auto number = static_cast<int64_t>(page_of(xid));
  SlruPage page;
  RETURN_IF_ERROR(pages_.zero_page(static_cast<uint64_t>(number), &page));
  WalRecord record;
  record.begin(RmgrId::commit_ts, COMMIT_TS_ZEROPAGE, invalid_transaction_id);
  record.data(&number, sizeof(number));
  return services_.wal.insert(record, nullptr);
}

Status CommitTimestampLog::set_on_page(TransactionId xid, const TransactionId* children,
                                       size_t count, TimestampTz time, uint16_t origin) {
  SlruPage page;
  RETURN_IF_ERROR(
      pages_.lock_page(page_of(xid), LockMode::exclusive, describe(xid).c_str(), &page));
  const auto set = [&](TransactionId of) {
    std::byte* entry = page.bytes() + value_of(of) % entries_per_page() * entry_bytes;
    store(entry, time);
    store(entry + sizeof(time), origin);
  };
  set(xid);
  for (size_t i = 0; i < count; ++i) set(children[i]);
  page.mark_dirty();
  return Status::ok;
}

Status CommitTimestampLog::set_tree(TransactionId xid, const std::vector<TransactionId>& children,
                                    TimestampTz time, uint16_t origin) {
  if (!is_active()) return Status::ok;
  INVARIANT(is_normal(xid));
  TransactionId head = xid;
  for (size_t i = 0;;) {
    size_t same = 0;
    while (i + same < children.size() && page_of(children[i + same]) == page_of(head)) ++same;
    RETURN_IF_ERROR(set_on_page(head, children.data() + i, same, time, origin));
    i += same;
    if (i == children.size()) break;
    head = children[i++];
  }
  const TransactionId newest = children.empty() ? xid : children.back();
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  shared_->last_xid = xid;
  shared_->last_time = time;
  shared_->last_origin = origin;
  if (precedes(shared_->newest, newest)) shared_->newest = newest;
  return Status::ok;
}

Status CommitTimestampLog::check_active() const {
  if (shared_->active) return Status::ok;
  return Status::error(ErrorCode::object_not_in_prerequisite_state,
                       "could not get commit timestamp data")
      .with_hint("Make sure the configuration parameter \"track_commit_timestamp\" is set.");
}

Status CommitTimestampLog::find(TransactionId xid, CommitTimestamp* timestamp, bool* found) {
  *timestamp = CommitTimestamp{xid, 0, 0};
  *found = false;
  if (!is_valid(xid)) {
    return Status::error(ErrorCode::invalid_parameter_value,
                         "cannot retrieve commit timestamp for transaction %u", value_of(xid));
  }
  // Bootstrapped and frozen rows are older than all timestamps.
  if (!is_normal(xid)) return Status::ok;
  {
    LwLockGuard guard(shared_->lock, LockMode::shared);
    RETURN_IF_ERROR(check_active());
    if (!is_valid(shared_->oldest) || precedes(xid, shared_->oldest) ||
        precedes(shared_->newest, xid))
      return Status::ok;
  }
  SlruPage page;
  RETURN_IF_ERROR(pages_.lock_page(page_of(xid), LockMode::shared, describe(xid).c_str(), &page));
  const std::byte* entry = page.bytes() + value_of(xid) % entries_per_page() * entry_bytes;
  timestamp->time = pgdata::load<TimestampTz>(entry);
  timestamp->origin = pgdata::load<uint16_t>(entry + sizeof(TimestampTz));
  *found = timestamp->time != 0;
  return Status::ok;
}

Status CommitTimestampLog::last(CommitTimestamp* timestamp, bool* found) {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  RETURN_IF_ERROR(check_active());
  *timestamp = CommitTimestamp{shared_->last_xid, shared_->last_time, shared_->last_origin};
  *found = is_normal(shared_->last_xid);
  return Status::ok;
}

void CommitTimestampLog::advance_oldest(TransactionId oldest) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  if (is_valid(shared_->oldest) && precedes(shared_->oldest, oldest)) shared_->oldest = oldest;
}

Status CommitTimestampLog::truncate(TransactionId oldest) {
  const uint64_t cutoff = page_of(oldest);
  bool any = false;
  RETURN_IF_ERROR(pages_.has_segments_before(cutoff, page_count(), &any));
  if (!any) return Status::ok;
  xl_commit_ts_truncate body{};
  body.pageno = static_cast<int64_t>(cutoff);
  body.oldestXid = oldest;
  WalRecord record;
  record.begin(RmgrId::commit_ts, COMMIT_TS_TRUNCATE, invalid_transaction_id);
  record.data(&body, xl_commit_ts_truncate_size);
  RETURN_IF_ERROR(services_.wal.insert(record, nullptr));
  return pages_.truncate_before(cutoff, page_count());
}

Status CommitTimestampLog::replay_zero_page(uint64_t page) {
  SlruPage zeroed;
  return pages_.zero_page(page, &zeroed);
}

Status CommitTimestampLog::replay_truncate(uint64_t cutoff_page, TransactionId oldest) {
  advance_oldest(oldest);
  return pages_.truncate_before(cutoff_page, page_count());
}

}  // namespace pgdata
