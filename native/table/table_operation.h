// Operations on tables that may have to wait for other transactions: inserting rows, and changing or locking one.
//
// After an error the caller must roll back. Rows that another transaction changed meanwhile are treated by the rules
// of the isolation level: under read committed the newest version takes the row's place if it still meets the
// conditions under which it was found, else it is left out.
// Source: src/backend/executor/{nodeModifyTable.c,nodeLockRows.c,execMain.c (EvalPlanQual)},
// src/backend/access/heap/heapam_handler.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/status.h"
#include "heap/row_lock.h"
#include "lock/locking_operation.h"
#include "table/filter.h"
#include "table/row_waiter.h"
#include "table/table.h"
#include "table/table_write.h"

namespace pgdata {

// Inserting the staged rows of a batch.
class InsertOperation final : public LockingOperation {
 public:
  InsertOperation(TableWriter& writer, std::shared_ptr<Table> table, RowWaiter waiter)
      : writer_(writer), table_(std::move(table)), waiter_(std::move(waiter)) {}
  // Before the first step.
  Status begin(const RowLayout& layout, const RowReader& rows, bool frozen) {
    return writer_.insert_rows(*table_, layout, rows, frozen);
  }
  Status step(bool* waiting) override;
  size_t inserted() const { return writer_.inserted().size(); }

 private:
  TableWriter& writer_;
  std::shared_ptr<Table> table_;
  RowWaiter waiter_;
};

// How a newer version of a row is known to be still the one that was wanted.
struct RowCheck {
  // The index through which the row was found: its key must be the same. Negative: none.
  int key_index = -1;
  // Conditions that it must meet; null: none.
  std::unique_ptr<Filter> filter;
};

// From a version that was updated by a committed transaction to the newest one, which it locks.
class VersionChase {
 public:
  enum class Outcome : uint8_t { locked, gone, waiting, would_block };
  void start(ItemPointer tid, TransactionId xmax) {
    tid_ = tid;
    prior_xmax_ = xmax;
    locking_ = false;
  }
  Status step(Backend& backend, HeapRelation& heap, RowLockMode mode, bool follow_updates,
              RowWaiter& waiter, Outcome* outcome);
  // Of the version that is locked.
  ItemPointer tid() const { return tid_; }

 private:
  ItemPointer tid_;
  TransactionId prior_xmax_ = invalid_transaction_id;
  bool locking_ = false;
  RowLockProgress progress_;
};

// What update, delete and lock have in common: a row that others may have changed.
class RowOperation : public LockingOperation {
 public:
  UpdateResult result() const { return result_; }
  // Where the row is now.
  ItemPointer tid() const { return tid_; }

 protected:
  RowOperation(Backend& backend, std::shared_ptr<Table> table, ItemPointer tid, RowCheck check,
               RowWaiter waiter)
      : backend_(backend),
        table_(std::move(table)),
        original_(tid),
        tid_(tid),
        check_(std::move(check)),
        waiter_(std::move(waiter)) {}

  // After the row at tid_ was found changed by others: goes on with the newest version. chasing_ stays set as long
  // as that is under way; then tid_ is that version, locked, or result_ says why there is none.
  Status go_on_with_newest(RowLockMode mode, bool follow_updates, bool* waiting);
  // The error for a row that a transaction changed which is not in the snapshot, where that is one.
  Status refuse_concurrent(UpdateResult found, bool deleting_counts_as_update) const;
  bool keeps_snapshot() const { return backend_.isolation() != IsolationLevel::read_committed; }
  // Would the row have been found in this version?
  virtual Status still_meets(ItemPointer newest, bool* meets);

  Backend& backend_;
  std::shared_ptr<Table> table_;
  ItemPointer original_;
  ItemPointer tid_;
  RowCheck check_;
  RowWaiter waiter_;
  VersionChase chase_;
  bool chasing_ = false;
  UpdateResult result_ = UpdateResult::ok;
};

// ExecUpdateLockMode: how an update that sets these attributes (from 0) locks a row.
RowLockMode update_lock_mode(const Table& table, const std::vector<int>& set);

// Replacing a row, whatever by.
class ReplaceOperation : public RowOperation {
 public:
  Status step(bool* waiting) override;

 protected:
  // `set`: the attributes (from 0) that the new version may have changed.
  ReplaceOperation(Backend& backend, TableWriter& writer, std::shared_ptr<Table> table,
                   const std::vector<int>& set, ItemPointer tid, RowCheck check, RowWaiter waiter);
  // Writes the new version of the row at tid_ (see TableWriter::update_values).
  virtual Status replace(ChangeOutcome* outcome) = 0;
  // Only index entries are still to be made.
  bool is_replaced() const { return replaced_; }

  TableWriter& writer_;

 private:
  RowLockMode mode_;
  bool replaced_ = false;
};

class UpdateOperation final : public ReplaceOperation {
 public:
  // With row `row` of a staged batch that was checked.
  UpdateOperation(Backend& backend, TableWriter& writer, std::shared_ptr<Table> table,
                  const RowLayout& layout, const std::byte* rows, size_t size, uint32_t row,
                  ItemPointer tid, RowCheck check, RowWaiter waiter)
      : ReplaceOperation(backend, writer, std::move(table), attributes_of(layout), tid,
                         std::move(check), std::move(waiter)),
        layout_(layout),
        rows_(rows),
        size_(size),
        row_(row) {}
  void detach() override;

 protected:
  Status replace(ChangeOutcome* outcome) override;

 private:
  static std::vector<int> attributes_of(const RowLayout& layout);

  const RowLayout& layout_;
  const std::byte* rows_;
  size_t size_;
  uint32_t row_;
  std::vector<std::byte> copy_;
};

// Rows and the keys by which they are found, staged and checked: as many of one as of the other.
struct KeyedRows {
  size_t index = 0;
  const RowLayout* key_layout = nullptr;
  const std::byte* keys = nullptr;
  size_t keys_size = 0;
  const RowLayout* layout = nullptr;
  const std::byte* rows = nullptr;
  size_t rows_size = 0;
};

// Updating rows that are found by their keys in a unique index, each as a statement of its own. After an error the writer's
// failed_row is the one that met it.
class UpdateByKeyOperation final : public LockingOperation {
 public:
  UpdateByKeyOperation(Backend& backend, LockSession& locks, TableWriter& writer,
                       std::shared_ptr<Table> table, const KeyedRows& rows, WaitPolicy policy)
      : backend_(backend),
        locks_(locks),
        writer_(writer),
        table_(std::move(table)),
        rows_(rows),
        policy_(policy) {}
  Status step(bool* waiting) override;
  void detach() override;
  // Keys that had a row.
  uint32_t updated() const { return updated_; }

 private:
  Status find(const RowReader& keys, ItemPointer* tid, bool* found);
  Status finish_row();

  Backend& backend_;
  LockSession& locks_;
  TableWriter& writer_;
  std::shared_ptr<Table> table_;
  KeyedRows rows_;
  WaitPolicy policy_;
  uint32_t row_ = 0;
  uint32_t updated_ = 0;
  std::unique_ptr<UpdateOperation> current_;
  std::vector<std::byte> copies_[2];
};

class DeleteOperation : public RowOperation {
 public:
  DeleteOperation(Backend& backend, std::shared_ptr<Table> table, ItemPointer tid, RowCheck check,
                  RowWaiter waiter)
      : RowOperation(backend, std::move(table), tid, std::move(check), std::move(waiter)) {}
  Status step(bool* waiting) override;
};

// `result` ok: the row at `tid` is locked. deleted or invisible: there is none any more that meets the conditions.
// being_modified: it was skipped.
class LockRowOperation final : public RowOperation {
 public:
  LockRowOperation(Backend& backend, std::shared_ptr<Table> table, ItemPointer tid,
                   RowLockMode mode, RowCheck check, RowWaiter waiter, ItemPointer* locked_tid)
      : RowOperation(backend, std::move(table), tid, std::move(check), std::move(waiter)),
        mode_(mode),
        locked_tid_(locked_tid) {}
  Status step(bool* waiting) override;

 private:
  RowLockMode mode_;
  ItemPointer* locked_tid_;  // where to leave the address
  RowLockProgress progress_;
};

}  // namespace pgdata
