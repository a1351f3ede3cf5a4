// GroupAggregate: GROUP BY and DISTINCT of rows that come ordered by the keys.
//
// Groups are given as they end; nothing is kept but the states and keys of one batch of them.
// Source: src/backend/executor/{nodeAgg.c,nodeGroup.c,nodeUnique.c}, PostgreSQL 18.
#pragma once

#include <vector>

#include "executor/hash_aggregate.h"
#include "executor/operator.h"

namespace pgdata {

// Its batches have the keys, of which there is at least one, then the aggregates' results, a row for each group.
class GroupAggregate final : public Operator {
 public:
  static Status create(Execution& execution, OperatorPointer child,
                       std::vector<ExpressionPointer> keys, std::vector<AggregateCall> calls,
                       OperatorPointer* made);
  ~GroupAggregate() override { account().give(charged_); }

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  GroupAggregate(Execution& execution, OperatorPointer child, std::vector<ExpressionPointer> keys,
                 std::vector<KeyColumn> equality, std::vector<AggregateCall> calls);
  Status take_input(Progress* progress);
  bool begins_group(uint32_t row);
  void begin_group(uint32_t row);
  Status add(uint32_t first, uint32_t end);
  Status give(const Batch** batch);

  std::vector<ExpressionPointer> keys_;
  std::vector<KeyColumn> equality_;
  std::vector<AggregateCall> calls_;
  // Of the child's batch: the keys, then the arguments.
  std::vector<Column> input_;
  uint32_t rows_ = 0;
  uint32_t next_row_ = 0;
  bool is_input_ended_ = false;
  Arena scratch_;
  // Of the rows of a batch that are added together.
  uint32_t groups_[batch_rows_max];
  // The groups so far, with their keys; the last one may go on.
  uint32_t group_count_ = 0;
  bool is_given_ = false;
  size_t charged_ = 0;  // for the states
  BatchStorage out_;
};

}  // namespace pgdata
