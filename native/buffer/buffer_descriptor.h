// BufferDescriptor: what the segment holds about one buffer besides its page.
//
//   offset  size  field          meaning
//        0     8  place          spcOid | dbOid << 32 of the page's tag
//        8     8  object         block | relNumber << 32
//       16     4  fork           ForkNumber
//       20     4  state          pins, usage count and BM_* flags, in one atomic word
//       24     8  content_lock   guards the page's bytes
//       32     4  next_in_chain  mapping table: index + 1 of the next buffer of its bucket
//       36     4  bucket         mapping table: the bucket it is chained in
//       40     8  hits           times it was found in the pool
//       48     8  changes        times its content may have changed: an exclusive lock, another page
//       56     8  (reserved)
//
// Little-endian by the machine; never on disk. Zero bytes are a free buffer.
//
// What may change when:
//   1. The tag changes only while BM_TAG_VALID is off and one pin exists, so it is stable for who
//      has a pin and sees BM_TAG_VALID.
//   2. BM_TAG_VALID goes off by a compare-and-swap that also sees no other pin, under the exclusive
//      partition lock. A reader without that lock pins only a state with BM_TAG_VALID, then looks
//      at the tag again; a pin on the wrong page is given back, and harms nobody meanwhile.
//   3. BM_IO_IN_PROGRESS has one holder, who has a pin. It is taken to read, to write, and to log a
//      hint; who holds it waits for no other buffer's.
//   4. BM_DIRTY goes off only at the end of a write during which BM_JUST_DIRTIED stayed off.
// Source for the roles: src/include/storage/buf_internals.h, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/invariant.h"
#include "base/types.h"
#include "shmem/lwlock.h"

namespace pgdata {

// Bits of BufferDescriptor::state.
inline constexpr uint32_t BUF_REFCOUNT_ONE = 1;
inline constexpr uint32_t BUF_REFCOUNT_MASK = (1u << 18) - 1;
inline constexpr uint32_t BUF_USAGECOUNT_ONE = 1u << 18;
inline constexpr uint32_t BUF_USAGECOUNT_MASK = 0xFu << 18;
inline constexpr uint32_t BM_MAX_USAGE_COUNT = 5;
inline constexpr uint32_t BM_DIRTY = 1u << 23;              // differs from the disk
inline constexpr uint32_t BM_VALID = 1u << 24;              // the page was read or zeroed
inline constexpr uint32_t BM_TAG_VALID = 1u << 25;          // the tag is set and mapped
inline constexpr uint32_t BM_IO_IN_PROGRESS = 1u << 26;     // somebody reads, writes or logs a hint
inline constexpr uint32_t BM_IO_WAITERS = 1u << 27;         // somebody sleeps until that ends
inline constexpr uint32_t BM_JUST_DIRTIED = 1u << 28;       // dirtied since the write began
inline constexpr uint32_t BM_PIN_COUNT_WAITER = 1u << 29;   // somebody sleeps until one pin is left
inline constexpr uint32_t BM_CHECKPOINT_NEEDED = 1u << 30;  // the running checkpoint must write it

constexpr uint32_t pins_of(uint32_t state) { return state & BUF_REFCOUNT_MASK; }
constexpr uint32_t usage_of(uint32_t state) {
  return (state & BUF_USAGECOUNT_MASK) / BUF_USAGECOUNT_ONE;
}

// Which page: relation, fork and block, packed so that two compare quickly.
struct BufferTag {
  uint64_t place = 0;
  uint64_t object = 0;
  uint32_t fork = 0;

  BufferTag() = default;
  BufferTag(RelFileLocator relation, ForkNumber fork_number, BlockNumber block_number)
      : place(relation.spcOid | static_cast<uint64_t>(relation.dbOid) << 32),
        object(value_of(block_number) | static_cast<uint64_t>(relation.relNumber) << 32),
        fork(static_cast<uint32_t>(fork_number)) {}

  RelFileLocator relation() const {
    return RelFileLocator{static_cast<Oid>(place), static_cast<Oid>(place >> 32),
                          static_cast<Oid>(object >> 32)};
  }
  ForkNumber fork_number() const { return static_cast<ForkNumber>(fork); }
  BlockNumber block() const { return BlockNumber{static_cast<uint32_t>(object)}; }
  friend bool operator==(const BufferTag&, const BufferTag&) = default;

  // Well mixed in all of its bits: the folded product of the halves.
  uint64_t hash() const {
    const uint64_t a = place ^ 0x9E3779B97F4A7C15u;
    const uint64_t b = (object + (static_cast<uint64_t>(fork) << 30)) ^ 0xD6E8FEB86659FD93u;
#ifdef __SIZEOF_INT128__
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
#else
    uint64_t mixed = (a ^ (b << 32 | b >> 32)) * 0x9FB21C651E98DF25u;
    mixed ^= mixed >> 35;
    mixed *= 0x9FB21C651E98DF25u;
    return mixed ^ mixed >> 28;
#endif
  }
};

struct alignas(64) BufferDescriptor {
  std::atomic<uint64_t> place;
  std::atomic<uint64_t> object;
  std::atomic<uint32_t> fork;
  std::atomic<uint32_t> state;
  LwLock content_lock;
  std::atomic<uint32_t> next_in_chain;
  uint32_t bucket;
  std::atomic<uint64_t> hits;
  std::atomic<uint64_t> changes;
  uint64_t reserved;

  bool has_tag(const BufferTag& tag) const {
    return object.load(std::memory_order_relaxed) == tag.object &&
           place.load(std::memory_order_relaxed) == tag.place &&
           fork.load(std::memory_order_relaxed) == tag.fork;
  }
  // Without a pin the parts may belong to different pages.
  BufferTag tag() const {
    BufferTag tag;
    tag.place = place.load(std::memory_order_relaxed);
    tag.object = object.load(std::memory_order_relaxed);
    tag.fork = fork.load(std::memory_order_relaxed);
    return tag;
  }
  void set_tag(const BufferTag& tag) {
    place.store(tag.place, std::memory_order_relaxed);
    object.store(tag.object, std::memory_order_relaxed);
    fork.store(tag.fork, std::memory_order_relaxed);
    count_change();
  }

  // By the one who has the exclusive content lock or, before the page is mapped, the only pin.
  void count_change() {
    changes.store(changes.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // Approximate on purpose: two who count at once may count one.
  void count_hit() {
    hits.store(hits.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // Pins a mapped buffer and raises its usage count up to `usage_max`; false when it is not mapped.
  bool pin_if_mapped(uint32_t usage_max, uint32_t* pinned_state) {
    uint32_t old = state.load(std::memory_order_relaxed);
    while (old & BM_TAG_VALID) {
      INVARIANT(pins_of(old) < BUF_REFCOUNT_MASK);
      uint32_t wanted = old + BUF_REFCOUNT_ONE;
      if (usage_of(old) < usage_max) wanted += BUF_USAGECOUNT_ONE;
      if (state.compare_exchange_weak(old, wanted, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        *pinned_state = wanted;
        return true;
      }
    }
    return false;
  }

  // A second pin for who has one.
  void pin_again() {
    const uint32_t old = state.fetch_add(BUF_REFCOUNT_ONE, std::memory_order_relaxed);
    INVARIANT(pins_of(old) > 0);
    INVARIANT(pins_of(old) < BUF_REFCOUNT_MASK);
  }

  void unpin() {
    const uint32_t old = state.fetch_sub(BUF_REFCOUNT_ONE, std::memory_order_release);
    if ((old & BM_PIN_COUNT_WAITER) != 0 && pins_of(old) == 2) [[unlikely]]
      wake_pin_count_waiter();
  }

  // Takes BM_IO_IN_PROGRESS together with `set` and without `clear`, if nobody has it and all of
  // `required` and none of `refused` is there. `*seen` is the state before, or that refused.
  bool try_begin_io(uint32_t required, uint32_t refused, uint32_t set, uint32_t clear,
                    uint32_t* seen);
  void end_io(uint32_t set, uint32_t clear);
  // Sleeps until nobody has BM_IO_IN_PROGRESS, or a second is over.
  void wait_for_io();
  // Sleeps until only one pin may be left, or a second is over. The caller has a pin.
  void wait_for_last_pin();

 private:
  void wake_pin_count_waiter();
};
static_assert(sizeof(BufferDescriptor) == 64);
static_assert(sizeof(LwLock) == 8);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace pgdata
