// HashAggregate: GROUP BY, DISTINCT, and aggregates over all rows, within work_mem times hash_mem_multiplier.
//
// When there is no memory for further groups, rows of those that are there are still added up; all others go to temporary
// files, in parts by their hashes. Once the groups in memory were given, each part is grouped in turn, in the same way.
// Source: src/backend/executor/nodeAgg.c, PostgreSQL 18.
#pragma once

#include <memory>
#include <vector>

#include "executor/aggregate.h"
#include "executor/expression.h"
#include "executor/group_table.h"
#include "executor/operator.h"
#include "executor/spilled_rows.h"

namespace pgdata {

struct AggregateCall {
  std::unique_ptr<Aggregate> aggregate;
  ExpressionPointer argument;  // null: all rows count
  ValueType result_type;
};

// Its batches have the keys, then the aggregates' results, a row for each group; without keys exactly one.
class HashAggregate final : public Operator {
 public:
  static Status create(Execution& execution, OperatorPointer child,
                       std::vector<ExpressionPointer> keys, std::vector<AggregateCall> calls,
                       OperatorPointer* made);
  ~HashAggregate() override { account().give(charged_); }

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  void describe(OperatorReport* report) const override {
    report->peak_bytes = peak_bytes_;
    report->disk_bytes = spilled_bytes_;
    report->batches = passes_;
  }

 private:
  struct Pass {
    std::unique_ptr<SpilledRows> rows;  // null: the child's
    uint32_t level = 0;
  };

  HashAggregate(Execution& execution, OperatorPointer child, std::vector<ExpressionPointer> keys,
                std::vector<GroupKey> key_types, std::vector<AggregateCall> calls,
                std::vector<ValueType> input_types);
  // The next rows of the pass, with their keys and then the arguments; no rows: there are no more.
  Status take_input(Progress* progress, uint32_t* rows);
  Status find_groups(uint32_t rows, uint32_t* kept);
  bool has_room() const;
  void begin_spilling();
  Status add(uint32_t rows);
  Status end_pass();
  void begin_pass();
  Status emit(const Batch** batch);

  std::vector<ExpressionPointer> keys_;
  std::vector<AggregateCall> calls_;
  // Of keys, then of arguments.
  std::vector<ValueType> input_types_;
  std::vector<Column> input_;
  Arena scratch_;
  GroupTable table_;
  const uint64_t memory_limit_;
  const size_t parts_;
  std::unique_ptr<SpilledParts> spilling_;
  Pass pass_;
  std::vector<Pass> passes_left_;
  uint64_t spilled_bytes_ = 0;
  uint64_t peak_bytes_ = 0;
  uint32_t passes_ = 1;

  uint64_t hashes_[batch_rows_max];
  uint32_t groups_of_rows_[batch_rows_max];
  // The rows of a batch whose groups are in memory, where not all are.
  uint16_t kept_rows_[batch_rows_max];
  ColumnStorage kept_argument_;
  size_t charged_ = 0;  // for the states
  bool is_loaded_ = false;
  size_t next_group_ = 0;
  BatchStorage out_;
};

}  // namespace pgdata
