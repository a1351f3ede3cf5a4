// Overwriting a row where it lies, for everybody and for good: what vacuum does to its row of pg_class.
//
// Not a new version: a rollback does not undo it, and old snapshots see it. Only for columns of fixed width of catalogs.
// Source: heap_inplace_update_and_unlock in src/backend/access/heap/heapam.c, PostgreSQL 18.
#pragma once

#include "base/status.h"
#include "heap/heap_relation.h"
#include "heap/visibility.h"

namespace pgdata {

// Gives the row at `tid` these values, which must need the same room as the old ones. Anything but `ok` in `*result`
// changed nothing: the row is gone, or somebody is changing it.
Status heap_update_in_place(Backend& backend, HeapRelation& relation, ItemPointer tid,
                            const Datum* values, const bool* nulls, UpdateResult* result);

}  // namespace pgdata
