// SortRows: ORDER BY.
#pragma once

#include <vector>

#include "executor/operator.h"
#include "executor/row_sort.h"

namespace pgdata {

class SortRows final : public Operator {
 public:
  // `wanted`: only so many of the first rows will be asked for; 0: all.
  SortRows(Execution& execution, OperatorPointer child, std::vector<ValueType> types,
           std::vector<SortKey> keys, uint64_t wanted);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;

 private:
  RowSort sort_;
  bool is_sorted_ = false;
  BatchStorage out_;
};

}  // namespace pgdata
