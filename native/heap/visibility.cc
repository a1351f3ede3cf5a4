// The visibility rules: first the inserter's fate, then the deleter's.
#include "heap/visibility.h"

#include <vector>

#include "base/invariant.h"

namespace pgdata {

namespace {

inline uint16_t infomask_of(const HeapTupleHeader& tuple) {
  return __atomic_load_n(&tuple.t_infomask, __ATOMIC_RELAXED);
}

}  // namespace

Status Visibility::in_snapshot(TransactionId xid, bool* running) const {
  *running = false;
  if (snapshot_->all_committed || precedes(xid, snapshot_->xmin)) return Status::ok;
  return context_.transactions.in_snapshot(*snapshot_, xid, running);
}

bool Visibility::is_current(TransactionId xid) const {
  return context_.backend != nullptr && context_.backend->is_current(xid);
}

CommandId Visibility::cmin_of(const HeapTupleHeader& tuple) const {
  if ((infomask_of(tuple) & HEAP_COMBOCID) == 0) return tuple.t_cid;
  return context_.backend->combo_commands().cmin_of(tuple.t_cid);
}

CommandId Visibility::cmax_of(const HeapTupleHeader& tuple) const {
  if ((infomask_of(tuple) & HEAP_COMBOCID) == 0) return tuple.t_cid;
  return context_.backend->combo_commands().cmax_of(tuple.t_cid);
}

Status Visibility::ended_as(TransactionId xid, bool* committed) {
  if (xid == known_xid_) {
    *committed = known_committed_;
    return Status::ok;
  }
  TransactionStatus status = TransactionStatus::in_progress;
  Lsn lsn = invalid_lsn;
  RETURN_IF_ERROR(context_.transactions.status_of(xid, &status, &lsn));
  *committed = status == TransactionStatus::committed;
  known_xid_ = xid;
  known_committed_ = *committed;
  known_lsn_ = lsn;
  return Status::ok;
}

Status Visibility::outcome_of(TransactionId xid, Outcome* outcome) {
  if (is_current(xid)) {
    *outcome = Outcome::current;
    return Status::ok;
  }
  // The order matters: a transaction leaves the process array after the log knows its end.
  if (xid != known_xid_ && context_.backend != nullptr) {
    bool running = false;
    RETURN_IF_ERROR(context_.transactions.is_in_progress(xid, &running));
    if (running) {
      *outcome = Outcome::in_progress;
      return Status::ok;
    }
  }
  bool committed = false;
  RETURN_IF_ERROR(ended_as(xid, &committed));
  *outcome = committed ? Outcome::committed : Outcome::aborted;
  return Status::ok;
}

void Visibility::hint(HeapTupleHeader& tuple, BufferRef& buffer, uint16_t bits,
                      TransactionId committed) {
  if (context_.backend == nullptr) return;
  if (is_valid(committed) && committed == known_xid_ && known_lsn_ != invalid_lsn &&
      context_.backend->services().wal.flushed() < known_lsn_ && buffer.page().lsn() < known_lsn_) {
    return;  // The page could reach the disk before the commit record does.
  }
  __atomic_fetch_or(&tuple.t_infomask, bits, __ATOMIC_RELAXED);
  hinted_ = true;
}

Status Visibility::update_xid(const HeapTupleHeader& tuple, TransactionId* xid) {
  if ((infomask_of(tuple) & HEAP_XMAX_IS_MULTI) == 0) {
    *xid = tuple.t_xmax;
    return Status::ok;
  }
  *xid = invalid_transaction_id;
  if (xmax_is_locked_only(infomask_of(tuple))) return Status::ok;
  if (context_.backend != nullptr) context_.backend->announce_multixact_reader();
  std::vector<MultiXactMember> members;
  RETURN_IF_ERROR(context_.transactions.multixact_members(
      static_cast<MultiXactId>(value_of(tuple.t_xmax)), &members));
  for (const MultiXactMember& member : members) {
    if (is_update(member.status)) *xid = member.xid;
  }
  return Status::ok;
}

Status Visibility::multixact_is_running(const HeapTupleHeader& tuple, bool* running) {
  *running = false;
  if (context_.backend == nullptr) return Status::ok;
  context_.backend->announce_multixact_reader();
  const MultiXactId multi = static_cast<MultiXactId>(value_of(tuple.t_xmax));
  std::vector<MultiXactMember> members;
  RETURN_IF_ERROR(context_.transactions.multixact_members(multi, &members));
  for (const MultiXactMember& member : members) {
    if (!*running && !context_.backend->is_current(member.xid))
      RETURN_IF_ERROR(context_.transactions.is_in_progress(member.xid, running));
    else
      *running = true;
  }
  return Status::ok;
}

Status Visibility::inserted(HeapTupleHeader& tuple, BufferRef& buffer, Outcome* outcome) {
  const uint16_t infomask = infomask_of(tuple);
  if ((infomask & (HEAP_XMIN_COMMITTED | HEAP_MOVED)) != 0) {
    *outcome = Outcome::committed;
    return Status::ok;
  }
  if ((infomask & HEAP_XMIN_INVALID) != 0) {
    *outcome = Outcome::aborted;
    return Status::ok;
  }
  RETURN_IF_ERROR(outcome_of(tuple.t_xmin, outcome));
  if (*outcome == Outcome::committed) hint(tuple, buffer, HEAP_XMIN_COMMITTED, tuple.t_xmin);
  if (*outcome == Outcome::aborted) hint(tuple, buffer, HEAP_XMIN_INVALID, invalid_transaction_id);
  return Status::ok;
}

Status Visibility::mvcc_slowly(HeapTupleHeader& tuple, BufferRef& buffer, bool* visible) {
  const uint16_t infomask = infomask_of(tuple);
  bool running = false;
  *visible = false;
  if ((infomask & HEAP_XMIN_COMMITTED) == 0 && (infomask & HEAP_MOVED) == 0) {
    if ((infomask & HEAP_XMIN_INVALID) != 0) return Status::ok;
    if (is_current(tuple.t_xmin)) {
      if (cmin_of(tuple) >= snapshot_->curcid) return Status::ok;  // Inserted after the scan began.
    } else {
      RETURN_IF_ERROR(in_snapshot(tuple.t_xmin, &running));
      if (running) return Status::ok;
      bool committed = false;
      RETURN_IF_ERROR(ended_as(tuple.t_xmin, &committed));
      if (!committed) {
        // Aborted, or running when a crash ended it; offline also one that runs elsewhere.
        hint(tuple, buffer, HEAP_XMIN_INVALID, invalid_transaction_id);
        return Status::ok;
      }
      hint(tuple, buffer, HEAP_XMIN_COMMITTED, tuple.t_xmin);
    }
  } else if (!xmin_is_frozen(infomask) && (infomask & HEAP_MOVED) == 0) {
    RETURN_IF_ERROR(in_snapshot(tuple.t_xmin, &running));
    if (running) return Status::ok;
  }

  // The inserter is in the past; is a deleter, too?
  *visible = true;
  if ((infomask & HEAP_XMAX_INVALID) != 0 || xmax_is_locked_only(infomask)) return Status::ok;
  const bool is_multi = (infomask & HEAP_XMAX_IS_MULTI) != 0;
  TransactionId xmax;
  RETURN_IF_ERROR(update_xid(tuple, &xmax));
  if (!is_valid(xmax)) return Status::ok;
  if (is_current(xmax)) {
    *visible = cmax_of(tuple) >= snapshot_->curcid;
    return Status::ok;
  }
  RETURN_IF_ERROR(in_snapshot(xmax, &running));
  if (running) return Status::ok;
  if (!is_multi && (infomask & HEAP_XMAX_COMMITTED) != 0) {
    *visible = false;
    return Status::ok;
  }
  bool committed = false;
  RETURN_IF_ERROR(ended_as(xmax, &committed));
  if (committed) {
    if (!is_multi) hint(tuple, buffer, HEAP_XMAX_COMMITTED, xmax);
    *visible = false;
  } else if (!is_multi) {
    hint(tuple, buffer, HEAP_XMAX_INVALID, invalid_transaction_id);
  }
  return Status::ok;
}

Status Visibility::satisfies_self(HeapTupleHeader& tuple, BufferRef& buffer, bool* visible) {
  DirtyVerdict verdict;
  RETURN_IF_ERROR(satisfies_dirty(tuple, buffer, &verdict));
  // Dirty differs in two cases only: an insertion in progress, which nobody else sees, and a
  // deletion in progress, which has not happened yet for either.
  *visible = verdict.visible && !is_valid(verdict.xmin);
  return Status::ok;
}

Status Visibility::satisfies_dirty(HeapTupleHeader& tuple, BufferRef& buffer,
                                   DirtyVerdict* verdict) {
  *verdict = DirtyVerdict{};
  Outcome inserter;
  RETURN_IF_ERROR(inserted(tuple, buffer, &inserter));
  switch (inserter) {
    case Outcome::aborted:
      return Status::ok;
    case Outcome::in_progress:
      verdict->visible = true;
      verdict->xmin = tuple.t_xmin;
      if (tuple.t_ctid.offset() == spec_token_offset_number)
        verdict->speculative_token = value_of(tuple.t_ctid.block());
      return Status::ok;
    case Outcome::current:
    case Outcome::committed:
      break;
  }
  verdict->visible = true;
  const uint16_t infomask = infomask_of(tuple);
  if ((infomask & HEAP_XMAX_INVALID) != 0 || xmax_is_locked_only(infomask)) return Status::ok;
  const bool is_multi = (infomask & HEAP_XMAX_IS_MULTI) != 0;
  if (!is_multi && (infomask & HEAP_XMAX_COMMITTED) != 0) {
    verdict->visible = false;
    return Status::ok;
  }
  TransactionId xmax;
  RETURN_IF_ERROR(update_xid(tuple, &xmax));
  if (!is_valid(xmax)) return Status::ok;
  Outcome deleter;
  RETURN_IF_ERROR(outcome_of(xmax, &deleter));
  switch (deleter) {
    case Outcome::current:
      verdict->visible = false;
      break;
    case Outcome::in_progress:
      verdict->xmax = xmax;
      break;
    case Outcome::aborted:
      if (!is_multi) hint(tuple, buffer, HEAP_XMAX_INVALID, invalid_transaction_id);
      break;
    case Outcome::committed:
      if (!is_multi) hint(tuple, buffer, HEAP_XMAX_COMMITTED, xmax);
      verdict->visible = false;
      break;
  }
  return Status::ok;
}

Status Visibility::satisfies_update(HeapTupleHeader& tuple, ItemPointer self, CommandId command,
                                    BufferRef& buffer, UpdateResult* result) {
  Outcome inserter;
  RETURN_IF_ERROR(inserted(tuple, buffer, &inserter));
  if (inserter == Outcome::aborted || inserter == Outcome::in_progress ||
      (inserter == Outcome::current && cmin_of(tuple) >= command)) {
    *result = UpdateResult::invisible;
    return Status::ok;
  }

  *result = UpdateResult::ok;
  const uint16_t infomask = infomask_of(tuple);
  if ((infomask & HEAP_XMAX_INVALID) != 0) return Status::ok;
  const UpdateResult ended = tuple.t_ctid == self ? UpdateResult::deleted : UpdateResult::updated;
  if ((infomask & HEAP_XMAX_COMMITTED) != 0) {
    if (!xmax_is_locked_only(infomask)) *result = ended;
    return Status::ok;
  }
  const bool is_multi = (infomask & HEAP_XMAX_IS_MULTI) != 0;
  bool lockers_running = false;
  if (is_multi) RETURN_IF_ERROR(multixact_is_running(tuple, &lockers_running));
  TransactionId xmax = tuple.t_xmax;
  if (is_multi) RETURN_IF_ERROR(update_xid(tuple, &xmax));
  if (xmax_is_locked_only(infomask) || !is_valid(xmax)) {
    if (!is_multi) {
      Outcome locker;
      RETURN_IF_ERROR(outcome_of(xmax, &locker));
      // A lock of the own transaction is no obstacle: whoever holds it goes on.
      if (locker == Outcome::current) return Status::ok;
      lockers_running = locker == Outcome::in_progress;
    }
    if (lockers_running) {
      *result = UpdateResult::being_modified;
    } else {
      hint(tuple, buffer, HEAP_XMAX_INVALID, invalid_transaction_id);
    }
    return Status::ok;
  }
  Outcome deleter;
  RETURN_IF_ERROR(outcome_of(xmax, &deleter));
  switch (deleter) {
    case Outcome::current:
      *result = cmax_of(tuple) >= command ? UpdateResult::self_modified : UpdateResult::invisible;
      break;
    case Outcome::in_progress:
      *result = UpdateResult::being_modified;
      break;
    case Outcome::committed:
      if (!is_multi) hint(tuple, buffer, HEAP_XMAX_COMMITTED, xmax);
      *result = lockers_running ? UpdateResult::being_modified : ended;
      break;
    case Outcome::aborted:
      if (lockers_running) {
        *result = UpdateResult::being_modified;
      } else {
        hint(tuple, buffer, HEAP_XMAX_INVALID, invalid_transaction_id);
      }
      break;
  }
  return Status::ok;
}

Status Visibility::satisfies_vacuum(HeapTupleHeader& tuple, TransactionId oldest_xmin,
                                    BufferRef& buffer, VacuumVerdict* verdict) {
  TransactionId deleter = invalid_transaction_id;
  RETURN_IF_ERROR(vacuum_verdict(tuple, buffer, verdict, &deleter));
  if (*verdict == VacuumVerdict::recently_dead && precedes(deleter, oldest_xmin))
    *verdict = VacuumVerdict::dead;
  return Status::ok;
}

Status Visibility::vacuum_verdict(HeapTupleHeader& tuple, BufferRef& buffer, VacuumVerdict* verdict,
                                  TransactionId* deleter_xid) {
  *deleter_xid = invalid_transaction_id;
  Outcome inserter;
  RETURN_IF_ERROR(inserted(tuple, buffer, &inserter));
  const uint16_t infomask = infomask_of(tuple);
  const bool is_multi = (infomask & HEAP_XMAX_IS_MULTI) != 0;
  const bool deleted = (infomask & HEAP_XMAX_INVALID) == 0 && !xmax_is_locked_only(infomask);
  switch (inserter) {
    case Outcome::aborted:
      *verdict = VacuumVerdict::dead;
      return Status::ok;
    case Outcome::in_progress:
      *verdict = VacuumVerdict::insert_in_progress;
      return Status::ok;
    case Outcome::current: {
      TransactionId xmax = invalid_transaction_id;
      if (deleted) RETURN_IF_ERROR(update_xid(tuple, &xmax));
      *verdict =
          is_current(xmax) ? VacuumVerdict::delete_in_progress : VacuumVerdict::insert_in_progress;
      return Status::ok;
    }
    case Outcome::committed:
      break;
  }

  *verdict = VacuumVerdict::live;
  if ((infomask & HEAP_XMAX_INVALID) != 0) return Status::ok;
  if (!deleted) {
    // Only locked: once the lockers are gone, say so, that the next reader need not ask.
    if ((infomask & HEAP_XMAX_COMMITTED) != 0) return Status::ok;
    bool running = false;
    if (is_multi) {
      RETURN_IF_ERROR(multixact_is_running(tuple, &running));
    } else {
      Outcome locker;
      RETURN_IF_ERROR(outcome_of(tuple.t_xmax, &locker));
      running = locker == Outcome::current || locker == Outcome::in_progress;
    }
    if (!running) hint(tuple, buffer, HEAP_XMAX_INVALID, invalid_transaction_id);
    return Status::ok;
  }
  TransactionId xmax;
  RETURN_IF_ERROR(update_xid(tuple, &xmax));
  if (!is_valid(xmax)) return Status::ok;
  if (is_multi || (infomask & HEAP_XMAX_COMMITTED) == 0) {
    Outcome deleter;
    RETURN_IF_ERROR(outcome_of(xmax, &deleter));
    switch (deleter) {
      case Outcome::current:
      case Outcome::in_progress:
        *verdict = VacuumVerdict::delete_in_progress;
        return Status::ok;
      case Outcome::aborted: {
        bool running = false;
        if (is_multi) RETURN_IF_ERROR(multixact_is_running(tuple, &running));
        if (!running) hint(tuple, buffer, HEAP_XMAX_INVALID, invalid_transaction_id);
        return Status::ok;
      }
      case Outcome::committed:
        if (!is_multi) hint(tuple, buffer, HEAP_XMAX_COMMITTED, xmax);
        break;
    }
  }
  *verdict = VacuumVerdict::recently_dead;
  *deleter_xid = xmax;
  return Status::ok;
}

Status Visibility::advance_conflict_horizon(const HeapTupleHeader& tuple, TransactionId* horizon) {
  const uint16_t infomask = infomask_of(tuple);
  if ((infomask & HEAP_MOVED) != 0) {
    const TransactionId xvac{tuple.t_cid};
    if (precedes(*horizon, xvac)) *horizon = xvac;
  }
  // A tuple whose inserter aborted, or that its inserter deleted, nobody needed.
  bool committed = (infomask & HEAP_XMIN_COMMITTED) != 0;
  if (!committed && !xmin_is_invalid(infomask)) {
    TransactionStatus status = TransactionStatus::in_progress;
    RETURN_IF_ERROR(context_.transactions.status_of(tuple.t_xmin, &status));
    committed = status == TransactionStatus::committed;
  }
  if (!committed) return Status::ok;
  TransactionId xmax = tuple.t_xmax;
  if ((infomask & HEAP_XMAX_INVALID) == 0) RETURN_IF_ERROR(update_xid(tuple, &xmax));
  const TransactionId xmin = xmin_is_frozen(infomask) ? frozen_transaction_id : tuple.t_xmin;
  if (xmax != xmin && precedes(*horizon, xmax)) *horizon = xmax;
  return Status::ok;
}

}  // namespace pgdata
