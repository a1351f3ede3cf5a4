// NestedLoop: each row of the left input with those of the right one for which conditions hold.
//
// The right input is gone through once for each left row: it is an index scan, which then searches for what the left row
// has, or another operator that can begin anew. Source: src/backend/executor/nodeNestloop.c, PostgreSQL 18.
#pragma once

#include <memory>
#include <vector>

#include "executor/expression.h"
#include "executor/index_scan.h"
#include "executor/join_type.h"

namespace pgdata {

struct LoopPlan {
  // inner, left, semi or anti
  JoinType type = JoinType::inner;
  std::vector<ValueType> left_types;
  std::vector<ValueType> right_types;
  // On the left columns, then the right ones.
  std::vector<ExpressionPointer> conditions;
  // The left columns that they read.
  std::vector<size_t> tested_columns;
  // A left row has one partner at most, or one is enough.
  bool takes_first = false;
};

// Its batches have the left columns, then the right ones; for semi and anti the left ones alone.
class NestedLoop final : public Operator {
 public:
  static OperatorPointer create(Execution& execution, LoopPlan plan, OperatorPointer left,
                                std::unique_ptr<IndexScan> right);
  // `right` can be rewound.
  static OperatorPointer create(Execution& execution, LoopPlan plan, OperatorPointer left,
                                OperatorPointer right);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  NestedLoop(Execution& execution, LoopPlan plan, Children children, IndexScan* searched);
  Status next_left(Progress* progress);
  Status begin_row();
  Status match(Progress* progress);
  Status select();
  void take_first();
  void end_row();
  // The left row with those rows of the right batch; with nulls where there is none.
  void emit(const Selection& rows, uint32_t from, uint32_t count);
  void emit_alone();
  // `count` rows of the output from `to` on get the left row's values.
  void put_left(uint32_t to, uint32_t count);

  const JoinType type_;
  const std::vector<ValueType> left_types_;
  const std::vector<ValueType> right_types_;
  const bool takes_first_;
  Conditions conditions_;
  const std::vector<size_t> tested_columns_;
  IndexScan* const searched_;  // the right input, if it is one

  // Where it is in the left input.
  const Batch* left_ = nullptr;
  uint32_t left_row_ = 0;
  bool is_row_begun_ = false;
  bool is_right_begun_ = false;
  bool is_matched_ = false;
  // Of the right input: the batch at hand, and which of its rows go with the left row and are not out yet.
  const Batch* right_ = nullptr;
  Selection selected_;
  uint32_t next_selected_ = 0;
  // What conditions are tested on: the left row's values, repeated, beside the right batch.
  std::vector<ColumnStorage> repeated_;
  uint32_t repeated_rows_ = 0;
  Batch tested_;
  BatchStorage out_;
};

}  // namespace pgdata
