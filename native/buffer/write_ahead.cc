// BufferPool: writing dirty buffers before the clock hand comes to them, so that who needs a buffer finds a clean one.
//
// How many depends on how many were wanted lately, and on how far the hand had to go for each. Source: BgBufferSync,
// SyncOneBuffer in src/backend/storage/buffer/bufmgr.c, PostgreSQL 18.
#include <algorithm>

#include "buffer/buffer_pool_local.h"

namespace pgdata {

namespace {

// Moving averages go over so many rounds.
constexpr double smoothing_samples = 16;
// The whole pool is looked at in this time, however little is wanted.
constexpr double scan_whole_pool_ms = 120'000;

void smooth(double* average, double sample) { *average += (sample - *average) / smoothing_samples; }

}  // namespace

Status BufferPool::Local::write_ahead_one(BufferDescriptor& descriptor, Ahead* ahead) {
  const uint32_t seen = descriptor.state.load(std::memory_order_acquire);
  *ahead = pins_of(seen) == 0 && usage_of(seen) == 0 ? Ahead::reusable : Ahead::in_use;
  constexpr uint32_t required = BM_DIRTY | BM_VALID | BM_TAG_VALID;
  if (*ahead == Ahead::in_use || (seen & required) != required) return Status::ok;
  uint32_t pinned_state = 0;
  if (!descriptor.pin_if_mapped(0, &pinned_state)) return Status::ok;
  bool busy = true;
  Status status;
  if ((pinned_state & BM_DIRTY) != 0) status = write_one(descriptor, nullptr, &busy);
  descriptor.unpin();
  if (status.is_ok() && !busy) *ahead = Ahead::written;
  return status;
}

Status BufferPool::write_ahead(const WriteAheadLimits& limits, WriteAhead* memory,
                               WriteAheadRound* round) {
  Local& local = *local_;
  *round = {};
  if (local.options.read_only) return Status::ok;
  RETURN_IF_ERROR(local.state.check());
  const double buffers = local.options.buffers;
  const uint64_t hand = local.shared->clock_hand.load(std::memory_order_relaxed);
  const uint64_t allocations = local.shared->allocations.load(std::memory_order_relaxed);
  if (limits.lru_maxpages == 0) {
    memory->is_begun = false;
    return Status::ok;
  }
  const auto wanted = static_cast<double>(allocations - memory->allocations);
  const auto moved = static_cast<double>(hand - memory->hand);
  if (!memory->is_begun) {
    memory->is_begun = true;
    memory->next = hand;
  } else if (moved > 0 && wanted > 0) {
    smooth(&memory->smoothed_density, moved / wanted);
  }
  memory->hand = hand;
  memory->allocations = allocations;
  // The hand may have come past where we were, and we may be no more than one round ahead of it.
  memory->next = std::clamp(memory->next, hand, hand + local.options.buffers);
  const auto ahead = static_cast<double>(memory->next - hand);
  uint64_t left = local.options.buffers - (memory->next - hand);
  const uint64_t to_lap = left;
  const double reusable_before = ahead / memory->smoothed_density;

  // Rises at once, and falls slowly.
  if (memory->smoothed_allocations <= wanted)
    memory->smoothed_allocations = wanted;
  else
    smooth(&memory->smoothed_allocations, wanted);
  double upcoming = memory->smoothed_allocations * limits.lru_multiplier;
  if (upcoming < 1) memory->smoothed_allocations = 0;
  upcoming = std::max(upcoming, reusable_before + buffers / (scan_whole_pool_ms / limits.delay_ms));

  double reusable = reusable_before;
  for (; left > 0 && reusable < upcoming; --left, ++memory->next) {
    Local::Ahead state{};
    RETURN_IF_ERROR(local.write_ahead_one(
        local.descriptor(static_cast<int32_t>(memory->next % local.options.buffers)), &state));
    if (state == Local::Ahead::in_use) continue;
    reusable++;
    if (state == Local::Ahead::written && ++round->written >= limits.lru_maxpages) {
      round->stopped_at_limit = true;
      --left;
      ++memory->next;
      break;
    }
  }
  const auto scanned = static_cast<double>(to_lap - left);
  if (scanned > 0 && reusable > reusable_before)
    smooth(&memory->smoothed_density, scanned / (reusable - reusable_before));
  round->is_idle = to_lap == 0 && wanted == 0;
  return Status::ok;
}

}  // namespace pgdata
