// PredicateLocks: its place in the segment, and the doors for those who are not serializable themselves.
#include "predicate/predicate_locks.h"

#include <bit>
#include <string>

#include "base/invariant.h"
#include "layout/two_phase_file.h"
#include "predicate/predicate_transaction.h"
#include "xact/two_phase_state.h"

namespace pgdata {

using namespace predicate;

namespace {

constexpr const char* range = "predicate locks";

// An average of so many conflicts a transaction, and of two locks a target.
constexpr uint32_t conflicts_per_transaction = 5;
constexpr uint32_t locks_per_target = 2;

struct Sizes {
  explicit Sizes(const PredicateOptions& options)
      : xacts(options.max_backends * options.transactions_per_backend + 1),
        conflicts(xacts * conflicts_per_transaction),
        targets(static_cast<uint32_t>(options.max_pred_locks_per_transaction) *
                    options.max_backends +
                1),
        locks(targets * locks_per_target),
        target_buckets(std::bit_ceil(std::max(targets, partition_count))),
        xid_buckets(std::bit_ceil(xacts)) {}
  uint32_t xacts;
  uint32_t conflicts;
  uint32_t targets;
  uint32_t locks;
  uint32_t target_buckets;
  uint32_t xid_buckets;
};

// Parts of the range, one after the other.
class Carver {
 public:
  explicit Carver(std::byte* at) : at_(at) {}
  template <typename T>
  T* take(size_t count) {
    auto* here = reinterpret_cast<T*>(at_ + used_);
    used_ += align_up(count * sizeof(T), 64);
    return here;
  }
  size_t used() const { return used_; }

 private:
  std::byte* at_;
  size_t used_ = 0;
};

}  // namespace

void PredicateLocks::plan(SegmentPlan& plan, const PredicateOptions& options) {
  const Sizes sizes(options);
  Carver carver(nullptr);
  carver.take<Shared>(1);
  carver.take<Xact>(sizes.xacts);
  carver.take<Conflict>(sizes.conflicts);
  carver.take<Target>(sizes.targets);
  carver.take<SireadLock>(sizes.locks);
  carver.take<Ref<Target>>(sizes.target_buckets);
  carver.take<Ref<Xact>>(sizes.xid_buckets);
  plan.reserve(range, carver.used());
  SerialLog::plan(plan, options.block_size);
}

PredicateLocks::PredicateLocks(Segment& segment, StorageServices& services,
                               TransactionSystem& transactions, const PredicateOptions& options)
    : services_(services),
      transactions_(transactions),
      options_(options),
      serial_(segment, services) {
  const Sizes sizes(options);
  Carver carver(segment.find(range));
  shared_ = carver.take<Shared>(1);
  xacts_ = Pool<Xact>(&shared_->xacts, carver.take<Xact>(sizes.xacts), sizes.xacts);
  conflicts_ =
      Pool<Conflict>(&shared_->conflicts, carver.take<Conflict>(sizes.conflicts), sizes.conflicts);
  targets_ = Pool<Target>(&shared_->targets, carver.take<Target>(sizes.targets), sizes.targets);
  locks_ = Pool<SireadLock>(&shared_->locks, carver.take<SireadLock>(sizes.locks), sizes.locks);
  target_bucket_count_ = sizes.target_buckets;
  target_buckets_ = carver.take<Ref<Target>>(target_bucket_count_);
  xid_bucket_count_ = sizes.xid_buckets;
  xid_buckets_ = carver.take<Ref<Xact>>(xid_bucket_count_);
}

std::unique_ptr<SerializableTransaction> PredicateLocks::make_session(int slot) {
  return std::make_unique<PredicateTransaction>(*this, slot);
}

void PredicateLocks::end_transaction_of_dead(int slot) {
  Ref<Xact> found;
  {
    const LwLockGuard guard(shared_->xact_lock, LockMode::shared);
    for (Ref<Xact> at = shared_->active.first; at; at = xacts_[at].of_active.next) {
      const Xact& xact = xacts_[at];
      if (xact.slot == slot && !xact.has(predicate::SXACT_FLAG_COMMITTED) &&
          !xact.has(predicate::SXACT_FLAG_ROLLED_BACK))
        found = at;
    }
  }
  if (found) release(found, false, false);
}

Status PredicateLocks::recover_prepared(const TwoPhaseState& state) {
  const auto corrupted = [&] {
    return Status::error(ErrorCode::data_corrupted,
                         "invalid predicate lock of prepared transaction %u", value_of(state.xid));
  };
  Ref<Xact> xact;
  for (const TwoPhaseRecord& record : state.records) {
    if (record.rmid != TWOPHASE_RM_PREDICATELOCK_ID) continue;
    if (record.data.size() != sizeof(TwoPhasePredicateRecord)) return corrupted();
    const auto body = load<TwoPhasePredicateRecord>(record.data.data());
    const uint32_t* fields = body.fields;
    if (body.type == TWOPHASEPREDICATERECORD_XACT && !xact) {
      if (!is_normal(TransactionId{fields[0]})) return corrupted();
      RETURN_IF_ERROR(recover_xact(state.xid, TransactionId{fields[0]}, fields[1], &xact));
    } else if (body.type == TWOPHASEPREDICATERECORD_LOCK && xact) {
      RETURN_IF_ERROR(create_lock({fields[0], fields[1], fields[2], fields[3]}, xact));
    } else {
      return corrupted();
    }
  }
  return Status::ok;
}

void PredicateLocks::end_prepared(TransactionId xid, bool committed) {
  Ref<Xact> xact;
  {
    LwLockGuard guard(shared_->xact_lock, LockMode::shared);
    xact = find_xact(xid);
  }
  // That it wrote something is not remembered, so it counts as if it had.
  if (xact) release(xact, committed, true);
}

void PredicateLocks::page_split(Oid database, Oid relation, BlockNumber from, BlockNumber to) {
  if (!in_use() || !has_predicate_locks(relation)) return;
  INVARIANT(from != to);
  const Tag old_page{database, relation, value_of(from), 0};
  LwLockGuard list(shared_->list_lock, LockMode::exclusive);
  if (transfer(old_page, Tag{database, relation, value_of(to), 0}, false)) return;
  INVARIANT(transfer(old_page, old_page.parent(), true));
}

void PredicateLocks::transfer_to_heap(Oid database, Oid relation, Oid heap) {
  if (!in_use() || !has_predicate_locks(heap)) return;
  const Tag whole_heap{database, heap, Tag::no_page, 0};
  const uint32_t heap_hash = hash_of(whole_heap);
  LwLockGuard list(shared_->list_lock, LockMode::exclusive);
  for (PartitionLock& partition : shared_->partitions) partition.lock.acquire(LockMode::exclusive);
  Ref<Target> heap_target;
  for (uint32_t bucket = 0; bucket < target_bucket_count_; ++bucket) {
    Ref<Target> next;
    for (Ref<Target> target = target_buckets_[bucket]; target; target = next) {
      next = targets_[target].next_in_bucket;
      const Tag tag = targets_[target].tag;
      if (tag.database != database || tag.relation != relation || tag == whole_heap) continue;
      if (!heap_target) {
        heap_target = find_or_add_target(whole_heap, heap_hash, true);
        INVARIANT(static_cast<bool>(heap_target));
      }
      while (!targets_[target].locks.is_empty()) {
        const Ref<SireadLock> lock = targets_[target].locks.first;
        move_lock(lock, heap_target, locks_[lock].xact, locks_[lock].commit_seq);
      }
      remove_target_if_unused(target, hash_of(tag));
    }
  }
  for (PartitionLock& partition : shared_->partitions) partition.lock.release();
}

std::vector<PredicateLocks::HeldLock> PredicateLocks::held_locks() {
  std::vector<HeldLock> held;
  for (PartitionLock& partition : shared_->partitions) partition.lock.acquire(LockMode::shared);
  shared_->xact_lock.acquire(LockMode::shared);
  for (uint32_t bucket = 0; bucket < target_bucket_count_; ++bucket) {
    for (Ref<Target> target = target_buckets_[bucket]; target;
         target = targets_[target].next_in_bucket) {
      for (Ref<SireadLock> lock = targets_[target].locks.first; lock;
           lock = locks_[lock].of_target.next) {
        const Xact& xact = xacts_[locks_[lock].xact];
        held.push_back({targets_[target].tag, xact.xid, xact.has(SXACT_FLAG_COMMITTED)});
      }
    }
  }
  shared_->xact_lock.release();
  for (PartitionLock& partition : shared_->partitions) partition.lock.release();
  return held;
}

PredicateLocks::Usage PredicateLocks::usage() {
  Usage usage{};
  {
    LwLockGuard guard(shared_->xact_lock, LockMode::shared);
    usage.transactions = xacts_.in_use() - (shared_->summary ? 1 : 0);
    usage.conflicts = conflicts_.in_use();
  }
  LwLockGuard guard(shared_->pool_lock, LockMode::shared);
  usage.targets = targets_.in_use();
  usage.locks = locks_.in_use();
  return usage;
}

Status serialization_failure_because(const std::string& reason) {
  return Status::error(ErrorCode::serialization_failure,
                       "could not serialize access due to read/write dependencies among "
                       "transactions")
      .with_detail("Reason code: Canceled on " + reason + ".")
      .with_hint("The transaction might succeed if retried.");
}

}  // namespace pgdata
