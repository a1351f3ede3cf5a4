// HashJoin: rows of two inputs whose keys are equal, and, as the type of join wants it, those that have no partner.
//
// The right input is kept in memory, by the hashes of its keys; the left one passes by. Rows with a null key have no
// partner.
#pragma once

#include <memory>
#include <vector>

#include "executor/expression.h"
#include "executor/operator.h"
#include "executor/packed_row.h"
#include "executor/value_hash.h"

namespace pgdata {

enum class JoinType : uint8_t { inner, left, right, full, semi, anti };

// One of the equalities; both sides have the same type.
struct JoinKey {
  ExpressionPointer left;
  ExpressionPointer right;
};

// Its batches have the left columns, then the right ones; for semi and anti the left ones alone.
class HashJoin final : public Operator {
 public:
  static Status create(Execution& execution, JoinType type, OperatorPointer left,
                       OperatorPointer right, size_t left_columns,
                       std::vector<ValueType> right_types, std::vector<JoinKey> keys,
                       OperatorPointer* made);
  ~HashJoin() override { account().give(charged_); }

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  struct Key {
    JoinKey of;
    KeyColumn equality;
    HashFunction hash;
    ValueType type;
  };
  static constexpr uint32_t no_row = 0xFFFFFFFF;

  HashJoin(Execution& execution, JoinType type, Operator::Children children, size_t left_columns,
           std::vector<ValueType> right_types, std::vector<Key> keys);
  // The keys of a batch's rows, their hashes, and which of them have a null among them.
  Status take_keys(const Batch& batch, bool is_left);
  Status add_right(const Batch& batch);
  void make_table();
  bool is_match(uint32_t left_row, uint32_t right_row) const;
  uint32_t first_match(uint32_t left_row) const;
  uint32_t next_match(uint32_t left_row, uint32_t right_row) const;
  void match_rows();
  void emit(uint32_t left_row, uint32_t right_row);
  void emit_unmatched_right();

  const JoinType type_;
  const size_t left_columns_;
  RowPacker packer_;
  std::vector<Key> keys_;
  std::vector<const Column*> key_columns_;
  Arena scratch_;
  uint64_t hashes_[batch_rows_max];
  uint8_t has_null_[batch_rows_max];

  // Of each row of the right input.
  Arena right_memory_;
  struct RightRow {
    const std::byte* packed;
    const Datum* keys;
    uint64_t hash;
    uint32_t next = no_row;
    bool has_null = false;
    bool is_matched = false;
  };
  std::vector<RightRow> right_;
  std::vector<uint32_t> heads_;
  size_t charged_ = 0;
  bool is_loaded_ = false;

  // Where it is in the left input, and in the chain of the row there.
  const Batch* left_ = nullptr;
  uint32_t left_row_ = 0;
  uint32_t right_row_ = no_row;
  bool is_row_begun_ = false;
  bool is_left_ended_ = false;
  size_t next_unmatched_ = 0;
  BatchStorage out_;
};

}  // namespace pgdata
