// Which entries of an index page lead to rows that nobody can see any more, so that they may be deleted.
//
// Asked by an index that needs room, through the table: entries that a scan found dead, and others that are worth a look because
// they lie in the same blocks or look like versions of one row. How many blocks are looked at is decided here.
// Source: heap_index_delete_tuples in src/backend/access/heap/heapam.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"

namespace pgdata {

struct IndexEntryFate {
  ItemPointer tid;
  // Given: a scan said so. Afterwards: the entry may be deleted.
  bool deletable = false;
  // Bottom-up: probably an old version of a row.
  bool promising = false;
  // Bottom-up: what deleting it frees on the index page.
  uint32_t free_bytes = 0;
};

// `bottom_up_bytes` 0: looks at all entries. Otherwise looks at the most promising blocks until the deletable entries free so much, or until it is not
// worth while. `*conflict_horizon`: the newest transaction that deleted one of the rows. The caller has the index page locked,
// so that no vacuum can have given the line pointers to other rows. index_corrupted for entries that lead nowhere.
Status find_deletable_entries(Backend& backend, const HeapRelation& relation,
                              uint32_t bottom_up_bytes, std::vector<IndexEntryFate>* entries,
                              TransactionId* conflict_horizon);

}  // namespace pgdata
