// Visibility: whether a tuple is there, for a snapshot, for an update, for vacuum.
//
// The caller holds the page's content lock, shared at least. Outcomes that were looked up in the
// commit log are remembered in the tuple as hint bits, under PostgreSQL's rule: a commit may be
// hinted only when its record is durable or the page's LSN guarantees that it will be before the
// page. `hints_done` must be called before the lock is given up.
// Source: src/backend/access/heap/heapam_visibility.c, PostgreSQL 18. Different: HEAP_MOVED_OFF
// and HEAP_MOVED_IN (before 9.0) are taken as frozen.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "xact/snapshot.h"

namespace pgdata {

// What an update or delete may do with a tuple (TM_Result).
enum class UpdateResult : uint8_t {
  ok,
  invisible,       // not there for this command
  self_modified,   // changed by the same command or a later one of the own transaction
  updated,         // a newer version was committed
  deleted,         // its deletion was committed
  being_modified,  // another transaction that is still running changes or locks it
};

// What vacuum sees (HTSV_Result).
enum class VacuumVerdict : uint8_t {
  dead,  // nobody can see it any more
  live,
  recently_dead,  // deleted, but a running snapshot may still see it
  insert_in_progress,
  delete_in_progress,
};

// What a unique check sees of a tuple (SnapshotDirty).
struct DirtyVerdict {
  bool visible = false;
  // In progress: whoever is inserting, or deleting, this tuple.
  TransactionId xmin = invalid_transaction_id;
  TransactionId xmax = invalid_transaction_id;
  // Of an insertion in progress that may yet be taken back before its transaction ends: its token, else 0.
  uint32_t speculative_token = 0;
  // Of one that is not visible, where heap_fetch_dirty looked: who changed it, and its next version.
  TransactionId update_xid = invalid_transaction_id;
  ItemPointer next_tid;
};

// Bits of t_infomask.
constexpr bool xmin_is_frozen(uint16_t infomask) {
  return (infomask & HEAP_XMIN_FROZEN) == HEAP_XMIN_FROZEN;
}
constexpr bool xmin_is_invalid(uint16_t infomask) {
  return (infomask & HEAP_XMIN_FROZEN) == HEAP_XMIN_INVALID;
}
constexpr bool xmax_is_locked_only(uint16_t infomask) {
  return (infomask & HEAP_XMAX_LOCK_ONLY) != 0 ||
         (infomask & (HEAP_XMAX_IS_MULTI | HEAP_LOCK_MASK)) == HEAP_XMAX_EXCL_LOCK;
}
// HeapTupleHeaderIsHotUpdated: the row's next version is on this page, reached from this one.
constexpr bool is_hot_updated(uint16_t infomask, uint16_t infomask2) {
  return (infomask2 & HEAP_HOT_UPDATED) != 0 && (infomask & HEAP_XMAX_INVALID) == 0 &&
         !xmin_is_invalid(infomask);
}

class Visibility {
 public:
  // `snapshot` may be null for the functions that take none. Both must outlive this.
  Visibility(const ReadContext& context, const Snapshot* snapshot)
      : context_(context), snapshot_(snapshot) {}

  const Snapshot* snapshot() const { return snapshot_; }
  TransactionSystem& transactions() const { return context_.transactions; }

  // Is the tuple visible to the snapshot?
  Status satisfies_mvcc(HeapTupleHeader& tuple, BufferRef& buffer, bool* visible) {
    // Most tuples: committed before any running transaction began, and not deleted.
    const uint16_t infomask = tuple.t_infomask;
    if ((infomask & (HEAP_XMIN_COMMITTED | HEAP_XMAX_INVALID)) ==
            (HEAP_XMIN_COMMITTED | HEAP_XMAX_INVALID) &&
        ((infomask & HEAP_XMIN_INVALID) != 0 || precedes(tuple.t_xmin, snapshot_->xmin)))
        [[likely]] {
      *visible = true;
      return Status::ok;
    }
    return mvcc_slowly(tuple, buffer, visible);
  }
  // Is it there now: committed, or the own transaction's (SnapshotSelf)?
  Status satisfies_self(HeapTupleHeader& tuple, BufferRef& buffer, bool* visible);
  // As satisfies_self, but changes in progress count, and are reported.
  Status satisfies_dirty(HeapTupleHeader& tuple, BufferRef& buffer, DirtyVerdict* verdict);
  // May command `command` of the own transaction update it? `self` is the tuple's own address.
  Status satisfies_update(HeapTupleHeader& tuple, ItemPointer self, CommandId command,
                          BufferRef& buffer, UpdateResult* result);
  // As satisfies_vacuum, but leaves open whether a deletion that has committed is old enough: the verdict is then
  // recently_dead, and `*deleter` who deleted it.
  Status vacuum_verdict(HeapTupleHeader& tuple, BufferRef& buffer, VacuumVerdict* verdict,
                        TransactionId* deleter);
  // `oldest_xmin`: TransactionSystem::oldest_xmin.
  Status satisfies_vacuum(HeapTupleHeader& tuple, TransactionId oldest_xmin, BufferRef& buffer,
                          VacuumVerdict* verdict);
  // Is it dead to everyone, as its hint bits alone tell (HeapTupleIsSurelyDead)? `is_removable(deleter)`: whether a
  // deletion that has committed is old enough.
  template <typename IsRemovable>
  static bool is_surely_dead(const HeapTupleHeader& tuple, IsRemovable is_removable) {
    const uint16_t infomask = tuple.t_infomask;
    if ((infomask & HEAP_XMIN_COMMITTED) == 0) return (infomask & HEAP_XMIN_INVALID) != 0;
    if ((infomask & HEAP_XMAX_INVALID) != 0 || xmax_is_locked_only(infomask)) return false;
    if ((infomask & HEAP_XMAX_IS_MULTI) != 0) return false;
    if ((infomask & HEAP_XMAX_COMMITTED) == 0) return false;
    return is_removable(tuple.t_xmax);
  }

  // Raises `*horizon` to the transaction that made the tuple, which is dead to everybody, so
  // (HeapTupleHeaderAdvanceConflictHorizon): no standby query that needs it may go on once it is removed.
  Status advance_conflict_horizon(const HeapTupleHeader& tuple, TransactionId* horizon);

  // The transaction that updated or deleted the tuple: t_xmax, or the multixact's updating member.
  // invalid_transaction_id when the multixact has none.
  Status update_xid(const HeapTupleHeader& tuple, TransactionId* xid);

  // Marks the page dirty if a hint bit was set since the last call.
  void hints_done(BufferRef& buffer) {
    if (!hinted_) return;
    hinted_ = false;
    buffer.pool().mark_dirty_hint(buffer, true);
  }

 private:
  enum class Outcome : uint8_t { committed, aborted, in_progress, current };

  Status mvcc_slowly(HeapTupleHeader& tuple, BufferRef& buffer, bool* visible);
  Status in_snapshot(TransactionId xid, bool* running) const;
  bool is_current(TransactionId xid) const;
  // As it stands now.
  Status outcome_of(TransactionId xid, Outcome* outcome);
  // For one that the snapshot does not count as running: asks the commit log alone.
  Status ended_as(TransactionId xid, bool* committed);
  void hint(HeapTupleHeader& tuple, BufferRef& buffer, uint16_t bits, TransactionId committed);
  // Whether the inserter's fate makes the tuple one of the past or the present; sets hints.
  Status inserted(HeapTupleHeader& tuple, BufferRef& buffer, Outcome* outcome);
  Status multixact_is_running(const HeapTupleHeader& tuple, bool* running);
  CommandId cmin_of(const HeapTupleHeader& tuple) const;
  CommandId cmax_of(const HeapTupleHeader& tuple) const;

  ReadContext context_;
  const Snapshot* snapshot_;
  // The last outcome that was final, since neighbouring tuples often share their transaction.
  TransactionId known_xid_ = invalid_transaction_id;
  bool known_committed_ = false;
  Lsn known_lsn_ = invalid_lsn;
  bool hinted_ = false;
};

}  // namespace pgdata
