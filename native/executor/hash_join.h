// HashJoin: rows of two inputs whose keys are equal and for which conditions hold, and, as the type of join wants it, those that have no partner. Within
// work_mem times hash_mem_multiplier.
//
// The right input is kept in memory, by the hashes of its keys; the left one passes by. Rows with a null key have no
// partner. When the right input does not fit, both go to temporary files, in parts by their hashes; each pair of parts is
// joined in turn, in the same way. A part that hashes do not divide is kept in memory whatever it takes.
// Source: src/backend/executor/nodeHashjoin.c, PostgreSQL 18.
#pragma once

#include <memory>
#include <vector>

#include "executor/expression.h"
#include "executor/join_filter.h"
#include "executor/join_table.h"
#include "executor/join_type.h"
#include "executor/operator.h"
#include "executor/spilled_rows.h"

namespace pgdata {

// One of the equalities; both sides have the same type.
struct JoinKey {
  ExpressionPointer left;
  ExpressionPointer right;
};

// Its batches have the left columns, then the right ones; for semi and anti the left ones alone.
class HashJoin final : public Operator {
 public:
  // The conditions are on the left columns, then the right ones.
  static Status create(Execution& execution, JoinType type, OperatorPointer left,
                       OperatorPointer right, std::vector<ValueType> left_types,
                       std::vector<ValueType> right_types, std::vector<JoinKey> keys,
                       std::vector<ExpressionPointer> conditions, OperatorPointer* made);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  void describe(OperatorReport* report) const override {
    report->peak_bytes = peak_bytes_;
    report->disk_bytes = spilled_bytes_;
    report->batches = passes_;
  }

 private:
  // loading: the right input comes. moving: it was too large, and what was in memory of it follows the rest to files.
  // dividing: so does the left input. hashing: what is in memory is put where it is found. probing: the left input comes.
  // unmatched: rows of the right one that nothing met are given.
  enum class Phase : uint8_t { loading, moving, dividing, hashing, probing, unmatched, ended };

  struct Pass {
    std::unique_ptr<SpilledRows> left;  // null: the child's
    std::unique_ptr<SpilledRows> right;
    uint32_t level = 0;
    bool is_divisible = true;
  };

  HashJoin(Execution& execution, JoinType type, Operator::Children children,
           std::vector<ValueType> left_types, std::vector<ValueType> right_types,
           std::vector<JoinKey> keys, std::vector<ExpressionPointer> conditions,
           std::vector<JoinTableKey> key_types);
  // The next batch of an input; null with Progress::ended or paused.
  Status take(bool is_left, const Batch** batch, Progress* progress);
  // The keys of a batch's rows, their hashes, and which of them have a null among them.
  Status take_keys(const Batch& batch, bool is_left);
  Status add_right(const Batch& batch);
  Status divide_left(const Batch& batch);
  Status move_to_files(bool* done);
  void end_dividing();
  void begin_pass();
  void match_rows();
  Status match_filtered();
  void collect_pairs();
  Status test_pairs();
  void emit_unmatched_left();
  bool is_left_done() const { return left_row_ == left_->rows && next_unmatched_ == left_->rows; }
  void put_pair(Batch& to, uint32_t left_row, const JoinRow* right_row);
  void emit(uint32_t left_row, const JoinRow* right_row) {
    put_pair(out_.batch(), left_row, right_row);
  }
  void emit_unmatched_right();

  Status load(Progress* progress);
  Status divide(Progress* progress);
  Status probe(Progress* progress);

  const JoinType type_;
  const bool keeps_left_;
  const bool keeps_right_;
  const std::vector<ValueType> left_types_;
  const std::vector<ValueType> right_types_;
  std::vector<JoinKey> keys_;
  std::vector<Column> key_columns_;
  Arena scratch_;
  uint64_t hashes_[batch_rows_max];
  uint8_t has_null_[batch_rows_max];

  JoinTable table_;
  const uint64_t memory_limit_;
  const size_t parts_;
  std::unique_ptr<SpilledParts> left_parts_;
  std::unique_ptr<SpilledParts> right_parts_;
  Phase phase_ = Phase::loading;
  Pass pass_;
  std::vector<Pass> passes_left_;
  uint64_t spilled_bytes_ = 0;
  uint64_t peak_bytes_ = 0;
  uint32_t passes_ = 1;

  // Where it is in the left input, and among the matches of the row there.
  const Batch* left_ = nullptr;
  uint32_t left_row_ = 0;
  JoinRow* match_ = nullptr;
  bool is_row_begun_ = false;
  // With conditions: which rows of the left batch have a partner; up to where those without one were given.
  std::unique_ptr<JoinFilter> filter_;
  uint8_t is_left_matched_[batch_rows_max];
  uint32_t next_unmatched_ = 0;
  // Which row of the table is moved or given next.
  JoinRow* next_row_ = nullptr;
  BatchStorage out_;
};

}  // namespace pgdata
