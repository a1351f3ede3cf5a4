// JoinFilter: pairs of rows with equal keys, until there are enough of them to test what else a join demands of pairs.
#pragma once

#include <utility>
#include <vector>

#include "executor/expression.h"
#include "executor/join_table.h"

namespace pgdata {

class JoinFilter {
 public:
  // `columns`: of pairs, the left ones first, which the conditions are on.
  JoinFilter(std::vector<ExpressionPointer> conditions, size_t columns, MemoryAccount& account)
      : conditions_(std::move(conditions), account), pairs_(account, columns) {}

  bool is_full() { return pairs_.batch().rows == batch_rows_max; }
  // The caller puts a row's values at the end, and says which rows they are of.
  Batch& pairs() { return pairs_.batch(); }
  void note(uint32_t left_row, JoinRow* right_row) {
    left_rows_[pairs().rows - 1] = left_row;
    right_rows_[pairs().rows - 1] = right_row;
  }
  uint32_t left_row(uint32_t pair) const { return left_rows_[pair]; }
  JoinRow* right_row(uint32_t pair) const { return right_rows_[pair]; }

  Status select(Selection* selected) { return conditions_.select(pairs(), selected); }
  void clear() { pairs_.clear(); }

 private:
  Conditions conditions_;
  BatchStorage pairs_;
  uint32_t left_rows_[batch_rows_max];
  JoinRow* right_rows_[batch_rows_max];
};

}  // namespace pgdata
