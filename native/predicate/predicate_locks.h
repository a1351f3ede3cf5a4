// PredicateLocks: what serializable transactions have read, and which of them appear to come before which.
//
// Everything is in the shared segment; a PredicateLocks is one process's door to it, used by all of its threads.
// SIREAD locks block nobody: a writer that meets one, or a reader that meets a write it does not see, notes a conflict,
// and a transaction is rolled back (40001) when conflicts form a structure that could be an anomaly.
// Source: src/backend/storage/lmgr/{predicate.c,README-SSI}, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "predicate/predicate_layout.h"
#include "predicate/serial_log.h"
#include "shmem/segment.h"
#include "xact/serializable.h"
#include "xact/transaction_system.h"

namespace pgdata {

class PredicateTransaction;

struct PredicateOptions {
  uint32_t block_size = 8192;
  uint32_t max_backends = 128;  // with those that hold prepared transactions
  // PostgreSQL's settings of these names.
  int32_t max_pred_locks_per_transaction = 64;
  int32_t max_pred_locks_per_relation = -2;
  int32_t max_pred_locks_per_page = 2;
  // Transactions remembered per backend before the oldest are summarised.
  uint32_t transactions_per_backend = 10;
};

// Does reading and writing this relation count? Not for catalogs. (A TOAST table's rows are its table's concern.)
constexpr bool has_predicate_locks(Oid relation) { return relation >= first_unpinned_object_id; }

class PredicateLocks final : public SerializableTransactions {
 public:
  static void plan(SegmentPlan& plan, const PredicateOptions& options);
  PredicateLocks(Segment& segment, StorageServices& services, TransactionSystem& transactions,
                 const PredicateOptions& options);
  PredicateLocks(const PredicateLocks&) = delete;

  // For a Backend with this slot of the process array.
  std::unique_ptr<SerializableTransaction> make_session(int slot) override;
  Status recover_prepared(const TwoPhaseState& state) override;
  void end_prepared(TransactionId xid, bool committed) override;
  // The backend of `slot` died: its transaction, if it ran one here, is rolled back.
  void end_transaction_of_dead(int slot);
  // Checkpoint: removes what of pg_serial nobody will ask for. Source: CheckPointPredicate.
  Status truncate_serial_log() { return serial_.truncate(); }

  // Is any serializable transaction running? Who holds the lock of a page may rely on "no": nobody can take a
  // predicate lock on that page meanwhile.
  bool in_use() const { return is_valid(shared_->global_xmin.load(std::memory_order_relaxed)); }

  // Whoever moves entries from one page of an index to another, in whatever transaction, calls one of these while both
  // pages are locked. Never fail: without room the locks become locks on the whole index.
  void page_split(Oid database, Oid relation, BlockNumber from, BlockNumber to);
  // All entries went from `from` to `to`, and `from` will go away.
  void page_combine(Oid database, Oid relation, BlockNumber from, BlockNumber to) {
    page_split(database, relation, from, to);
  }
  // The rows of the table `heap` get other addresses, or the index `relation` of it goes away (otherwise both are the
  // same): all locks become locks on the whole table. Nobody else uses the relation.
  void transfer_to_heap(Oid database, Oid relation, Oid heap);

  // What is held, for inspection.
  struct HeldLock {
    predicate::Tag tag;
    TransactionId xid;
    bool committed;
    friend bool operator==(const HeldLock&, const HeldLock&) = default;
  };
  std::vector<HeldLock> held_locks();
  struct Usage {
    uint32_t transactions;  // that are remembered, running or ended
    uint32_t conflicts;
    uint32_t targets;
    uint32_t locks;
  };
  Usage usage();

 private:
  friend class PredicateTransaction;
  using CommitSeq = predicate::CommitSeq;
  using Tag = predicate::Tag;
  using Xact = predicate::Xact;
  using Conflict = predicate::Conflict;
  using Target = predicate::Target;
  using SireadLock = predicate::SireadLock;
  template <typename T>
  using Ref = predicate::Ref<T>;

  CommitSeq last_commit_seq() const { return shared_->commits + predicate::recovery_commit_seq; }
  CommitSeq next_commit_seq() { return ++shared_->commits + predicate::recovery_commit_seq; }
  LwLock& partition_lock(uint32_t hash) const {
    return shared_->partitions[hash % predicate::partition_count].lock;
  }

  // siread_locks.cc: targets and locks. Where not said otherwise the caller holds the list lock (shared for its own or
  // a finished transaction, exclusive for others) and the target's partition lock exclusively.
  Ref<Target> find_target(const Tag& tag, uint32_t hash) const;
  // None when there is no room. One target is set aside for who must not fail.
  Ref<Target> find_or_add_target(const Tag& tag, uint32_t hash, bool may_use_last);
  void remove_target_if_unused(Ref<Target> target, uint32_t hash);
  Ref<SireadLock> find_lock(Ref<Target> target, Ref<Xact> xact) const;
  void add_lock(Ref<SireadLock> lock, Ref<Target> target, Ref<Xact> xact, CommitSeq commit_seq);
  Ref<SireadLock> take_lock();
  void remove_lock(Ref<SireadLock> lock);
  // Makes it a lock on `target` held by `xact`, or nothing if that exists.
  void move_lock(Ref<SireadLock> lock, Ref<Target> target, Ref<Xact> xact, CommitSeq commit_seq);
  // The caller holds no lock. out_of_memory when there is no room.
  Status create_lock(const Tag& tag, Ref<Xact> xact);
  // All transactions' locks on `from` also, or, with `move`, instead, on `to`. The caller holds the list lock
  // exclusively. False when there is no room, which does not happen with `move`.
  bool transfer(const Tag& from, const Tag& to, bool move);

  // serializable_xacts.cc: the caller holds the xact lock exclusively, but for the last four, where it holds none of
  // the locks, or the finished lock where that is said.
  Ref<Xact> take_xact();
  void give_back_xact(Ref<Xact> xact);
  Ref<Xact> find_xact(TransactionId xid) const;
  void enter_xid(Ref<Xact> xact, TransactionId xid);
  void forget_xid(Ref<Xact> xact);
  bool conflict_exists(Ref<Xact> reader, Ref<Xact> writer) const;
  Status add_conflict(Ref<Xact> reader, Ref<Xact> writer);
  void remove_conflict(Ref<Conflict> conflict);
  Status add_possible_unsafe(Ref<Xact> reader, Ref<Xact> writer);
  void remove_possible_unsafe(Ref<Conflict> conflict);
  void flag_unsafe(Ref<Xact> reader);
  // Notes that `reader` appears to come before `writer`; `me` is one of them. serialization_failure when that must not
  // be and `me` is the one to go.
  Status flag_conflict(Ref<Xact> reader, Ref<Xact> writer, Ref<Xact> me);
  Status check_conflict(Ref<Xact> reader, Ref<Xact> writer, Ref<Xact> me);
  bool makes_dangerous(const Xact& reader, const Xact& writer) const;
  void set_new_global_xmin();
  void add_to_global_xmin(TransactionId xmin);
  Status recover_xact(TransactionId xid, TransactionId xmin, uint32_t flags, Ref<Xact>* recovered);

  Status summarize_oldest();
  void clear_old_locks();
  // With the finished lock. `partial`: only the locks and the conflicts in. `summarize`: leaving marks of them.
  void release_one(Ref<Xact> xact, bool partial, bool summarize);
  void release(Ref<Xact> xact, bool committed, bool wrote);

  StorageServices& services_;
  TransactionSystem& transactions_;
  PredicateOptions options_;
  predicate::Shared* shared_;
  predicate::Pool<Xact> xacts_;
  predicate::Pool<Conflict> conflicts_;
  predicate::Pool<Target> targets_;
  predicate::Pool<SireadLock> locks_;
  Ref<Target>* target_buckets_;
  uint32_t target_bucket_count_;
  Ref<Xact>* xid_buckets_;
  uint32_t xid_bucket_count_;
  predicate::SerialLog serial_;
};

// 40001 with PostgreSQL's words; `reason` as in "identification as a pivot, during write".
Status serialization_failure_because(const std::string& reason);

}  // namespace pgdata
