// PredicateTransaction: one session's serializable transaction: what it reads and writes becomes locks and conflicts.
//
//   if (snapshot.serializable != nullptr) …            // the one branch that others pay
//     PredicateTransaction& transaction = predicate_transaction(*snapshot.serializable)
//     transaction.lock_tuple(relation, tid, xmin)      // before the page's lock is given up
//     transaction.conflict_out(xid)                    // for a write that the snapshot does not see
//   transaction.conflict_in(relation, &tid, block)     // before writing, with the page locked exclusively
//
// Used by its session's thread only. After an error the savepoint it was raised in, or the transaction, can only be
// rolled back, and `before_commit` sees to it. Source: src/backend/storage/lmgr/predicate.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/status.h"
#include "base/types.h"
#include "predicate/predicate_locks.h"
#include "xact/serializable.h"
#include "xact/snapshot.h"

namespace pgdata {

// A table or an index, as its locks name it.
struct PredicateRelation {
  Oid database = invalid_oid;
  Oid relation = invalid_oid;
};

class PredicateTransaction final : public SerializableTransaction {
 public:
  PredicateTransaction(PredicateLocks& locks, int slot) : locks_(locks), slot_(slot) {}
  ~PredicateTransaction() override;
  PredicateTransaction(const PredicateTransaction&) = delete;

  Status begin(bool read_only, Snapshot* snapshot) override;
  bool is_tracked() const override { return static_cast<bool>(me_); }
  void check_snapshot(SnapshotVerdict* verdict) override;
  void assigned_xid(TransactionId xid) override;
  Status before_commit() override;
  void enter_level(uint32_t level) override { level_ = level; }
  void end_level(uint32_t level, bool rolled_back) override;
  void add_prepare_records(TwoPhaseState* state) override;
  void handed_over() override;
  void end(bool committed) override;

  // Is reading the relation to be noted? Learns of it when the snapshot has become safe.
  bool notes_reads_of(Oid relation) {
    if (!me_) return false;
    if (has(predicate::SXACT_FLAG_RO_SAFE)) [[unlikely]] {
      end_tracking();
      return false;
    }
    return has_predicate_locks(relation);
  }
  // Everything in it, and everything that will be.
  Status lock_relation(PredicateRelation relation);
  // What is on a page of an index, and what would be.
  Status lock_page(PredicateRelation relation, BlockNumber block);
  // A row version that was written by `xmin`.
  Status lock_tuple(PredicateRelation relation, ItemPointer tid, TransactionId xmin);
  // serialization_failure when others have decided that this transaction must go.
  Status check_doomed_reader();
  // Of a row version that was passed over, its inserter; of one that was seen, its updater or deleter; the topmost
  // transaction in either case.
  Status conflict_out(TransactionId xid);

  // Something is written: the row at `tid` (null when it is a new one), on page `block` (invalid_block_number when
  // locks on pages do not matter), of the relation. Unless the write may be rolled back to a savepoint, the
  // transaction needs no lock of its own on that row any more.
  Status conflict_in(PredicateRelation relation, const ItemPointer* tid, BlockNumber block,
                     bool in_subtransaction = false);
  // All rows of the table go at once.
  Status conflict_in_whole_table(PredicateRelation table);

 private:
  using Tag = predicate::Tag;
  struct TagHash {
    size_t operator()(const Tag& tag) const { return predicate::hash_of(tag); }
  };
  // A lock of this transaction, or what it has below. May lag behind what others do to its locks: an entry may be
  // missing; one that is there is right, or covered by a coarser lock.
  struct LocalLock {
    bool held = false;
    int32_t children = 0;  // of all finer kinds
  };

  bool has(predicate::XactFlag flag) const { return locks_.xacts_[me_].has(flag); }
  predicate::Xact& me() const { return locks_.xacts_[me_]; }
  // Remembers that the transaction cannot commit.
  Status fail(Status status);
  void end_tracking();
  Status begin_tracking(bool read_only, Snapshot* snapshot);

  bool holds(const Tag& tag) const;
  bool is_covered(Tag tag) const;
  Status acquire(const Tag& tag);
  int32_t children_max(const Tag& tag) const;
  bool promotion_of(Tag tag, Tag* coarser);
  void release_children(const Tag& tag);
  void forget_child(Tag tag);
  Status check_target(const Tag& tag, bool keeps_own);
  bool overlaps(const predicate::Xact& other, predicate::CommitSeq lock_commit_seq) const;

  PredicateLocks& locks_;
  int slot_;
  predicate::Ref<predicate::Xact> me_;
  bool wrote_ = false;
  // Of savepoints, from 1; and that of the outermost one in which an error was raised, 0 if none was.
  uint32_t level_ = 1;
  uint32_t failed_level_ = 0;
  Snapshot snapshot_;  // to know who is concurrent
  std::unordered_map<Tag, LocalLock, TagHash> local_;
};

// What a snapshot or a Backend refers to is always one of these.
inline PredicateTransaction& predicate_transaction(SerializableTransaction& transaction) {
  return static_cast<PredicateTransaction&>(transaction);
}

}  // namespace pgdata
