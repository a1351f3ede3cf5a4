// RowOutput: tuples as rows of a batch, detoasted.
#pragma once

#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "table/row_layout.h"
#include "table/table.h"

namespace pgdata {

class RowOutput {
 public:
  RowOutput(const Table& table, const RowLayout& layout);

  const RowLayout& layout() const { return layout_; }
  // Adds the tuple's columns; `*fits` false when the batch has no room for them.
  Status write(const ReadContext& context, const HeapTuple& tuple, RowWriter* writer, bool* fits);
  // The same for values that were deformed already (at least layout().attributes_needed()).
  Status write_values(const ReadContext& context, const Datum* values, const bool* nulls,
                      ItemPointer tid, RowWriter* writer, bool* fits);
  // What a value of a text or bytes column has in its cell, until the next call.
  Status cell_of(const ReadContext& context, const RowColumn& column, Datum datum, CellBytes* cell);

 private:
  const Table& table_;
  const RowLayout& layout_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
  std::vector<std::byte> scratch_;
};

}  // namespace pgdata
