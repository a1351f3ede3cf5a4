// ProcessArray: every backend of the cluster, the transaction each one runs, and what each one may still see.
//
// Rules, which make snapshots atomic: an xid enters the array before the counter that assigned it is released
// to others; it leaves under the exclusive lock, which also advances the newest completed xid; a snapshot is
// taken under the shared lock. So no snapshot sees a transaction as ended that another, older one misses.
//
// A slot also lists the subtransactions of its transaction, 64 at most; when there are more it is overflowed, and
// pg_subtrans tells whom an xid that is in no list belongs to. Behind the slots of backends are those of prepared
// transactions, which run without one.
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

// What is known of an xid without asking pg_subtrans.
enum class Running : uint8_t {
  no,
  yes,
  maybe,  // it may be a subtransaction of one of those that are overflowed
};

// All running transactions of one moment.
struct RunningTransactions {
  std::vector<TransactionId> xids;     // top level, in no order
  std::vector<TransactionId> subxids;  // empty when overflowed
  bool suboverflowed = false;
  TransactionId latest_completed = invalid_transaction_id;
};

struct RemovalHorizons {
  TransactionId shared = invalid_transaction_id;
  TransactionId database = invalid_transaction_id;
};

class ProcessArray {
 public:
  // Subtransactions that a slot lists (PGPROC_MAX_CACHED_SUBXIDS).
  static constexpr uint32_t subxids_max = 64;

  static void plan(SegmentPlan& plan, uint32_t backends_max, uint32_t prepared_max);
  ProcessArray(Segment& segment, uint32_t backends_max, uint32_t prepared_max);

  // The number in the ProcessTable of the process whose backends take slots here.
  void set_process(uint32_t process) { process_ = process; }
  std::vector<int> slots_of(uint32_t process) const;
  // How many backends are on a database.
  uint32_t backends_on(Oid database) const;
  TransactionId xid_of(int slot) const { return xids_[slot].load(std::memory_order_acquire); }
  TransactionId xmin_of(int slot) const { return xmins_[slot].load(std::memory_order_acquire); }
  // The subtransactions that the slot lists, ascending.
  std::vector<TransactionId> subxids_of(int slot) const;

  // At start: every xid up to `latest_completed` has ended.
  void initialize(TransactionId latest_completed);

  Status take_slot(Oid database, int* slot);
  void release_slot(int slot);
  // A slot for a transaction that is prepared; false when all are taken.
  bool take_prepared_slot(Oid database, int* slot);
  // The prepared transaction of `slot` runs from now on, with its subtransactions.
  void enter_prepared(int slot, TransactionId xid, const std::vector<TransactionId>& subxids);
  // The backend's transaction has become that of a prepared slot, which was entered: the backend has none.
  void hand_over_to_prepared(int slot);

  void set_xid(int slot, TransactionId xid);
  // A subtransaction of the transaction of `slot`, which has its xid.
  void add_subxid(int slot, TransactionId xid);
  // Subtransactions of `slot` were rolled back, `latest` is the newest: one atomic step for all later snapshots.
  void remove_subxids(int slot, TransactionId xid, const std::vector<TransactionId>& children,
                      TransactionId latest);
  // The transaction of `slot` is over: one atomic step for all later snapshots. `latest`: the newest xid of it and
  // its subtransactions.
  void end_transaction(int slot, TransactionId xid, TransactionId latest);
  // Of a poisoned cluster: the slot runs nothing any more, however far its transaction came.
  void abandon_transaction(int slot);
  // Announces nothing to be needed any more, by a transaction without an xid.
  void clear_xmin(int slot);

  // Fills `snapshot`, and announces its xmin for `slot` if that announces none yet. With `slot` negative nothing
  // is announced. `*completions` (may be null) tells when a snapshot was taken: if no transaction completed
  // since the given value, the snapshot is left as it is.
  void take_snapshot(int slot, Snapshot* snapshot, uint64_t* completions) const;

  // Is `xid` running, at top level or as a subtransaction? `*oldest`: no xid before it runs.
  Running is_running(TransactionId xid, TransactionId* oldest) const;
  // The slot that runs `xid` or lists it as a subtransaction; negative when none does.
  int slot_of(TransactionId xid) const;
  // The oldest xid that runs, or the first one after all that completed.
  TransactionId oldest_running() const;
  TransactionId oldest_xmin() const;
  // What nobody may need any more of rows that a transaction before the horizon deleted: in shared catalogs, where
  // every backend counts, and in relations of `database`, where backends of other databases do not.
  RemovalHorizons removal_horizons(Oid database) const;
  // Is anybody reading?
  bool anybody_has_snapshot() const;
  // Changes whenever a transaction ends.
  uint64_t completions() const;
  TransactionId latest_completed() const;
  RunningTransactions running() const;

  // Between these two a backend does what a checkpoint must not come between.
  void begin_checkpoint_delay(int slot);
  void end_checkpoint_delay(int slot);
  // Waits until every delay that is under way now has ended; an error when the cluster is poisoned meanwhile.
  Status wait_for_checkpoint_delays(const ClusterState& state) const;

 private:
  struct Shared;
  struct Slot;
  // Calls `visit(slot)` for every slot that may be taken.
  template <typename Visit>
  void each_slot(Visit&& visit) const;
  // A free one, looked for from the `preferred`th on and all around.
  bool take_slot_between(uint32_t first, uint32_t end, uint32_t preferred, Oid database,
                         std::atomic<uint32_t>* used, int* slot);
  bool reuse_snapshot(int slot, const Snapshot& snapshot, uint64_t completions) const;
  void release_slot_between(uint32_t first, std::atomic<uint32_t>* used, int slot);
  TransactionId oldest_running_locked() const;
  void note_completed(TransactionId latest);

  Shared* shared_;
  Slot* slots_;
  std::atomic<TransactionId>* xids_;  // dense, as every snapshot reads all of them
  std::atomic<TransactionId>* xmins_;
  std::atomic<uint32_t>* sub_states_;    // how many subxids a slot lists, and overflowed_bit
  std::atomic<TransactionId>* subxids_;  // subxids_max a slot
  uint32_t backends_max_;
  uint32_t slots_max_;
  uint32_t process_ = 0;
  // Everything before this has ended; saves looking at the array for old xids.
  mutable std::atomic<TransactionId> ended_before_{invalid_transaction_id};
};

}  // namespace pgdata
