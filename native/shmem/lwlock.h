// LwLock: a process-shared reader-writer lock of two words, which sleeps in the kernel (futex).
//
// Lives in the shared segment; zero bytes are an unlocked lock. Not recursive,
// not even for readers: a waiting writer keeps new readers out. Never held while
// JavaScript runs or across a wait for another transaction.
// Source for the role: src/backend/storage/lmgr/lwlock.c.
#pragma once

#include <atomic>
#include <cstdint>

namespace pgdata {

enum class LockMode : uint8_t { shared, exclusive };

class LwLock {
 public:
  void acquire(LockMode mode) {
    if (!try_acquire(mode)) [[unlikely]]
      wait_for(mode);
  }

  // Shared mode is refused also while a writer waits.
  bool try_acquire(LockMode mode) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    if (mode == LockMode::exclusive) {
      return (state & holders_mask) == 0 &&
             state_.compare_exchange_strong(state, state | exclusive_holder,
                                            std::memory_order_acquire, std::memory_order_relaxed);
    }
    while (admits_reader(state)) {
      if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed))
        return true;
    }
    return false;
  }

  // Releases whichever mode the caller holds.
  void release() {
    const uint32_t held = state_.load(std::memory_order_relaxed) & holders_mask;
    const uint32_t mine = held == exclusive_holder ? exclusive_holder : 1;
    const uint32_t state = state_.fetch_sub(mine, std::memory_order_release) - mine;
    // Readers that leave others behind wake nobody.
    if (state != 0 && (state & holders_mask) == 0) [[unlikely]]
      wake_waiters(state);
  }

  // Exclusive holders only: let readers in without letting writers through.
  void downgrade();

  // Whether anybody holds it; certain only of what the caller itself holds.
  bool is_held() const { return (state_.load(std::memory_order_relaxed) & holders_mask) != 0; }
  bool is_held_exclusive() const {
    return (state_.load(std::memory_order_relaxed) & holders_mask) == exclusive_holder;
  }

 private:
  // state_ is the number of readers, or all ones for a writer, in the low 30 bits;
  // then whether readers sleep on state_, and whether writers sleep on writer_calls_.
  static constexpr uint32_t holders_mask = (1u << 30) - 1;
  static constexpr uint32_t exclusive_holder = holders_mask;
  static constexpr uint32_t readers_max = holders_mask - 1;
  static constexpr uint32_t readers_wait = 1u << 30;
  static constexpr uint32_t writers_wait = 1u << 31;

  static constexpr bool admits_reader(uint32_t state) { return state < readers_max; }

  void wait_for(LockMode mode);
  void wait_shared();
  void wait_exclusive();
  uint32_t spin(LockMode mode) const;
  void wake_waiters(uint32_t state);
  bool wake_one_writer();

  std::atomic<uint32_t> state_{0};
  std::atomic<uint32_t> writer_calls_{0};
};
static_assert(sizeof(LwLock) == 8);
static_assert(std::atomic<uint32_t>::is_always_lock_free);

class LwLockGuard {
 public:
  LwLockGuard(LwLock& lock, LockMode mode) : lock_(&lock) { lock.acquire(mode); }
  ~LwLockGuard() {
    if (lock_) lock_->release();
  }
  LwLockGuard(const LwLockGuard&) = delete;
  LwLockGuard& operator=(const LwLockGuard&) = delete;
  void release() {
    if (lock_) lock_->release();
    lock_ = nullptr;
  }

 private:
  LwLock* lock_;
};

// Sleeps while *word == expected, at most timeout_ms (negative: without limit); wake-ups may be spurious. True if the time
// has passed.
// Works between processes. Linux futex; __ulock on macOS.
bool futex_wait(std::atomic<uint32_t>* word, uint32_t expected, int timeout_ms);
// Wakes up to `count` sleepers; returns whether it knows that it woke one.
bool futex_wake(std::atomic<uint32_t>* word, int count);

}  // namespace pgdata
