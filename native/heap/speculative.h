// Speculative insertion: a row that is there for others to see in progress, and whose inserter has yet to find out whether
// its keys are free.
//
// It is inserted by heap_insert with a token in the place of its t_ctid; whoever meets it waits for that token's lock
// instead of the whole transaction (DirtyVerdict::speculative_token). With its index entries made, it is confirmed; or, when
// one of them met another row, made dead to everybody at once, and the insertion begins anew.
// Source: src/backend/access/heap/heapam.c, PostgreSQL 18.
#pragma once

#include "base/status.h"
#include "heap/heap_relation.h"

namespace pgdata {

// heap_finish_speculative: the row at `tid` is one like any other.
Status heap_confirm_speculative(Backend& backend, HeapRelation& relation, ItemPointer tid);
// heap_abort_speculative: nobody sees the row at `tid` any more, or its long values. Also for the rows of a TOAST table.
Status heap_abort_speculative(Backend& backend, HeapRelation& relation, ItemPointer tid);

}  // namespace pgdata
