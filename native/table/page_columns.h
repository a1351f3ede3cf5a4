// PageColumns: room for some columns of several rows of a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tuple/deform_columns.h"

namespace pgdata {

class PageColumns {
 public:
  PageColumns(size_t columns, size_t rows_max)
      : values_(new Datum[columns * rows_max]), nulls_(new uint8_t[columns * rows_max]) {
    for (size_t i = 0; i < columns; i++)
      columns_.push_back({values_.get() + i * rows_max, nulls_.get() + i * rows_max});
  }
  const Column* columns() const { return columns_.data(); }
  // Leaves, of the first columns, those rows that are listed in ascending order.
  void keep(size_t columns, const uint16_t* rows, uint32_t kept) const {
    for (size_t i = 0; i < columns; i++) {
      const auto [values, nulls] = columns_[i];
      for (uint32_t row = 0; row < kept; row++) {
        values[row] = values[rows[row]];
        nulls[row] = nulls[rows[row]];
      }
    }
  }

 private:
  std::unique_ptr<Datum[]> values_;
  std::unique_ptr<uint8_t[]> nulls_;
  std::vector<Column> columns_;
};

}  // namespace pgdata
