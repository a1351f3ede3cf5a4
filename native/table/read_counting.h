// What reading a table counts in its session's statistics.
#pragma once

#include <cstdint>

#include "heap/heap_relation.h"
#include "xact/backend.h"

namespace pgdata {

inline SessionCounters* counters_of(const ReadContext& context) {
  return context.backend == nullptr ? nullptr : context.backend->counters();
}

inline void count_heap_scan(const ReadContext& context, const HeapRelation& heap) {
  if (SessionCounters* const counters = counters_of(context))
    counters->count_scan(heap.oid, heap.locator);
}

inline void count_heap_rows(const ReadContext& context, const HeapRelation& heap, uint64_t rows) {
  if (SessionCounters* const counters = counters_of(context))
    counters->count_returned(heap.oid, heap.locator, static_cast<int64_t>(rows));
}

}  // namespace pgdata
