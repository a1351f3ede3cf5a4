// Marking entries of a leaf dead, which a scan found to lead to rows that nobody can see any more.
//
// A hint: later scans pass over them, and they are the first to go when the page needs room.
// Source: _bt_killitems in src/backend/access/nbtree/nbtutils.c, PostgreSQL 18.
#pragma once

#include <vector>

#include "base/status.h"
#include "btree/btree_index.h"
#include "buffer/buffer_pool.h"

namespace pgdata {

// `lsn` is the page's when the TIDs were read from it: if it has changed since, a TID may belong to another row by now,
// and nothing is marked. A posting list is marked once all its TIDs are there. Sorts `*tids`. Does nothing in an index whose
// changes leave the LSN as it is.
Status mark_dead_entries(BufferPool& pool, const BtreeIndex& index, BlockNumber leaf, Lsn lsn,
                         std::vector<ItemPointer>* tids);

// Marks one item of a leaf that the caller has locked, shared at least.
void mark_dead_entry(BufferPool& pool, BufferRef& leaf, OffsetNumber offset);

}  // namespace pgdata
