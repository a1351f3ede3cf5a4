// LongWait: what the log says of a wait for a lock that has lasted for deadlock_timeout (log_lock_waits).
//
// Source: ProcSleep in src/backend/storage/lmgr/proc.c, PostgreSQL 18.
#pragma once

#include <chrono>
#include <string>

#include "base/status.h"
#include "lock/lock_table.h"

namespace pgdata {

class LongWait {
 public:
  // As it stands. `*found` false when `slot` waits no longer.
  static LongWait look(const LockTable& table, int slot, bool* found);

  ErrorReport still_waiting(std::chrono::steady_clock::duration after) const;
  ErrorReport acquired(std::chrono::steady_clock::duration after) const;
  ErrorReport deadlocked(std::chrono::steady_clock::duration after) const;

 private:
  ErrorReport report(const char* happened, std::chrono::steady_clock::duration after) const;

  uint32_t number_ = 0;  // of the session
  std::string lock_;     // "ShareLock on transaction 740"
  std::string others_;
};

}  // namespace pgdata
