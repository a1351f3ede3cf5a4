// InsertRows: INSERT with RETURNING or ON CONFLICT.
//
// Rows are supplied batch by batch; all batches are one statement, whose rows one command writes. Without ON CONFLICT a
// batch goes into the heap as a whole. With it, each row goes by itself: it is looked up in the arbiter indexes, and
// either gives way to the row that is there, or is inserted speculatively (heap/speculative.h), so that of those who insert
// a key at the same time one does and the others meet its row.
// Source: ExecInsert, ExecOnConflictUpdate in src/backend/executor/nodeModifyTable.c, execIndexing.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "executor/update_rows.h"
#include "executor/writing_operator.h"
#include "table/row_source.h"

namespace pgdata {

struct OnConflict {
  // Numbers of the table's indexes that decide: unique ones.
  std::vector<size_t> arbiters;
  // DO UPDATE; else DO NOTHING.
  bool updates = false;
  // On batches of these attributes (from 0) of the row that is there, then of the row that was to be inserted.
  std::vector<int> existing;
  std::vector<int> excluded;
  std::vector<ExpressionPointer> conditions;
  std::vector<int> set;
  std::vector<ExpressionPointer> expressions;
};

class InsertRows final : public WritingOperator {
 public:
  InsertRows(Execution& execution, const WriteContext& context, std::shared_ptr<Table> table,
             std::optional<OnConflict> on_conflict, std::optional<std::vector<int>> returning);

  Status supply(const Table& of, const RowLayout& layout, const std::byte* bytes,
                size_t size) override;

 protected:
  Status change_next(bool* waiting, Progress* progress) override;
  void describe(OperatorReport* report) const override { report->conflicts = conflicts_; }

 private:
  enum class Phase : uint8_t {
    whole_batch,  // its rows are in the heap, their index entries not
    returning,    // of such a batch
    next_row,
    find_conflict,
    lock,     // the row that is there
    compute,  // its new values
    update,
    entries  // of the row that was inserted
  };
  class Update;

  Status insert_batch(bool* waiting);
  Status take_row(Progress* progress);
  Status find_conflict(bool* waiting);
  Status conflict_met();
  Status lock(bool* waiting);
  Status compute();
  Status update(bool* waiting);
  Status insert_speculatively();
  Status insert_entries(bool* waiting);
  Status end_speculation(bool is_confirmed);
  Status wait_for(const KeyWait& wait, bool* waiting);
  Status refuse_invisible(ItemPointer tid);

  bool is_arbiter(size_t index) const;
  Status is_own(ItemPointer tid, bool* own);

  std::optional<OnConflict> on_conflict_;
  // What was supplied.
  const RowLayout* layout_ = nullptr;
  std::vector<std::byte> rows_;
  std::optional<RowReader> reader_;
  std::optional<RowSource> source_;
  uint32_t row_ = 0;
  uint64_t conflicts_ = 0;

  Phase phase_ = Phase::next_row;
  RowWaiter waiter_;
  // Of the row at hand: its values; where the row is that it met; where it is itself, with its token and how many of its
  // index entries were made.
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
  ItemPointer conflict_;
  RowLockProgress lock_progress_;
  ItemPointer inserted_;
  uint32_t token_ = 0;
  size_t entries_ = 0;

  // DO UPDATE.
  std::unique_ptr<RowCopier> existing_;
  std::unique_ptr<Conditions> conditions_;
  std::unique_ptr<Assignments> assignments_;
  Batch meeting_;
  std::vector<Datum> excluded_values_;
  std::vector<uint8_t> excluded_nulls_;
  std::vector<Datum> new_values_;
  std::unique_ptr<bool[]> new_nulls_;
  std::unique_ptr<RowOperation> update_;
};

}  // namespace pgdata
