// PredicateLocks: the table of targets and the SIREAD locks on them.
#include "base/invariant.h"
#include "predicate/predicate_locks.h"

namespace pgdata {

using namespace predicate;

PredicateLocks::Ref<Target> PredicateLocks::find_target(const Tag& tag, uint32_t hash) const {
  Ref<Target> target = target_buckets_[hash % target_bucket_count_];
  while (target && targets_[target].tag != tag) target = targets_[target].next_in_bucket;
  return target;
}

PredicateLocks::Ref<Target> PredicateLocks::find_or_add_target(const Tag& tag, uint32_t hash,
                                                               bool may_use_last) {
  Ref<Target> target = find_target(tag, hash);
  if (target) return target;
  {
    LwLockGuard guard(shared_->pool_lock, LockMode::exclusive);
    if (targets_.available() <= (may_use_last ? 0u : 1u)) return {};
    target = targets_.take();
  }
  Ref<Target>& bucket = target_buckets_[hash % target_bucket_count_];
  targets_[target].tag = tag;
  targets_[target].next_in_bucket = bucket;
  bucket = target;
  return target;
}

void PredicateLocks::remove_target_if_unused(Ref<Target> target, uint32_t hash) {
  if (!targets_[target].locks.is_empty()) return;
  Ref<Target>* at = &target_buckets_[hash % target_bucket_count_];
  while (*at != target) {
    INVARIANT(static_cast<bool>(*at));
    at = &targets_[*at].next_in_bucket;
  }
  *at = targets_[target].next_in_bucket;
  LwLockGuard guard(shared_->pool_lock, LockMode::exclusive);
  targets_.give_back(target);
}

PredicateLocks::Ref<SireadLock> PredicateLocks::find_lock(Ref<Target> target,
                                                          Ref<Xact> xact) const {
  Ref<SireadLock> lock = targets_[target].locks.first;
  while (lock && locks_[lock].xact != xact) lock = locks_[lock].of_target.next;
  return lock;
}

PredicateLocks::Ref<SireadLock> PredicateLocks::take_lock() {
  LwLockGuard guard(shared_->pool_lock, LockMode::exclusive);
  return locks_.take();
}

void PredicateLocks::add_lock(Ref<SireadLock> lock, Ref<Target> target, Ref<Xact> xact,
                              CommitSeq commit_seq) {
  locks_[lock].target = target;
  locks_[lock].xact = xact;
  locks_[lock].commit_seq = commit_seq;
  append<&SireadLock::of_target>(locks_, targets_[target].locks, lock);
  append<&SireadLock::of_xact>(locks_, xacts_[xact].locks, lock);
}

void PredicateLocks::remove_lock(Ref<SireadLock> lock) {
  remove<&SireadLock::of_target>(locks_, targets_[locks_[lock].target].locks, lock);
  remove<&SireadLock::of_xact>(locks_, xacts_[locks_[lock].xact].locks, lock);
  LwLockGuard guard(shared_->pool_lock, LockMode::exclusive);
  locks_.give_back(lock);
}

void PredicateLocks::move_lock(Ref<SireadLock> lock, Ref<Target> target, Ref<Xact> xact,
                               CommitSeq commit_seq) {
  const Ref<SireadLock> known = find_lock(target, xact);
  if (known == lock) return;
  if (known) {
    // Only the locks of summarised transactions have a number; the last one counts.
    CommitSeq& held = locks_[known].commit_seq;
    if (held < commit_seq) held = commit_seq;
    remove_lock(lock);
    return;
  }
  remove<&SireadLock::of_target>(locks_, targets_[locks_[lock].target].locks, lock);
  remove<&SireadLock::of_xact>(locks_, xacts_[locks_[lock].xact].locks, lock);
  add_lock(lock, target, xact, commit_seq);
}

Status PredicateLocks::create_lock(const Tag& tag, Ref<Xact> xact) {
  const uint32_t hash = hash_of(tag);
  LwLockGuard list(shared_->list_lock, LockMode::shared);
  LwLockGuard partition(partition_lock(hash), LockMode::exclusive);
  const Ref<Target> target = find_or_add_target(tag, hash, false);
  Ref<SireadLock> lock;
  if (target) {
    // A page that was split may have given it to us already.
    if (find_lock(target, xact)) return Status::ok;
    lock = take_lock();
    if (!lock) remove_target_if_unused(target, hash);
  }
  if (!lock)
    return Status::error(ErrorCode::out_of_memory, "out of shared memory")
        .with_hint("You might need to increase \"max_pred_locks_per_transaction\".");
  add_lock(lock, target, xact, never_commit_seq);
  return Status::ok;
}

bool PredicateLocks::transfer(const Tag& from, const Tag& to, bool move) {
  const uint32_t from_hash = hash_of(from);
  const uint32_t to_hash = hash_of(to);
  const uint32_t from_partition = from_hash % partition_count;
  const uint32_t to_partition = to_hash % partition_count;
  LwLock& first = shared_->partitions[std::min(from_partition, to_partition)].lock;
  LwLock& second = shared_->partitions[std::max(from_partition, to_partition)].lock;
  LwLockGuard first_guard(first, LockMode::exclusive);
  if (&second != &first) second.acquire(LockMode::exclusive);
  const auto done = [&](bool result) {
    if (&second != &first) second.release();
    return result;
  };
  const Ref<Target> old_target = find_target(from, from_hash);
  if (!old_target) return done(true);
  const Ref<Target> new_target = find_or_add_target(to, to_hash, move);
  if (!new_target) return done(false);
  if (move) {
    while (!targets_[old_target].locks.is_empty()) {
      const Ref<SireadLock> lock = targets_[old_target].locks.first;
      move_lock(lock, new_target, locks_[lock].xact, locks_[lock].commit_seq);
    }
    remove_target_if_unused(old_target, from_hash);
    return done(true);
  }
  // All or none: what is needed is taken before anything changes.
  std::vector<Ref<SireadLock>> taken;
  bool is_enough = true;
  for (Ref<SireadLock> lock = targets_[old_target].locks.first; lock && is_enough;
       lock = locks_[lock].of_target.next) {
    if (find_lock(new_target, locks_[lock].xact)) continue;
    const Ref<SireadLock> copy = take_lock();
    is_enough = static_cast<bool>(copy);
    if (is_enough) taken.push_back(copy);
  }
  if (!is_enough) {
    {
      LwLockGuard guard(shared_->pool_lock, LockMode::exclusive);
      for (const Ref<SireadLock> lock : taken) locks_.give_back(lock);
    }
    remove_target_if_unused(new_target, to_hash);
    return done(false);
  }
  for (Ref<SireadLock> lock = targets_[old_target].locks.first; lock;
       lock = locks_[lock].of_target.next) {
    const CommitSeq commit_seq = locks_[lock].commit_seq;
    const Ref<SireadLock> known = find_lock(new_target, locks_[lock].xact);
    if (known) {
      if (locks_[known].commit_seq < commit_seq) locks_[known].commit_seq = commit_seq;
      continue;
    }
    add_lock(taken.back(), new_target, locks_[lock].xact, commit_seq);
    taken.pop_back();
  }
  return done(true);
}

}  // namespace pgdata
