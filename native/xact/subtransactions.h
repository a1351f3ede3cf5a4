// SubtransactionLog: the parent of every subtransaction that runs (pg_subtrans).
//
// Four bytes a transaction: the xid of its immediate parent, 0 for one that has none. Asked only for xids that
// may run, or did when a snapshot in use was taken: what is older is cut off at checkpoints. It says nothing
// across a restart, so it is neither logged nor synced, and its pages are zeroed at the start.
// Source: src/backend/access/transam/subtrans.c, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "xact/slru.h"

namespace pgdata {

class SubtransactionLog {
 public:
  static void plan(SegmentPlan& plan, uint32_t block_size);
  SubtransactionLog(Segment& segment, StorageServices& services, bool read_only);

  Status create_first_page();
  // At start: zeroes the pages of all xids from `oldest_active` to `next_xid`.
  Status start(TransactionId oldest_active, TransactionId next_xid);
  // Makes the page of `xid` when it is the first on it. Called before `xid` is assigned.
  Status extend(TransactionId xid);

  // `parent` is older than `xid`, and is never changed once set.
  Status set_parent(TransactionId xid, TransactionId parent);
  Status parent_of(TransactionId xid, TransactionId* parent);
  // The transaction that `xid` belongs to: itself when it is no subtransaction. Goes no further than to xids before
  // `oldest`, which have ended and whose pages may be gone; such an xid is then the answer. data_corrupted for a
  // parent that is not older.
  Status topmost_of(TransactionId xid, TransactionId oldest, TransactionId* topmost);

  // Removes files of transactions before `oldest`, which nobody asks about any more.
  Status truncate(TransactionId oldest);

  // Checkpoint.
  Status write_all_dirty(uint64_t* written = nullptr) { return pages_.write_all_dirty(written); }

 private:
  uint32_t xids_per_page() const { return block_size_ / uint32_t{sizeof(TransactionId)}; }

  uint32_t block_size_;
  Slru pages_;
};

}  // namespace pgdata
