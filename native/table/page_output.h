// PageOutput: the tuples of a scan's page that pass a filter, as rows of a batch, column by column.
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "heap/heap_scan.h"
#include "table/filter.h"
#include "table/page_columns.h"
#include "table/row_output.h"
#include "table/table.h"

namespace pgdata {

class PageOutput {
 public:
  PageOutput(std::shared_ptr<Table> table, const RowLayout& layout, std::unique_ptr<Filter> filter);

  const Table& table() const { return *table_; }
  // Writes tuples of the current page from `*next` on, which becomes the first that has not been dealt with. There is one
  // when the batch is full, or has no room for its row: then `*fits` is false.
  Status write(const ReadContext& context, const HeapScan& scan, int* next, RowWriter* writer,
               bool* fits);

 private:
  // So many tuples at a time.
  static constexpr uint32_t tuples_max = ColumnDeformer::tuples_max;

  Status write_cells(const ReadContext& context, uint32_t rows, RowWriter* writer,
                     uint32_t* written);

  std::shared_ptr<Table> table_;
  const RowLayout& layout_;
  std::unique_ptr<Filter> filter_;
  RowOutput output_;
  // Columns of the layout, then those that the filter looks at.
  ColumnDeformer deformer_;
  PageColumns page_;
  // Columns of text and bytes, by their place in the layout.
  std::vector<size_t> variable_;
};

}  // namespace pgdata
