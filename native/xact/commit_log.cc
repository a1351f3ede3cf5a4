// CommitLog: two status bits per transaction in Slru pages.
#include "xact/commit_log.h"

#include <cstring>

#include "base/invariant.h"
#include "layout/wal_transaction_records.h"
#include "wal/wal.h"

namespace pgdata {

namespace {

constexpr uint32_t xids_per_byte = 4;
constexpr uint32_t xids_per_lsn_group = 32;
constexpr uint32_t status_mask = 3;

SlruOptions clog_options(uint32_t buffers, uint32_t block_size, bool read_only) {
  SlruOptions options;
  options.name = "clog";
  options.directory = "pg_xact";
  options.area = SlruArea::transaction;
  options.buffers = buffers;
  options.lsns_per_page = block_size * xids_per_byte / xids_per_lsn_group;
  options.read_only = read_only;
  return options;
}

std::string describe(TransactionId xid) { return "transaction " + std::to_string(value_of(xid)); }

}  // namespace

void CommitLog::plan(SegmentPlan& plan, uint32_t buffers, uint32_t block_size) {
  Slru::plan(plan, clog_options(buffers, block_size, false), block_size);
}

CommitLog::CommitLog(Segment& segment, StorageServices& services, uint32_t buffers, bool read_only)
    : services_(services),
      block_size_(services.storage.options().block_size),
      pages_(segment, services, clog_options(buffers, block_size_, read_only)) {}

Status CommitLog::create_first_page() {
  SlruPage page;
  return pages_.zero_page(0, &page);
}

Status CommitLog::extend(TransactionId xid) {
  // The first normal id is not first on its page, but starts a new one at the wrap.
  if (value_of(xid) % xids_per_page() != 0 && xid != first_normal_transaction_id) return Status::ok;
  const int64_t number = value_of(xid) / xids_per_page();
  SlruPage page;
  RETURN_IF_ERROR(pages_.zero_page(static_cast<uint64_t>(number), &page));
  WalRecord record;
  record.begin(RmgrId::clog, CLOG_ZEROPAGE, invalid_transaction_id);
  record.data(&number, sizeof(number));
  return services_.wal.insert(record, nullptr);
}

Status CommitLog::trim(TransactionId next_xid) {
  const uint32_t index = value_of(next_xid) % xids_per_page();
  if (index == 0) return Status::ok;  // its page does not exist yet
  SlruPage page;
  RETURN_IF_ERROR(pages_.lock_page(value_of(next_xid) / xids_per_page(), LockMode::exclusive,
                                   describe(next_xid).c_str(), &page));
  const uint32_t byte = index / xids_per_byte;
  const uint32_t kept_bits = index % xids_per_byte * 2;
  auto* bytes = reinterpret_cast<uint8_t*>(page.bytes());
  bool changed = false;
  const auto kept = static_cast<uint8_t>(bytes[byte] & ((1u << kept_bits) - 1));
  if (bytes[byte] != kept) changed = true;
  bytes[byte] = kept;
  for (uint32_t i = byte + 1; i < block_size_; ++i) {
    if (bytes[i] != 0) changed = true;
    bytes[i] = 0;
  }
  if (changed) page.mark_dirty();
  return Status::ok;
}

Status CommitLog::truncate(TransactionId oldest, Oid database) {
  const uint64_t cutoff = page_of(oldest);
  bool any = false;
  RETURN_IF_ERROR(pages_.has_segments_before(cutoff, page_count(), &any));
  if (!any) return Status::ok;
  xl_clog_truncate body{};
  body.pageno = static_cast<int64_t>(cutoff);
  body.oldestXact = oldest;
  body.oldestXactDb = database;
  WalRecord record;
  record.begin(RmgrId::clog, CLOG_TRUNCATE, invalid_transaction_id);
  record.data(&body, sizeof(body));
  Lsn end = invalid_lsn;
  RETURN_IF_ERROR(services_.wal.insert(record, &end));
  // The files must not be gone before everybody knows that they are not needed.
  RETURN_IF_ERROR(services_.wal.flush(end));
  return pages_.truncate_before(cutoff, page_count());
}

Status CommitLog::status_of(TransactionId xid, TransactionStatus* status, Lsn* lsn) {
  INVARIANT(is_normal(xid));
  SlruPage page;
  const uint32_t number = value_of(xid) / xids_per_page();
  const uint32_t index = value_of(xid) % xids_per_page();
  RETURN_IF_ERROR(pages_.lock_page(number, LockMode::shared, describe(xid).c_str(), &page));
  const auto byte = static_cast<uint8_t>(page.bytes()[index / xids_per_byte]);
  *status = static_cast<TransactionStatus>((byte >> (index % xids_per_byte * 2)) & status_mask);
  *lsn = page.lsn(index / xids_per_lsn_group);
  return Status::ok;
}

Status CommitLog::replay_status(TransactionId xid, TransactionStatus status) {
  INVARIANT(is_normal(xid));
  SlruPage page;
  const uint32_t index = value_of(xid) % xids_per_page();
  RETURN_IF_ERROR(pages_.lock_page(value_of(xid) / xids_per_page(), LockMode::exclusive,
                                   describe(xid).c_str(), &page));
  auto& byte = reinterpret_cast<uint8_t*>(page.bytes())[index / xids_per_byte];
  const uint32_t shift = index % xids_per_byte * 2;
  byte = static_cast<uint8_t>((byte & ~(status_mask << shift)) |
                              (static_cast<uint32_t>(status) << shift));
  page.mark_dirty();
  return Status::ok;
}

Status CommitLog::set_bits(SlruPage& page, TransactionId xid, TransactionStatus status,
                           Lsn commit_lsn) {
  INVARIANT(is_normal(xid));
  const uint32_t index = value_of(xid) % xids_per_page();
  auto& byte = reinterpret_cast<uint8_t*>(page.bytes())[index / xids_per_byte];
  const uint32_t shift = index % xids_per_byte * 2;
  const auto old = static_cast<TransactionStatus>((byte >> shift) & status_mask);
  if (old != status && old != TransactionStatus::in_progress &&
      old != TransactionStatus::sub_committed) {
    return Status::error(ErrorCode::data_corrupted,
                         "transaction %u already has an outcome in the commit log", value_of(xid));
  }
  byte = static_cast<uint8_t>((byte & ~(status_mask << shift)) |
                              (static_cast<uint32_t>(status) << shift));
  page.mark_dirty();
  if (commit_lsn != invalid_lsn) page.raise_lsn(index / xids_per_lsn_group, commit_lsn);
  return Status::ok;
}

Status CommitLog::set_on_page(TransactionId xid, const TransactionId* children, size_t count,
                              TransactionStatus status, Lsn commit_lsn) {
  SlruPage page;
  RETURN_IF_ERROR(
      pages_.lock_page(page_of(xid), LockMode::exclusive, describe(xid).c_str(), &page));
  RETURN_IF_ERROR(set_bits(page, xid, status, commit_lsn));
  for (size_t i = 0; i < count; ++i) {
    INVARIANT(page_of(children[i]) == page_of(xid));
    RETURN_IF_ERROR(set_bits(page, children[i], status, commit_lsn));
  }
  return Status::ok;
}

Status CommitLog::set_by_pages(const TransactionId* xids, size_t count, TransactionStatus status,
                               Lsn commit_lsn) {
  for (size_t i = 0; i < count;) {
    size_t same = 1;
    while (i + same < count && page_of(xids[i + same]) == page_of(xids[i])) ++same;
    RETURN_IF_ERROR(set_on_page(xids[i], xids + i + 1, same - 1, status, commit_lsn));
    i += same;
  }
  return Status::ok;
}

Status CommitLog::set_status(TransactionId xid, TransactionStatus status, Lsn commit_lsn) {
  return set_on_page(xid, nullptr, 0, status, commit_lsn);
}

Status CommitLog::set_tree(TransactionId xid, const std::vector<TransactionId>& children,
                           TransactionStatus status, Lsn commit_lsn) {
  INVARIANT(status == TransactionStatus::committed || status == TransactionStatus::aborted);
  size_t near = 0;  // those on the page of `xid`
  while (near < children.size() && page_of(children[near]) == page_of(xid)) ++near;
  const TransactionId* far = children.data() + near;
  const size_t far_count = children.size() - near;
  if (far_count > 0 && status == TransactionStatus::committed)
    RETURN_IF_ERROR(set_by_pages(far, far_count, TransactionStatus::sub_committed, commit_lsn));
  RETURN_IF_ERROR(set_on_page(xid, children.data(), near, status, commit_lsn));
  return set_by_pages(far, far_count, status, commit_lsn);
}

}  // namespace pgdata
