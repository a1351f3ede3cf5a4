// FirstValues: one row, whose columns are the first values that its children give; null where one gives no row.
//
// Source for the role: InitPlans, as preprocess_minmax_aggregates in src/backend/optimizer/plan/planagg.c makes them, PostgreSQL 18.
#pragma once

#include <vector>

#include "executor/operator.h"
#include "executor/value_type.h"

namespace pgdata {

class FirstValues final : public Operator {
 public:
  // Each child has one column, of the type in its place, and no more than one row.
  FirstValues(Execution& execution, Children children, std::vector<ValueType> types);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  const std::vector<ValueType> types_;
  BatchStorage out_;
  size_t at_ = 0;
  bool is_given_ = false;
};

}  // namespace pgdata
