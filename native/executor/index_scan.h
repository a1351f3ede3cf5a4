// IndexScan: the visible rows of a table that meet conditions, by an index and in its order.
#pragma once

#include "executor/index_cursor.h"

namespace pgdata {

class IndexScan final : public Operator {
 public:
  // The keys' values are constants, unless each search is begun by `search_for`.
  IndexScan(Execution& execution, IndexSearch search)
      : Operator(execution), cursor_(execution, std::move(search), account()) {}
  void pause() override { cursor_.pause(); }
  // Begins anew, for a row of a batch of which the keys' values are computed; the batch stays as it is until the end.
  // `wanted`: so many rows are asked for at a time.
  Status search_for(const Batch& outer, uint32_t row, uint32_t wanted);

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  void describe(OperatorReport* report) const override {
    report->counters.rows_removed = cursor_.rows_removed();
    report->index_searches = cursor_.searches();
    report->heap_fetches = cursor_.heap_fetches();
  }

 private:
  IndexCursor cursor_;
  const Batch no_columns_;
  // Few at first, for those who want few.
  uint32_t wanted_ = 16;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace pgdata
