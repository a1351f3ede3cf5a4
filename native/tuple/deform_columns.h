// ColumnDeformer: columns of many tuples at once, one column after the other.
//
// A step of the walk is the same for all tuples, so that each is a short loop without a choice by the column's type, and
// the processor works on several tuples at a time. What it gives is what deform_heap_tuple gives, errors included.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tuple/tuple_layout.h"

namespace pgdata {

// Values of one column of several rows: Datums and null bytes (1 = null).
struct Column {
  Datum* values = nullptr;
  uint8_t* nulls = nullptr;
};

struct TupleBytes {
  const std::byte* bytes = nullptr;
  uint32_t length = 0;
};

class ColumnDeformer {
 public:
  // So many tuples at most in one call.
  static constexpr uint32_t tuples_max = 128;

  // Which columns, from 0, in any order. The layout must outlive this.
  ColumnDeformer(const TupleLayout& layout, std::span<const int> attributes);

  size_t columns() const { return columns_; }
  // Writes the values of `count` heap tuples to the places from `first` on of one column for each attribute; a null's value
  // is 0. By-reference values point into the tuples.
  Status deform(const TupleBytes* tuples, uint32_t count, const Column* columns, uint32_t first);

 private:
  static constexpr int no_column = -1;
  struct Step {
    int attribute;
    int column;  // where its values go; no_column: they are passed over
    CompactAttribute compact;
  };
  struct Places;

  template <bool has_nulls>
  bool walk(Places& places, const Column* columns, uint32_t first) const;
  Status deform_rows(const TupleBytes* tuples, uint32_t count, const Column* columns,
                     uint32_t first);

  const TupleLayout& layout_;
  size_t columns_;
  int needed_ = 0;
  // Of the columns of fixed width at the front, those that are wanted; then all others up to the last that is.
  std::vector<Step> fixed_steps_;
  std::vector<Step> steps_;
  // All columns from the first on.
  std::vector<Step> all_steps_;
  uint32_t fixed_end_ = 0;
  // Columns that are wanted again: from where to where.
  std::vector<std::pair<int, int>> repeated_;
  // Steps do not pass over C strings.
  bool is_by_row_ = false;
  std::vector<Datum> row_values_;
  std::unique_ptr<bool[]> row_nulls_;
};

}  // namespace pgdata
