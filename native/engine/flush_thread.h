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
#include "statistics/session_counters.h"
#include "wal/wal.h"

namespace pgdata {

class FlushThread {
 public:
  // Who waits for what; `ticket` is the caller's. `is_timed`: track_wal_io_timing of that session.
  struct Waiter {
    Lsn upto;
    uint64_t ticket;
    bool is_timed;
  };
  // Called on the flush thread with those whose flush ended, and how.
  using Done = std::function<void(std::vector<Waiter> waiters, Status status)>;

  // `delay_ms`: wal_writer_delay; `flush_after_bytes`: wal_writer_flush_after.
  FlushThread(Wal& wal, Statistics& statistics, Done done, uint32_t delay_ms = 200,
              uint64_t flush_after_bytes = uint64_t{1} << 20);
  ~FlushThread();  // flushes for those still waiting
  FlushThread(const FlushThread&) = delete;

  void request(Waiter waiter);
  // Flushed within `delay_ms`, and at once when as many whole pages as `flush_after_bytes` are not yet. Should that fail, the cluster is poisoned, which whoever comes next is told.
  void request_later(Lsn upto);

 private:
  void run();
  bool is_enough(Lsn upto) const;

  Wal& wal_;
  Done done_;
  // A flush counts for the sessions that wait for it; one that nobody waits for is the WAL writer's in PostgreSQL.
  SessionCounters of_sessions_;
  SessionCounters of_nobody_;
  std::mutex mutex_;
  std::condition_variable wake_;
  uint32_t delay_ms_;
  uint64_t flush_after_bytes_;
  std::vector<Waiter> waiting_;
  Lsn later_ = invalid_lsn;
  std::chrono::steady_clock::time_point later_due_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pgdata
