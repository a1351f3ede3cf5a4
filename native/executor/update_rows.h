// UpdateRows, DeleteRows: changing the rows that the child gives, by their addresses.
//
// The child reads with the statement's snapshot, which does not see what the statement writes, so that no row is met
// twice. A row that another transaction changed meanwhile is treated as table/table_operation.h says: under read
// committed the conditions are tested, and the new values computed, once more with its newest version.
// Source: src/backend/executor/nodeModifyTable.c, PostgreSQL 18.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "executor/expression.h"
#include "executor/writing_operator.h"
#include "table/table_operation.h"

namespace pgdata {

// What the child's batches have of the table's rows.
struct FoundRows {
  // Of their columns, the first being tid_attribute.
  std::vector<int> attributes;
  // All that a row must meet; on batches with these columns.
  std::vector<ExpressionPointer> conditions;
};

// A row's newest version, once more put to the test.
class RowRecheck {
 public:
  RowRecheck(const Table& table, FoundRows rows, MemoryAccount& account)
      : table_(table),
        copier_(table, std::move(rows.attributes), account),
        conditions_(std::move(rows.conditions), account) {}
  Status test(const ReadContext& context, ItemPointer tid, bool* meets);
  // The row that met the conditions, alone.
  const Batch& batch() { return copier_.out().batch(); }

 private:
  const Table& table_;
  RowCopier copier_;
  Conditions conditions_;
};

// The base of both.
class ChangeRows : public WritingOperator {
 protected:
  ChangeRows(Execution& execution, const WriteContext& context, std::shared_ptr<Table> table,
             OperatorPointer child, FoundRows rows, std::optional<std::vector<int>> returning);
  Status change_next(bool* waiting, Progress* progress) final;
  virtual Status begin_batch(const Batch&) { return Status::ok; }
  virtual std::unique_ptr<RowOperation> begin_row(ItemPointer tid, uint32_t row) = 0;

  RowRecheck& recheck() { return recheck_; }

 private:
  RowRecheck recheck_;
  const Batch* batch_ = nullptr;
  uint32_t row_ = 0;
  std::unique_ptr<RowOperation> current_;
};

// The new values of columns. An instance serves one batch at a time.
class Assignments {
 public:
  Assignments(std::vector<ExpressionPointer> expressions, MemoryAccount& account)
      : expressions_(std::move(expressions)), scratch_(account), columns_(expressions_.size()) {}
  Status evaluate(const Batch& batch);
  // Of one of its rows; good until the next call.
  void take_row(uint32_t row, std::vector<Datum>* values, std::unique_ptr<bool[]>* nulls) const;

 private:
  std::vector<ExpressionPointer> expressions_;
  Arena scratch_;
  std::vector<const Column*> columns_;
};

class UpdateRows final : public ChangeRows {
 public:
  // `set`: the attributes (from 0) that get the expressions' values. `again` has the same expressions once more, for
  // rows that are tested again while the others of their batch wait.
  struct NewValues {
    std::vector<int> set;
    std::vector<ExpressionPointer> expressions;
    std::vector<ExpressionPointer> again;
  };
  UpdateRows(Execution& execution, const WriteContext& context, std::shared_ptr<Table> table,
             OperatorPointer child, FoundRows rows, NewValues values,
             std::optional<std::vector<int>> returning);

 protected:
  Status begin_batch(const Batch& batch) override { return assignments_.evaluate(batch); }
  std::unique_ptr<RowOperation> begin_row(ItemPointer tid, uint32_t row) override;

 private:
  class Row;
  std::vector<int> set_;
  Assignments assignments_;
  Assignments again_;
  // Of the row at hand.
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
};

class DeleteRows final : public ChangeRows {
 public:
  DeleteRows(Execution& execution, const WriteContext& context, std::shared_ptr<Table> table,
             OperatorPointer child, FoundRows rows, std::optional<std::vector<int>> returning)
      : ChangeRows(execution, context, std::move(table), std::move(child), std::move(rows),
                   std::move(returning)) {}

 protected:
  std::unique_ptr<RowOperation> begin_row(ItemPointer tid, uint32_t row) override;

 private:
  class Row;
};

}  // namespace pgdata
