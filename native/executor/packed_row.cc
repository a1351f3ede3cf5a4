// RowPacker: values to bytes.
#include "executor/packed_row.h"

#include <cstring>

namespace pgdata {

const std::byte* RowPacker::pack(const std::vector<Column>& from, uint32_t row, uint32_t* size) {
  const size_t columns = types_.size();
  const size_t head = size_min();
  size_t total = head;
  for (size_t i = 0; i < columns; i++) {
    if (!types_[i].by_value && from[i].nulls[row] == 0)
      total += types_[i].size_of(from[i].values[row]);
  }
  if (buffer_.size() * 8 < total) buffer_.resize(align_up(total, 8) / 8 * 2);
  auto* const bytes = reinterpret_cast<std::byte*>(buffer_.data());
  store<uint64_t>(bytes, total);
  std::memset(bytes + nulls_at(), 0, head - nulls_at());
  size_t end = head;
  for (size_t i = 0; i < columns; i++) {
    const Column& column = from[i];
    Datum word = 0;
    if (column.nulls[row] != 0) {
      bytes[nulls_at() + i] = std::byte{1};
    } else if (types_[i].by_value) {
      word = column.values[row];
    } else {
      word = end;
      const size_t length = types_[i].size_of(column.values[row]);
      std::memcpy(bytes + end, datum_pointer(column.values[row]), length);
      end += length;
    }
    store<Datum>(bytes + value_at(i), word);
  }
  *size = static_cast<uint32_t>(total);
  return bytes;
}

void RowPacker::unpack(const std::byte* packed, Batch* batch) const {
  const uint32_t row = batch->rows++;
  for (size_t i = 0; i < types_.size(); i++) {
    const bool has_none = is_null(packed, i);
    batch->columns[i].nulls[row] = has_none ? 1 : 0;
    batch->columns[i].values[row] = has_none ? 0 : value(packed, i);
  }
}

}  // namespace pgdata
