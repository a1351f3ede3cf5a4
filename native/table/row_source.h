// RowSource: staged rows as the Datums that forming takes.
//
// Cells come without headers; varlenas get theirs here, in memory that lives as long as the source. A short value of
// a column that allows it gets a one-byte header at once.
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "table/row_layout.h"
#include "table/table.h"

namespace pgdata {

class RowSource {
 public:
  // From row `first` on. `reader` was checked, and both outlive this.
  RowSource(const Table& table, const RowLayout& layout, const RowReader& reader,
            uint32_t first = 0);

  uint32_t rows() const { return reader_.rows(); }
  // The values of all attributes of the next row; those that are not in the layout are null. Valid until `clear`.
  // not_null_violation for a column that forbids it.
  Status next(Datum* values, bool* nulls);
  // The values of the layout's columns only, in its order (keys, constants, changes).
  void next_cells(Datum* values, bool* nulls);
  // Forgets the memory of the rows so far.
  void clear() {
    used_ = 0;
    block_ = 0;
  }

 private:
  Datum cell(const RowColumn& column, uint32_t row);
  Datum with_header(const Attribute& attribute, CellBytes cell);
  std::byte* allocate(size_t size);

  const Table& table_;
  const RowLayout& layout_;
  const RowReader& reader_;
  RowReader::TextCursor cursor_;
  uint32_t row_ = 0;
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    size_t size;
  };
  std::vector<Block> blocks_;
  size_t block_ = 0;
  size_t used_ = 0;
};

}  // namespace pgdata
