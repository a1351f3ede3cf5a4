// BufferDescriptor: the transitions of its state that may sleep or wake.
#include "buffer/buffer_descriptor.h"

#include <climits>

#include "shmem/wait_scope.h"

namespace pgdata {

namespace {
// A sleeper looks again this often, so that it notices a cluster that crashed meanwhile.
constexpr int sleep_max_ms = 1000;
}  // namespace

bool BufferDescriptor::try_begin_io(uint32_t required, uint32_t refused, uint32_t set,
                                    uint32_t clear, uint32_t* seen) {
  uint32_t old = state.load(std::memory_order_acquire);
  while ((old & BM_IO_IN_PROGRESS) == 0 && (old & required) == required && (old & refused) == 0) {
    INVARIANT(pins_of(old) > 0);
    const uint32_t wanted = (old & ~clear) | set | BM_IO_IN_PROGRESS;
    if (state.compare_exchange_weak(old, wanted, std::memory_order_seq_cst,
                                    std::memory_order_acquire)) {
      *seen = old;
      return true;
    }
  }
  *seen = old;
  return false;
}

void BufferDescriptor::end_io(uint32_t set, uint32_t clear) {
  uint32_t old = state.load(std::memory_order_relaxed);
  uint32_t wanted;
  do {
    INVARIANT((old & BM_IO_IN_PROGRESS) != 0);
    // Changes made while the page was written are still to be written.
    const uint32_t kept = (clear & BM_DIRTY) != 0 && (old & BM_JUST_DIRTIED) != 0
                              ? BM_DIRTY | BM_CHECKPOINT_NEEDED
                              : 0;
    wanted = (old & ~((clear & ~kept) | BM_IO_IN_PROGRESS | BM_IO_WAITERS)) | set;
  } while (!state.compare_exchange_weak(old, wanted, std::memory_order_release,
                                        std::memory_order_relaxed));
  if (old & BM_IO_WAITERS) futex_wake(&state, INT_MAX);
}

void BufferDescriptor::wait_for_io() {
  uint32_t old = state.load(std::memory_order_acquire);
  while (old & BM_IO_IN_PROGRESS) {
    if ((old & BM_IO_WAITERS) == 0 &&
        !state.compare_exchange_weak(old, old | BM_IO_WAITERS, std::memory_order_relaxed))
      continue;
    const WaitScope waiting(WaitEvent::buffer_io);
    futex_wait(&state, old | BM_IO_WAITERS, sleep_max_ms);
    return;
  }
}

void BufferDescriptor::wait_for_last_pin() {
  uint32_t old = state.load(std::memory_order_acquire);
  while (pins_of(old) > 1) {
    if ((old & BM_PIN_COUNT_WAITER) == 0 &&
        !state.compare_exchange_weak(old, old | BM_PIN_COUNT_WAITER, std::memory_order_relaxed))
      continue;
    const WaitScope waiting(WaitEvent::buffer_pin);
    futex_wait(&state, old | BM_PIN_COUNT_WAITER, sleep_max_ms);
    return;
  }
}

void BufferDescriptor::wake_pin_count_waiter() {
  state.fetch_and(~BM_PIN_COUNT_WAITER, std::memory_order_relaxed);
  futex_wake(&state, INT_MAX);
}

}  // namespace pgdata
