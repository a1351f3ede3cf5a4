// PackedRow: a row's values end to end, as sorts and joins keep them.
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
  // The row's bytes, at a multiple of 8; good until the next call.
  const std::byte* pack(const Batch& batch, uint32_t row, uint32_t* size);
  uint32_t size(const std::byte* packed) const { return load<uint32_t>(packed); }
  bool is_null(const std::byte* packed, size_t column) const {
    return packed[nulls_at() + column] != std::byte{0};
  }
  Datum value(const std::byte* packed, size_t column) const {
    const auto word = load<Datum>(packed + value_at(column));
    return types_[column].by_value ? word : pointer_datum(packed + word);
  }

 private:
  static size_t value_at(size_t column) { return (1 + column) * sizeof(Datum); }
  size_t nulls_at() const { return value_at(types_.size()); }

  std::vector<ValueType> types_;
  std::vector<uint64_t> buffer_;
};

}  // namespace pgdata
