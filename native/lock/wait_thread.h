// WaitThread: tells when the lock waits of one process's sessions have ended.
//
// One thread, started with the first wait. It sleeps on its mailbox's bell until somebody changes the state of one of
// its waiters or a time is up: then it looks for a deadlock, or ends the wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "base/status.h"
#include "lock/lock_table.h"
#include "lock/long_wait.h"
#include "shmem/cluster_state.h"

namespace pgdata {

class WaitThread {
 public:
  // Called on the thread: ok when the lock was granted, else deadlock_detected, lock_not_available (the time was up) or
  // crash_shutdown; the waiter has then left the queue. Must not call the WaitThread.
  using Done = std::function<void(uint64_t ticket, Status status)>;

  static Status create(LockTable& table, ClusterState& state, Done done,
                       std::unique_ptr<WaitThread>* thread);
  ~WaitThread();  // reports nothing any more
  WaitThread(const WaitThread&) = delete;

  uint32_t mailbox() const { return mailbox_; }
  // `tell` is called on the thread with what the log says of waits that last for their deadlock timeout. Said before
  // anybody waits.
  void on_long_wait(std::function<void(ErrorReport)> tell) { tell_ = std::move(tell); }

  // `slot` waits. Times are in milliseconds from here; a lock timeout of 0 is none.
  void watch(uint64_t ticket, int slot, uint32_t deadlock_timeout_ms, uint32_t lock_timeout_ms);
  // Reports ok when `ready`, which is asked on the thread each time that the bell rings, is true.
  void await(uint64_t ticket, std::function<bool()> ready);
  // False when the end was reported already.
  bool forget(uint64_t ticket);

 private:
  using Clock = std::chrono::steady_clock;
  struct Watched {
    int slot;
    Clock::time_point since;
    std::optional<Clock::time_point> deadlock_check;
    std::optional<Clock::time_point> timeout;
    std::function<bool()> ready;  // of what is no lock
    std::optional<LongWait> told;
  };

  WaitThread(LockTable& table, ClusterState& state, Done done, uint32_t mailbox);
  void add(uint64_t ticket, Watched watched);
  void run();
  // True when the wait has ended, with `*status` to report.
  bool look_at(Watched& watched, Clock::time_point now, Status* status);
  Status check_deadlock(Watched& watched, Clock::time_point now);

  LockTable& table_;
  ClusterState& state_;
  Done done_;
  std::function<void(ErrorReport)> tell_;
  uint32_t mailbox_;
  std::mutex mutex_;
  bool stopping_ = false;
  std::unordered_map<uint64_t, Watched> watched_;
  std::thread thread_;
};

}  // namespace pgdata
