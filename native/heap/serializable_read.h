// What a serializable transaction remembers of the rows that it looked at, and of those it passed over.
//
// `notes_reads` is asked once a page or chain, and false for all other transactions. All is done under the page's
// content lock: a writer of the row either finds the lock that is taken here, or its mark in the row is seen here.
// Source: HeapCheckForSerializableConflictOut of src/backend/access/heap/heapam.c, PostgreSQL 18.
#pragma once

#include "base/status.h"
#include "heap/heap_relation.h"
#include "heap/visibility.h"
#include "predicate/predicate_transaction.h"
#include "xact/snapshot.h"

namespace pgdata {

// Of a temporary one nothing is noted, as of a catalog: nobody else reads or writes it.
inline PredicateRelation predicate_relation(const HeapRelation& relation) {
  return {relation.locator.dbOid, relation.temporary ? invalid_oid : relation.oid};
}

// A TOAST table's rows are read and written with those that refer to them.
inline bool notes_reads(const HeapRelation& relation, const Snapshot* snapshot) {
  if (snapshot == nullptr || snapshot->serializable == nullptr) [[likely]]
    return false;
  return !relation.is_toast && predicate_transaction(*snapshot->serializable)
                                   .notes_reads_of(predicate_relation(relation).relation);
}

// Before rows are looked at: everything that the relation has and will have was read.
Status note_whole_relation(const HeapRelation& relation, const Snapshot& snapshot);
// Whether the transaction should go on at all.
Status note_page(const Snapshot& snapshot);
// A row version, which the snapshot sees or not: who wrote or removed it without being seen.
Status note_conflict_out(Visibility& visibility, HeapTupleHeader& tuple, BufferRef& buffer,
                         bool visible);
// A row version that the snapshot sees and the caller reads.
Status note_tuple(const HeapRelation& relation, const Snapshot& snapshot,
                  const HeapTupleHeader& tuple, ItemPointer self);

// Before a row is inserted (`tid` null) or changed, with its page locked exclusively.
inline Status check_serializable_write(Backend& backend, const HeapRelation& relation,
                                       const ItemPointer* tid) {
  SerializableTransaction* const serializable = backend.serializable();
  if (serializable == nullptr || relation.is_toast) [[likely]]
    return Status::ok;
  // Locks on heap pages stand for rows that were read, not for gaps between them.
  return predicate_transaction(*serializable)
      .conflict_in(predicate_relation(relation), tid,
                   tid == nullptr ? invalid_block_number : tid->block(), backend.level() > 1);
}

}  // namespace pgdata
