// futex_wait and futex_wake: sleeping in the kernel on a word that several processes may map.
#include <cerrno>
#include <climits>
#include <ctime>

#include "base/invariant.h"
#include "shmem/lwlock.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__APPLE__)
// Not in any public header, and what libc++ itself sleeps with.
extern "C" int __ulock_wait(uint32_t operation, void* address, uint64_t value, uint32_t timeout_us);
extern "C" int __ulock_wake(uint32_t operation, void* address, uint64_t wake_value);
#else
#error "neither futex nor __ulock"
#endif

namespace pgdata {

#if defined(__linux__)

// Without FUTEX_PRIVATE_FLAG: the key is the page and not the address, so that
// other processes are reached.
bool futex_wait(std::atomic<uint32_t>* word, uint32_t expected, int timeout_ms) {
  timespec timeout{};
  timeout.tv_sec = timeout_ms / 1000;
  timeout.tv_nsec = static_cast<long>(timeout_ms % 1000) * 1000000;
  const long result = syscall(SYS_futex, word, FUTEX_WAIT, expected,
                              timeout_ms < 0 ? nullptr : &timeout, nullptr, 0);
  INVARIANT(result == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
  return result != 0 && errno == ETIMEDOUT;
}

bool futex_wake(std::atomic<uint32_t>* word, int count) {
  return syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0) > 0;
}

#else

namespace {
constexpr uint32_t compare_and_wait_shared = 3;  // UL_COMPARE_AND_WAIT_SHARED
constexpr uint32_t wake_all = 0x100;             // ULF_WAKE_ALL
}  // namespace

bool futex_wait(std::atomic<uint32_t>* word, uint32_t expected, int timeout_ms) {
  if (timeout_ms == 0) return true;
  // A timeout of 0 is none; longer ones end early, as a spurious wake-up.
  constexpr int longest_ms = INT_MAX / 1000;
  const int bounded_ms = timeout_ms < longest_ms ? timeout_ms : longest_ms;
  const uint32_t timeout_us = timeout_ms < 0 ? 0 : static_cast<uint32_t>(bounded_ms) * 1000;
  return __ulock_wait(compare_and_wait_shared, word, expected, timeout_us) < 0 &&
         errno == ETIMEDOUT;
}

bool futex_wake(std::atomic<uint32_t>* word, int count) {
  if (count > 1) return __ulock_wake(compare_and_wait_shared | wake_all, word, 0) >= 0;
  return __ulock_wake(compare_and_wait_shared, word, 0) >= 0;
}

#endif

}  // namespace pgdata
