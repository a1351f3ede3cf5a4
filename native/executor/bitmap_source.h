// BitmapSource: operators that give addresses of rows: those that an index leads to, and those that others have all or any of.
//
// Source: src/backend/executor/{nodeBitmapIndexscan.c,nodeBitmapAnd.c,nodeBitmapOr.c}, PostgreSQL 18.
#pragma once

#include <memory>
#include <vector>

#include "executor/index_cursor.h"
#include "executor/tid_bitmap.h"

namespace pgdata {

class BitmapSource : public Operator {
 public:
  explicit BitmapSource(Execution& execution, Children children = {});

  // Adds some more; `*ended` after the last ones.
  Status add_to(TidBitmap& bitmap, bool* ended);

 protected:
  virtual Status add(TidBitmap& bitmap, bool* ended) = 0;
  // Its rows are no batches.
  Status produce(const Batch**, Progress* progress) final {
    *progress = Progress::ended;
    return Status::ok;
  }
};
using BitmapSources = std::vector<std::unique_ptr<BitmapSource>>;

class BitmapIndexScan final : public BitmapSource {
 public:
  BitmapIndexScan(Execution& execution, IndexSearch search);

 protected:
  Status add(TidBitmap& bitmap, bool* ended) override;
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

// What any of its sources gives.
class BitmapOr final : public BitmapSource {
 public:
  BitmapOr(Execution& execution, BitmapSources sources);

 protected:
  Status add(TidBitmap& bitmap, bool* ended) override;

 private:
  size_t at_ = 0;
};

// What all of its sources give. Once there is nothing, those that are left are not asked.
class BitmapAnd final : public BitmapSource {
 public:
  BitmapAnd(Execution& execution, BitmapSources sources);

 protected:
  Status add(TidBitmap& bitmap, bool* ended) override;

 private:
  size_t at_ = 0;
  std::unique_ptr<TidBitmap> given_;   // by the source at hand
  std::unique_ptr<TidBitmap> common_;  // to those before
};

}  // namespace pgdata
