// FilteredOutput: writes tuples that pass a filter as rows of a batch.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "table/filter.h"
#include "table/row_output.h"
#include "table/table.h"
#include "tuple/deform.h"

namespace pgdata {

class FilteredOutput {
 public:
  FilteredOutput(std::shared_ptr<Table> table, const RowLayout& layout,
                 std::unique_ptr<Filter> filter)
      : table_(std::move(table)),
        output_(*table_, layout),
        filter_(std::move(filter)),
        needed_(std::max(layout.attributes_needed(), filter_->attributes_needed())),
        values_(static_cast<size_t>(table_->natts())),
        nulls_(new bool[static_cast<size_t>(table_->natts())]) {}

  const Table& table() const { return *table_; }
  void need(int attributes) { needed_ = std::max(needed_, attributes); }
  const Datum* values() const { return values_.data(); }
  const bool* nulls() const { return nulls_.get(); }

  Status deform(const HeapTuple& tuple) {
    return deform_heap_tuple(table_->layout(), tuple.bytes, tuple.length, needed_, values_.data(),
                             nulls_.get());
  }
  // Of the deformed row.
  Status write(const ReadContext& context, ItemPointer tid, RowWriter* writer, bool* fits) {
    *fits = true;
    if (!filter_->is_empty()) {
      bool passes = false;
      RETURN_IF_ERROR(filter_->matches(context, values_.data(), nulls_.get(), &passes));
      if (!passes) return Status::ok;
    }
    return output_.write_values(context, values_.data(), nulls_.get(), tid, writer, fits);
  }

 private:
  std::shared_ptr<Table> table_;
  RowOutput output_;
  std::unique_ptr<Filter> filter_;
  int needed_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
};

}  // namespace pgdata
