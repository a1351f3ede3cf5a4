// BitmapScan: the visible rows of a table that meet conditions, found by indexes and read in the order of the table.
//
// Source: src/backend/executor/nodeBitmapHeapscan.c, PostgreSQL 18.
#pragma once

#include <memory>
#include <vector>

#include "executor/bitmap_source.h"

namespace pgdata {

class BitmapScan final : public Operator {
 public:
  // `recheck`: what the indexes have tested, for blocks of which it is not known which rows they meant;
  // `conditions`: what else.
  static OperatorPointer create(Execution& execution, std::shared_ptr<Table> table,
                                std::unique_ptr<BitmapSource> source, std::vector<int> attributes,
                                std::vector<ExpressionPointer> recheck,
                                std::vector<ExpressionPointer> conditions);
  void pause() override {
    buffer_.release();
    page_scan_.pause();
  }
  bool can_rewind() const override { return true; }

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  Status restart() override {
    bitmap_.rewind();
    return Status::ok;
  }
  void describe(OperatorReport* report) const override {
    report->exact_blocks = exact_blocks_;
    report->lossy_blocks = lossy_blocks_;
    report->rows_rechecked_away = rows_rechecked_away_;
  }

 private:
  BitmapScan(Execution& execution, std::shared_ptr<Table> table, Children children,
             BitmapSource& source, std::vector<int> attributes,
             std::vector<ExpressionPointer> recheck, std::vector<ExpressionPointer> conditions);
  Status read_exact();
  Status read_lossy();
  // Those of the rows at hand that pass.
  Status copy_rows();

  std::shared_ptr<Table> table_;
  BitmapSource& source_;
  Conditions recheck_;
  Conditions conditions_;
  RowCopier copier_;
  Visibility visibility_;
  HeapScan page_scan_;
  TidBitmap bitmap_;
  BufferRef buffer_;
  bool is_built_ = false;
  uint64_t exact_blocks_ = 0;
  uint64_t lossy_blocks_ = 0;
  uint64_t rows_rechecked_away_ = 0;
};

}  // namespace pgdata
