// What all reads through an index do: refuse one that is not to be used, and count.
#pragma once

#include <cstddef>

#include "base/status.h"
#include "btree/btree_index.h"
#include "heap/heap_relation.h"
#include "table/read_counting.h"
#include "table/table.h"

namespace pgdata {

inline Status check_index(const Table& table, size_t index) {
  INVARIANT(index < table.indexes().size());
  const Table::Index& wanted = table.indexes()[index];
  if (wanted.btree) return Status::ok;
  return table.with_names(Status::error(ErrorCode::feature_not_supported,
                                        "index \"%s\" cannot be used",
                                        wanted.definition.name.c_str())
                              .with_detail(wanted.unusable_because));
}

inline void count_index_scan(const ReadContext& context, const BtreeIndex& btree) {
  if (SessionCounters* const counters = counters_of(context))
    counters->count_scan(btree.definition().oid, btree.relation());
}

// Entries were followed, `fetched` of them to rows that are visible.
inline void count_entries(const ReadContext& context, const BtreeIndex& btree, int64_t entries,
                          int64_t fetched) {
  SessionCounters* const counters = counters_of(context);
  if (counters == nullptr || entries == 0) return;
  counters->count_returned(btree.definition().oid, btree.relation(), entries);
  for (; fetched > 0; --fetched) counters->count_fetched(btree.definition().oid, btree.relation());
}

}  // namespace pgdata
