// Counting: the pointer of each thread.
#include "statistics/counting.h"

namespace pgdata {

namespace {

thread_local SessionCounters* counters_of_thread = nullptr;

}  // namespace

SessionCounters* current_counters() { return counters_of_thread; }

CountingScope::CountingScope(SessionCounters* counters) : before_(counters_of_thread) {
  counters_of_thread = counters;
}

CountingScope::~CountingScope() { counters_of_thread = before_; }

}  // namespace pgdata
