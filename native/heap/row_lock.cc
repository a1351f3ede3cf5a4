// Row locks: the rules, and taking them.
#include "heap/row_lock.h"

#include <algorithm>
#include <vector>

#include "base/invariant.h"
#include "change/change.h"
#include "heap/old_row.h"
#include "layout/heap_records.h"
#include "space/visibility_map.h"

namespace pgdata {

namespace {

constexpr uint16_t lock_bits(uint16_t infomask) {
  return static_cast<uint16_t>(infomask & HEAP_LOCK_MASK);
}
constexpr bool is_key_share_locked(uint16_t infomask) {
  return lock_bits(infomask) == HEAP_XMAX_KEYSHR_LOCK;
}
constexpr bool is_share_locked(uint16_t infomask) {
  return lock_bits(infomask) == HEAP_XMAX_SHR_LOCK;
}
constexpr bool is_exclusively_locked(uint16_t infomask) {
  return lock_bits(infomask) == HEAP_XMAX_EXCL_LOCK;
}
MultiXactId multixact_of(const HeapTupleHeader& header) {
  return static_cast<MultiXactId>(value_of(header.t_xmax));
}

// What a plain transaction id in xmax does to the row, as a member of a multixact would.
MultiXactStatus status_of_single(uint16_t infomask, uint16_t infomask2) {
  const bool keys = (infomask2 & HEAP_KEYS_UPDATED) != 0;
  if (!xmax_is_locked_only(infomask))
    return keys ? MultiXactStatus::update : MultiXactStatus::no_key_update;
  if (is_key_share_locked(infomask)) return MultiXactStatus::for_key_share;
  if (is_share_locked(infomask)) return MultiXactStatus::for_share;
  return keys ? MultiXactStatus::for_update : MultiXactStatus::for_no_key_update;
}

Status members_of(Backend& backend, MultiXactId multi, std::vector<MultiXactMember>* members) {
  backend.announce_multixact_reader();
  return backend.transactions().multixact_members(multi, members);
}

// Running, and not the own transaction.
Status runs_elsewhere(Backend& backend, TransactionId xid, bool* runs) {
  *runs = false;
  if (backend.is_current(xid)) return Status::ok;
  return backend.transactions().is_in_progress(xid, runs);
}

Status has_committed(Backend& backend, TransactionId xid, bool* committed) {
  TransactionStatus status = TransactionStatus::in_progress;
  RETURN_IF_ERROR(backend.transactions().status_of(xid, &status));
  *committed = status == TransactionStatus::committed;
  return Status::ok;
}

// MultiXactIdExpand: a multixact of those members of `multi` that still matter, and one more.
Status expand(Backend& backend, MultiXactId multi, TransactionId xid, MultiXactStatus status,
              MultiXactId* result) {
  std::vector<MultiXactMember> members;
  RETURN_IF_ERROR(members_of(backend, multi, &members));
  std::vector<MultiXactMember> kept;
  for (const MultiXactMember& member : members) {
    if (member.xid == xid && member.status == status) {
      *result = multi;
      return Status::ok;
    }
    bool matters = false;
    RETURN_IF_ERROR(runs_elsewhere(backend, member.xid, &matters));
    matters = matters || backend.is_current(member.xid);
    if (!matters && is_update(member.status))
      RETURN_IF_ERROR(has_committed(backend, member.xid, &matters));
    if (matters) kept.push_back(member);
  }
  kept.push_back({xid, status});
  return backend.multixact_of(std::move(kept), result);
}

// Does anybody who locks or changes the row through this multixact still run?
Status is_running(Backend& backend, MultiXactId multi, bool* running, TransactionId* updater) {
  std::vector<MultiXactMember> members;
  RETURN_IF_ERROR(members_of(backend, multi, &members));
  *running = false;
  *updater = invalid_transaction_id;
  for (const MultiXactMember& member : members) {
    if (is_update(member.status)) *updater = member.xid;
    bool runs = false;
    RETURN_IF_ERROR(runs_elsewhere(backend, member.xid, &runs));
    if (runs || backend.is_current(member.xid)) *running = true;
  }
  return Status::ok;
}

UpdateResult result_of_change(const HeapTupleHeader& header, ItemPointer self) {
  return header.t_ctid == self ? UpdateResult::deleted : UpdateResult::updated;
}

// Whether the transaction that holds `status` on a version lets the own one lock it at `mode`.
// self_modified: the own transaction has locked it already.
Status test_version(Backend& backend, MultiXactStatus status, TransactionId xid, RowLockMode mode,
                    const HeapTupleHeader& header, ItemPointer self, ChangeOutcome* outcome) {
  outcome->result = UpdateResult::ok;
  if (backend.is_current(xid)) {
    outcome->result = UpdateResult::self_modified;
    return Status::ok;
  }
  const bool conflict = excludes(mode_of(status), mode);
  bool runs = false;
  RETURN_IF_ERROR(runs_elsewhere(backend, xid, &runs));
  if (runs) {
    if (!conflict) return Status::ok;
    outcome->result = UpdateResult::being_modified;
    outcome->wait = {xid, mode, false};
    return Status::ok;
  }
  bool committed = false;
  RETURN_IF_ERROR(has_committed(backend, xid, &committed));
  if (committed && is_update(status) && conflict) outcome->result = result_of_change(header, self);
  return Status::ok;
}

void set_lock(HeapTupleHeader& header, const NewXmax& mark) {
  header.t_infomask = static_cast<uint16_t>((header.t_infomask & ~HEAP_XMAX_BITS) | mark.infomask);
  header.t_infomask2 =
      static_cast<uint16_t>((header.t_infomask2 & ~HEAP_KEYS_UPDATED) | mark.infomask2);
  header.t_xmax = mark.xmax;
}

NewXmax xmax_of(const HeapTupleHeader& header) {
  return {header.t_xmax, header.t_infomask, header.t_infomask2};
}

// Is nobody changing or having changed the row (HeapTupleHeaderIsOnlyLocked)?
Status is_only_locked(Backend& backend, const HeapTupleHeader& header, bool* only) {
  *only = true;
  if ((header.t_infomask & HEAP_XMAX_INVALID) != 0 || xmax_is_locked_only(header.t_infomask) ||
      !is_valid(header.t_xmax))
    return Status::ok;
  Visibility visibility(backend, nullptr);
  TransactionId updater;
  RETURN_IF_ERROR(visibility.update_xid(header, &updater));
  if (!is_valid(updater)) return Status::ok;
  *only = false;
  bool runs = false;
  RETURN_IF_ERROR(runs_elsewhere(backend, updater, &runs));
  if (runs || backend.is_current(updater)) return Status::ok;
  bool committed = false;
  RETURN_IF_ERROR(has_committed(backend, updater, &committed));
  *only = !committed;
  return Status::ok;
}

// Locks one version of an update chain; `*next` is where the chain goes on, invalid at its end.
Status lock_version(Backend& backend, HeapRelation& relation, ItemPointer tid, TransactionId xid,
                    RowLockMode mode, TransactionId* prior_xmax, ChangeOutcome* outcome,
                    ItemPointer* next) {
  *next = ItemPointer();
  OldRow row;
  RETURN_IF_ERROR(read_old_row(backend, relation, tid, &row));
  // It went with the transaction that made it: the end of the chain.
  if (row.tuple == nullptr) return Status::ok;
  HeapTupleHeader& header = row.header();
  if (is_valid(*prior_xmax) && header.t_xmin != *prior_xmax) return Status::ok;
  const TransactionId inserter = header.t_xmin;
  bool inserting = false;
  RETURN_IF_ERROR(runs_elsewhere(backend, inserter, &inserting));
  if (!inserting && !backend.is_current(inserter) && !xmin_is_frozen(header.t_infomask)) {
    bool committed = false;
    RETURN_IF_ERROR(has_committed(backend, inserter, &committed));
    if (!committed) return Status::ok;
  }
  bool locked_already = false;
  if ((header.t_infomask & HEAP_XMAX_INVALID) == 0) {
    std::vector<MultiXactMember> members;
    if ((header.t_infomask & HEAP_XMAX_IS_MULTI) != 0)
      RETURN_IF_ERROR(members_of(backend, multixact_of(header), &members));
    else
      members.push_back({header.t_xmax, status_of_single(header.t_infomask, header.t_infomask2)});
    for (const MultiXactMember& member : members) {
      RETURN_IF_ERROR(test_version(backend, member.status, member.xid, mode, header, tid, outcome));
      if (outcome->result == UpdateResult::self_modified) {
        outcome->result = UpdateResult::ok;
        locked_already = true;
        break;
      }
      if (outcome->result != UpdateResult::ok) {
        outcome->ctid = header.t_ctid;
        Visibility visibility(backend, nullptr);
        return visibility.update_xid(header, &outcome->xmax);
      }
    }
  }
  if (!locked_already) {
    NewXmax mark;
    RETURN_IF_ERROR(compute_new_xmax(backend, xmax_of(header), xid, mode, false, &mark));
    Change change(backend.services(), xid, RmgrId::heap2, XLOG_HEAP2_LOCK_UPDATED, relation.logged);
    change.block(0, row.buffer, REGBUF_STANDARD);
    change.begin();
    const bool cleared = row.clear_all_frozen(backend, relation);
    set_lock(header, mark);
    const xl_heap_lock record{mark.xmax, tid.offset(), logged_xmax_bits(header),
                              cleared ? XLH_LOCK_ALL_FROZEN_CLEARED : uint8_t{0}};
    change.data(&record, xl_heap_lock_size);
    RETURN_IF_ERROR(change.finish());
  }
  bool only_locked = false;
  RETURN_IF_ERROR(is_only_locked(backend, header, &only_locked));
  if (only_locked || header.t_ctid == tid ||
      header.t_ctid.offset() == moved_partitions_offset_number)
    return Status::ok;
  Visibility visibility(backend, nullptr);
  RETURN_IF_ERROR(visibility.update_xid(header, prior_xmax));
  *next = header.t_ctid;
  return Status::ok;
}

// heap_lock_updated_tuple: the versions after a row. They were locked already as far as an earlier call came.
Status lock_later_versions(Backend& backend, HeapRelation& relation, ItemPointer self,
                           ItemPointer ctid, TransactionId xid, RowLockMode mode,
                           ChangeOutcome* outcome) {
  outcome->result = UpdateResult::ok;
  if (ctid == self || ctid.offset() == moved_partitions_offset_number) return Status::ok;
  TransactionId prior_xmax = invalid_transaction_id;
  while (ctid.is_valid()) {
    ItemPointer next;
    RETURN_IF_ERROR(lock_version(backend, relation, ctid, xid, mode, &prior_xmax, outcome, &next));
    if (outcome->result != UpdateResult::ok) return Status::ok;
    ctid = next;
  }
  return Status::ok;
}

// Does the own transaction, which `header`'s xmax is or has as a member, hold the row at `mode` or above?
Status holds_already(Backend& backend, const HeapTupleHeader& header, RowLockMode mode,
                     RowLockProgress* progress, bool* holds) {
  *holds = false;
  const uint16_t infomask = header.t_infomask;
  if ((infomask & HEAP_XMAX_INVALID) != 0) return Status::ok;
  if ((infomask & HEAP_XMAX_IS_MULTI) != 0) {
    std::vector<MultiXactMember> members;
    RETURN_IF_ERROR(members_of(backend, multixact_of(header), &members));
    for (const MultiXactMember& member : members) {
      if (!backend.is_current(member.xid)) continue;
      if (mode_of(member.status) >= mode)
        *holds = true;
      else
        // Who waits with the row's own lock may wait for this transaction.
        progress->skip_row_lock = true;
    }
    return Status::ok;
  }
  if (!backend.is_current(header.t_xmax)) return Status::ok;
  *holds = mode_of(status_of_single(infomask, header.t_infomask2)) >= mode;
  return Status::ok;
}

}  // namespace

LockLevel lock_level_of(RowLockMode mode) {
  switch (mode) {
    case RowLockMode::key_share:
      return LockLevel::access_share;
    case RowLockMode::share:
      return LockLevel::row_share;
    case RowLockMode::no_key_exclusive:
      return LockLevel::exclusive;
    case RowLockMode::exclusive:
      break;
  }
  return LockLevel::access_exclusive;
}

bool excludes(RowLockMode a, RowLockMode b) {
  return (conflicts_of(lock_level_of(a)) & bit_of(lock_level_of(b))) != 0;
}

RowLockMode mode_of(MultiXactStatus status) {
  switch (status) {
    case MultiXactStatus::for_key_share:
      return RowLockMode::key_share;
    case MultiXactStatus::for_share:
      return RowLockMode::share;
    case MultiXactStatus::for_no_key_update:
    case MultiXactStatus::no_key_update:
      return RowLockMode::no_key_exclusive;
    case MultiXactStatus::for_update:
    case MultiXactStatus::update:
      break;
  }
  return RowLockMode::exclusive;
}

MultiXactStatus member_status(RowLockMode mode, bool is_update) {
  switch (mode) {
    case RowLockMode::key_share:
      INVARIANT(!is_update);
      return MultiXactStatus::for_key_share;
    case RowLockMode::share:
      INVARIANT(!is_update);
      return MultiXactStatus::for_share;
    case RowLockMode::no_key_exclusive:
      return is_update ? MultiXactStatus::no_key_update : MultiXactStatus::for_no_key_update;
    case RowLockMode::exclusive:
      break;
  }
  return is_update ? MultiXactStatus::update : MultiXactStatus::for_update;
}

Status multixact_bits(Backend& backend, MultiXactId multi, NewXmax* result) {
  std::vector<MultiXactMember> members;
  RETURN_IF_ERROR(members_of(backend, multi, &members));
  RowLockMode strongest = RowLockMode::key_share;
  bool has_update = false;
  *result = {TransactionId{multi}, HEAP_XMAX_IS_MULTI, 0};
  for (const MultiXactMember& member : members) {
    strongest = std::max(strongest, mode_of(member.status));
    has_update = has_update || is_update(member.status);
    if (member.status == MultiXactStatus::for_update || member.status == MultiXactStatus::update)
      result->infomask2 = HEAP_KEYS_UPDATED;
  }
  const uint16_t bits = strongest >= RowLockMode::no_key_exclusive ? HEAP_XMAX_EXCL_LOCK
                        : strongest == RowLockMode::share          ? HEAP_XMAX_SHR_LOCK
                                                                   : HEAP_XMAX_KEYSHR_LOCK;
  result->infomask = static_cast<uint16_t>(result->infomask | bits |
                                           (has_update ? 0 : unsigned{HEAP_XMAX_LOCK_ONLY}));
  return Status::ok;
}

Status compute_new_xmax(Backend& backend, const NewXmax& old, TransactionId xid, RowLockMode mode,
                        bool is_update, NewXmax* result) {
  bool alone = (old.infomask & HEAP_XMAX_INVALID) != 0 || !is_valid(old.xmax);
  const bool locked_only = xmax_is_locked_only(old.infomask);
  if (!alone && (old.infomask & HEAP_XMAX_IS_MULTI) != 0) {
    const auto old_multi = static_cast<MultiXactId>(value_of(old.xmax));
    bool running = false;
    TransactionId updater = invalid_transaction_id;
    RETURN_IF_ERROR(is_running(backend, old_multi, &running, &updater));
    // Lockers that are gone, and an update that failed, need not be kept.
    if (!running) {
      bool committed = false;
      if (!locked_only && is_valid(updater))
        RETURN_IF_ERROR(has_committed(backend, updater, &committed));
      alone = !committed;
    }
    if (!alone) {
      MultiXactId multi = 0;
      RETURN_IF_ERROR(expand(backend, old_multi, xid, member_status(mode, is_update), &multi));
      return multixact_bits(backend, multi, result);
    }
  } else if (!alone) {
    const MultiXactStatus status = status_of_single(old.infomask, old.infomask2);
    bool kept = (old.infomask & HEAP_XMAX_COMMITTED) != 0;
    if (!kept && old.xmax == xid) {
      // The stronger of its two locks stands for both.
      INVARIANT(locked_only);
      mode = std::max(mode, mode_of(status));
    } else if (!kept) {
      RETURN_IF_ERROR(runs_elsewhere(backend, old.xmax, &kept));
      kept = kept || backend.is_current(old.xmax);
      if (!kept && !locked_only) RETURN_IF_ERROR(has_committed(backend, old.xmax, &kept));
    }
    if (kept) {
      MultiXactId multi = 0;
      RETURN_IF_ERROR(backend.multixact_of(
          {{old.xmax, status}, {xid, member_status(mode, is_update)}}, &multi));
      return multixact_bits(backend, multi, result);
    }
  }
  *result = {xid, 0, 0};
  if (mode == RowLockMode::exclusive) result->infomask2 = HEAP_KEYS_UPDATED;
  if (is_update) return Status::ok;
  const uint16_t bits = mode == RowLockMode::key_share ? HEAP_XMAX_KEYSHR_LOCK
                        : mode == RowLockMode::share   ? HEAP_XMAX_SHR_LOCK
                                                       : HEAP_XMAX_EXCL_LOCK;
  result->infomask = static_cast<uint16_t>(HEAP_XMAX_LOCK_ONLY | bits);
  return Status::ok;
}

Status check_lockers(Backend& backend, const HeapTupleHeader& header, ItemPointer self,
                     RowLockMode mode, ChangeOutcome* outcome) {
  outcome->result = UpdateResult::ok;
  outcome->wait = {invalid_transaction_id, mode, true};
  const uint16_t infomask = header.t_infomask;
  if ((infomask & HEAP_XMAX_IS_MULTI) == 0) {
    if (backend.is_current(header.t_xmax)) return Status::ok;
    if (is_key_share_locked(infomask) && mode != RowLockMode::exclusive) return Status::ok;
    outcome->result = UpdateResult::being_modified;
    outcome->wait.xid = header.t_xmax;
    return Status::ok;
  }
  std::vector<MultiXactMember> members;
  RETURN_IF_ERROR(members_of(backend, multixact_of(header), &members));
  TransactionId updater = invalid_transaction_id;
  for (const MultiXactMember& member : members) {
    if (is_update(member.status)) updater = member.xid;
    if (backend.is_current(member.xid)) {
      outcome->wait.takes_row_lock = false;
      continue;
    }
    if (is_valid(outcome->wait.xid) || !excludes(mode_of(member.status), mode)) continue;
    bool runs = false;
    RETURN_IF_ERROR(runs_elsewhere(backend, member.xid, &runs));
    if (runs) outcome->wait.xid = member.xid;
  }
  if (is_valid(outcome->wait.xid)) {
    outcome->result = UpdateResult::being_modified;
    return Status::ok;
  }
  if (!is_valid(updater) || backend.is_current(updater)) return Status::ok;
  bool runs = false;
  RETURN_IF_ERROR(runs_elsewhere(backend, updater, &runs));
  if (runs) return Status::ok;
  bool committed = false;
  RETURN_IF_ERROR(has_committed(backend, updater, &committed));
  if (committed) outcome->result = result_of_change(header, self);
  return Status::ok;
}

Status heap_lock_row(Backend& backend, HeapRelation& relation, ItemPointer tid, RowLockMode mode,
                     bool follow_updates, RowLockProgress* progress, ChangeOutcome* outcome) {
  TransactionId xid;
  RETURN_IF_ERROR(backend.assign_xid(&xid, relation.temporary));
  backend.announce_multixact_member();
  // Every turn either ends, or has followed the versions of one more xmax.
  for (;;) {
    *outcome = ChangeOutcome{};
    OldRow row;
    RETURN_IF_ERROR(read_old_row(backend, relation, tid, &row));
    if (row.tuple == nullptr) {
      outcome->result = UpdateResult::invisible;
      return Status::ok;
    }
    HeapTupleHeader& header = row.header();
    Visibility visibility(backend, nullptr);
    RETURN_IF_ERROR(visibility.satisfies_update(header, tid, backend.current_command(), row.buffer,
                                                &outcome->result));
    const UpdateResult found = outcome->result;
    outcome->ctid = header.t_ctid;
    if (found != UpdateResult::ok) RETURN_IF_ERROR(visibility.update_xid(header, &outcome->xmax));
    if (found == UpdateResult::self_modified)
      outcome->cmax = (header.t_infomask & HEAP_COMBOCID) != 0
                          ? backend.combo_commands().cmax_of(header.t_cid)
                          : header.t_cid;
    visibility.hints_done(row.buffer);
    if (found == UpdateResult::invisible || found == UpdateResult::self_modified) return Status::ok;

    const uint16_t infomask = header.t_infomask;
    if (std::exchange(progress->first, false)) {
      bool holds = false;
      RETURN_IF_ERROR(holds_already(backend, header, mode, progress, &holds));
      if (holds) {
        outcome->result = UpdateResult::ok;
        return Status::ok;
      }
    }
    if (found != UpdateResult::ok) {
      const bool locked_only = xmax_is_locked_only(infomask);
      const bool is_multi = (infomask & HEAP_XMAX_IS_MULTI) != 0;
      bool passes = false;
      bool follows = false;
      if (mode == RowLockMode::key_share) {
        // The key stays: an update does not matter, but its versions must be locked, too.
        passes = (header.t_infomask2 & HEAP_KEYS_UPDATED) == 0;
        follows = passes && !locked_only;
      } else if (mode == RowLockMode::share) {
        passes = locked_only && !is_exclusively_locked(infomask);
      } else if (mode == RowLockMode::no_key_exclusive && !is_multi) {
        passes = is_key_share_locked(infomask);
      }
      if (!passes && !is_multi) passes = backend.is_current(header.t_xmax);
      if (!passes && (found == UpdateResult::updated || found == UpdateResult::deleted))
        return Status::ok;
      if (!passes) {
        RETURN_IF_ERROR(check_lockers(backend, header, tid, mode, outcome));
        if (progress->skip_row_lock) outcome->wait.takes_row_lock = false;
        if (outcome->result != UpdateResult::ok) return Status::ok;
      }
      outcome->result = UpdateResult::ok;
      if (follows && follow_updates &&
          (progress->followed_xmax != header.t_xmax || progress->followed_infomask != infomask)) {
        const TransactionId xmax = header.t_xmax;
        const ItemPointer ctid = header.t_ctid;
        row.release();
        RETURN_IF_ERROR(lock_later_versions(backend, relation, tid, ctid, xid, mode, outcome));
        if (outcome->result != UpdateResult::ok) return Status::ok;
        progress->followed_xmax = xmax;
        progress->followed_infomask = infomask;
        continue;
      }
    }

    NewXmax mark;
    RETURN_IF_ERROR(compute_new_xmax(backend, xmax_of(header), xid, mode, false, &mark));
    Change change(backend.services(), xid, RmgrId::heap, XLOG_HEAP_LOCK, relation.logged);
    change.block(0, row.buffer, REGBUF_STANDARD);
    change.begin();
    set_lock(header, mark);
    if (xmax_is_locked_only(mark.infomask)) {
      header.t_infomask2 = static_cast<uint16_t>(header.t_infomask2 & ~HEAP_HOT_UPDATED);
      header.t_ctid = tid;
    }
    const bool cleared = row.clear_all_frozen(backend, relation);
    const xl_heap_lock record{mark.xmax, tid.offset(), logged_xmax_bits(header),
                              cleared ? XLH_LOCK_ALL_FROZEN_CLEARED : uint8_t{0}};
    change.data(&record, xl_heap_lock_size);
    return change.finish();
  }
}

}  // namespace pgdata
