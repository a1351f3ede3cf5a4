// Freezing: planning for xmin, xmax and multixacts.
#include "heap/freeze.h"

#include <vector>

#include "heap/visibility.h"
#include "layout/heap_records.h"

namespace pgdata {

namespace {

// HeapTupleHeaderGetXmin.
TransactionId xmin_of(const HeapTupleHeader& tuple) {
  return xmin_is_frozen(tuple.t_infomask) ? frozen_transaction_id : tuple.t_xmin;
}

// HeapTupleHeaderGetXvac.
TransactionId xvac_of(const HeapTupleHeader& tuple) {
  return (tuple.t_infomask & HEAP_MOVED) != 0 ? TransactionId{tuple.t_cid} : invalid_transaction_id;
}

// HEAP_LOCKED_UPGRADED: a locker's multixact from before 9.3, of which nothing is known any more.
bool is_locked_upgraded(uint16_t infomask) {
  return (infomask & HEAP_XMAX_IS_MULTI) != 0 && (infomask & HEAP_XMAX_LOCK_ONLY) != 0 &&
         (infomask & (HEAP_XMAX_EXCL_LOCK | HEAP_XMAX_KEYSHR_LOCK)) == 0;
}

void clear_bits(uint16_t& word, uint16_t bits) { word = static_cast<uint16_t>(word & ~bits); }
void set_bits(uint16_t& word, uint16_t bits) { word = static_cast<uint16_t>(word | bits); }

}  // namespace

Status TupleFreezer::is_committed(TransactionId xid, bool* committed) const {
  TransactionStatus status = TransactionStatus::in_progress;
  RETURN_IF_ERROR(context_.transactions.status_of(xid, &status));
  *committed = status == TransactionStatus::committed;
  return Status::ok;
}

Status TupleFreezer::freeze_multixact(const HeapTupleHeader& tuple, PageFreeze* page,
                                      MultiXactFate* fate, TransactionId* xid,
                                      bool* committed) const {
  const auto multi = static_cast<MultiXactId>(value_of(tuple.t_xmax));
  *fate = MultiXactFate::remove;
  *xid = invalid_transaction_id;
  *committed = false;
  if (multi == 0 || is_locked_upgraded(tuple.t_infomask)) {
    page->freeze_required = true;
    return Status::ok;
  }
  if (multixact_precedes(multi, cutoffs_.relminmxid))
    return Status::error(ErrorCode::data_corrupted, "found multixact %u from before relminmxid %u",
                         multi, cutoffs_.relminmxid);
  std::vector<MultiXactMember> members;
  RETURN_IF_ERROR(context_.transactions.multixact_members(multi, &members));
  // Whether a member or the multixact itself is too old to stay.
  bool need_replace = multixact_precedes(multi, cutoffs_.OldestMxact);
  TransactionId oldest_member = page->freeze_relfrozenxid;
  for (const MultiXactMember& member : members) {
    if (precedes(member.xid, cutoffs_.FreezeLimit)) need_replace = true;
    if (precedes(member.xid, oldest_member)) oldest_member = member.xid;
  }
  if (multixact_precedes(multi, cutoffs_.MultiXactCutoff)) need_replace = true;
  const auto keep = [&] {
    *fate = MultiXactFate::keep;
    page->freeze_relfrozenxid = oldest_member;
    if (multixact_precedes(multi, page->freeze_relminmxid)) page->freeze_relminmxid = multi;
  };
  if (!need_replace && !members.empty()) {
    keep();
    return Status::ok;
  }

  bool has_lockers = false;
  for (const MultiXactMember& member : members) {
    bool running = false;
    RETURN_IF_ERROR(context_.transactions.is_in_progress(member.xid, &running));
    if (!is_update(member.status)) {
      has_lockers = has_lockers || running;
      continue;
    }
    if (is_valid(*xid))
      return Status::error(ErrorCode::data_corrupted,
                           "multixact %u has two or more updating members", multi);
    bool member_committed = false;
    if (!running) RETURN_IF_ERROR(is_committed(member.xid, &member_committed));
    if (!running && !member_committed) continue;
    if (precedes(member.xid, cutoffs_.OldestXmin))
      return Status::error(ErrorCode::data_corrupted,
                           "multixact %u contains committed update XID %u from before removable "
                           "cutoff %u",
                           multi, value_of(member.xid), value_of(cutoffs_.OldestXmin));
    *xid = member.xid;
    *committed = member_committed;
  }
  // A running locker keeps the multixact, and with it the page's bounds, as they are.
  if (has_lockers) {
    keep();
    return Status::ok;
  }
  page->freeze_required = true;
  if (is_valid(*xid)) *fate = MultiXactFate::becomes_xid;
  return Status::ok;
}

Status TupleFreezer::prepare(const HeapTupleHeader& tuple, PageFreeze* page, TupleFreeze* plan,
                             bool* has_plan, bool* totally_frozen) const {
  *plan = TupleFreeze{tuple.t_xmax, tuple.t_infomask2,    tuple.t_infomask, 0, false,
                      false,        invalid_offset_number};
  const TransactionId xmin = xmin_of(tuple);
  const bool xmin_already_frozen = !is_normal(xmin);
  bool freeze_xmin = false;
  if (!xmin_already_frozen) {
    if (precedes(xmin, cutoffs_.relfrozenxid))
      return Status::error(ErrorCode::data_corrupted, "found xmin %u from before relfrozenxid %u",
                           value_of(xmin), value_of(cutoffs_.relfrozenxid));
    freeze_xmin = precedes(xmin, cutoffs_.OldestXmin);
    plan->check_xmin_committed = freeze_xmin;
  }
  const bool replace_xvac = is_normal(xvac_of(tuple));
  if (replace_xvac) page->freeze_required = true;

  bool xmax_already_frozen = false;
  bool freeze_xmax = false;
  bool replace_xmax = false;
  const TransactionId xmax = tuple.t_xmax;
  if ((tuple.t_infomask & HEAP_XMAX_IS_MULTI) != 0) {
    MultiXactFate fate = MultiXactFate::keep;
    TransactionId updater = invalid_transaction_id;
    bool committed = false;
    RETURN_IF_ERROR(freeze_multixact(tuple, page, &fate, &updater, &committed));
    if (fate == MultiXactFate::becomes_xid) {
      clear_bits(plan->t_infomask, HEAP_XMAX_BITS);
      plan->xmax = updater;
      if (committed) set_bits(plan->t_infomask, HEAP_XMAX_COMMITTED);
      replace_xmax = true;
    } else if (fate == MultiXactFate::remove) {
      freeze_xmax = true;
    }
  } else if (is_normal(xmax)) {
    if (precedes(xmax, cutoffs_.relfrozenxid))
      return Status::error(ErrorCode::data_corrupted, "found xmax %u from before relfrozenxid %u",
                           value_of(xmax), value_of(cutoffs_.relfrozenxid));
    freeze_xmax = precedes(xmax, cutoffs_.OldestXmin);
    plan->check_xmax_aborted = freeze_xmax && !xmax_is_locked_only(tuple.t_infomask);
  } else if (!is_valid(xmax)) {
    xmax_already_frozen = true;
  } else {
    return Status::error(ErrorCode::data_corrupted,
                         "found raw xmax %u (infomask 0x%04x) not invalid and not multi",
                         value_of(xmax), unsigned{tuple.t_infomask});
  }

  if (freeze_xmin) set_bits(plan->t_infomask, HEAP_XMIN_FROZEN);
  if (replace_xvac)
    plan->frzflags = (tuple.t_infomask & HEAP_MOVED_OFF) != 0 ? XLH_INVALID_XVAC : XLH_FREEZE_XVAC;
  if (freeze_xmax) {
    plan->xmax = invalid_transaction_id;
    clear_bits(plan->t_infomask, HEAP_XMAX_BITS);
    set_bits(plan->t_infomask, HEAP_XMAX_INVALID);
    clear_bits(plan->t_infomask2, HEAP_HOT_UPDATED | HEAP_KEYS_UPDATED);
  }
  *totally_frozen = (freeze_xmin || xmin_already_frozen) && (freeze_xmax || xmax_already_frozen);
  if (!page->freeze_required && !(xmin_already_frozen && xmax_already_frozen))
    RETURN_IF_ERROR(should_freeze(tuple, &page->no_freeze_relfrozenxid, &page->no_freeze_relminmxid,
                                  &page->freeze_required));
  *has_plan = freeze_xmin || replace_xvac || replace_xmax || freeze_xmax;
  return Status::ok;
}

Status TupleFreezer::should_freeze(const HeapTupleHeader& tuple, TransactionId* relfrozenxid,
                                   MultiXactId* relminmxid, bool* should) const {
  *should = false;
  const auto meet = [&](TransactionId xid) {
    if (precedes(xid, *relfrozenxid)) *relfrozenxid = xid;
    if (precedes(xid, cutoffs_.FreezeLimit)) *should = true;
  };
  const TransactionId xmin = xmin_of(tuple);
  if (is_normal(xmin)) meet(xmin);
  if ((tuple.t_infomask & HEAP_XMAX_IS_MULTI) == 0) {
    if (is_normal(tuple.t_xmax)) meet(tuple.t_xmax);
  } else {
    const auto multi = static_cast<MultiXactId>(value_of(tuple.t_xmax));
    if (multi != 0) {
      if (multixact_precedes(multi, *relminmxid)) *relminmxid = multi;
      if (is_locked_upgraded(tuple.t_infomask)) {
        *should = true;
      } else {
        if (multixact_precedes(multi, cutoffs_.MultiXactCutoff)) *should = true;
        std::vector<MultiXactMember> members;
        RETURN_IF_ERROR(context_.transactions.multixact_members(multi, &members));
        for (const MultiXactMember& member : members) meet(member.xid);
      }
    }
  }
  const TransactionId xvac = xvac_of(tuple);
  if (is_normal(xvac)) {
    if (precedes(xvac, *relfrozenxid)) *relfrozenxid = xvac;
    *should = true;
  }
  return Status::ok;
}

Status TupleFreezer::check(const HeapTupleHeader& tuple, const TupleFreeze& plan) const {
  bool committed = false;
  if (plan.check_xmin_committed) {
    RETURN_IF_ERROR(is_committed(tuple.t_xmin, &committed));
    if (!committed)
      return Status::error(ErrorCode::data_corrupted, "uncommitted xmin %u needs to be frozen",
                           value_of(tuple.t_xmin));
  }
  if (plan.check_xmax_aborted) {
    RETURN_IF_ERROR(is_committed(tuple.t_xmax, &committed));
    if (committed)
      return Status::error(ErrorCode::data_corrupted, "cannot freeze committed xmax %u",
                           value_of(tuple.t_xmax));
  }
  return Status::ok;
}

void execute_freeze(HeapTupleHeader& tuple, const TupleFreeze& plan) {
  tuple.t_xmax = plan.xmax;
  if ((plan.frzflags & XLH_FREEZE_XVAC) != 0) tuple.t_cid = value_of(frozen_transaction_id);
  if ((plan.frzflags & XLH_INVALID_XVAC) != 0) tuple.t_cid = value_of(invalid_transaction_id);
  tuple.t_infomask = plan.t_infomask;
  tuple.t_infomask2 = plan.t_infomask2;
}

bool needs_eventual_freeze(const HeapTupleHeader& tuple) {
  if (is_normal(xmin_of(tuple))) return true;
  if ((tuple.t_infomask & HEAP_XMAX_IS_MULTI) != 0) {
    if (is_valid(tuple.t_xmax)) return true;
  } else if (is_normal(tuple.t_xmax)) {
    return true;
  }
  return is_normal(xvac_of(tuple));
}

}  // namespace pgdata
