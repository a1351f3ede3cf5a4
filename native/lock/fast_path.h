// FastPathLocks: weak locks on relations of one database, which exclude each other never, in a few entries of each slot.
//
// Readers and writers lock their tables at levels that do not conflict: such a lock needs no place in the LockTable,
// where all would meet, as long as nobody wants the relation at a level that does. Who does says so in a counter of the
// relation's group, from then on refuses the fast path to it, and moves what others have taken there into the table.
// Source: EligibleForRelationFastPath and FastPathStrongRelationLocks in src/backend/storage/lmgr/lock.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lock/lock_tag.h"
#include "shmem/lwlock.h"

namespace pgdata {

class FastPathLocks {
 public:
  static constexpr uint32_t entries_per_slot = 16;
  static constexpr uint32_t groups = 1024;

  struct Held {
    LockTag tag;
    uint32_t mask = 0;  // bits of LockLevels
  };

  static size_t size(uint32_t slots);
  FastPathLocks(std::byte* at, uint32_t slots);

  static bool is_eligible(const LockTag& tag, LockLevel level) {
    return is_local_relation(tag) && level <= LockLevel::row_exclusive;
  }
  // Levels that an eligible one may conflict with.
  static bool is_strong(const LockTag& tag, LockLevel level) {
    return is_local_relation(tag) && level > LockLevel::share_update_exclusive;
  }

  // False when somebody wants the relation's group strongly, or the slot has no free entry.
  bool acquire(int slot, const LockTag& tag, LockLevel level);
  // False when it is not held here: it never was, or has been moved into the table.
  bool release(int slot, const LockTag& tag, LockLevel level);
  // For whoever wants it strongly: what the slot only keeps ready for its next read goes.
  bool holds(int slot, const LockTag& tag) const;
  // The levels that the slot holds here, which it then holds no more.
  uint32_t take(int slot, const LockTag& tag);

  // ACCESS SHARE for one read by a slot that does not hold the relation otherwise, one after the other: it is kept ready
  // for the next one, which then costs one exchange at its beginning and one at its end. False as `acquire`.
  bool begin_read(int slot, const LockTag& tag);
  // False when it has been moved into the table, where the slot must release it.
  bool end_read(int slot);
  void release_all(int slot);
  // All that a slot holds.
  void collect(int slot, std::vector<Held>* held) const;

  // From here on nobody takes the fast path to this relation, until as many calls of the second.
  void begin_strong(const LockTag& tag) {
    strong_[group_of(tag)].fetch_add(1, std::memory_order_seq_cst);
  }
  void end_strong(const LockTag& tag) {
    strong_[group_of(tag)].fetch_sub(1, std::memory_order_release);
  }

 private:
  struct Entry {
    uint32_t database;
    uint32_t relation;
    uint32_t mask;  // 0: free
  };
  // Of the lock that is taken for single reads: of none; kept ready; held; held, but moved into the table.
  enum class ReadState : uint32_t { none = 0, ready = 1, reading = 2, moved = 3 };
  struct Slot {
    alignas(64) LwLock lock;
    Entry entries[entries_per_slot];
    // Changed by the slot while it is `none`, under the lock.
    uint32_t read_database;
    uint32_t read_relation;
    std::atomic<ReadState> read_state;
  };

  static bool is_local_relation(const LockTag& tag) {
    return tag.type == LockTagType::relation && tag.field1 != invalid_oid;
  }
  static uint32_t group_of(const LockTag& tag) { return tag.hash() / 16 % groups; }
  static Entry* find(Slot& slot, const LockTag& tag);
  static bool is_read(const Slot& slot, const LockTag& tag) {
    return slot.read_relation == tag.field2 && slot.read_database == tag.field1 &&
           is_local_relation(tag);
  }

  Slot* slots_;
  std::atomic<uint32_t>* strong_;
};

}  // namespace pgdata
