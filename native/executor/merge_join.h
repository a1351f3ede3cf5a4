// MergeJoin: rows of two inputs in the order of their keys whose keys are equal and for which conditions hold, and, as the
// type of join wants it, those that have no partner.
//
// Both inputs pass by. The right rows with one key are kept until the left ones with that key are through, within work_mem and in
// a temporary file beyond it. Rows with a null key have no partner. Source: src/backend/executor/nodeMergejoin.c, PostgreSQL 18.
#pragma once

#include <memory>
#include <vector>

#include "executor/expression.h"
#include "executor/hash_join.h"
#include "executor/join_type.h"
#include "executor/operator.h"
#include "executor/partition_rows.h"

namespace pgdata {

struct MergePlan {
  JoinType type = JoinType::inner;
  std::vector<ValueType> left_types;
  std::vector<ValueType> right_types;
  // Both inputs come in their ascending order; where nulls come does not matter.
  std::vector<JoinKey> keys;
  std::vector<KeyColumn> orders;
  // On the left columns, then the right ones.
  std::vector<ExpressionPointer> conditions;
};

// Its batches have the left columns, then the right ones; for semi and anti the left ones alone.
class MergeJoin final : public Operator {
 public:
  MergeJoin(Execution& execution, MergePlan plan, OperatorPointer left, OperatorPointer right);
  ~MergeJoin() override;

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  void describe(OperatorReport* report) const override {
    report->peak_bytes = group_.peak_bytes();
    report->disk_bytes = group_.disk_bytes();
  }

 private:
  // comparing: the left row with the group, or with the right row. filling: the group's rows come. pairing: the left row is paired
  // with them. leaving: those of the group that nothing met are given. draining: the right rows that are left are.
  enum class Phase : uint8_t { comparing, filling, pairing, leaving, draining, ended };
  // An input, and where it is in it.
  struct Side {
    explicit Side(MemoryAccount& account) : scratch(account) {}
    const Batch* batch = nullptr;
    uint32_t row = 0;
    bool is_ended = false;
    std::vector<Column> keys;
    Arena scratch;
    bool has_row() const { return batch != nullptr && row < batch->rows; }
    bool has_null_key() const;
  };

  // Makes sure that there is a row, unless the input has ended or pauses.
  Status take(size_t input, Side* side, Progress* progress);
  int compare_with_right() const;
  int compare_with_group(const Side& side) const;
  Status compare(Progress* progress);
  void begin_group();
  Status fill(Progress* progress);
  Status pair();
  Status load_chunk();
  Status select(Selection* selected);
  void end_left_row();
  void end_group();
  Status leave();
  Status drain(Progress* progress);

  void put_left(uint32_t to);
  void put_right(uint32_t to, const std::vector<Column>& columns, uint32_t row);
  void put_nulls(uint32_t to, size_t first, size_t end);
  void emit_left_alone();
  void emit_right_alone(const std::vector<Column>& columns, uint32_t row);
  void emit_pair(uint32_t chunk_row);

  const JoinType type_;
  const bool keeps_left_;
  const bool keeps_right_;
  const std::vector<ValueType> left_types_;
  const std::vector<ValueType> right_types_;
  std::vector<JoinKey> keys_;
  const std::vector<KeyColumn> orders_;
  Conditions conditions_;

  Phase phase_ = Phase::comparing;
  Side left_;
  Side right_;
  // Right rows with one key.
  bool has_group_ = false;
  std::vector<Datum> group_keys_;
  Arena group_memory_;
  PartitionRows group_;
  PartitionRows::Reader reader_;
  std::vector<uint8_t> is_met_;  // by row of the group, where that matters
  size_t charged_ = 0;           // for them
  // Rows of the group that the left row is paired with, from `chunk_first_` on.
  uint64_t chunk_first_ = 0;
  BatchStorage chunk_;
  bool is_matched_ = false;
  // What conditions are tested on: the left row's values, repeated, beside the chunk.
  std::vector<ColumnStorage> repeated_;
  Batch tested_;
  BatchStorage out_;
};

}  // namespace pgdata
