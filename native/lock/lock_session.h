// LockSession: the locks of one backend, by what took them and how often.
//
// The shared table knows each level of a lock once per backend; here is counted how often it was taken, and whether by
// the session, by its transaction or by one of its subtransactions, which decides when it is given back. Used by one
// thread at a time. Asynchronous: `acquire` either grants, or leaves the backend in the queue and says so; then the
// WaitThread reports the end of the wait, and `finish_wait` takes the lock into possession.
// Source: LOCALLOCK and its owners in src/backend/storage/lmgr/lock.c, XactLockTableWait in lmgr.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "lock/lock_table.h"
#include "xact/transaction_system.h"

namespace pgdata {

enum class LockScope : uint8_t { session, transaction };

class LockSession {
 public:
  // `slot`: of the process array. `mailbox`: where the ends of waits are announced.
  LockSession(LockTable& table, TransactionSystem& transactions, int slot, uint32_t mailbox);
  ~LockSession();  // gives back all locks
  LockSession(const LockSession&) = delete;

  LockTable& table() const { return table_; }
  int slot() const { return slot_; }
  bool is_waiting() const { return waiting_; }
  // What it waits for, or waited for last.
  const LockTag& awaited() const { return awaited_; }

  // With `may_wait` false the outcome is granted or not_available.
  Status acquire(const LockTag& tag, LockLevel level, LockScope scope, bool may_wait,
                 LockOutcome* outcome);
  // As without waiting, but holds out for `patience_ms` milliseconds: for calls that cannot wait long, for what is held
  // briefly by another thread or process. No lock is taken by way of a deadlock's end.
  Status acquire_soon(const LockTag& tag, LockLevel level, LockScope scope, int patience_ms,
                      LockOutcome* outcome);
  // Takes over a level that the slot holds in the table already, outside of this object, and of no lock held here.
  void adopt(const LockTag& tag, LockLevel level, LockScope scope);
  // Waits until `xid` has ended: granted when it has. A subtransaction ends when it is rolled back, or with its
  // transaction.
  Status await_transaction(TransactionId xid, bool may_wait, LockOutcome* outcome);
  // Waits until the transaction of that local number of another slot has ended, whether it has an xid or not.
  Status await_virtual_transaction(int owner_slot, uint32_t number, bool may_wait,
                                   LockOutcome* outcome);
  // After a wait ended with the lock granted.
  void finish_wait();
  // Leaves the queue; a lock that was granted just now is given back.
  void cancel_wait();

  // One of the times it was taken; false when it is not held so.
  bool release(const LockTag& tag, LockLevel level, LockScope scope);
  bool holds(const LockTag& tag, LockLevel level) const;
  // At any level.
  bool holds(const LockTag& tag) const { return locks_.contains(tag); }

  // From here to `end_transaction` there is a virtual transaction that others can wait for.
  void begin_transaction() { table_.begin_transaction(slot_); }
  void begin_subtransaction() { ++depth_; }
  // Its locks become its parent's.
  void commit_subtransaction();
  // After it was rolled back: its locks go, and who waited for its end goes on.
  Status abort_subtransaction();
  // After the transaction left the process array: everything but session locks goes, and who waited for its end goes on.
  void end_transaction();
  // All of one kind that the session holds, whatever its transaction: pg_advisory_unlock_all.
  void release_session_locks(LockTagType type);
  // PREPARE TRANSACTION: what the transaction holds, other than the ends of transactions, for its state on disk.
  // feature_not_supported when the session holds one of these itself, too.
  Status locks_to_prepare(std::vector<TwoPhaseLockRecord>* locks);
  // What the transaction holds is from here on held by `slot`; the session keeps its own.
  void hand_over(int slot);

 private:
  struct Grant {
    LockLevel level;
    uint32_t depth;  // 0: the session; 1: the transaction; more: subtransactions
    uint32_t count;
  };
  struct Held {
    uint32_t proclock = LockTable::none;
    std::vector<Grant> grants;
    bool has(LockLevel level) const;
    bool is_of(LockScope scope) const;
  };
  using Locks = std::unordered_map<LockTag, Held, LockTagHash>;

  static void add(Held& held, LockLevel level, uint32_t depth, uint32_t count);
  void release_shared(const LockTag& tag, Held& held, LockLevel level);
  // Drops the grants from `depth` on, which is not the session's.
  void release_from(uint32_t depth);
  template <typename Goes>
  void release_where(Goes&& goes);

  LockTable& table_;
  TransactionSystem& transactions_;
  int slot_;
  uint32_t depth_ = 1;
  Locks locks_;
  bool waiting_ = false;
  LockTag awaited_;
  LockLevel awaited_level_ = LockLevel::none;
  uint32_t awaited_depth_ = 0;
};

}  // namespace pgdata
