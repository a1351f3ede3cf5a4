// FlushThread: makes commits durable off the caller's thread, all that wait at a time with one flush; and, a while
// later, those that nobody waits for (synchronous_commit off).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "wal/wal.h"

namespace pgdata {

class FlushThread {
 public:
  // Who waits for what; `ticket` is the caller's.
  struct Waiter {
    Lsn upto;
    uint64_t ticket;
  };
  // Called on the flush thread with those whose flush ended, and how.
  using Done = std::function<void(std::vector<Waiter> waiters, Status status)>;

  // `delay_ms`: wal_writer_delay.
  FlushThread(Wal& wal, Done done, uint32_t delay_ms = 200);
  ~FlushThread();  // flushes for those still waiting
  FlushThread(const FlushThread&) = delete;

  void request(Waiter waiter);
  // Flushed within `delay_ms`. Should that fail, the cluster is poisoned, which whoever comes next is told.
  void request_later(Lsn upto);

 private:
  void run();

  Wal& wal_;
  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  uint32_t delay_ms_;
  std::vector<Waiter> waiting_;
  Lsn later_ = invalid_lsn;
  std::chrono::steady_clock::time_point later_due_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pgdata
