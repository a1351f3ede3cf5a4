// PredicateTransaction: granularity of locks, checks on reading, on writing and at commit.
#include "predicate/predicate_transaction.h"

#include <string>

#include "base/invariant.h"
#include "layout/two_phase_file.h"
#include "xact/process_array.h"
#include "xact/two_phase_state.h"

namespace pgdata {

using namespace predicate;

PredicateTransaction::~PredicateTransaction() {
  locks_.services_.state.contain([this] { end(false); });
}

Status PredicateTransaction::fail(Status status) {
  if (failed_level_ == 0 || level_ < failed_level_) failed_level_ = level_;
  return status;
}

void PredicateTransaction::end_level(uint32_t level, bool rolled_back) {
  if (failed_level_ >= level) failed_level_ = rolled_back ? 0 : level - 1;
  level_ = level - 1;
}

void PredicateTransaction::add_prepare_records(TwoPhaseState* state) {
  if (!me_) return;
  const auto add = [&](const TwoPhasePredicateRecord& record) {
    state->records.push_back({TWOPHASE_RM_PREDICATELOCK_ID, 0,
                              std::string(reinterpret_cast<const char*>(&record), sizeof(record))});
  };
  add({TWOPHASEPREDICATERECORD_XACT,
       {value_of(me().xmin), me().flags.load(std::memory_order_relaxed), 0, 0, 0}});
  LwLockGuard list(locks_.shared_->list_lock, LockMode::shared);
  for (Ref<SireadLock> lock = me().locks.first; lock; lock = locks_.locks_[lock].of_xact.next) {
    const Tag tag = locks_.targets_[locks_.locks_[lock].target].tag;
    add({TWOPHASEPREDICATERECORD_LOCK, {tag.database, tag.relation, tag.page, tag.item, 0}});
  }
}

void PredicateTransaction::handed_over() {
  if (me_) me().slot = -1;
  me_ = {};
  local_.clear();
  failed_level_ = 0;
}

Status PredicateTransaction::begin(bool read_only, Snapshot* snapshot) {
  INVARIANT(!me_);
  wrote_ = false;
  failed_level_ = 0;
  return begin_tracking(read_only, snapshot);
}

Status PredicateTransaction::begin_tracking(bool read_only, Snapshot* snapshot) {
  Shared& shared = *locks_.shared_;
  ProcessArray& processes = locks_.transactions_.processes();
  shared.xact_lock.acquire(LockMode::exclusive);
  Ref<Xact> ref;
  while (!(ref = locks_.take_xact())) {
    shared.xact_lock.release();
    RETURN_IF_ERROR(locks_.summarize_oldest());
    shared.xact_lock.acquire(LockMode::exclusive);
  }
  LwLock& xact_lock = shared.xact_lock;
  const auto untracked = [&](Status status) {
    locks_.give_back_xact(ref);
    xact_lock.release();
    return status;
  };
  // Under the lock, so that commits and snapshots have one order.
  processes.take_snapshot(slot_, snapshot, nullptr);
  // What only reads can be part of an anomaly only if a writer that overlaps it overlapped another that committed
  // before the snapshot. Without writers there is none.
  if (read_only && shared.writable_count == 0) return untracked(Status::ok);

  Xact& xact = locks_.xacts_[ref];
  xact.slot = slot_;
  xact.last_commit_before_snapshot = locks_.last_commit_seq();
  xact.xmin = snapshot->xmin;
  if (read_only) {
    xact.set(SXACT_FLAG_READ_ONLY);
    for (Ref<Xact> other = shared.active.first; other;
         other = locks_.xacts_[other].of_active.next) {
      const Xact& writer = locks_.xacts_[other];
      if (other == ref || writer.has(SXACT_FLAG_COMMITTED) || writer.has(SXACT_FLAG_DOOMED) ||
          writer.has(SXACT_FLAG_READ_ONLY))
        continue;
      Status status = locks_.add_possible_unsafe(ref, other);
      if (!status.is_ok()) {
        locks_.flag_unsafe(ref);
        return untracked(std::move(status));
      }
    }
    if (xact.possible_unsafe.is_empty()) return untracked(Status::ok);
  } else {
    ++shared.writable_count;
  }
  locks_.add_to_global_xmin(snapshot->xmin);
  me_ = ref;
  xact_lock.release();
  snapshot_ = *snapshot;
  return Status::ok;
}

void PredicateTransaction::check_snapshot(SnapshotVerdict* verdict) {
  *verdict = SnapshotVerdict::safe;
  if (!me_) return;
  {
    LwLockGuard guard(locks_.shared_->xact_lock, LockMode::shared);
    if (has(SXACT_FLAG_RO_UNSAFE)) {
      *verdict = SnapshotVerdict::unsafe;
    } else if (!me().possible_unsafe.is_empty()) {
      *verdict = SnapshotVerdict::unknown;
      return;
    }
  }
  end_tracking();
}

void PredicateTransaction::assigned_xid(TransactionId xid) {
  if (!me_) return;
  LwLockGuard guard(locks_.shared_->xact_lock, LockMode::exclusive);
  INVARIANT(!is_valid(me().xid));
  locks_.enter_xid(me_, xid);
}

void PredicateTransaction::end_tracking() {
  const Ref<Xact> ended = me_;
  me_ = {};
  local_.clear();
  locks_.release(ended, false, false);
}

Status PredicateTransaction::before_commit() {
  if (!me_) return Status::ok;
  Shared& shared = *locks_.shared_;
  LwLockGuard guard(shared.xact_lock, LockMode::exclusive);
  if (failed_level_ != 0 || has(SXACT_FLAG_DOOMED))
    return serialization_failure_because("identification as a pivot, during commit attempt");
  // Committing would make this the one that commits first, after a pivot that has a conflict in from another. The
  // pivot goes: this one has written and makes progress, and the pivot would fail again if the other one went.
  for (Ref<Conflict> near = me().in.first; near; near = locks_.conflicts_[near].of_in.next) {
    Xact& pivot = locks_.xacts_[locks_.conflicts_[near].out];
    if (pivot.has(SXACT_FLAG_COMMITTED) || pivot.has(SXACT_FLAG_DOOMED)) continue;
    for (Ref<Conflict> far = pivot.in.first; far; far = locks_.conflicts_[far].of_in.next) {
      const Ref<Xact> first = locks_.conflicts_[far].out;
      const Xact& other = locks_.xacts_[first];
      if (first != me_ && (other.has(SXACT_FLAG_COMMITTED) || other.has(SXACT_FLAG_READ_ONLY) ||
                           other.has(SXACT_FLAG_DOOMED)))
        continue;
      if (pivot.has(SXACT_FLAG_PREPARED))
        return fail(
            serialization_failure_because("commit attempt with conflict in from prepared pivot"));
      pivot.set(SXACT_FLAG_DOOMED);
      break;
    }
  }
  me().prepare_seq = locks_.next_commit_seq();
  me().set(SXACT_FLAG_PREPARED);
  return Status::ok;
}

void PredicateTransaction::end(bool committed) {
  failed_level_ = 0;
  if (!me_) return;
  const Ref<Xact> ended = me_;
  me_ = {};
  local_.clear();
  locks_.release(ended, committed, wrote_);
}

bool PredicateTransaction::holds(const Tag& tag) const {
  const auto found = local_.find(tag);
  return found != local_.end() && found->second.held;
}

bool PredicateTransaction::is_covered(Tag tag) const {
  while (!tag.is_relation()) {
    tag = tag.parent();
    if (holds(tag)) return true;
  }
  return false;
}

int32_t PredicateTransaction::children_max(const Tag& tag) const {
  const PredicateOptions& options = locks_.options_;
  if (!tag.is_relation()) return options.max_pred_locks_per_page;
  if (options.max_pred_locks_per_relation >= 0) return options.max_pred_locks_per_relation;
  return options.max_pred_locks_per_transaction / -options.max_pred_locks_per_relation - 1;
}

// Counts the new lock for all that cover it. True if the coarsest that has too many should be taken instead.
bool PredicateTransaction::promotion_of(Tag tag, Tag* coarser) {
  bool promote = false;
  while (!tag.is_relation()) {
    tag = tag.parent();
    if (++local_[tag].children > children_max(tag)) {
      *coarser = tag;
      promote = true;
    }
  }
  return promote;
}

Status PredicateTransaction::acquire(const Tag& tag) {
  if (holds(tag) || is_covered(tag)) return Status::ok;
  Status status = locks_.create_lock(tag, me_);
  if (!status.is_ok()) return fail(std::move(status));
  local_[tag].held = true;
  Tag coarser;
  if (promotion_of(tag, &coarser)) return acquire(coarser);
  if (!tag.is_tuple()) release_children(tag);
  return Status::ok;
}

void PredicateTransaction::release_children(const Tag& tag) {
  LwLockGuard list(locks_.shared_->list_lock, LockMode::shared);
  Ref<SireadLock> next;
  for (Ref<SireadLock> lock = me().locks.first; lock; lock = next) {
    next = locks_.locks_[lock].of_xact.next;
    const Ref<Target> target = locks_.locks_[lock].target;
    const Tag child = locks_.targets_[target].tag;
    if (!child.is_covered_by(tag)) continue;
    {
      const uint32_t hash = hash_of(child);
      LwLockGuard partition(locks_.partition_lock(hash), LockMode::exclusive);
      locks_.remove_lock(lock);
      locks_.remove_target_if_unused(target, hash);
    }
    const auto known = local_.find(child);
    if (known != local_.end()) {
      known->second.held = false;
      if (known->second.children <= 0) local_.erase(known);
    }
    forget_child(child);
  }
}

void PredicateTransaction::forget_child(Tag tag) {
  while (!tag.is_relation()) {
    tag = tag.parent();
    const auto found = local_.find(tag);
    // A split gave this transaction locks that were never counted.
    if (found == local_.end()) continue;
    if (found->second.children > 0) --found->second.children;
    if (found->second.children == 0 && !found->second.held) local_.erase(found);
  }
}

Status PredicateTransaction::lock_relation(PredicateRelation relation) {
  if (!notes_reads_of(relation.relation)) return Status::ok;
  return acquire({relation.database, relation.relation, Tag::no_page, 0});
}

Status PredicateTransaction::lock_page(PredicateRelation relation, BlockNumber block) {
  if (!notes_reads_of(relation.relation)) return Status::ok;
  return acquire({relation.database, relation.relation, value_of(block), 0});
}

Status PredicateTransaction::lock_tuple(PredicateRelation relation, ItemPointer tid,
                                        TransactionId xmin) {
  if (!notes_reads_of(relation.relation)) return Status::ok;
  // Who writes a row of the own transaction waits for it.
  if (is_valid(me().xid) && xmin == me().xid) return Status::ok;
  return acquire({relation.database, relation.relation, value_of(tid.block()), tid.offset()});
}

Status PredicateTransaction::check_doomed_reader() {
  if (!me_ || !has(SXACT_FLAG_DOOMED)) return Status::ok;
  return fail(
      serialization_failure_because("identification as a pivot, during conflict out checking"));
}

Status PredicateTransaction::conflict_out(TransactionId xid) {
  if (!me_) return Status::ok;
  RETURN_IF_ERROR(check_doomed_reader());
  INVARIANT(is_valid(xid));
  if (xid == me().xid) return Status::ok;
  LwLockGuard guard(locks_.shared_->xact_lock, LockMode::exclusive);
  const Ref<Xact> writer_ref = locks_.find_xact(xid);
  if (!writer_ref) {
    // Not serializable, or summarised.
    CommitSeq commit = no_commit_seq;
    Status status = locks_.serial_.find(xid, &commit);
    if (!status.is_ok()) return fail(std::move(status));
    if (commit == no_commit_seq) return Status::ok;
    if (commit != never_commit_seq &&
        (!me().has(SXACT_FLAG_READ_ONLY) || commit <= me().last_commit_before_snapshot))
      return fail(serialization_failure_because("conflict out to old pivot " +
                                                std::to_string(value_of(xid))));
    if (me().has(SXACT_FLAG_SUMMARY_CONFLICT_IN) || !me().in.is_empty())
      return fail(serialization_failure_because(
          "identification as a pivot, with conflict out to old committed transaction " +
          std::to_string(value_of(xid))));
    me().set(SXACT_FLAG_SUMMARY_CONFLICT_OUT);
    return Status::ok;
  }
  Xact& writer = locks_.xacts_[writer_ref];
  if (writer_ref == me_ || writer.has(SXACT_FLAG_DOOMED)) return Status::ok;
  if (writer.has(SXACT_FLAG_SUMMARY_CONFLICT_OUT)) {
    // It has a conflict out to one that committed first, when exactly is no longer known.
    if (writer.has(SXACT_FLAG_PREPARED))
      return fail(serialization_failure_because("conflict out to old pivot"));
    writer.set(SXACT_FLAG_DOOMED);
    return Status::ok;
  }
  // A reader appears to come before all that committed after its snapshot.
  if (me().has(SXACT_FLAG_READ_ONLY) && writer.has(SXACT_FLAG_COMMITTED) &&
      (!writer.has(SXACT_FLAG_CONFLICT_OUT) ||
       me().last_commit_before_snapshot < writer.earliest_out_conflict_commit))
    return Status::ok;
  if (!snapshot_.contains(xid)) return Status::ok;
  if (locks_.conflict_exists(me_, writer_ref)) return Status::ok;
  Status status = locks_.flag_conflict(me_, writer_ref, me_);
  return status.is_ok() ? std::move(status) : fail(std::move(status));
}

Status PredicateTransaction::conflict_in(PredicateRelation relation, const ItemPointer* tid,
                                         BlockNumber block, bool in_subtransaction) {
  if (!me_ || !has_predicate_locks(relation.relation)) return Status::ok;
  if (has(SXACT_FLAG_DOOMED))
    return fail(
        serialization_failure_because("identification as a pivot, during conflict in checking"));
  wrote_ = true;
  // From the finest to the coarsest: a lock that is promoted meanwhile is taken before the finer ones are given up.
  if (tid != nullptr)
    RETURN_IF_ERROR(
        check_target({relation.database, relation.relation, value_of(tid->block()), tid->offset()},
                     in_subtransaction));
  if (block != invalid_block_number)
    RETURN_IF_ERROR(check_target({relation.database, relation.relation, value_of(block), 0}, true));
  return check_target({relation.database, relation.relation, Tag::no_page, 0}, true);
}

// May what holds a lock have read before this transaction's write, and overlap it?
bool PredicateTransaction::overlaps(const Xact& other, CommitSeq lock_commit_seq) const {
  if (other.has(SXACT_FLAG_DOOMED)) return false;
  if (&other == &locks_.xacts_[locks_.shared_->summary])
    return lock_commit_seq > me().last_commit_before_snapshot;
  return !other.has(SXACT_FLAG_COMMITTED) || precedes(snapshot_.xmin, other.finished_before);
}

Status PredicateTransaction::check_target(const Tag& tag, bool keeps_own) {
  const uint32_t hash = hash_of(tag);
  Shared& shared = *locks_.shared_;
  bool drops_own = false;
  {
    LwLockGuard partition(locks_.partition_lock(hash), LockMode::shared);
    const Ref<Target> target = locks_.find_target(tag, hash);
    if (!target) return Status::ok;
    bool others = false;
    const Ref<SireadLock> first = locks_.targets_[target].locks.first;
    for (Ref<SireadLock> lock = first; lock; lock = locks_.locks_[lock].of_target.next) {
      if (locks_.locks_[lock].xact != me_)
        others = true;
      else
        drops_own = !keeps_own;
    }
    if (others) {
      LwLockGuard guard(shared.xact_lock, LockMode::exclusive);
      for (Ref<SireadLock> lock = first; lock; lock = locks_.locks_[lock].of_target.next) {
        const Ref<Xact> reader = locks_.locks_[lock].xact;
        if (reader == me_ || !overlaps(locks_.xacts_[reader], locks_.locks_[lock].commit_seq) ||
            locks_.conflict_exists(reader, me_))
          continue;
        Status status = locks_.flag_conflict(reader, me_, me_);
        if (!status.is_ok()) return fail(std::move(status));
      }
    }
  }
  if (!drops_own) return Status::ok;
  // Whoever writes the row next meets this transaction's own mark in it.
  bool dropped = false;
  {
    LwLockGuard list(shared.list_lock, LockMode::shared);
    LwLockGuard partition(locks_.partition_lock(hash), LockMode::exclusive);
    const Ref<Target> target = locks_.find_target(tag, hash);
    const Ref<SireadLock> own = target ? locks_.find_lock(target, me_) : Ref<SireadLock>{};
    if (own) {
      locks_.remove_lock(own);
      locks_.remove_target_if_unused(target, hash);
      dropped = true;
    }
  }
  if (dropped && local_.erase(tag) > 0) forget_child(tag);
  return Status::ok;
}

Status PredicateTransaction::conflict_in_whole_table(PredicateRelation table) {
  if (!me_ || !has_predicate_locks(table.relation)) return Status::ok;
  wrote_ = true;
  Shared& shared = *locks_.shared_;
  for (PartitionLock& partition : shared.partitions) partition.lock.acquire(LockMode::shared);
  Status status;
  {
    LwLockGuard guard(shared.xact_lock, LockMode::exclusive);
    for (uint32_t bucket = 0; bucket < locks_.target_bucket_count_ && status.is_ok(); ++bucket) {
      for (Ref<Target> target = locks_.target_buckets_[bucket]; target && status.is_ok();
           target = locks_.targets_[target].next_in_bucket) {
        const Tag& tag = locks_.targets_[target].tag;
        if (tag.relation != table.relation || tag.database != table.database) continue;
        for (Ref<SireadLock> lock = locks_.targets_[target].locks.first; lock && status.is_ok();
             lock = locks_.locks_[lock].of_target.next) {
          const Ref<Xact> reader = locks_.locks_[lock].xact;
          if (reader == me_ || !overlaps(locks_.xacts_[reader], locks_.locks_[lock].commit_seq) ||
              locks_.conflict_exists(reader, me_))
            continue;
          status = locks_.flag_conflict(reader, me_, me_);
        }
      }
    }
  }
  for (PartitionLock& partition : shared.partitions) partition.lock.release();
  return status.is_ok() ? std::move(status) : fail(std::move(status));
}

}  // namespace pgdata
