// FastPathLocks: entries of a slot under the slot's lock, which hardly anybody else wants.
#include "lock/fast_path.h"

#include <utility>

#include "base/invariant.h"

namespace pgdata {

size_t FastPathLocks::size(uint32_t slots) {
  return slots * sizeof(Slot) + groups * sizeof(std::atomic<uint32_t>);
}

FastPathLocks::FastPathLocks(std::byte* at, uint32_t slots)
    : slots_(reinterpret_cast<Slot*>(at)),
      strong_(reinterpret_cast<std::atomic<uint32_t>*>(at + slots * sizeof(Slot))) {}

FastPathLocks::Entry* FastPathLocks::find(Slot& slot, const LockTag& tag) {
  // Other kinds of locks have other things in the same fields.
  if (!is_local_relation(tag)) return nullptr;
  for (Entry& entry : slot.entries) {
    if (entry.mask != 0 && entry.relation == tag.field2 && entry.database == tag.field1)
      return &entry;
  }
  return nullptr;
}

bool FastPathLocks::acquire(int slot, const LockTag& tag, LockLevel level) {
  Slot& mine = slots_[slot];
  LwLockGuard guard(mine.lock, LockMode::exclusive);
  // Who wants it strongly counts first and then looks into each slot under its lock: one of us sees the other.
  if (strong_[group_of(tag)].load(std::memory_order_seq_cst) != 0) return false;
  Entry* entry = find(mine, tag);
  for (uint32_t i = 0; entry == nullptr && i < entries_per_slot; ++i) {
    if (mine.entries[i].mask != 0) continue;
    entry = &mine.entries[i];
    *entry = Entry{tag.field1, tag.field2, 0};
  }
  if (entry == nullptr) return false;
  INVARIANT((entry->mask & bit_of(level)) == 0);
  entry->mask |= bit_of(level);
  return true;
}

bool FastPathLocks::release(int slot, const LockTag& tag, LockLevel level) {
  Slot& mine = slots_[slot];
  LwLockGuard guard(mine.lock, LockMode::exclusive);
  Entry* const entry = find(mine, tag);
  if (entry == nullptr || (entry->mask & bit_of(level)) == 0) return false;
  entry->mask &= ~uint32_t{bit_of(level)};
  return true;
}

bool FastPathLocks::holds(int slot, const LockTag& tag) const {
  Slot& theirs = slots_[slot];
  LwLockGuard guard(theirs.lock, LockMode::shared);
  if (is_read(theirs, tag)) {
    ReadState state = ReadState::ready;
    if (!theirs.read_state.compare_exchange_strong(state, ReadState::none) &&
        state == ReadState::reading)
      return true;
  }
  return find(theirs, tag) != nullptr;
}

uint32_t FastPathLocks::take(int slot, const LockTag& tag) {
  Slot& theirs = slots_[slot];
  LwLockGuard guard(theirs.lock, LockMode::exclusive);
  uint32_t mask = 0;
  if (Entry* const entry = find(theirs, tag)) mask = std::exchange(entry->mask, 0);
  ReadState state = ReadState::reading;
  if (is_read(theirs, tag) && theirs.read_state.compare_exchange_strong(state, ReadState::moved))
    mask |= bit_of(LockLevel::access_share);
  return mask;
}

bool FastPathLocks::begin_read(int slot, const LockTag& tag) {
  Slot& mine = slots_[slot];
  ReadState state = ReadState::ready;
  // Whoever wanted the relation strongly since the last read has taken that away.
  if (is_read(mine, tag) && mine.read_state.compare_exchange_strong(state, ReadState::reading))
    return true;
  LwLockGuard guard(mine.lock, LockMode::exclusive);
  if (strong_[group_of(tag)].load(std::memory_order_seq_cst) != 0) return false;
  state = mine.read_state.load();
  INVARIANT(state == ReadState::none || state == ReadState::ready);
  mine.read_state.store(ReadState::none);
  mine.read_database = tag.field1;
  mine.read_relation = tag.field2;
  mine.read_state.store(ReadState::reading);
  return true;
}

bool FastPathLocks::end_read(int slot) {
  Slot& mine = slots_[slot];
  ReadState state = ReadState::reading;
  if (mine.read_state.compare_exchange_strong(state, ReadState::ready)) return true;
  INVARIANT(state == ReadState::moved);
  mine.read_state.store(ReadState::none);
  return false;
}

void FastPathLocks::release_all(int slot) {
  Slot& mine = slots_[slot];
  LwLockGuard guard(mine.lock, LockMode::exclusive);
  for (Entry& entry : mine.entries) entry.mask = 0;
  mine.read_state.store(ReadState::none);
}

void FastPathLocks::collect(int slot, std::vector<Held>* held) const {
  Slot& theirs = slots_[slot];
  LwLockGuard guard(theirs.lock, LockMode::shared);
  for (const Entry& entry : theirs.entries) {
    if (entry.mask != 0)
      held->push_back({LockTag::relation(entry.database, entry.relation), entry.mask});
  }
  if (theirs.read_state.load() == ReadState::reading)
    held->push_back({LockTag::relation(theirs.read_database, theirs.read_relation),
                     uint32_t{bit_of(LockLevel::access_share)}});
}

}  // namespace pgdata
