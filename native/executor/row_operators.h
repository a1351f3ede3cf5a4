// Operators that take rows as they come: computing columns, filtering, counting off, one input after the other.
#pragma once

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "executor/expression.h"
#include "executor/operator.h"

namespace pgdata {

// One column for each expression.
class Project final : public Operator {
 public:
  // The expressions were made with `account`, which this takes over.
  Project(Execution& execution, OperatorPointer child, std::vector<ExpressionPointer> expressions);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  std::vector<ExpressionPointer> expressions_;
  Arena scratch_;
  Batch batch_;
};

// The rows for which all conditions are true.
class FilterRows final : public Operator {
 public:
  FilterRows(Execution& execution, OperatorPointer child, size_t columns,
             std::vector<ExpressionPointer> conditions);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  Conditions conditions_;
  BatchStorage out_;
};

// LIMIT and OFFSET.
class Limit final : public Operator {
 public:
  static constexpr uint64_t all = std::numeric_limits<uint64_t>::max();
  Limit(Execution& execution, OperatorPointer child, uint64_t limit, uint64_t offset);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  uint64_t left_;
  uint64_t to_skip_;
  Batch batch_;
};

// The rows of all children, one child after the other.
class Append final : public Operator {
 public:
  Append(Execution& execution, Children children)
      : Operator(execution, std::move(children)), children_left_(child_count()) {}

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  size_t children_left_;
};

// One row without columns: what a query without tables reads.
class OneRow final : public Operator {
 public:
  explicit OneRow(Execution& execution) : Operator(execution) {}

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  bool given_ = false;
  Batch batch_;
};

}  // namespace pgdata
