// Counting: the counters of whoever runs on this thread, for rooms that are not told of a session.
#pragma once

#include "statistics/session_counters.h"

namespace pgdata {

// Null where nobody counts: while recovering, reading offline, and on threads that said nothing.
SessionCounters* current_counters();

// While it lives, what happens on this thread is counted with `counters` (may be null).
class CountingScope {
 public:
  explicit CountingScope(SessionCounters* counters);
  ~CountingScope();
  CountingScope(const CountingScope&) = delete;

 private:
  SessionCounters* before_;
};

}  // namespace pgdata
