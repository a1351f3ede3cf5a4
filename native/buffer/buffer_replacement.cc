// BufferPool: which buffer a new page takes the place of. The clock sweep goes round and lowers
// usage counts until it finds an unpinned buffer of 0; a strategy's ring is asked before it.
//
// Buffers never used are found by the first round, in order, so that no list of them is needed.
// Source: src/backend/storage/buffer/freelist.c, PostgreSQL 18.
#include <algorithm>
#include <chrono>
#include <thread>

#include "buffer/buffer_pool_local.h"

namespace pgdata {

namespace {

// How often a round that found nothing is repeated, a little later, before it is an error: pins
// for the time of a page access come and go.
constexpr int fruitless_rounds_max = 20;
constexpr auto fruitless_round_pause = std::chrono::microseconds(500);

size_t ring_bytes(StrategyKind kind) {
  switch (kind) {
    case StrategyKind::normal:
      return 0;
    case StrategyKind::bulk_read:
      return 256 << 10;
    case StrategyKind::bulk_write:
      return 16 << 20;
    case StrategyKind::vacuum:
      return 2 << 20;
  }
  return 0;
}

// Pins an unpinned buffer whose usage count is at most `usage_max`.
bool try_claim(BufferDescriptor& descriptor, uint32_t usage_max) {
  uint32_t old = descriptor.state.load(std::memory_order_relaxed);
  while (pins_of(old) == 0 && usage_of(old) <= usage_max) {
    if (descriptor.state.compare_exchange_weak(
            old, old + BUF_REFCOUNT_ONE, std::memory_order_acquire, std::memory_order_relaxed))
      return true;
  }
  return false;
}

// What the clock hand does to one buffer.
enum class Sweep : uint8_t { claimed, lowered, pinned };
Sweep sweep_over(BufferDescriptor& descriptor) {
  uint32_t old = descriptor.state.load(std::memory_order_relaxed);
  while (pins_of(old) == 0) {
    const bool unused = usage_of(old) == 0;
    const uint32_t wanted = unused ? old + BUF_REFCOUNT_ONE : old - BUF_USAGECOUNT_ONE;
    if (descriptor.state.compare_exchange_weak(old, wanted, std::memory_order_acquire,
                                               std::memory_order_relaxed))
      return unused ? Sweep::claimed : Sweep::lowered;
  }
  return Sweep::pinned;
}

// Takes a clean buffer that the caller has pinned out of the mapping, if nobody else wants it.
bool try_unmap(const BufferMapping& mapping, BufferDescriptor& descriptor, uint32_t index) {
  LwLockGuard guard(mapping.lock_of(descriptor.bucket), LockMode::exclusive);
  uint32_t old = descriptor.state.load(std::memory_order_relaxed);
  do {
    if (pins_of(old) != 1 || (old & (BM_DIRTY | BM_IO_IN_PROGRESS)) != 0) return false;
  } while (!descriptor.state.compare_exchange_weak(old, BUF_REFCOUNT_ONE, std::memory_order_acquire,
                                                   std::memory_order_relaxed));
  mapping.remove(index);
  return true;
}

}  // namespace

BufferStrategy::BufferStrategy(const BufferPool& pool, StrategyKind kind) {
  ring_ = std::make_unique<Ring>();
  ring_->kind = kind;
  const size_t bytes = ring_bytes(kind);
  if (bytes == 0) return;
  const BufferPoolOptions& options = pool.options();
  // One scan may have an eighth of the pool at most.
  const size_t count = std::clamp<size_t>(options.buffers / 8, 1, bytes / options.block_size);
  ring_->buffers.assign(count, BufferMapping::none);
}

BufferStrategy::~BufferStrategy() = default;

Status BufferPool::Local::take_victim(BufferStrategy* strategy, int32_t* victim) {
  BufferStrategy::Ring* ring = has_ring(strategy) ? strategy->ring_.get() : nullptr;
  uint32_t passed = 0;
  int fruitless_rounds = 0;
  for (;;) {
    int32_t index = BufferMapping::none;
    bool from_ring = false;
    if (ring != nullptr) {
      ring->current = (ring->current + 1) % ring->buffers.size();
      const int32_t candidate = ring->buffers[ring->current];
      // A read takes the place of nothing while there are buffers that were never used: what is in its ring stays.
      const bool has_unused = ring->kind == StrategyKind::bulk_read &&
                              shared->clock_hand.load(std::memory_order_relaxed) < options.buffers;
      // A usage above our own means that others have come to use it.
      if (!has_unused && candidate != BufferMapping::none && try_claim(descriptor(candidate), 1)) {
        index = candidate;
        from_ring = true;
      }
    }
    while (index == BufferMapping::none) {
      const uint64_t hand = shared->clock_hand.fetch_add(1, std::memory_order_relaxed);
      const auto candidate = static_cast<int32_t>(hand % options.buffers);
      switch (sweep_over(descriptor(candidate))) {
        case Sweep::claimed:
          index = candidate;
          break;
        case Sweep::lowered:
          passed = 0;
          fruitless_rounds = 0;
          break;
        case Sweep::pinned:
          if (++passed < options.buffers) break;
          passed = 0;
          if (++fruitless_rounds == fruitless_rounds_max)
            return Status::error(ErrorCode::out_of_memory, "no unpinned buffers available");
          std::this_thread::sleep_for(fruitless_round_pause);
          break;
      }
    }

    BufferDescriptor& claimed = descriptor(index);
    const uint32_t seen = claimed.state.load(std::memory_order_acquire);
    if (seen & BM_DIRTY) {
      // A bulk read does not wait for the log: it lets go of the page, and takes another.
      if (from_ring && ring->kind == StrategyKind::bulk_read && wal != nullptr) {
        const bool locked = claimed.content_lock.try_acquire(LockMode::shared);
        const bool log_behind = locked && page(index).lsn() > wal->flushed();
        if (locked) claimed.content_lock.release();
        if (!locked || log_behind) {
          ring->buffers[ring->current] = BufferMapping::none;
          claimed.unpin();
          continue;
        }
      }
      bool busy = false;
      Status status = write_one(claimed, strategy, &busy);
      if (!status.is_ok() || busy) {
        claimed.unpin();
        if (!status.is_ok()) return status;
        // Others hold or write it: as good as pinned.
        ++passed;
        continue;
      }
    }
    if (seen & BM_TAG_VALID) {
      if (!try_unmap(mapping, claimed, static_cast<uint32_t>(index))) {
        claimed.unpin();
        continue;
      }
      shared->evictions.fetch_add(1, std::memory_order_relaxed);
      count_io(strategy, from_ring ? IoOp::reuse : IoOp::evict, 1);
    }
    if (!from_ring) shared->allocations.fetch_add(1, std::memory_order_relaxed);
    if (ring != nullptr) ring->buffers[ring->current] = index;
    *victim = index;
    return Status::ok;
  }
}

}  // namespace pgdata
