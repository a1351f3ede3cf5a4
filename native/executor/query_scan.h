// QueryScan: a plan that runs, as the scan that JavaScript takes batches from.
#pragma once

#include <memory>
#include <vector>

#include "executor/operator.h"
#include "executor/value_type.h"
#include "table/row_layout.h"
#include "table/table_read.h"

namespace pgdata {

struct OutputColumn {
  ValueType type;
  Lane lane = Lane::bytes;
};

class QueryScan final : public TableScan {
 public:
  QueryScan(std::unique_ptr<Execution> execution, OperatorPointer root,
            std::vector<OutputColumn> columns, std::shared_ptr<const RowLayout> layout);
  // A batch without rows that is not the last one, and needs no larger buffer: the time was up, ask again.
  Status next(RowWriter* writer) override;

  // What the operators did, once the last row was given.
  std::shared_ptr<const std::vector<OperatorReport>> reports() const { return reports_; }
  // What the operators hold.
  std::shared_ptr<const MemoryAccount> memory() const { return execution_->account; }

 private:
  Status fill(RowWriter* writer);
  void put_row(RowWriter* writer, uint32_t row);

  std::unique_ptr<Execution> execution_;
  OperatorPointer root_;
  std::vector<OutputColumn> columns_;
  std::shared_ptr<const RowLayout> layout_;
  std::shared_ptr<std::vector<OperatorReport>> reports_ =
      std::make_shared<std::vector<OperatorReport>>();
  // What was not written yet.
  const Batch* batch_ = nullptr;
  uint32_t next_row_ = 0;
};

}  // namespace pgdata
