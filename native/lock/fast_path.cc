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
  return find(theirs, tag) != nullptr;
}

uint32_t FastPathLocks::take(int slot, const LockTag& tag) {
  Slot& theirs = slots_[slot];
  LwLockGuard guard(theirs.lock, LockMode::exclusive);
  Entry* const entry = find(theirs, tag);
  if (entry == nullptr) return 0;
  return std::exchange(entry->mask, 0);
}

void FastPathLocks::release_all(int slot) {
  Slot& mine = slots_[slot];
  LwLockGuard guard(mine.lock, LockMode::exclusive);
  for (Entry& entry : mine.entries) entry.mask = 0;
}

void FastPathLocks::collect(int slot, std::vector<Held>* held) const {
  Slot& theirs = slots_[slot];
  LwLockGuard guard(theirs.lock, LockMode::shared);
  for (const Entry& entry : theirs.entries) {
    if (entry.mask != 0)
      held->push_back({LockTag::relation(entry.database, entry.relation), entry.mask});
  }
}

}  // namespace pgdata
