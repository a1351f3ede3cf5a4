// BackgroundWriter: writes dirty buffers before somebody needs their place, and logs now and then who runs, so that a
// standby can begin to answer.
//
// Source: src/backend/postmaster/bgwriter.c, PostgreSQL 18.
#pragma once

#include <chrono>
#include <cstdint>

#include "buffer/buffer_pool.h"
#include "change/change.h"
#include "engine/periodic_thread.h"
#include "shmem/activity_table.h"
#include "statistics/session_counters.h"
#include "xact/transaction_system.h"

namespace pgdata {

class BackgroundWriter {
 public:
  BackgroundWriter(StorageServices& services, TransactionSystem& transactions,
                   const WriteAheadLimits& limits, ActivityEntry& activity);

 private:
  uint32_t round();
  void log_running_transactions();

  StorageServices& services_;
  TransactionSystem& transactions_;
  WriteAheadLimits limits_;
  ActivityEntry& activity_;
  WriteAhead memory_;
  SessionCounters counters_;
  std::chrono::steady_clock::time_point logged_at_;
  Lsn logged_important_ = invalid_lsn;
  PeriodicThread thread_;  // the last to begin, the first to end
};

}  // namespace pgdata
