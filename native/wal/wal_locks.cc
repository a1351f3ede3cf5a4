// The waiting halves of the log's locks.
#include "wal/wal_locks.h"

#include <sched.h>

#include "shmem/lwlock.h"
#include "shmem/wait_scope.h"

namespace pgdata {
namespace {

// How long a sleeper waits before it looks whether the cluster is still alive.
constexpr int poison_check_ms = 500;

inline void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

bool SpinLock::acquire_slow(const ClusterState& state) {
  for (uint32_t spins = 1;; spins++) {
    if (word_.load(std::memory_order_relaxed) == 0 &&
        word_.exchange(1, std::memory_order_acquire) == 0)
      return true;
    pause_processor();
    if (spins % 256 == 0) {
      if (state.is_poisoned()) return false;
      sched_yield();
    }
  }
}

bool InsertionLock::acquire(const ClusterState& state) {
  for (;;) {
    if (try_acquire()) return true;
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    const uint32_t seen = event_.load(std::memory_order_seq_cst);
    if (held_.load(std::memory_order_seq_cst) != 0) {
      const WaitScope waiting(WaitEvent::lwlock_wal_insert);
      futex_wait(&event_, seen, poison_check_ms);
    }
    waiters_.fetch_sub(1, std::memory_order_seq_cst);
    if (state.is_poisoned()) return false;
  }
}

void InsertionLock::wake() {
  if (waiters_.load(std::memory_order_seq_cst) == 0) return;
  event_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(&event_, INT32_MAX);
}

void InsertionLock::release() {
  inserting_at_.store(0, std::memory_order_relaxed);
  held_.store(0, std::memory_order_seq_cst);
  wake();
}

void InsertionLock::set_inserting_at(Lsn lsn) {
  inserting_at_.store(lsn, std::memory_order_seq_cst);
  wake();
}

bool InsertionLock::wait_past(Lsn upto, const ClusterState& state, Lsn* at) {
  for (;;) {
    *at = 0;
    if (held_.load(std::memory_order_seq_cst) == 0) return true;
    *at = inserting_at_.load(std::memory_order_seq_cst);
    if (*at >= upto) return true;
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    const uint32_t seen = event_.load(std::memory_order_seq_cst);
    if (held_.load(std::memory_order_seq_cst) != 0 &&
        inserting_at_.load(std::memory_order_seq_cst) == *at) {
      const WaitScope waiting(WaitEvent::lwlock_wal_insert);
      futex_wait(&event_, seen, poison_check_ms);
    }
    waiters_.fetch_sub(1, std::memory_order_seq_cst);
    if (state.is_poisoned()) return false;
  }
}

TurnLock::Outcome TurnLock::acquire_or_wait(const ClusterState& state) {
  uint32_t expected = 0;
  if (word_.compare_exchange_strong(expected, 1, std::memory_order_acquire))
    return Outcome::acquired;
  if (expected == 1) {
    if (!word_.compare_exchange_strong(expected, 2, std::memory_order_relaxed) && expected == 0)
      return Outcome::released_by_other;
  }
  {
    const WaitScope waiting(WaitEvent::lwlock_wal_write);
    futex_wait(&word_, 2, poison_check_ms);
  }
  return state.is_poisoned() ? Outcome::poisoned : Outcome::released_by_other;
}

bool TurnLock::acquire(const ClusterState& state) {
  for (;;) {
    switch (acquire_or_wait(state)) {
      case Outcome::acquired:
        return true;
      case Outcome::poisoned:
        return false;
      case Outcome::released_by_other:
        break;
    }
  }
}

void TurnLock::release() {
  // Everybody is woken, so no sleeper is left that the next holder would have to know of.
  if (word_.exchange(0, std::memory_order_release) == 2) futex_wake(&word_, INT32_MAX);
}

}  // namespace pgdata
