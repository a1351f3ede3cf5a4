// ProcessArray: every backend of the cluster, the transaction each one runs, and what each one may still see.
//
// Rules, which make snapshots atomic: an xid enters the array before the counter that assigned it is released
// to others; it leaves under the exclusive lock, which also advances the newest completed xid; a snapshot is
// taken under the shared lock. So no snapshot sees a transaction as ended that another, older one misses.
// Source: src/backend/storage/ipc/procarray.c, src/backend/access/transam/README, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "shmem/cluster_state.h"
#include "shmem/segment.h"
#include "xact/snapshot.h"

namespace pgdata {

class ProcessArray {
 public:
  static void plan(SegmentPlan& plan, uint32_t backends_max);
  ProcessArray(Segment& segment, uint32_t backends_max);

  // At start: every xid up to `latest_completed` has ended.
  void initialize(TransactionId latest_completed);

  Status take_slot(Oid database, int* slot);
  void release_slot(int slot);

  void set_xid(int slot, TransactionId xid);
  // The transaction of `slot` is over: one atomic step for all later snapshots.
  void end_transaction(int slot, TransactionId xid);
  // Announces nothing to be needed any more, by a transaction without an xid.
  void clear_xmin(int slot);

  // Fills `snapshot`, and announces its xmin for `slot` if that announces none yet. With `slot` negative nothing
  // is announced. `*completions` (may be null) tells when a snapshot was taken: if no transaction completed
  // since the given value, the snapshot is left as it is.
  void take_snapshot(int slot, Snapshot* snapshot, uint64_t* completions) const;

  bool is_in_progress(TransactionId xid) const;
  // The slot of the backend that runs `xid`; negative when it has ended.
  int slot_of(TransactionId xid) const;
  // The oldest xid that runs, or the first one after all that completed.
  TransactionId oldest_running() const;
  TransactionId oldest_xmin() const;
  TransactionId latest_completed() const;
  // All running xids, in no order, with the newest completed one, of one moment.
  void running(std::vector<TransactionId>* xids, TransactionId* latest_completed) const;

  // Between these two a backend does what a checkpoint must not come between.
  void begin_checkpoint_delay(int slot);
  void end_checkpoint_delay(int slot);
  // Waits until every delay that is under way now has ended; an error when the cluster is poisoned meanwhile.
  Status wait_for_checkpoint_delays(const ClusterState& state) const;

 private:
  struct Shared;
  struct Slot;
  TransactionId oldest_running_locked() const;

  Shared* shared_;
  Slot* slots_;
  std::atomic<TransactionId>* xids_;  // dense, as every snapshot reads all of them
  std::atomic<TransactionId>* xmins_;
  uint32_t slots_max_;
  // Everything before this has ended; saves looking at the array for old xids.
  mutable std::atomic<TransactionId> ended_before_{invalid_transaction_id};
};

}  // namespace pgdata
