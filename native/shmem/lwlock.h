// LwLock: a process-shared reader-writer lock of one word, which sleeps in the kernel (futex).
//
// Lives in the shared segment; zero bytes are an unlocked lock. Not recursive,
// not fair to readers while a writer waits. Never held while JavaScript runs or
// across a wait for another transaction. Source for the role: src/backend/storage/lmgr/lwlock.c.
#pragma once

#include <atomic>
#include <cstdint>

namespace pgdata {

enum class LockMode : uint8_t { shared, exclusive };

class LwLock {
 public:
  void acquire(LockMode mode);
  bool try_acquire(LockMode mode);
  // Releases whichever mode the caller holds.
  void release();
  // Exclusive holders only: let readers in without letting writers through.
  void downgrade();
  bool is_held() const;
  bool is_held_exclusive() const;

 private:
  std::atomic<uint32_t> state_{0};
  std::atomic<uint32_t> waiters_{0};
};

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

// Sleeps while *word == expected, at most timeout_ms (negative: without limit); wake-ups may be spurious.
// Works between processes. Linux futex; __ulock on macOS.
void futex_wait(std::atomic<uint32_t>* word, uint32_t expected, int timeout_ms);
void futex_wake(std::atomic<uint32_t>* word, int count);

}  // namespace pgdata
