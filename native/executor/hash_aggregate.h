// HashAggregate: GROUP BY, DISTINCT, and aggregates over all rows.
#pragma once

#include <memory>
#include <vector>

#include "executor/aggregate.h"
#include "executor/expression.h"
#include "executor/operator.h"
#include "executor/value_hash.h"

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

 private:
  struct Key {
    ExpressionPointer expression;
    ValueType type;
    KeyColumn equality;
    HashFunction hash;
  };
  struct Slot {
    uint64_t hash = 0;
    uint32_t group = no_group;
  };
  static constexpr uint32_t no_group = 0xFFFFFFFF;

  HashAggregate(Execution& execution, OperatorPointer child, std::vector<Key> keys,
                std::vector<AggregateCall> calls);
  Status add(const Batch& batch);
  void find_groups(uint32_t rows);
  uint32_t find_group(uint64_t hash, uint32_t row);
  bool is_group(uint32_t group, uint32_t row) const;
  uint32_t add_group(uint32_t row);
  void grow();
  Status emit(const Batch** batch, Progress* progress);

  std::vector<Key> keys_;
  std::vector<AggregateCall> calls_;
  std::vector<const Column*> key_columns_;
  Arena scratch_;
  // A power of two, at most half of them taken.
  std::vector<Slot> slots_;
  // Of each group: its keys, then a null byte for each.
  Arena group_memory_;
  std::vector<Datum*> groups_;
  uint64_t hashes_[batch_rows_max];
  uint32_t groups_of_rows_[batch_rows_max];
  size_t charged_ = 0;  // for slots, groups and states
  bool is_loaded_ = false;
  size_t next_group_ = 0;
  BatchStorage out_;
};

}  // namespace pgdata
