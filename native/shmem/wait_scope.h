// WaitScope: a wait of this thread that cluster.activity() shows while it lives.
//
// It stands right around what may take long, a system call or a sleep: a thread that finds nothing to wait for makes none.
// Inside another one it takes its place for that long. Where nobody said on whose behalf the thread runs, nothing is told.
#pragma once

#include "shmem/activity_table.h"

namespace pgdata {

class WaitScope {
 public:
  explicit WaitScope(WaitEvent event);
  ~WaitScope();
  WaitScope(const WaitScope&) = delete;

 private:
  ActivityEntry* entry_;
  WaitEvent before_ = WaitEvent::none;
};

// While it lives, waits of this thread are those of `entry` (may be null).
class WaitReport {
 public:
  explicit WaitReport(ActivityEntry* entry);
  ~WaitReport();
  WaitReport(const WaitReport&) = delete;

 private:
  ActivityEntry* before_;
};

}  // namespace pgdata
