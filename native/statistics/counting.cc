// Counting: the pointer of each thread.
#include "statistics/counting.h"

#include <chrono>

namespace pgdata {

namespace {

thread_local SessionCounters* counters_of_thread = nullptr;

int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

SessionCounters* current_counters() { return counters_of_thread; }

CountingScope::CountingScope(SessionCounters* counters) : before_(counters_of_thread) {
  counters_of_thread = counters;
}

CountingScope::~CountingScope() { counters_of_thread = before_; }

CountedIo::CountedIo(IoObject object) : counters_(counters_of_thread), object_(object) {
  if (counters_ != nullptr && counters_->is_timed(object)) began_ns_ = steady_ns();
}

void CountedIo::done(IoContext context, IoOp op, int64_t count, int64_t bytes) {
  if (counters_ == nullptr) return;
  if (began_ns_ != 0) counters_->time_io(object_, context, op, steady_ns() - began_ns_);
  counters_->count_io(object_, context, op, count, bytes);
}

}  // namespace pgdata
