// Counting: the counters of whoever runs on this thread, for rooms that are not told of a session.
#pragma once

#include <cstdint>

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

// An input or output of this thread that begins now. The clock is read only where its time is wanted.
class CountedIo {
 public:
  explicit CountedIo(IoObject object);
  CountedIo(const CountedIo&) = delete;

  // It has succeeded: `count` of `op`, of so many bytes together.
  void done(IoContext context, IoOp op, int64_t count, int64_t bytes);

 private:
  SessionCounters* counters_;
  IoObject object_;
  int64_t began_ns_ = 0;  // 0: nobody wants to know
};

}  // namespace pgdata
