// PreparedTable: the prepared transactions of the cluster, from PREPARE TRANSACTION to COMMIT or ROLLBACK PREPARED.
//
// A prepared transaction is an entry here and a slot of the process array, which makes it run on without a backend.
// Its state is in its PREPARE record; a checkpoint whose redo pointer is beyond that record writes the state to a file
// in pg_twophase, and a start takes in what files there are. The files are there at the end of a recovery as well.
// Source: src/backend/access/transam/twophase.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "shmem/segment.h"
#include "xact/two_phase_state.h"

namespace pgdata {

class TransactionSystem;

// As pg_prepared_xacts shows it.
struct PreparedTransaction {
  TransactionId xid = invalid_transaction_id;
  std::string gid;
  TimestampTz prepared_at = 0;
  Oid owner = 0;
  Oid database = 0;
};

// What a prepared transaction that was found in pg_twophase at the start had locked, other than its ids.
struct PreparedLock {
  std::string gid;
  TwoPhaseLockRecord lock;
};

class PreparedTable {
 public:
  static void plan(SegmentPlan& plan, uint32_t prepared_max);
  PreparedTable(Segment& segment, StorageServices& services, TransactionSystem& transactions,
                uint32_t prepared_max);

  // At start, before pg_subtrans is made: reads the files of pg_twophase. Those of transactions from `next_xid` on,
  // or that have ended, are removed. `*oldest`: the oldest xid, or `next_xid`.
  Status load(FullTransactionId next_xid, TransactionId* oldest);
  // At start, after that: lets them run. out_of_memory when there are more than the limit.
  Status enter();
  // Those of the files alone, for a cluster that is only read.
  Status list_files(std::vector<PreparedTransaction>* prepared);

  // For Backend::prepare. `reserve` checks and takes the name and a slot: invalid_parameter_value for a name that is
  // too long, object_not_in_prerequisite_state when prepared transactions are disabled, duplicate_object, out_of_memory.
  Status reserve(const TwoPhaseState& state, FullTransactionId xid, uint32_t* entry);
  void give_up(uint32_t entry);
  // Its record lies from `start` to `end`: it runs from now on.
  void publish(uint32_t entry, const TwoPhaseState& state, Lsn start, Lsn end);
  int slot_of(uint32_t entry) const;

  std::vector<PreparedTransaction> list() const;
  // Of those taken in by `enter`.
  const std::vector<PreparedLock>& locks_at_start() const { return locks_at_start_; }
  // undefined_object for an unknown name, object_not_in_prerequisite_state when somebody else is at it. `*state`: what
  // it was, for those who keep more of it. Durable when it returns. `when_over`: called when it runs no more, while its
  // slot is still its own, for who keeps locks of that slot.
  Status finish(const std::string& gid, bool commit, TwoPhaseState* state,
                const std::function<void(int slot)>& when_over = nullptr);

  // Checkpoint: makes files for those whose record it leaves behind.
  Status checkpoint(Lsn redo);

 private:
  struct Shared;
  struct Entry;
  struct Loaded {
    FullTransactionId xid;
    TwoPhaseState state;
  };

  std::string path(FullTransactionId xid) const;
  Status read_files(std::vector<Loaded>* loaded);
  Status remove_file(FullTransactionId xid);
  Status read_state(const Entry& entry, std::string* data);
  Status claim(const std::string& gid, uint32_t* entry);
  Status find_free(const std::string& gid, uint32_t* entry);
  Status record_outcome(Entry& entry, const TwoPhaseState& state, bool commit);

  StorageServices& services_;
  TransactionSystem& transactions_;
  uint32_t prepared_max_;
  Shared* shared_;
  Entry* entries_;
  std::vector<PreparedLock> locks_at_start_;
  std::vector<Loaded> loaded_;  // between `load` and `enter`
};

}  // namespace pgdata
