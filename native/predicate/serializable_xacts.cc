// PredicateLocks: transactions, conflicts between them, what is dangerous about those, and cleaning up.
#include <string>

#include "base/invariant.h"
#include "predicate/predicate_locks.h"

namespace pgdata {

using namespace predicate;

namespace {

Status no_conflict_left(const char* kind) {
  return Status::error(ErrorCode::out_of_memory,
                       "not enough elements in RWConflictPool to record a %sread/write conflict",
                       kind)
      .with_hint(
          "You might need to run fewer transactions at a time or increase \"max_connections\".");
}

}  // namespace

PredicateLocks::Ref<Xact> PredicateLocks::take_xact() {
  if (!shared_->summary) {
    shared_->summary = xacts_.take();
    INVARIANT(static_cast<bool>(shared_->summary));
    xacts_[shared_->summary].set(SXACT_FLAG_COMMITTED);
  }
  const Ref<Xact> xact = xacts_.take();
  if (xact) append<&Xact::of_active>(xacts_, shared_->active, xact);
  return xact;
}

void PredicateLocks::give_back_xact(Ref<Xact> xact) {
  remove<&Xact::of_active>(xacts_, shared_->active, xact);
  xacts_.give_back(xact);
}

PredicateLocks::Ref<Xact> PredicateLocks::find_xact(TransactionId xid) const {
  Ref<Xact> xact = xid_buckets_[value_of(xid) % xid_bucket_count_];
  while (xact && xacts_[xact].xid != xid) xact = xacts_[xact].next_of_xid;
  return xact;
}

void PredicateLocks::enter_xid(Ref<Xact> xact, TransactionId xid) {
  Ref<Xact>& bucket = xid_buckets_[value_of(xid) % xid_bucket_count_];
  xacts_[xact].xid = xid;
  xacts_[xact].next_of_xid = bucket;
  bucket = xact;
}

void PredicateLocks::forget_xid(Ref<Xact> xact) {
  if (!is_valid(xacts_[xact].xid)) return;
  Ref<Xact>* at = &xid_buckets_[value_of(xacts_[xact].xid) % xid_bucket_count_];
  while (*at != xact) {
    INVARIANT(static_cast<bool>(*at));
    at = &xacts_[*at].next_of_xid;
  }
  *at = xacts_[xact].next_of_xid;
}

bool PredicateLocks::conflict_exists(Ref<Xact> reader, Ref<Xact> writer) const {
  if (xacts_[writer].in.is_empty()) return false;
  for (Ref<Conflict> conflict = xacts_[reader].out.first; conflict;
       conflict = conflicts_[conflict].of_out.next) {
    if (conflicts_[conflict].in == writer) return true;
  }
  return false;
}

Status PredicateLocks::add_conflict(Ref<Xact> reader, Ref<Xact> writer) {
  const Ref<Conflict> conflict = conflicts_.take();
  if (!conflict) return no_conflict_left("");
  conflicts_[conflict].out = reader;
  conflicts_[conflict].in = writer;
  append<&Conflict::of_out>(conflicts_, xacts_[reader].out, conflict);
  append<&Conflict::of_in>(conflicts_, xacts_[writer].in, conflict);
  return Status::ok;
}

void PredicateLocks::remove_conflict(Ref<Conflict> conflict) {
  remove<&Conflict::of_out>(conflicts_, xacts_[conflicts_[conflict].out].out, conflict);
  remove<&Conflict::of_in>(conflicts_, xacts_[conflicts_[conflict].in].in, conflict);
  conflicts_.give_back(conflict);
}

Status PredicateLocks::add_possible_unsafe(Ref<Xact> reader, Ref<Xact> writer) {
  const Ref<Conflict> conflict = conflicts_.take();
  if (!conflict) return no_conflict_left("potential ");
  conflicts_[conflict].out = writer;
  conflicts_[conflict].in = reader;
  append<&Conflict::of_out>(conflicts_, xacts_[writer].possible_unsafe, conflict);
  append<&Conflict::of_in>(conflicts_, xacts_[reader].possible_unsafe, conflict);
  return Status::ok;
}

void PredicateLocks::remove_possible_unsafe(Ref<Conflict> conflict) {
  remove<&Conflict::of_out>(conflicts_, xacts_[conflicts_[conflict].out].possible_unsafe, conflict);
  remove<&Conflict::of_in>(conflicts_, xacts_[conflicts_[conflict].in].possible_unsafe, conflict);
  conflicts_.give_back(conflict);
}

void PredicateLocks::flag_unsafe(Ref<Xact> reader) {
  xacts_[reader].set(SXACT_FLAG_RO_UNSAFE);
  while (!xacts_[reader].possible_unsafe.is_empty())
    remove_possible_unsafe(xacts_[reader].possible_unsafe.first);
}

Status PredicateLocks::flag_conflict(Ref<Xact> reader, Ref<Xact> writer, Ref<Xact> me) {
  INVARIANT(reader != writer);
  RETURN_IF_ERROR(check_conflict(reader, writer, me));
  if (reader == shared_->summary) {
    xacts_[writer].set(SXACT_FLAG_SUMMARY_CONFLICT_IN);
    return Status::ok;
  }
  return add_conflict(reader, writer);
}

// A structure  in ---> pivot ---> out  is dangerous when `out` commits first, and, if `in` only reads, when it did so
// before `in` took its snapshot. The new conflict may be either arrow.
bool PredicateLocks::makes_dangerous(const Xact& reader, const Xact& writer) const {
  // The writer is the pivot, and had committed after one that it conflicts with.
  if (writer.has(SXACT_FLAG_COMMITTED) && writer.has(SXACT_FLAG_CONFLICT_OUT)) return true;
  if (writer.has(SXACT_FLAG_SUMMARY_CONFLICT_OUT)) return true;
  // The writer is the pivot. One that is prepared counts as committed: it can no longer be stopped.
  for (Ref<Conflict> conflict = writer.out.first; conflict;
       conflict = conflicts_[conflict].of_out.next) {
    const Xact& out = xacts_[conflicts_[conflict].in];
    if (out.has(SXACT_FLAG_PREPARED) &&
        (!reader.has(SXACT_FLAG_COMMITTED) || out.prepare_seq <= reader.commit_seq) &&
        (!writer.has(SXACT_FLAG_COMMITTED) || out.prepare_seq <= writer.commit_seq) &&
        (!reader.has(SXACT_FLAG_READ_ONLY) ||
         out.prepare_seq <= reader.last_commit_before_snapshot))
      return true;
  }
  // The reader is the pivot.
  if (!writer.has(SXACT_FLAG_PREPARED) || reader.has(SXACT_FLAG_READ_ONLY)) return false;
  if (reader.has(SXACT_FLAG_SUMMARY_CONFLICT_IN)) return true;
  for (Ref<Conflict> conflict = reader.in.first; conflict;
       conflict = conflicts_[conflict].of_in.next) {
    const Xact& in = xacts_[conflicts_[conflict].out];
    if (!in.has(SXACT_FLAG_DOOMED) &&
        (!in.has(SXACT_FLAG_COMMITTED) || in.commit_seq >= writer.prepare_seq) &&
        (!in.has(SXACT_FLAG_READ_ONLY) || in.last_commit_before_snapshot >= writer.prepare_seq))
      return true;
  }
  return false;
}

// The one to go is the writer, unless it is prepared; then the reader, which is `me`.
Status PredicateLocks::check_conflict(Ref<Xact> reader, Ref<Xact> writer, Ref<Xact> me) {
  if (!makes_dangerous(xacts_[reader], xacts_[writer])) return Status::ok;
  if (writer == me) return serialization_failure_because("identification as a pivot, during write");
  if (xacts_[writer].has(SXACT_FLAG_PREPARED)) {
    INVARIANT(reader == me);
    return serialization_failure_because(
        "conflict out to pivot " + std::to_string(value_of(xacts_[writer].xid)) + ", during read");
  }
  xacts_[writer].set(SXACT_FLAG_DOOMED);
  return Status::ok;
}

void PredicateLocks::add_to_global_xmin(TransactionId xmin) {
  const TransactionId global = shared_->global_xmin.load(std::memory_order_relaxed);
  if (!is_valid(global)) {
    shared_->global_xmin.store(xmin, std::memory_order_relaxed);
    shared_->global_xmin_count = 1;
    serial_.set_oldest_xmin(xmin);
  } else if (xmin == global) {
    ++shared_->global_xmin_count;
  } else {
    INVARIANT(precedes(global, xmin));
  }
}

// Source: predicatelock_twophase_recover.
Status PredicateLocks::recover_xact(TransactionId xid, TransactionId xmin, uint32_t flags,
                                    Ref<Xact>* recovered) {
  LwLockGuard guard(shared_->xact_lock, LockMode::exclusive);
  const Ref<Xact> ref = take_xact();
  if (!ref) return Status::error(ErrorCode::out_of_memory, "out of shared memory");
  Xact& xact = xacts_[ref];
  xact.prepare_seq = recovery_commit_seq;
  xact.last_commit_before_snapshot = recovery_commit_seq;
  xact.xmin = xmin;
  // With whom it had conflicts is not known, so it counts as if it had them in and out.
  xact.set((flags & SXACT_FLAG_READ_ONLY) | SXACT_FLAG_PREPARED | SXACT_FLAG_SUMMARY_CONFLICT_IN |
           SXACT_FLAG_SUMMARY_CONFLICT_OUT);
  enter_xid(ref, xid);
  if (!xact.has(SXACT_FLAG_READ_ONLY)) ++shared_->writable_count;
  // Nobody else runs yet, so it may go back.
  const TransactionId global = shared_->global_xmin.load(std::memory_order_relaxed);
  if (is_valid(global) && !precedes(xmin, global)) {
    if (xmin == global) ++shared_->global_xmin_count;
  } else {
    shared_->global_xmin.store(xmin, std::memory_order_relaxed);
    shared_->global_xmin_count = 1;
    serial_.set_oldest_xmin(xmin);
  }
  *recovered = ref;
  return Status::ok;
}

void PredicateLocks::set_new_global_xmin() {
  TransactionId oldest = invalid_transaction_id;
  uint32_t count = 0;
  for (Ref<Xact> ref = shared_->active.first; ref; ref = xacts_[ref].of_active.next) {
    const Xact& xact = xacts_[ref];
    if (xact.has(SXACT_FLAG_ROLLED_BACK) || xact.has(SXACT_FLAG_COMMITTED)) continue;
    if (!is_valid(oldest) || precedes(xact.xmin, oldest)) {
      oldest = xact.xmin;
      count = 1;
    } else if (xact.xmin == oldest) {
      ++count;
    }
  }
  shared_->global_xmin.store(oldest, std::memory_order_relaxed);
  shared_->global_xmin_count = count;
  serial_.set_oldest_xmin(oldest);
}

Status PredicateLocks::summarize_oldest() {
  LwLockGuard finished(shared_->finished_lock, LockMode::exclusive);
  const Ref<Xact> oldest = shared_->finished.first;
  if (!oldest) {
    // Somebody may have cleaned up meanwhile; otherwise all that there is room for are running.
    LwLockGuard guard(shared_->xact_lock, LockMode::shared);
    if (xacts_.available() > 0) return Status::ok;
    return Status::error(ErrorCode::out_of_memory, "out of shared memory")
        .with_hint(
            "You might need to run fewer transactions at a time or increase \"max_connections\".");
  }
  const Xact& xact = xacts_[oldest];
  if (is_valid(xact.xid) && !xact.has(SXACT_FLAG_READ_ONLY))
    RETURN_IF_ERROR(serial_.add(xact.xid, xact.has(SXACT_FLAG_CONFLICT_OUT)
                                              ? xact.earliest_out_conflict_commit
                                              : never_commit_seq));
  remove<&Xact::of_finished>(xacts_, shared_->finished, oldest);
  release_one(oldest, false, true);
  return Status::ok;
}

void PredicateLocks::release_one(Ref<Xact> ref, bool partial, bool summarize) {
  Xact& xact = xacts_[ref];
  INVARIANT(xact.has(SXACT_FLAG_ROLLED_BACK) || xact.has(SXACT_FLAG_COMMITTED));
  {
    LwLockGuard list(shared_->list_lock, LockMode::shared);
    while (!xact.locks.is_empty()) {
      const Ref<SireadLock> lock = xact.locks.first;
      const Ref<Target> target = locks_[lock].target;
      const uint32_t hash = hash_of(targets_[target].tag);
      LwLockGuard partition(partition_lock(hash), LockMode::exclusive);
      if (summarize) {
        move_lock(lock, target, shared_->summary, xact.commit_seq);
      } else {
        remove_lock(lock);
        remove_target_if_unused(target, hash);
      }
    }
  }

  LwLockGuard guard(shared_->xact_lock, LockMode::exclusive);
  while (!partial && !xact.out.is_empty()) {
    const Ref<Conflict> conflict = xact.out.first;
    if (summarize) xacts_[conflicts_[conflict].in].set(SXACT_FLAG_SUMMARY_CONFLICT_IN);
    remove_conflict(conflict);
  }
  while (!xact.in.is_empty()) {
    const Ref<Conflict> conflict = xact.in.first;
    if (summarize) xacts_[conflicts_[conflict].out].set(SXACT_FLAG_SUMMARY_CONFLICT_OUT);
    remove_conflict(conflict);
  }
  if (partial) return;
  forget_xid(ref);
  give_back_xact(ref);
}

void PredicateLocks::release(Ref<Xact> ref, bool committed, bool wrote) {
  Xact& xact = xacts_[ref];
  bool clears = false;
  {
    LwLockGuard guard(shared_->xact_lock, LockMode::exclusive);
    INVARIANT(!xact.has(SXACT_FLAG_COMMITTED));
    INVARIANT(!xact.has(SXACT_FLAG_ROLLED_BACK));
    INVARIANT(!committed || xact.has(SXACT_FLAG_PREPARED));
    INVARIANT(!committed || !xact.has(SXACT_FLAG_DOOMED));
    const bool declared_read_only = xact.has(SXACT_FLAG_READ_ONLY);
    xact.finished_before = xid_of(transactions_.next_full_xid());
    if (committed) {
      xact.commit_seq = next_commit_seq();
      xact.set(SXACT_FLAG_COMMITTED);
      // What committed without writing was read-only, said or not.
      if (!wrote) xact.set(SXACT_FLAG_READ_ONLY);
    } else {
      xact.set(SXACT_FLAG_DOOMED | SXACT_FLAG_ROLLED_BACK);
      xact.clear(SXACT_FLAG_PREPARED);
    }

    if (!declared_read_only) {
      INVARIANT(shared_->writable_count > 0);
      // With no writer left, nobody can conflict with the locks of those that committed, and a new one overlaps none.
      if (--shared_->writable_count == 0) shared_->can_partial_clear_through = last_commit_seq();
    } else {
      while (!xact.possible_unsafe.is_empty()) remove_possible_unsafe(xact.possible_unsafe.first);
    }

    const bool is_writer = committed && !xact.has(SXACT_FLAG_READ_ONLY);
    if (is_writer && xact.has(SXACT_FLAG_SUMMARY_CONFLICT_OUT)) {
      // To whom is no longer known, so assume the worst.
      xact.earliest_out_conflict_commit = first_commit_seq;
      xact.set(SXACT_FLAG_CONFLICT_OUT);
    }
    Ref<Conflict> next;
    for (Ref<Conflict> conflict = xact.out.first; conflict; conflict = next) {
      next = conflicts_[conflict].of_out.next;
      const Xact& other = xacts_[conflicts_[conflict].in];
      if (is_writer && other.has(SXACT_FLAG_COMMITTED)) {
        if (!xact.has(SXACT_FLAG_CONFLICT_OUT) ||
            other.prepare_seq < xact.earliest_out_conflict_commit)
          xact.earliest_out_conflict_commit = other.prepare_seq;
        xact.set(SXACT_FLAG_CONFLICT_OUT);
      }
      if (!committed || other.has(SXACT_FLAG_COMMITTED) ||
          other.last_commit_before_snapshot >= last_commit_seq())
        remove_conflict(conflict);
    }
    for (Ref<Conflict> conflict = xact.in.first; conflict; conflict = next) {
      next = conflicts_[conflict].of_in.next;
      const Xact& other = xacts_[conflicts_[conflict].out];
      if (!committed || other.has(SXACT_FLAG_COMMITTED) || other.has(SXACT_FLAG_READ_ONLY))
        remove_conflict(conflict);
    }

    // Read-only transactions that wait to know whether their snapshot is safe.
    while (!declared_read_only && !xact.possible_unsafe.is_empty()) {
      const Ref<Conflict> conflict = xact.possible_unsafe.first;
      const Ref<Xact> reader = conflicts_[conflict].in;
      if (committed && wrote && xact.has(SXACT_FLAG_CONFLICT_OUT) &&
          xact.earliest_out_conflict_commit <= xacts_[reader].last_commit_before_snapshot) {
        flag_unsafe(reader);  // removes the conflict with all others
        continue;
      }
      remove_possible_unsafe(conflict);
      if (xacts_[reader].possible_unsafe.is_empty()) xacts_[reader].set(SXACT_FLAG_RO_SAFE);
    }

    if (xact.xmin == shared_->global_xmin.load(std::memory_order_relaxed)) {
      INVARIANT(shared_->global_xmin_count > 0);
      if (--shared_->global_xmin_count == 0) {
        set_new_global_xmin();
        clears = true;
      }
    }
  }
  {
    LwLockGuard finished(shared_->finished_lock, LockMode::exclusive);
    if (committed)
      append<&Xact::of_finished>(xacts_, shared_->finished, ref);
    else
      release_one(ref, false, false);
  }
  if (clears) clear_old_locks();
}

// What ended before the oldest snapshot of a running serializable transaction matters no more. Finished transactions
// are in the order of their commits, so the first that still matters ends the search.
void PredicateLocks::clear_old_locks() {
  LwLockGuard finished(shared_->finished_lock, LockMode::exclusive);
  for (Ref<Xact> ref = shared_->finished.first; ref;) {
    const Xact& xact = xacts_[ref];
    const Ref<Xact> next = xact.of_finished.next;
    bool ended_before_all = false;
    bool only_readers_overlap = false;
    {
      LwLockGuard guard(shared_->xact_lock, LockMode::shared);
      const TransactionId oldest = shared_->global_xmin.load(std::memory_order_relaxed);
      ended_before_all = !is_valid(oldest) || precedes_or_equals(xact.finished_before, oldest);
      only_readers_overlap = xact.commit_seq > shared_->have_partial_cleared_through &&
                             xact.commit_seq <= shared_->can_partial_clear_through;
    }
    if (!ended_before_all && !only_readers_overlap) break;
    const CommitSeq commit_seq = xact.commit_seq;
    if (ended_before_all || xact.has(SXACT_FLAG_READ_ONLY)) {
      remove<&Xact::of_finished>(xacts_, shared_->finished, ref);
      release_one(ref, false, false);
    } else {
      release_one(ref, true, false);
    }
    if (!ended_before_all) shared_->have_partial_cleared_through = commit_seq;
    ref = next;
  }

  if (!shared_->summary) return;
  LwLockGuard list(shared_->list_lock, LockMode::shared);
  CommitSeq through = 0;
  {
    LwLockGuard guard(shared_->xact_lock, LockMode::shared);
    through = shared_->can_partial_clear_through;
  }
  Ref<SireadLock> next;
  for (Ref<SireadLock> lock = xacts_[shared_->summary].locks.first; lock; lock = next) {
    next = locks_[lock].of_xact.next;
    if (locks_[lock].commit_seq > through) continue;
    const Ref<Target> target = locks_[lock].target;
    const uint32_t hash = hash_of(targets_[target].tag);
    LwLockGuard partition(partition_lock(hash), LockMode::exclusive);
    remove_lock(lock);
    remove_target_if_unused(target, hash);
  }
}

}  // namespace pgdata
