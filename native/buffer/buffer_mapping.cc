// BufferMapping: the chains, as they are changed under their locks.
#include "buffer/buffer_mapping.h"

#include <algorithm>
#include <bit>

namespace pgdata {

namespace {
constexpr const char* heads_range = "buffer mapping";
constexpr const char* locks_range = "buffer mapping locks";
}  // namespace

// Twice as many buckets as buffers, so that most chains have one link.
uint32_t BufferMapping::buckets_for(uint32_t buffers) {
  return std::max(std::bit_ceil(buffers * 2), partitions);
}

void BufferMapping::plan(SegmentPlan& plan, uint32_t buffers) {
  plan.reserve(heads_range, sizeof(std::atomic<uint32_t>) * buckets_for(buffers));
  plan.reserve(locks_range, sizeof(PaddedLwLock) * partitions);
}

BufferMapping::BufferMapping(const Segment& segment, BufferDescriptor* descriptors,
                             uint32_t buffers)
    : heads_(reinterpret_cast<std::atomic<uint32_t>*>(segment.find(heads_range))),
      locks_(reinterpret_cast<PaddedLwLock*>(segment.find(locks_range))),
      descriptors_(descriptors),
      buffers_(buffers),
      bucket_mask_(buckets_for(buffers) - 1) {}

int32_t BufferMapping::find_locked(const BufferTag& tag, uint32_t bucket) const {
  uint32_t link = heads_[bucket].load(std::memory_order_relaxed);
  for (uint32_t steps = 0; link != 0; ++steps) {
    INVARIANT(steps < buffers_);
    const BufferDescriptor& descriptor = descriptors_[link - 1];
    if (descriptor.has_tag(tag)) return static_cast<int32_t>(link - 1);
    link = descriptor.next_in_chain.load(std::memory_order_relaxed);
  }
  return none;
}

void BufferMapping::insert(uint32_t index, uint32_t bucket) const {
  BufferDescriptor& descriptor = descriptors_[index];
  descriptor.bucket = bucket;
  descriptor.next_in_chain.store(heads_[bucket].load(std::memory_order_relaxed),
                                 std::memory_order_relaxed);
  heads_[bucket].store(index + 1, std::memory_order_release);
}

void BufferMapping::remove(uint32_t index) const {
  BufferDescriptor& removed = descriptors_[index];
  std::atomic<uint32_t>* link = &heads_[removed.bucket];
  for (uint32_t steps = 0; link->load(std::memory_order_relaxed) != index + 1; ++steps) {
    INVARIANT(link->load(std::memory_order_relaxed) != 0);
    INVARIANT(steps < buffers_);
    link = &descriptors_[link->load(std::memory_order_relaxed) - 1].next_in_chain;
  }
  link->store(removed.next_in_chain.load(std::memory_order_relaxed), std::memory_order_release);
}

}  // namespace pgdata
