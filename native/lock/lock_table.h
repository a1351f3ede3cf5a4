// LockTable: the heavyweight locks of a cluster, in the shared segment.
//
// A lock is found by its tag in one of `partitions` parts, each under its own LwLock. Who holds or awaits it is
// said by ProcLocks, one for each pair of lock and backend. A backend is known by its slot in the process array,
// and waits for at most one lock at a time, in the lock's queue. Nobody sleeps here: who must wait is told so,
// and whoever changes its state rings the mailbox of its process, on which that process's WaitThread sleeps.
//
// What a LockSession knows of its own locks is kept there; this class takes each level of a lock once per
// backend. Source: src/backend/storage/lmgr/{lock.c,proc.c,README}, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "lock/fast_path.h"
#include "lock/lock_tag.h"
#include "shmem/lwlock.h"
#include "shmem/segment.h"

namespace pgdata {

struct LockTableOptions {
  uint32_t slots = 128;                     // backends, prepared transactions among them
  uint32_t max_locks_per_transaction = 64;  // on average, over all slots
};

enum class LockOutcome : uint8_t { granted, waiting, not_available };

// One row of pg_locks.
struct LockEntry {
  LockTag tag;
  int slot = 0;
  uint32_t number = 0;  // of the session
  LockLevel level = LockLevel::none;
  bool granted = false;
  bool fast_path = false;          // held without a place in the table
  uint32_t local_transaction = 0;  // of the slot; 0: none
  TimestampTz wait_start = 0;      // of a waiter
};

class LockTable {
 public:
  static constexpr uint32_t partitions = 16;
  static constexpr uint32_t mailboxes_max = 64;
  static constexpr uint32_t none = 0;  // of indexes into the table, which count from 1

  static void plan(SegmentPlan& plan, const LockTableOptions& options);
  LockTable(Segment& segment, const LockTableOptions& options);
  LockTable(const LockTable&) = delete;

  // The word that a process's WaitThread sleeps on. too_many_connections when all are taken.
  Status take_mailbox(uint32_t* mailbox);
  void release_mailbox(uint32_t mailbox);
  // The number in the ProcessTable of the process that takes mailboxes here.
  void set_process(uint32_t process) { process_ = process; }
  void release_mailboxes_of(uint32_t process);
  std::atomic<uint32_t>& bell(uint32_t mailbox) const;
  void ring(uint32_t mailbox) const;
  std::atomic<uint32_t>& bell_of(int slot) const { return bell(slot_at(slot).mailbox); }

  // A backend begins to use `slot`; `number` is what messages and pg_locks call it.
  void open_slot(int slot, uint32_t mailbox, uint32_t number);
  // All its locks are gone.
  void close_slot(int slot);

  // Takes `level` of a lock that the slot does not hold at that level yet. `*proclock`: of this lock and slot, none
  // before the first level is held in the table; set when one is granted there or waited for. With `waiting` the slot is in the
  // lock's queue; `wait_state` tells when that has ended. out_of_memory when the table is full;
  // deadlock_detected when the queue could never move.
  Status acquire(int slot, const LockTag& tag, LockLevel level, bool may_wait, uint32_t* proclock,
                 LockOutcome* outcome);
  // Gives one level back and lets waiters in. `*proclock` becomes none with the last one in the table.
  void release(int slot, const LockTag& tag, LockLevel level, uint32_t* proclock);
  // What the slot holds of the lock on the fast path gets its place in the table, and `*proclock` says where.
  // out_of_memory when that is full.
  Status leave_fast_path(int slot, const LockTag& tag, uint32_t* proclock);
  // For who holds a lock for reading so briefly that nothing need be remembered of it; given back by the second.
  FastPathLocks& fast_path() { return fast_path_; }
  void fast_path_release(int slot, const LockTag& tag) {
    uint32_t proclock = none;
    release(slot, tag, LockLevel::access_share, &proclock);
  }
  // After fast_path().begin_read.
  void end_read(int slot, const LockTag& tag) {
    if (!fast_path_.end_read(slot)) fast_path_release(slot, tag);
  }

  enum class WaitState : uint32_t { idle = 0, waiting = 1, granted = 2 };
  WaitState wait_state(int slot) const;
  // The slot stops waiting: true if it did wait; false if the lock had been granted meanwhile (or it waited for none).
  bool cancel_wait(int slot);
  // After `granted` was seen: the slot's new ProcLock.
  uint32_t end_wait(int slot);
  // Looks for a cycle of waits that `slot` is part of. When queues can be changed to break it, that is done. Otherwise
  // the slot stops waiting, and the error is deadlock_detected with the cycle in its detail. ok in all other cases.
  Status check_deadlock(int slot);

  // A transaction of the slot begins: its local number, which with the slot's is its virtual id.
  uint32_t begin_transaction(int slot);
  void end_transaction(int slot);
  // 0: none.
  uint32_t local_transaction(int slot) const {
    return slot_at(slot).local_transaction.load(std::memory_order_seq_cst);
  }

  // Another transaction's id, virtual or not, as a lock: nobody takes one for its own id; whoever is going to wait for it
  // takes it for the backend that runs it. That backend finds a note, and gives the lock back when it has ended.
  Status lock_transaction_for(int owner_slot, const LockTag& transaction);
  bool is_transaction_wanted(int slot) const;
  void release_transaction(int owner_slot, const LockTag& transaction);
  // All of them, at the end of a transaction.
  void release_transactions(int owner_slot);

  // Hands what a slot holds to another one, at PREPARE TRANSACTION, but for the ProcLocks of `kept`.
  void transfer(int from_slot, int to_slot, const std::vector<uint32_t>& kept);
  // What a slot holds, and giving all of it back: of prepared transactions and of the dead.
  std::vector<LockEntry> held_by(int slot) const;
  void release_all(int slot);

  // Does anybody wait for the lock?
  bool has_waiters(const LockTag& tag) const;

  // A picture of all locks at one moment.
  std::vector<LockEntry> entries() const;
  // What is the same in all entries of a slot.
  LockEntry entry_of_slot(int slot) const;
  uint32_t locks_max() const { return locks_max_; }

 private:
  friend class DeadlockDetector;

  struct Lock {
    LockTag tag;
    uint32_t next;          // in its bucket, or of the free ones
    uint32_t first_holder;  // ProcLocks
    uint32_t first_waiter;  // slots, from 1
    uint32_t last_waiter;
    uint16_t granted_mask;
    uint16_t waited_mask;
    uint32_t requested;  // grants and requests in the queue
    uint32_t requested_at[lock_levels_end];
    uint32_t granted_at[lock_levels_end];
  };
  struct ProcLock {
    uint32_t lock;
    uint32_t slot;
    uint32_t held_mask;
    uint32_t next_of_lock;  // or of the free ones
    uint32_t previous_of_lock;
    uint32_t next_of_slot;
    uint32_t previous_of_slot;
    uint32_t padding;
  };
  struct Slot {
    alignas(64) std::atomic<uint32_t> state;  // WaitState
    std::atomic<uint32_t> transaction_wanted;
    std::atomic<uint32_t> local_transaction;  // 0: none
    uint32_t transactions;                    // the last local number; its session's alone
    std::atomic<TimestampTz> wait_start;
    uint32_t mailbox;
    uint32_t number;
    // Of the wait; changed under the lock's partition, which the hash tells.
    std::atomic<uint32_t> wait_hash;
    std::atomic<uint32_t> wait_lock;
    std::atomic<uint32_t> wait_proclock;
    LockLevel wait_level;
    uint32_t next_waiter;  // slots, from 1
    uint32_t previous_waiter;
    uint32_t first_proclock[partitions];
  };
  struct Mailbox {
    alignas(64) std::atomic<uint32_t> bell;
    std::atomic<uint32_t> taken;  // by the process of this number, from 1; 0: free
  };
  struct Partition {
    alignas(64) LwLock lock;
  };
  struct Pool {  // of unused Locks and ProcLocks; its lock is innermost
    alignas(64) LwLock lock;
    uint32_t free_lock;
    uint32_t free_proclock;
    uint32_t locks_used;  // never used ones begin after these
    uint32_t proclocks_used;
  };

  static uint32_t partition_of(uint32_t hash) { return hash % partitions; }
  uint32_t bucket_of(uint32_t hash) const { return hash / partitions % buckets_; }
  LwLock& partition_lock(uint32_t partition) const { return partitions_[partition].lock; }
  void lock_all() const;
  void unlock_all() const;

  Lock& lock_at(uint32_t index) const { return locks_[index - 1]; }
  ProcLock& proclock_at(uint32_t index) const { return proclocks_[index - 1]; }
  Slot& slot_at(int slot) const { return slots_[slot]; }
  uint32_t& bucket_at(uint32_t hash) const {
    return bucket_heads_[partition_of(hash) * buckets_ + bucket_of(hash)];
  }

  // All under the partition's lock, exclusively.
  uint32_t find_lock(const LockTag& tag, uint32_t hash) const;
  bool take_lock(const LockTag& tag, uint32_t hash, uint32_t* lock);
  bool take_proclock(uint32_t lock, int slot, uint32_t partition, uint32_t* proclock);
  uint32_t find_proclock(uint32_t lock, int slot) const;
  void drop_proclock(uint32_t proclock, uint32_t partition);
  void drop_lock_if_unused(uint32_t lock, uint32_t hash);
  void link_to_slot(uint32_t proclock, int slot, uint32_t partition);
  void unlink_from_slot(uint32_t proclock, uint32_t partition);
  bool conflicts_with_holders(const Lock& lock, uint32_t slot, LockLevel level) const;
  void grant(Lock& lock, ProcLock& proclock, LockLevel level);
  // Takes one level from a holder; true if a waiter may now be let in.
  bool ungrant(Lock& lock, ProcLock& proclock, LockLevel level);
  void clean_up(uint32_t lock, uint32_t proclock, uint32_t hash, bool wake);
  void enqueue_before(Lock& lock, uint32_t before, int slot);
  void dequeue(Lock& lock, int slot);
  void remove_from_queue(int slot);
  void wake_waiters(Lock& lock);
  Status join_queue(int slot, uint32_t lock_index, uint32_t proclock_index, LockLevel level,
                    LockOutcome* outcome);
  void release_held(int slot, uint32_t partition, uint32_t proclock, uint32_t mask);
  LockEntry entry_of(const ProcLock& proclock, LockLevel level, bool granted) const;
  // Moves what `slot` holds on the fast path; false when the table is full. Under the partition's lock.
  bool take_from_fast_path(int slot, const LockTag& tag, uint32_t hash);

  FastPathLocks fast_path_;
  uint32_t process_ = 0;
  uint32_t slots_max_;
  uint32_t locks_max_;
  uint32_t proclocks_max_;
  uint32_t buckets_;  // of each partition
  Pool* pool_;
  Partition* partitions_;
  Mailbox* mailboxes_;
  Slot* slots_;
  uint32_t* bucket_heads_;
  Lock* locks_;
  ProcLock* proclocks_;
};

// The error for a cycle of waits. `lines`: one for each process in it.
Status deadlock_error(const std::string& lines);

}  // namespace pgdata
