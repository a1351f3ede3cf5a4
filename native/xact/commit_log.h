// CommitLog: the outcome of every transaction, two bits each (pg_xact).
//
// A status that says "committed" may reach the disk only after the commit record has: for a commit that was
// not flushed first, the page keeps the record's position for the group of 32 transactions it belongs to.
// Source: src/backend/access/transam/clog.c, src/include/access/clog.h, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "xact/slru.h"
#include "xact/transaction_system.h"

namespace pgdata {

class CommitLog {
 public:
  static void plan(SegmentPlan& plan, uint32_t buffers, uint32_t block_size);
  CommitLog(Segment& segment, StorageServices& services, uint32_t buffers, bool read_only);

  // New cluster: page 0, all "in progress".
  Status create_first_page();
  // Makes the page of `xid` when it is the first on it, and logs that. Called before `xid` is assigned.
  Status extend(TransactionId xid);
  // At start: no transaction from `next_xid` on has an outcome yet, whatever a crash left behind.
  Status trim(TransactionId next_xid);

  // Removes the files of transactions before `oldest`, which the rows of `database` hold; logged first.
  Status truncate(TransactionId oldest, Oid database);

  // The status as the page has it. `*lsn`: must be durable before the status may be relied on after a crash.
  Status status_of(TransactionId xid, TransactionStatus* status, Lsn* lsn);
  // `commit_lsn`: the end of a commit record that is not durable yet, else invalid_lsn.
  Status set_status(TransactionId xid, TransactionStatus status, Lsn commit_lsn);
  // The outcome of a transaction and of its subtransactions `children`, ascending. When they lie on several pages,
  // a commit first notes the children on other pages as sub-committed, so that all become committed with `xid`.
  Status set_tree(TransactionId xid, const std::vector<TransactionId>& children,
                  TransactionStatus status, Lsn commit_lsn);

  // During replay the page may say so already, or be one that was truncated later.
  Status replay_status(TransactionId xid, TransactionStatus status);

  // Page numbers wrap there.
  uint64_t page_count() const { return (uint64_t{1} << 32) / xids_per_page(); }
  Slru& pages() { return pages_; }

 private:
  Status set_bits(SlruPage& page, TransactionId xid, TransactionStatus status, Lsn commit_lsn);
  // Of `count` ascending ids, page by page.
  Status set_by_pages(const TransactionId* xids, size_t count, TransactionStatus status,
                      Lsn commit_lsn);
  // Of `xid`, and after it of `count` ids on the same page.
  Status set_on_page(TransactionId xid, const TransactionId* children, size_t count,
                     TransactionStatus status, Lsn commit_lsn);
  uint32_t page_of(TransactionId xid) const { return value_of(xid) / xids_per_page(); }
  uint32_t xids_per_page() const { return block_size_ * 4; }

  StorageServices& services_;
  uint32_t block_size_;
  Slru pages_;
};

}  // namespace pgdata
