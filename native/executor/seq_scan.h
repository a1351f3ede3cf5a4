// SeqScan: the visible rows of a table that meet conditions, a page at a time.
//
// Conditions look at values where they lie in the page; only rows that meet them are copied.
#pragma once

#include <memory>
#include <vector>

#include "executor/expression.h"
#include "executor/operator.h"
#include "executor/row_copier.h"
#include "heap/heap_scan.h"
#include "table/table.h"

namespace pgdata {

class SeqScan final : public Operator {
 public:
  // `attributes` (from 0): the columns of its batches, which conditions refer to by their place.
  SeqScan(Execution& execution, std::shared_ptr<Table> table, std::vector<int> attributes,
          std::vector<ExpressionPointer> conditions);
  void pause() override { scan_.pause(); }
  bool can_rewind() const override { return true; }

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  Status restart() override {
    begun_ = false;
    return Status::ok;
  }

 private:
  std::shared_ptr<Table> table_;
  Conditions conditions_;
  RowCopier copier_;
  HeapScan scan_;
  bool begun_ = false;
};

}  // namespace pgdata
