// IndexJoin: for each row of the left input, the rows of a table that an index finds for it (a nested loop).
#pragma once

#include <memory>
#include <vector>

#include "executor/hash_join.h"
#include "executor/index_scan.h"

namespace pgdata {

// Its batches have the left columns, then those of the table; for semi and anti the left ones alone.
class IndexJoin final : public Operator {
 public:
  // `type`: inner, left, semi or anti. The keys of `right` are computed on left rows.
  static OperatorPointer create(Execution& execution, JoinType type, OperatorPointer left,
                                std::unique_ptr<IndexScan> right, std::vector<ValueType> left_types,
                                std::vector<ValueType> right_types);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  IndexJoin(Execution& execution, JoinType type, Children children, IndexScan& right,
            std::vector<ValueType> left_types, std::vector<ValueType> right_types);
  Status next_left(Progress* progress);
  Status search(Progress* progress);
  // The left row with one of the right batch, or with nulls.
  void emit(const Batch* right, uint32_t right_row);
  void end_row();

  const JoinType type_;
  const bool looks_for_one_;
  IndexScan& right_;
  const std::vector<ValueType> left_types_;
  const std::vector<ValueType> right_types_;
  // Where it is in the left input.
  const Batch* left_ = nullptr;
  uint32_t left_row_ = 0;
  bool is_searching_ = false;
  bool is_matched_ = false;
  BatchStorage out_;
};

}  // namespace pgdata
