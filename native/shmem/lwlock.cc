// LwLock: waiting and waking. The uncontended paths are in the header.
//
// Readers sleep on state_ with readers_wait set. Writers sleep on writer_calls_,
// a counter that each call to a writer advances, with writers_wait set. Whoever
// leaves the lock free and finds waiters clears their bit and wakes one writer,
// or, when none was there to wake, all readers. A writer that slept cannot know
// whether others still sleep, and sets writers_wait again when it gets the lock.
#include "shmem/lwlock.h"

#include <climits>

#include "base/invariant.h"
#include "shmem/attachment.h"
#include "shmem/lock_wait_event.h"
#include "shmem/wait_scope.h"

namespace pgdata {

namespace {

// About a microsecond, after which sleeping is the better bet.
constexpr int spins_max = 100;
// Locks are held for microseconds: who sleeps that long may wait for somebody who died.
constexpr int crash_check_ms = 200;

void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

}  // namespace

// Gives the holder a moment to leave, as long as nobody sleeps already.
uint32_t LwLock::spin(LockMode mode) const {
  uint32_t state = state_.load(std::memory_order_relaxed);
  for (int i = 0; i < spins_max; i++) {
    const bool sleepers = (state & (readers_wait | writers_wait)) != 0;
    const bool is_free = mode == LockMode::shared ? (state & holders_mask) != exclusive_holder
                                                  : (state & holders_mask) == 0;
    if (is_free || sleepers) break;
    pause_processor();
    state = state_.load(std::memory_order_relaxed);
  }
  return state;
}

void LwLock::wait_for(LockMode mode) {
  if (mode == LockMode::shared) {
    wait_shared();
  } else {
    wait_exclusive();
  }
}

void LwLock::wait_shared() {
  uint32_t state = spin(LockMode::shared);
  while (true) {
    if (admits_reader(state)) {
      if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed))
        return;
      continue;
    }
    INVARIANT((state & holders_mask) != readers_max);
    if ((state & readers_wait) == 0 &&
        !state_.compare_exchange_weak(state, state | readers_wait, std::memory_order_relaxed))
      continue;
    bool in_vain = false;
    {
      const WaitScope waiting(lock_wait_event(this));
      in_vain = futex_wait(&state_, state | readers_wait, crash_check_ms);
    }
    if (in_vain) Attachment::give_up_if_crashed(this);
    state = spin(LockMode::shared);
  }
}

void LwLock::wait_exclusive() {
  uint32_t state = spin(LockMode::exclusive);
  uint32_t other_writers = 0;
  while (true) {
    if ((state & holders_mask) == 0) {
      if (state_.compare_exchange_weak(state, state | exclusive_holder | other_writers,
                                       std::memory_order_acquire, std::memory_order_relaxed))
        return;
      continue;
    }
    if ((state & writers_wait) == 0 &&
        !state_.compare_exchange_weak(state, state | writers_wait, std::memory_order_relaxed))
      continue;
    other_writers = writers_wait;
    // A call made from here on changes the counter, and the sleep ends at once.
    const uint32_t calls = writer_calls_.load(std::memory_order_acquire);
    state = state_.load(std::memory_order_relaxed);
    if ((state & holders_mask) == 0 || (state & writers_wait) == 0) continue;
    bool in_vain = false;
    {
      const WaitScope waiting(lock_wait_event(this));
      in_vain = futex_wait(&writer_calls_, calls, crash_check_ms);
    }
    if (in_vain) Attachment::give_up_if_crashed(this);
    state = spin(LockMode::exclusive);
  }
}

// The lock was free with waiters when `state` was read. Whoever takes it before
// a bit is cleared here wakes the waiters when it releases.
void LwLock::wake_waiters(uint32_t state) {
  if (state == writers_wait) {
    if (state_.compare_exchange_strong(state, 0, std::memory_order_relaxed)) {
      wake_one_writer();
      return;
    }
  }
  if (state == (readers_wait | writers_wait)) {
    if (!state_.compare_exchange_strong(state, readers_wait, std::memory_order_relaxed)) return;
    if (wake_one_writer()) return;
    // The writer had not fallen asleep and finds the lock free by itself; readers
    // that sleep must not depend on it.
    state = readers_wait;
  }
  if (state == readers_wait && state_.compare_exchange_strong(state, 0, std::memory_order_relaxed))
    futex_wake(&state_, INT_MAX);
}

bool LwLock::wake_one_writer() {
  writer_calls_.fetch_add(1, std::memory_order_release);
  return futex_wake(&writer_calls_, 1);
}

void LwLock::downgrade() {
  INVARIANT(is_held_exclusive());
  uint32_t state = state_.fetch_sub(exclusive_holder - 1, std::memory_order_release);
  if ((state & readers_wait) == 0) return;
  // Readers that find a writer waiting go back to sleep.
  state_.fetch_and(~readers_wait, std::memory_order_relaxed);
  futex_wake(&state_, INT_MAX);
}

}  // namespace pgdata
