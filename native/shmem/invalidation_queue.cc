// InvalidationQueue: sending and reading.
#include "shmem/invalidation_queue.h"

namespace pgdata {

void InvalidationQueue::plan(SegmentPlan& plan) { plan.reserve("invalidations", sizeof(Shared)); }

InvalidationQueue::InvalidationQueue(Segment& segment)
    : shared_(reinterpret_cast<Shared*>(segment.find("invalidations"))) {}

void InvalidationQueue::send(const Invalidation& message) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  const uint64_t end = shared_->end.load(std::memory_order_relaxed);
  shared_->messages[end % messages_max] = message;
  shared_->end.store(end + 1, std::memory_order_release);
}

bool InvalidationQueue::read(uint64_t* position, std::vector<Invalidation>* messages) const {
  if (*position == end()) return true;
  const LwLockGuard guard(shared_->lock, LockMode::shared);
  const uint64_t end = shared_->end.load(std::memory_order_relaxed);
  const bool is_complete = end - *position <= messages_max;
  for (uint64_t at = is_complete ? *position : end; at < end; at++)
    messages->push_back(shared_->messages[at % messages_max]);
  *position = end;
  return is_complete;
}

}  // namespace pgdata
