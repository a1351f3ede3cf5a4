// WalWriter: writes and syncs whole pages of the log that nobody has asked for yet, so that a big transaction's commit
// finds little left to do.
//
// Commits that nobody waits for are FlushThread's. Source: src/backend/postmaster/walwriter.c, XLogBackgroundFlush in
// src/backend/access/transam/xlog.c, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "engine/periodic_thread.h"
#include "shmem/activity_table.h"
#include "statistics/session_counters.h"
#include "wal/wal.h"

namespace pgdata {

class WalWriter {
 public:
  WalWriter(Wal& wal, Statistics& statistics, uint32_t delay_ms, ActivityEntry& activity);

 private:
  uint32_t round();

  Wal& wal_;
  uint32_t delay_ms_;
  ActivityEntry& activity_;
  SessionCounters counters_;
  uint32_t idle_rounds_ = 0;
  PeriodicThread thread_;
};

}  // namespace pgdata
