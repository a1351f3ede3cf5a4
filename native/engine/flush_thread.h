// FlushThread: makes commits durable off the caller's thread, all that wait at a time with one flush.
#pragma once

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

  FlushThread(Wal& wal, Done done);
  ~FlushThread();  // flushes for those still waiting
  FlushThread(const FlushThread&) = delete;

  void request(Waiter waiter);

 private:
  void run();

  Wal& wal_;
  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiter> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pgdata
