// RowLayout, RowWriter and RowReader: the two directions of the boundary buffer.
#include "table/row_layout.h"

#include <algorithm>

#include "base/invariant.h"

namespace pgdata {

namespace {

uint32_t bytes_per_row(Lane lane) {
  switch (lane) {
    case Lane::text:
      return 4;
    case Lane::bytes:
      return 8;
    default:
      return static_cast<uint32_t>(lane);
  }
}

}  // namespace

RowLayout::RowLayout(const std::vector<Lane>& lanes, const std::vector<int>& attributes,
                     uint32_t capacity, bool with_tids)
    : capacity_(capacity) {
  size_t end = sizeof(BatchHeader);
  const auto reserve = [&end](size_t bytes) {
    const size_t start = end;
    end = align_up(end + bytes, 8);
    return static_cast<uint32_t>(start);
  };
  columns_.reserve(attributes.size());
  for (const int attribute : attributes) {
    INVARIANT(attribute >= 0);
    INVARIANT(static_cast<size_t>(attribute) < lanes.size());
    const Lane lane = lanes[static_cast<size_t>(attribute)];
    RowColumn column{attribute, lane, 0, 0};
    column.nulls = reserve(capacity);
    column.values = reserve(static_cast<size_t>(bytes_per_row(lane)) * capacity);
    columns_.push_back(column);
    attributes_needed_ = std::max(attributes_needed_, attribute + 1);
    if (lane == Lane::text || lane == Lane::bytes) has_variable_ = true;
  }
  if (with_tids) tids_ = reserve(static_cast<size_t>(capacity) * 8);
  INVARIANT(end < (size_t{1} << 31));
  heap_ = static_cast<uint32_t>(end);
}

RowWriter::RowWriter(const RowLayout& layout, std::byte* buffer, size_t size_bytes,
                     uint32_t rows_max)
    : layout_(layout),
      buffer_(buffer),
      size_(static_cast<uint32_t>(std::min<size_t>(size_bytes, 0xFFFFFFF8u))),
      rows_max_(std::min(rows_max, layout.capacity())),
      text_end_(layout.heap()),
      bytes_start_(size_) {}

void RowWriter::put_bytes(const RowColumn& column, CellBytes cell) {
  buffer_[column.nulls + rows_] = std::byte{0};
  const bool fits = overflow_ == 0 && cell.size <= bytes_start_ - text_end_;
  if (!fits) {
    overflow_ += cell.size;
    if (column.lane == Lane::text) store_u32(column.values + rows_ * 4, text_end_ - layout_.heap());
    return;
  }
  if (column.lane == Lane::text) {
    std::memcpy(buffer_ + text_end_, cell.bytes, cell.size);
    text_end_ += cell.size;
    store_u32(column.values + rows_ * 4, text_end_ - layout_.heap());
  } else {
    bytes_start_ -= cell.size;
    std::memcpy(buffer_ + bytes_start_, cell.bytes, cell.size);
    store_u32(column.values + rows_ * 8, bytes_start_);
    store_u32(column.values + rows_ * 8 + 4, cell.size);
  }
}

namespace {

template <typename T>
void store_values(std::byte* to, const Datum* values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) store(to + i * sizeof(T), static_cast<T>(values[i]));
}

}  // namespace

void RowWriter::put_fixed_of(const RowColumn& column, const Column& cells, uint32_t count) {
  INVARIANT(count <= rows_left());
  std::memcpy(buffer_ + column.nulls + rows_, cells.nulls, count);
  std::byte* const to = buffer_ + column.values + rows_ * static_cast<uint32_t>(column.lane);
  switch (column.lane) {
    case Lane::width1:
      return store_values<uint8_t>(to, cells.values, count);
    case Lane::width2:
      return store_values<uint16_t>(to, cells.values, count);
    case Lane::width4:
      return store_values<uint32_t>(to, cells.values, count);
    default:
      return store_values<uint64_t>(to, cells.values, count);
  }
}

bool RowWriter::end_row() {
  if (overflow_ != 0) [[unlikely]] {
    const size_t row_bytes = (text_end_ - text_at_row_) + (bytes_at_row_ - bytes_start_) +
                             static_cast<size_t>(overflow_);
    bytes_needed_ = layout_.heap() + row_bytes;
    text_end_ = text_at_row_;
    bytes_start_ = bytes_at_row_;
    return false;
  }
  rows_++;
  return true;
}

void RowWriter::finish(bool ended) {
  ended_ = ended;
  const uint32_t text_bytes = text_end_ - layout_.heap();
  BatchHeader header{};
  header.rows = rows_;
  header.text_bytes = text_bytes;
  header.byte_bytes = size_ - bytes_start_;
  header.ascii = is_ascii(buffer_ + layout_.heap(), text_bytes) ? 1 : 0;
  header.ended = ended ? 1 : 0;
  header.needed =
      rows_ == 0 ? static_cast<uint32_t>(std::min<size_t>(bytes_needed_, 0xFFFFFFFFu)) : 0;
  std::memcpy(buffer_, &header, sizeof(header));
}

RowReader::RowReader(const RowLayout& layout, const std::byte* buffer, size_t size_bytes)
    : layout_(layout), buffer_(buffer), size_(size_bytes) {
  if (size_ >= sizeof(BatchHeader)) rows_ = load<BatchHeader>(buffer_).rows;
}

Status RowReader::check() const {
  const auto refuse = [] {
    return Status::error(ErrorCode::invalid_binary_representation, "row batch is malformed");
  };
  if (size_ < layout_.heap() || rows_ > layout_.capacity()) return refuse();
  uint32_t text_end = 0;
  for (uint32_t row = 0; row < rows_; row++) {
    for (const RowColumn& column : layout_.columns()) {
      if (column.lane == Lane::text) {
        const uint32_t end = load<uint32_t>(buffer_ + column.values + row * 4);
        if (end < text_end || end > size_ - layout_.heap()) return refuse();
        text_end = end;
      } else if (column.lane == Lane::bytes && !is_null(column, row)) {
        const CellBytes cell = bytes(column, row);
        const size_t offset = static_cast<size_t>(cell.bytes - buffer_);
        if (offset > size_ || cell.size > size_ - offset) return refuse();
      }
    }
  }
  return Status::ok;
}

RowReader::TextCursor RowReader::cursor_at(uint32_t row) const {
  TextCursor cursor;
  if (row == 0) return cursor;
  // Where the last text cell of the row before ends.
  for (const RowColumn& column : layout_.columns()) {
    if (column.lane == Lane::text)
      cursor.from = load<uint32_t>(buffer_ + column.values + (row - 1) * 4);
  }
  return cursor;
}

Datum RowReader::fixed(const RowColumn& column, uint32_t row) const {
  const std::byte* at = buffer_ + column.values;
  switch (column.lane) {
    case Lane::width1:
      return static_cast<Datum>(static_cast<int64_t>(load<int8_t>(at + row)));
    case Lane::width2:
      return static_cast<Datum>(static_cast<int64_t>(load<int16_t>(at + row * 2)));
    case Lane::width4:
      return static_cast<Datum>(static_cast<int64_t>(load<int32_t>(at + row * 4)));
    default:
      return load<Datum>(at + row * 8);
  }
}

bool is_ascii(const std::byte* bytes, size_t size) {
  size_t at = 0;
  uint64_t seen = 0;
  for (; at + 32 <= size; at += 32)
    seen |= load<uint64_t>(bytes + at) | load<uint64_t>(bytes + at + 8) |
            load<uint64_t>(bytes + at + 16) | load<uint64_t>(bytes + at + 24);
  for (; at < size; at++) seen |= static_cast<uint64_t>(bytes[at]);
  return (seen & 0x8080808080808080u) == 0;
}

}  // namespace pgdata
