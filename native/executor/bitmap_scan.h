// BitmapScan: the visible rows of a table that meet conditions, found by an index and read in the order of the table.
//
// Source: src/backend/executor/nodeBitmapHeapscan.c, PostgreSQL 18.
#pragma once

#include <memory>
#include <vector>

#include "executor/index_cursor.h"
#include "executor/tid_bitmap.h"

namespace pgdata {

// Its child in reports: the index, and the addresses that it gives.
class BitmapIndexScan final : public Operator {
 public:
  BitmapIndexScan(Execution& execution, IndexSearch search);

  // Adds some more; `*ended` after the last ones.
  Status add_to(TidBitmap& bitmap, bool* ended);

 protected:
  // Its rows are no batches.
  Status produce(const Batch**, Progress* progress) override {
    *progress = Progress::ended;
    return Status::ok;
  }
  void describe(OperatorReport* report) const override { report->index_searches = searches_; }

 private:
  Status begin();
  void begin_scan();

  IndexSearch search_;
  const BtreeIndex& btree_;
  const Batch no_columns_;
  Arena scratch_;
  std::vector<BtreeCondition> conditions_;
  std::unique_ptr<BtreeScan> scan_;
  size_t list_place_ = 0;
  uint64_t searches_ = 0;
};

class BitmapScan final : public Operator {
 public:
  // `recheck`: what the index has tested, for blocks of which it is not known which rows it meant; `conditions`: what else.
  static OperatorPointer create(Execution& execution, std::shared_ptr<Table> table,
                                std::unique_ptr<BitmapIndexScan> index, std::vector<int> attributes,
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
             BitmapIndexScan& index, std::vector<int> attributes,
             std::vector<ExpressionPointer> recheck, std::vector<ExpressionPointer> conditions);
  Status read_exact();
  Status read_lossy();

  std::shared_ptr<Table> table_;
  BitmapIndexScan& index_;
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
