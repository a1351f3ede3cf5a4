// Which transaction a row version says something about, to a serializable reader.
#include "heap/serializable_read.h"

namespace pgdata {

Status note_whole_relation(const HeapRelation& relation, const Snapshot& snapshot) {
  return predicate_transaction(*snapshot.serializable).lock_relation(predicate_relation(relation));
}

Status note_page(const Snapshot& snapshot) {
  return predicate_transaction(*snapshot.serializable).check_doomed_reader();
}

Status note_conflict_out(Visibility& visibility, HeapTupleHeader& tuple, BufferRef& buffer,
                         bool visible) {
  const Snapshot& snapshot = *visibility.snapshot();
  VacuumVerdict verdict = VacuumVerdict::dead;
  RETURN_IF_ERROR(visibility.satisfies_vacuum(tuple, snapshot.xmin, buffer, &verdict));
  TransactionId xid = invalid_transaction_id;
  switch (verdict) {
    case VacuumVerdict::dead:
      return Status::ok;
    case VacuumVerdict::live:
      if (visible) return Status::ok;
      xid = tuple.t_xmin;
      break;
    case VacuumVerdict::insert_in_progress:
      xid = tuple.t_xmin;
      break;
    case VacuumVerdict::recently_dead:
    case VacuumVerdict::delete_in_progress:
      // Seen, it is about who removed it; else about who made it.
      if (visible)
        RETURN_IF_ERROR(visibility.update_xid(tuple, &xid));
      else
        xid = tuple.t_xmin;
      break;
  }
  // What ended before every running transaction began is no news to any.
  if (!is_normal(xid) || precedes(xid, snapshot.xmin)) return Status::ok;
  RETURN_IF_ERROR(visibility.transactions().topmost_of(xid, &xid));
  if (precedes(xid, snapshot.xmin)) return Status::ok;
  return predicate_transaction(*snapshot.serializable).conflict_out(xid);
}

Status note_tuple(const HeapRelation& relation, const Snapshot& snapshot,
                  const HeapTupleHeader& tuple, ItemPointer self) {
  return predicate_transaction(*snapshot.serializable)
      .lock_tuple(predicate_relation(relation), self, tuple.t_xmin);
}

}  // namespace pgdata
