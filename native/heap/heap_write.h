// Writing rows: insert, insert many, delete, update.
//
// Each function is one logged change per page, made under the own transaction's id and current
// command. Values are Datums as tuple/form.h takes them; long ones are toasted here.
// Source: src/backend/access/heap/heapam.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "heap/page_choice.h"
#include "heap/row_lock.h"
#include "heap/tuple_batch.h"
#include "heap/visibility.h"

namespace pgdata {

// Inserts one row. `bulk` may be null. `nulls` may be null when no value is. `speculative_token`: 0, or see
// heap/speculative.h.
Status heap_insert(Backend& backend, HeapRelation& relation, const Datum* values, const bool* nulls,
                   uint32_t options, BulkInsertState* bulk, ItemPointer* tid,
                   uint32_t speculative_token = 0);

// Forms a row into `batch`, toasting what is too long (chunks are inserted at once).
Status heap_form_for_insert(Backend& backend, HeapRelation& relation, const Datum* values,
                            const bool* nulls, uint32_t options, TupleBatch* batch);
// Inserts formed tuples, a page's worth with each log record, and sets their addresses.
Status heap_multi_insert(Backend& backend, HeapRelation& relation, std::span<NewTuple> tuples,
                         uint32_t options, BulkInsertState* bulk);

// Deletes the row at `tid`, whose TOAST values go with it. Anything but `ok` changed nothing; after `being_modified`
// wait as the outcome says, and call again.
Status heap_delete(Backend& backend, HeapRelation& relation, ItemPointer tid,
                   ChangeOutcome* outcome);

// Which columns matter to an update: one flag per column, or empty for none.
struct UpdateColumns {
  std::span<const bool> indexed;  // used by any index: if none of them changes, no index need know
  std::span<const bool> key;      // used by a unique index that a foreign key may refer to
};

// Replaces the row at `tid`. A value may be the old row's own Datum (also an external one, which is
// then kept as it is).
Status heap_update(Backend& backend, HeapRelation& relation, ItemPointer tid, const Datum* values,
                   const bool* nulls, const UpdateColumns& columns, ChangeOutcome* outcome);

// The error a statement that cannot wait, or look further, reports for an outcome that is not `ok`: 55P03 for a row
// that is being modified, 40001 for one that was, 55000 for one that is not there.
Status change_conflict(const HeapRelation& relation, const ChangeOutcome& outcome);

}  // namespace pgdata
