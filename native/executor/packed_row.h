// PackedRow: a row's values end to end, as sorts, joins and temporary files keep them.
//
//   offset  size  contents
//        0     8  size of the whole
//        8   8*n  of each column its Datum; of a by-reference one the offset of its bytes from the row's start
//    8*n+8     n  null bytes, padded to 8
//      ...        bytes of by-reference values
#pragma once

#include <cstdint>
#include <vector>

#include "executor/batch.h"
#include "executor/value_type.h"

namespace pgdata {

class RowPacker {
 public:
  explicit RowPacker(std::vector<ValueType> types) : types_(std::move(types)) {}

  const std::vector<ValueType>& types() const { return types_; }
  // The row's bytes, at a multiple of 8; good until the next call. There are as many columns as types, or more.
  const std::byte* pack(const std::vector<Column>& columns, uint32_t row, uint32_t* size);
  bool is_null(const std::byte* packed, size_t column) const {
    return packed[nulls_at() + column] != std::byte{0};
  }
  Datum value(const std::byte* packed, size_t column) const {
    const auto word = load<Datum>(packed + value_at(column));
    return types_[column].by_value ? word : pointer_datum(packed + word);
  }
  // To the end of the batch, whose by-reference values are then in the packed row.
  void unpack(const std::byte* packed, Batch* batch) const;
  // No row takes less.
  size_t size_min() const { return nulls_at() + align_up(types_.size(), 8); }

 private:
  static size_t value_at(size_t column) { return (1 + column) * sizeof(Datum); }
  size_t nulls_at() const { return value_at(types_.size()); }

  std::vector<ValueType> types_;
  std::vector<uint64_t> buffer_;
};

}  // namespace pgdata
