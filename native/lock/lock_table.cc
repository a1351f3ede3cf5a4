// LockTable: granting, queueing and waking. Finding deadlocks is in deadlock.cc.
#include "lock/lock_table.h"

#include <algorithm>
#include <bit>
#include <climits>
#include <utility>

#include "base/invariant.h"
#include "base/stop_point.h"

namespace pgdata {

namespace {

constexpr const char* range_name = "locks";
constexpr const char* fast_path_range_name = "fast-path locks";
constexpr size_t line_align(size_t size) { return align_up(size, 64); }

Status table_full() {
  return Status::error(ErrorCode::out_of_memory, "out of shared memory")
      .with_hint("You might need to increase \"max_locks_per_transaction\".");
}

uint32_t lock_count(const LockTableOptions& options) {
  return options.slots * options.max_locks_per_transaction;
}
uint32_t bucket_count(const LockTableOptions& options) {
  return std::bit_ceil(lock_count(options) / LockTable::partitions + 1);
}

}  // namespace

void LockTable::plan(SegmentPlan& plan, const LockTableOptions& options) {
  const size_t locks = lock_count(options);
  plan.reserve(range_name,
               line_align(sizeof(Pool)) + partitions * sizeof(Partition) +
                   mailboxes_max * sizeof(Mailbox) + options.slots * sizeof(Slot) +
                   line_align(size_t{partitions} * bucket_count(options) * sizeof(uint32_t)) +
                   line_align(locks * sizeof(Lock)) + line_align(2 * locks * sizeof(ProcLock)));
  plan.reserve(fast_path_range_name, FastPathLocks::size(options.slots));
}

LockTable::LockTable(Segment& segment, const LockTableOptions& options)
    : fast_path_(segment.find(fast_path_range_name), options.slots),
      slots_max_(options.slots),
      locks_max_(lock_count(options)),
      proclocks_max_(2 * lock_count(options)),
      buckets_(bucket_count(options)) {
  std::byte* at = segment.find(range_name);
  const auto take = [&at](size_t bytes) { return std::exchange(at, at + line_align(bytes)); };
  pool_ = reinterpret_cast<Pool*>(take(sizeof(Pool)));
  partitions_ = reinterpret_cast<Partition*>(take(partitions * sizeof(Partition)));
  mailboxes_ = reinterpret_cast<Mailbox*>(take(mailboxes_max * sizeof(Mailbox)));
  slots_ = reinterpret_cast<Slot*>(take(slots_max_ * sizeof(Slot)));
  bucket_heads_ =
      reinterpret_cast<uint32_t*>(take(size_t{partitions} * buckets_ * sizeof(uint32_t)));
  locks_ = reinterpret_cast<Lock*>(take(locks_max_ * sizeof(Lock)));
  proclocks_ = reinterpret_cast<ProcLock*>(take(proclocks_max_ * sizeof(ProcLock)));
}

Status LockTable::take_mailbox(uint32_t* mailbox) {
  for (uint32_t i = 0; i < mailboxes_max; ++i) {
    uint32_t expected = 0;
    if (!mailboxes_[i].taken.compare_exchange_strong(expected, process_ + 1)) continue;
    *mailbox = i;
    return Status::ok;
  }
  return Status::error(ErrorCode::too_many_connections, "sorry, too many clients already");
}

void LockTable::release_mailbox(uint32_t mailbox) { mailboxes_[mailbox].taken.store(0); }

void LockTable::release_mailboxes_of(uint32_t process) {
  for (uint32_t i = 0; i < mailboxes_max; ++i) {
    uint32_t expected = process + 1;
    mailboxes_[i].taken.compare_exchange_strong(expected, 0);
  }
}

std::atomic<uint32_t>& LockTable::bell(uint32_t mailbox) const { return mailboxes_[mailbox].bell; }

void LockTable::ring(uint32_t mailbox) const {
  mailboxes_[mailbox].bell.fetch_add(1, std::memory_order_release);
  futex_wake(&mailboxes_[mailbox].bell, INT_MAX);
}

void LockTable::open_slot(int slot, uint32_t mailbox, uint32_t number) {
  Slot& opened = slot_at(slot);
  opened.mailbox = mailbox;
  opened.number = number;
  opened.state.store(static_cast<uint32_t>(WaitState::idle), std::memory_order_relaxed);
  opened.transaction_wanted.store(0, std::memory_order_relaxed);
  opened.local_transaction.store(0, std::memory_order_relaxed);
}

void LockTable::close_slot(int slot) {
  for (const uint32_t first : slot_at(slot).first_proclock) INVARIANT(first == none);
}

void LockTable::lock_all() const {
  for (uint32_t i = 0; i < partitions; ++i) partition_lock(i).acquire(LockMode::exclusive);
}
void LockTable::unlock_all() const {
  for (uint32_t i = partitions; i > 0; --i) partition_lock(i - 1).release();
}

uint32_t LockTable::find_lock(const LockTag& tag, uint32_t hash) const {
  uint32_t index = bucket_at(hash);
  while (index != none && !(lock_at(index).tag == tag)) index = lock_at(index).next;
  return index;
}

bool LockTable::take_lock(const LockTag& tag, uint32_t hash, uint32_t* lock) {
  *lock = find_lock(tag, hash);
  if (*lock != none) return true;
  {
    LwLockGuard guard(pool_->lock, LockMode::exclusive);
    if (pool_->free_lock != none) {
      *lock = pool_->free_lock;
      pool_->free_lock = lock_at(*lock).next;
    } else if (pool_->locks_used < locks_max_) {
      *lock = ++pool_->locks_used;
    } else {
      return false;
    }
  }
  Lock& made = lock_at(*lock);
  made = Lock{};
  made.tag = tag;
  made.next = std::exchange(bucket_at(hash), *lock);
  return true;
}

uint32_t LockTable::find_proclock(uint32_t lock, int slot) const {
  uint32_t index = lock_at(lock).first_holder;
  while (index != none && proclock_at(index).slot != static_cast<uint32_t>(slot))
    index = proclock_at(index).next_of_lock;
  return index;
}

void LockTable::link_to_slot(uint32_t proclock, int slot, uint32_t partition) {
  ProcLock& linked = proclock_at(proclock);
  linked.slot = static_cast<uint32_t>(slot);
  linked.previous_of_slot = none;
  linked.next_of_slot = std::exchange(slot_at(slot).first_proclock[partition], proclock);
  if (linked.next_of_slot != none) proclock_at(linked.next_of_slot).previous_of_slot = proclock;
}

void LockTable::unlink_from_slot(uint32_t proclock, uint32_t partition) {
  const ProcLock& unlinked = proclock_at(proclock);
  if (unlinked.previous_of_slot != none)
    proclock_at(unlinked.previous_of_slot).next_of_slot = unlinked.next_of_slot;
  else
    slots_[unlinked.slot].first_proclock[partition] = unlinked.next_of_slot;
  if (unlinked.next_of_slot != none)
    proclock_at(unlinked.next_of_slot).previous_of_slot = unlinked.previous_of_slot;
}

bool LockTable::take_proclock(uint32_t lock, int slot, uint32_t partition, uint32_t* proclock) {
  {
    LwLockGuard guard(pool_->lock, LockMode::exclusive);
    if (pool_->free_proclock != none) {
      *proclock = pool_->free_proclock;
      pool_->free_proclock = proclock_at(*proclock).next_of_lock;
    } else if (pool_->proclocks_used < proclocks_max_) {
      *proclock = ++pool_->proclocks_used;
    } else {
      return false;
    }
  }
  ProcLock& made = proclock_at(*proclock);
  made = ProcLock{};
  made.lock = lock;
  made.next_of_lock = std::exchange(lock_at(lock).first_holder, *proclock);
  if (made.next_of_lock != none) proclock_at(made.next_of_lock).previous_of_lock = *proclock;
  link_to_slot(*proclock, slot, partition);
  return true;
}

void LockTable::drop_proclock(uint32_t proclock, uint32_t partition) {
  ProcLock& dropped = proclock_at(proclock);
  INVARIANT(dropped.held_mask == 0);
  if (dropped.previous_of_lock != none)
    proclock_at(dropped.previous_of_lock).next_of_lock = dropped.next_of_lock;
  else
    lock_at(dropped.lock).first_holder = dropped.next_of_lock;
  if (dropped.next_of_lock != none)
    proclock_at(dropped.next_of_lock).previous_of_lock = dropped.previous_of_lock;
  unlink_from_slot(proclock, partition);
  LwLockGuard guard(pool_->lock, LockMode::exclusive);
  dropped.next_of_lock = std::exchange(pool_->free_proclock, proclock);
}

void LockTable::drop_lock_if_unused(uint32_t lock, uint32_t hash) {
  Lock& dropped = lock_at(lock);
  if (dropped.requested != 0) return;
  INVARIANT(dropped.first_holder == none);
  INVARIANT(dropped.first_waiter == none);
  uint32_t* link = &bucket_at(hash);
  while (*link != lock) {
    INVARIANT(*link != none);
    link = &lock_at(*link).next;
  }
  *link = dropped.next;
  LwLockGuard guard(pool_->lock, LockMode::exclusive);
  dropped.next = std::exchange(pool_->free_lock, lock);
}

// LockCheckConflicts: what the slot itself holds does not stand in its way.
bool LockTable::conflicts_with_holders(const Lock& lock, uint32_t slot, LockLevel level) const {
  const uint16_t conflicts = conflicts_of(level);
  if ((conflicts & lock.granted_mask) == 0) return false;
  uint32_t mine = 0;
  for (uint32_t index = lock.first_holder; index != none; index = proclock_at(index).next_of_lock) {
    if (proclock_at(index).slot == slot) mine = proclock_at(index).held_mask;
  }
  for (uint32_t at = 1; at < lock_levels_end; ++at) {
    if ((conflicts >> at & 1) == 0) continue;
    if (lock.granted_at[at] > (mine >> at & 1)) return true;
  }
  return false;
}

void LockTable::grant(Lock& lock, ProcLock& proclock, LockLevel level) {
  lock.granted_at[value_of(level)]++;
  lock.granted_mask = static_cast<uint16_t>(lock.granted_mask | bit_of(level));
  if (lock.granted_at[value_of(level)] == lock.requested_at[value_of(level)])
    lock.waited_mask = static_cast<uint16_t>(lock.waited_mask & ~bit_of(level));
  proclock.held_mask |= bit_of(level);
}

bool LockTable::ungrant(Lock& lock, ProcLock& proclock, LockLevel level) {
  INVARIANT((proclock.held_mask & bit_of(level)) != 0);
  INVARIANT(lock.granted_at[value_of(level)] > 0);
  if (FastPathLocks::is_strong(lock.tag, level)) fast_path_.end_strong(lock.tag);
  lock.requested--;
  lock.requested_at[value_of(level)]--;
  if (--lock.granted_at[value_of(level)] == 0)
    lock.granted_mask = static_cast<uint16_t>(lock.granted_mask & ~bit_of(level));
  proclock.held_mask &= ~uint32_t{bit_of(level)};
  return (conflicts_of(level) & lock.waited_mask) != 0;
}

void LockTable::clean_up(uint32_t lock, uint32_t proclock, uint32_t hash, bool wake) {
  const bool waits = slots_[proclock_at(proclock).slot].wait_proclock == proclock;
  if (proclock_at(proclock).held_mask == 0 && !waits) drop_proclock(proclock, partition_of(hash));
  if (lock_at(lock).requested == 0)
    drop_lock_if_unused(lock, hash);
  else if (wake)
    wake_waiters(lock_at(lock));
}

bool LockTable::take_from_fast_path(int slot, const LockTag& tag, uint32_t hash) {
  // Its place first: without one it stays where it is.
  uint32_t lock_index = none;
  if (!take_lock(tag, hash, &lock_index)) return false;
  uint32_t proclock = find_proclock(lock_index, slot);
  const bool is_new = proclock == none;
  if (is_new && !take_proclock(lock_index, slot, partition_of(hash), &proclock)) {
    drop_lock_if_unused(lock_index, hash);
    return false;
  }
  Lock& lock = lock_at(lock_index);
  const uint32_t mask = fast_path_.take(slot, tag);
  for (uint32_t at = 1; at < lock_levels_end; ++at) {
    if ((mask >> at & 1) == 0) continue;
    lock.requested++;
    lock.requested_at[at]++;
    grant(lock, proclock_at(proclock), static_cast<LockLevel>(at));
  }
  if (mask == 0) clean_up(lock_index, proclock, hash, false);
  return true;
}

Status LockTable::leave_fast_path(int slot, const LockTag& tag, uint32_t* proclock) {
  const uint32_t hash = tag.hash();
  LwLockGuard guard(partition_lock(partition_of(hash)), LockMode::exclusive);
  if (!take_from_fast_path(slot, tag, hash)) return table_full();
  const uint32_t lock = find_lock(tag, hash);
  if (lock != none) *proclock = find_proclock(lock, slot);
  return Status::ok;
}

Status LockTable::acquire(int slot, const LockTag& tag, LockLevel level, bool may_wait,
                          uint32_t* proclock, LockOutcome* outcome) {
  INVARIANT(level != LockLevel::none);
  INVARIANT(static_cast<uint32_t>(slot) < slots_max_);
  INVARIANT(wait_state(slot) == WaitState::idle);
  if (FastPathLocks::is_eligible(tag, level) && fast_path_.acquire(slot, tag, level)) {
    *outcome = LockOutcome::granted;
    return Status::ok;
  }
  const uint32_t hash = tag.hash();
  const uint32_t partition = partition_of(hash);
  const bool is_strong = FastPathLocks::is_strong(tag, level);
  if (is_strong) fast_path_.begin_strong(tag);
  LwLockGuard guard(partition_lock(partition), LockMode::exclusive);
  stop_point("lock table locked");
  const auto refused = [&](Status status) {
    if (is_strong) fast_path_.end_strong(tag);
    return status;
  };
  for (uint32_t other = 0; is_strong && other < slots_max_; ++other) {
    if (fast_path_.holds(static_cast<int>(other), tag) &&
        !take_from_fast_path(static_cast<int>(other), tag, hash))
      return refused(table_full());
  }
  uint32_t lock_index = none;
  if (!take_lock(tag, hash, &lock_index)) return refused(table_full());
  Lock& lock = lock_at(lock_index);
  uint32_t mine = *proclock == none ? find_proclock(lock_index, slot) : *proclock;
  if (mine == none && !take_proclock(lock_index, slot, partition, &mine)) {
    drop_lock_if_unused(lock_index, hash);
    return refused(table_full());
  }
  INVARIANT(proclock_at(mine).lock == lock_index);
  INVARIANT((proclock_at(mine).held_mask & bit_of(level)) == 0);
  lock.requested++;
  lock.requested_at[value_of(level)]++;
  // Who comes later does not overtake who waits for something that excludes it.
  const bool conflict = (conflicts_of(level) & lock.waited_mask) != 0 ||
                        conflicts_with_holders(lock, static_cast<uint32_t>(slot), level);
  Status status;
  if (!conflict) {
    grant(lock, proclock_at(mine), level);
    *outcome = LockOutcome::granted;
  } else if (!may_wait) {
    *outcome = LockOutcome::not_available;
  } else {
    status = join_queue(slot, lock_index, mine, level, outcome);
  }
  if (!status.is_ok() || *outcome == LockOutcome::not_available) {
    lock.requested--;
    lock.requested_at[value_of(level)]--;
    clean_up(lock_index, mine, hash, false);
    return refused(std::move(status));
  }
  *proclock = mine;
  return Status::ok;
}

// JoinWaitQueue: at the end of the queue, but before the first one that waits for what the slot already holds.
Status LockTable::join_queue(int slot, uint32_t lock_index, uint32_t proclock_index,
                             LockLevel level, LockOutcome* outcome) {
  Lock& lock = lock_at(lock_index);
  ProcLock& proclock = proclock_at(proclock_index);
  uint32_t before = none;
  if (proclock.held_mask != 0) {
    uint16_t ahead = 0;
    for (uint32_t other = lock.first_waiter; other != none; other = slots_[other - 1].next_waiter) {
      const Slot& waiter = slots_[other - 1];
      if ((conflicts_of(waiter.wait_level) & proclock.held_mask) != 0) {
        const uint32_t theirs = proclock_at(waiter.wait_proclock).held_mask;
        if ((conflicts_of(level) & theirs) != 0) {
          // Each waits for the other, and nothing that others do can change that.
          const std::string what = lock.tag.describe();
          const Slot& me = slot_at(slot);
          const auto line = [&what](uint32_t process, LockLevel wanted, uint32_t blocker) {
            return "Process " + std::to_string(process) + " waits for " + name_of(wanted) + " on " +
                   what + "; blocked by process " + std::to_string(blocker) + ".";
          };
          return deadlock_error(line(me.number, level, waiter.number) + "\n" +
                                line(waiter.number, waiter.wait_level, me.number));
        }
        if ((conflicts_of(level) & ahead) == 0 &&
            !conflicts_with_holders(lock, static_cast<uint32_t>(slot), level)) {
          grant(lock, proclock, level);
          *outcome = LockOutcome::granted;
          return Status::ok;
        }
        before = other;
        break;
      }
      ahead = static_cast<uint16_t>(ahead | bit_of(waiter.wait_level));
    }
  }
  Slot& me = slot_at(slot);
  me.wait_hash.store(lock.tag.hash(), std::memory_order_relaxed);
  me.wait_lock.store(lock_index, std::memory_order_relaxed);
  me.wait_proclock.store(proclock_index, std::memory_order_relaxed);
  me.wait_level = level;
  me.wait_start.store(current_timestamp(), std::memory_order_relaxed);
  enqueue_before(lock, before, slot);
  lock.waited_mask = static_cast<uint16_t>(lock.waited_mask | bit_of(level));
  me.state.store(static_cast<uint32_t>(WaitState::waiting), std::memory_order_release);
  *outcome = LockOutcome::waiting;
  return Status::ok;
}

void LockTable::enqueue_before(Lock& lock, uint32_t before, int slot) {
  const auto self = static_cast<uint32_t>(slot) + 1;
  Slot& me = slot_at(slot);
  me.next_waiter = before;
  me.previous_waiter = before == none ? lock.last_waiter : slots_[before - 1].previous_waiter;
  (me.previous_waiter == none ? lock.first_waiter : slots_[me.previous_waiter - 1].next_waiter) =
      self;
  (before == none ? lock.last_waiter : slots_[before - 1].previous_waiter) = self;
}

void LockTable::dequeue(Lock& lock, int slot) {
  Slot& me = slot_at(slot);
  (me.previous_waiter == none ? lock.first_waiter : slots_[me.previous_waiter - 1].next_waiter) =
      me.next_waiter;
  (me.next_waiter == none ? lock.last_waiter : slots_[me.next_waiter - 1].previous_waiter) =
      me.previous_waiter;
  me.next_waiter = none;
  me.previous_waiter = none;
}

// ProcLockWakeup: in the order of the queue, whoever conflicts with no holder and with nobody before it.
void LockTable::wake_waiters(Lock& lock) {
  uint16_t ahead = 0;
  uint32_t next = none;
  for (uint32_t waiting = lock.first_waiter; waiting != none; waiting = next) {
    Slot& waiter = slots_[waiting - 1];
    next = waiter.next_waiter;
    if ((conflicts_of(waiter.wait_level) & ahead) == 0 &&
        !conflicts_with_holders(lock, waiting - 1, waiter.wait_level)) {
      grant(lock, proclock_at(waiter.wait_proclock), waiter.wait_level);
      dequeue(lock, static_cast<int>(waiting - 1));
      waiter.wait_lock.store(none, std::memory_order_relaxed);
      waiter.state.store(static_cast<uint32_t>(WaitState::granted), std::memory_order_release);
      ring(waiter.mailbox);
    } else {
      ahead = static_cast<uint16_t>(ahead | bit_of(waiter.wait_level));
    }
  }
}

void LockTable::release(int slot, const LockTag& tag, LockLevel level, uint32_t* proclock) {
  if (FastPathLocks::is_eligible(tag, level) && fast_path_.release(slot, tag, level)) return;
  const uint32_t hash = tag.hash();
  LwLockGuard guard(partition_lock(partition_of(hash)), LockMode::exclusive);
  const uint32_t lock_index = find_lock(tag, hash);
  INVARIANT(lock_index != none);
  // Somebody else may have moved it here from the fast path.
  const uint32_t mine = *proclock == none ? find_proclock(lock_index, slot) : *proclock;
  INVARIANT(mine != none);
  ProcLock& held = proclock_at(mine);
  INVARIANT(held.slot == static_cast<uint32_t>(slot) && held.lock == lock_index);
  const bool wake = ungrant(lock_at(lock_index), held, level);
  *proclock = held.held_mask == 0 ? none : mine;
  clean_up(lock_index, mine, hash, wake);
}

LockTable::WaitState LockTable::wait_state(int slot) const {
  return static_cast<WaitState>(slot_at(slot).state.load(std::memory_order_acquire));
}

void LockTable::remove_from_queue(int slot) {
  Slot& me = slot_at(slot);
  const uint32_t lock_index = me.wait_lock.exchange(none, std::memory_order_relaxed);
  const uint32_t proclock = me.wait_proclock.exchange(none, std::memory_order_relaxed);
  Lock& lock = lock_at(lock_index);
  dequeue(lock, slot);
  const uint32_t at = value_of(me.wait_level);
  if (FastPathLocks::is_strong(lock.tag, me.wait_level)) fast_path_.end_strong(lock.tag);
  lock.requested--;
  lock.requested_at[at]--;
  if (lock.requested_at[at] == lock.granted_at[at])
    lock.waited_mask = static_cast<uint16_t>(lock.waited_mask & ~bit_of(me.wait_level));
  me.state.store(static_cast<uint32_t>(WaitState::idle), std::memory_order_release);
  // Those behind it may not have to wait any longer.
  clean_up(lock_index, proclock, lock.tag.hash(), true);
}

bool LockTable::cancel_wait(int slot) {
  if (wait_state(slot) != WaitState::waiting) return false;
  const uint32_t hash = slot_at(slot).wait_hash.load(std::memory_order_relaxed);
  LwLockGuard guard(partition_lock(partition_of(hash)), LockMode::exclusive);
  if (wait_state(slot) != WaitState::waiting) return false;
  remove_from_queue(slot);
  return true;
}

uint32_t LockTable::end_wait(int slot) {
  INVARIANT(wait_state(slot) == WaitState::granted);
  Slot& me = slot_at(slot);
  me.state.store(static_cast<uint32_t>(WaitState::idle), std::memory_order_relaxed);
  return me.wait_proclock.exchange(none, std::memory_order_relaxed);
}

uint32_t LockTable::begin_transaction(int slot) {
  Slot& mine = slot_at(slot);
  if (++mine.transactions == 0) ++mine.transactions;
  mine.local_transaction.store(mine.transactions, std::memory_order_release);
  return mine.transactions;
}

void LockTable::end_transaction(int slot) {
  std::atomic<uint32_t>& number = slot_at(slot).local_transaction;
  // Single reads end without ever having begun one.
  if (number.load(std::memory_order_relaxed) != 0) number.store(0, std::memory_order_seq_cst);
}

Status LockTable::lock_transaction_for(int owner_slot, const LockTag& tag) {
  const uint32_t hash = tag.hash();
  const uint32_t partition = partition_of(hash);
  LwLockGuard guard(partition_lock(partition), LockMode::exclusive);
  slot_at(owner_slot).transaction_wanted.store(1, std::memory_order_seq_cst);
  uint32_t lock = none;
  if (!take_lock(tag, hash, &lock)) return table_full();
  if (find_proclock(lock, owner_slot) != none) return Status::ok;
  uint32_t proclock = none;
  if (!take_proclock(lock, owner_slot, partition, &proclock)) {
    drop_lock_if_unused(lock, hash);
    return table_full();
  }
  lock_at(lock).requested++;
  lock_at(lock).requested_at[value_of(LockLevel::exclusive)]++;
  grant(lock_at(lock), proclock_at(proclock), LockLevel::exclusive);
  return Status::ok;
}

bool LockTable::is_transaction_wanted(int slot) const {
  return slot_at(slot).transaction_wanted.load(std::memory_order_seq_cst) != 0;
}

// Gives back the levels of `mask` that a ProcLock holds.
void LockTable::release_held(int slot, uint32_t partition, uint32_t proclock, uint32_t mask) {
  ProcLock& held = proclock_at(proclock);
  INVARIANT(held.slot == static_cast<uint32_t>(slot));
  const uint32_t lock = held.lock;
  const uint32_t hash = lock_at(lock).tag.hash();
  INVARIANT(partition_of(hash) == partition);
  bool wake = false;
  for (uint32_t at = 1; at < lock_levels_end; ++at) {
    if ((held.held_mask & mask) >> at & 1)
      wake = ungrant(lock_at(lock), held, static_cast<LockLevel>(at)) || wake;
  }
  clean_up(lock, proclock, hash, wake);
}

void LockTable::release_transaction(int owner_slot, const LockTag& tag) {
  const uint32_t hash = tag.hash();
  const uint32_t partition = partition_of(hash);
  LwLockGuard guard(partition_lock(partition), LockMode::exclusive);
  const uint32_t lock = find_lock(tag, hash);
  if (lock == none) return;
  const uint32_t proclock = find_proclock(lock, owner_slot);
  if (proclock != none) release_held(owner_slot, partition, proclock, bit_of(LockLevel::exclusive));
}

void LockTable::release_transactions(int owner_slot) {
  slot_at(owner_slot).transaction_wanted.store(0, std::memory_order_relaxed);
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    LwLockGuard guard(partition_lock(partition), LockMode::exclusive);
    uint32_t next = none;
    for (uint32_t at = slot_at(owner_slot).first_proclock[partition]; at != none; at = next) {
      next = proclock_at(at).next_of_slot;
      if (lock_at(proclock_at(at).lock).tag.is_transaction())
        release_held(owner_slot, partition, at, bit_of(LockLevel::exclusive));
    }
  }
}

void LockTable::release_all(int slot) {
  cancel_wait(slot);
  if (wait_state(slot) == WaitState::granted) end_wait(slot);
  fast_path_.release_all(slot);
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    LwLockGuard guard(partition_lock(partition), LockMode::exclusive);
    uint32_t next = none;
    for (uint32_t at = slot_at(slot).first_proclock[partition]; at != none; at = next) {
      next = proclock_at(at).next_of_slot;
      release_held(slot, partition, at, ~0u);
    }
  }
  slot_at(slot).transaction_wanted.store(0, std::memory_order_relaxed);
  slot_at(slot).local_transaction.store(0, std::memory_order_relaxed);
}

void LockTable::transfer(int from_slot, int to_slot, const std::vector<uint32_t>& kept) {
  INVARIANT(wait_state(from_slot) == WaitState::idle);
  slot_at(to_slot).transaction_wanted.store(1, std::memory_order_seq_cst);
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    LwLockGuard guard(partition_lock(partition), LockMode::exclusive);
    uint32_t next = none;
    for (uint32_t at = slot_at(from_slot).first_proclock[partition]; at != none; at = next) {
      next = proclock_at(at).next_of_slot;
      if (std::find(kept.begin(), kept.end(), at) != kept.end()) continue;
      unlink_from_slot(at, partition);
      link_to_slot(at, to_slot, partition);
    }
  }
  slot_at(from_slot).transaction_wanted.store(0, std::memory_order_relaxed);
}

LockEntry LockTable::entry_of_slot(int slot) const {
  LockEntry entry;
  entry.slot = slot;
  entry.number = slot_at(slot).number;
  entry.local_transaction = slot_at(slot).local_transaction.load(std::memory_order_relaxed);
  return entry;
}

LockEntry LockTable::entry_of(const ProcLock& proclock, LockLevel level, bool granted) const {
  LockEntry entry = entry_of_slot(static_cast<int>(proclock.slot));
  entry.tag = lock_at(proclock.lock).tag;
  entry.level = level;
  entry.granted = granted;
  if (!granted) entry.wait_start = slots_[proclock.slot].wait_start.load(std::memory_order_relaxed);
  return entry;
}

std::vector<LockEntry> LockTable::held_by(int slot) const {
  std::vector<LockEntry> held;
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    LwLockGuard guard(partition_lock(partition), LockMode::shared);
    for (uint32_t at = slot_at(slot).first_proclock[partition]; at != none;
         at = proclock_at(at).next_of_slot) {
      for (uint32_t level = 1; level < lock_levels_end; ++level) {
        if (proclock_at(at).held_mask >> level & 1)
          held.push_back(entry_of(proclock_at(at), static_cast<LockLevel>(level), true));
      }
    }
  }
  return held;
}

bool LockTable::has_waiters(const LockTag& tag) const {
  const uint32_t hash = tag.hash();
  LwLock& partition = partition_lock(partition_of(hash));
  partition.acquire(LockMode::shared);
  const uint32_t lock = find_lock(tag, hash);
  const bool waited_for = lock != none && lock_at(lock).first_waiter != none;
  partition.release();
  return waited_for;
}

std::vector<LockEntry> LockTable::entries() const {
  std::vector<LockEntry> all;
  for (uint32_t i = 0; i < partitions; ++i) partition_lock(i).acquire(LockMode::shared);
  for (uint32_t bucket = 0; bucket < partitions * buckets_; ++bucket) {
    for (uint32_t lock = bucket_heads_[bucket]; lock != none; lock = lock_at(lock).next) {
      for (uint32_t at = lock_at(lock).first_holder; at != none;
           at = proclock_at(at).next_of_lock) {
        const ProcLock& proclock = proclock_at(at);
        for (uint32_t level = 1; level < lock_levels_end; ++level) {
          if (proclock.held_mask >> level & 1)
            all.push_back(entry_of(proclock, static_cast<LockLevel>(level), true));
        }
        const Slot& slot = slots_[proclock.slot];
        if (slot.wait_lock == lock && slot.wait_proclock == at)
          all.push_back(entry_of(proclock, slot.wait_level, false));
      }
    }
  }
  // Under the locks of all partitions, so that none is between here and there.
  std::vector<FastPathLocks::Held> held;
  for (uint32_t slot = 0; slot < slots_max_; ++slot) {
    held.clear();
    fast_path_.collect(static_cast<int>(slot), &held);
    for (const FastPathLocks::Held& each : held) {
      for (uint32_t level = 1; level < lock_levels_end; ++level) {
        if ((each.mask >> level & 1) == 0) continue;
        LockEntry entry = entry_of_slot(static_cast<int>(slot));
        entry.tag = each.tag;
        entry.level = static_cast<LockLevel>(level);
        entry.granted = true;
        entry.fast_path = true;
        all.push_back(entry);
      }
    }
    // The virtual transaction that runs, unless somebody waits for it, who then took its lock.
    LockEntry entry = entry_of_slot(static_cast<int>(slot));
    if (entry.local_transaction == 0) continue;
    entry.tag = LockTag::virtual_transaction(entry.number, entry.local_transaction);
    const uint32_t lock = find_lock(entry.tag, entry.tag.hash());
    if (lock != none && find_proclock(lock, entry.slot) != none) continue;
    entry.level = LockLevel::exclusive;
    entry.granted = true;
    entry.fast_path = true;
    all.push_back(entry);
  }
  unlock_all();
  return all;
}

Status deadlock_error(const std::string& lines) {
  return Status::error(ErrorCode::deadlock_detected, "deadlock detected").with_detail(lines);
}

}  // namespace pgdata
