// BufferMapping: from a page's tag to the buffer that holds it.
//
// A hash table of chains through the descriptors, in the segment. Changing a chain takes its
// partition's lock exclusively. Following one needs no lock: what is found is only a candidate
// until it was pinned and its tag was seen again, and not finding proves nothing without the lock.
// Source for the role: src/backend/storage/buffer/buf_table.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>

#include "buffer/buffer_descriptor.h"
#include "shmem/lwlock.h"
#include "shmem/segment.h"

namespace pgdata {

// A lock that shares its cache line with nothing.
struct alignas(64) PaddedLwLock {
  LwLock lock;
};
static_assert(sizeof(PaddedLwLock) == 64);

class BufferMapping {
 public:
  static constexpr uint32_t partitions = 128;
  static constexpr int32_t none = -1;

  static void plan(SegmentPlan& plan, uint32_t buffers);
  BufferMapping(const Segment& segment, BufferDescriptor* descriptors, uint32_t buffers);

  // Neighbours have neighbouring buckets, so that those of a relation take up few cache lines, even if it is read here and there.
  uint32_t bucket_of(const BufferTag& tag) const {
    BufferTag first = tag;
    first.object &= ~uint64_t{UINT32_MAX};
    return (static_cast<uint32_t>(first.hash()) + value_of(tag.block())) & bucket_mask_;
  }
  LwLock& lock_of(uint32_t bucket) const { return locks_[bucket % partitions].lock; }

  // The buffer that the bucket's chain begins with, without a look at it.
  int32_t first_of(uint32_t bucket) const {
    return static_cast<int32_t>(heads_[bucket].load(std::memory_order_relaxed)) - 1;
  }
  // Index of the buffer that seems to have this tag. Without the lock: a guess; see above.
  int32_t find(const BufferTag& tag, uint32_t bucket) const {
    uint32_t link = heads_[bucket].load(std::memory_order_acquire);
    // Without the lock a chain may lead into another one: give up where no chain is that long.
    for (int steps = 0; link != 0 && steps < steps_without_lock_max; ++steps) {
      const BufferDescriptor& descriptor = descriptors_[link - 1];
      if (descriptor.has_tag(tag)) return static_cast<int32_t>(link - 1);
      link = descriptor.next_in_chain.load(std::memory_order_acquire);
    }
    return none;
  }
  // The same under the partition lock, where it is certain.
  int32_t find_locked(const BufferTag& tag, uint32_t bucket) const;

  // Both need the partition lock, exclusively.
  void insert(uint32_t index, uint32_t bucket) const;
  void remove(uint32_t index) const;

 private:
  static constexpr int steps_without_lock_max = 16;

  static uint32_t buckets_for(uint32_t buffers);

  std::atomic<uint32_t>* heads_;  // index + 1 of each bucket's first buffer, 0 for none
  PaddedLwLock* locks_;
  BufferDescriptor* descriptors_;
  uint32_t buffers_;
  uint32_t bucket_mask_;
};

}  // namespace pgdata
