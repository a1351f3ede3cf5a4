// RowLayout: where the cells of a row batch lie, the buffer in which rows cross between JavaScript and C++.
//
//   offset      size              field
//        0        64              BatchHeader
//       64       rows             null bytes of column 0 (1 = null), padded to 8; likewise for each column
//      ...  rows*width            values of column 0, padded to 8; likewise for each column
//      ...   rows*8               row addresses (uint32 block, uint32 offset number), when asked for
//   heap()  text_bytes            text cells end to end, row by row, in column order
//      ...  byte_bytes            bytes cells, growing down from the end of the buffer
//
// A fixed column's value has its own width. A text cell is the uint32 offset of its end from heap() (it
// begins where the previous text cell ended); a bytes cell a uint32 offset from the start of the buffer and a
// uint32 length. JavaScript owns the buffer; native code trusts none of the numbers it finds there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "tuple/deform_columns.h"
#include "tuple/tuple_desc.h"

namespace pgdata {

enum class Lane : uint8_t { width1 = 1, width2 = 2, width4 = 4, width8 = 8, text = 16, bytes = 17 };

struct BatchHeader {
  uint32_t rows;
  uint32_t text_bytes;
  uint32_t byte_bytes;
  uint32_t ascii;   // all text is ASCII, so that byte offsets are character offsets
  uint32_t ended;   // the scan has no more rows
  uint32_t needed;  // size the buffer must have for the next row, which alone did not fit
  uint32_t reserved[10];
};
static_assert(sizeof(BatchHeader) == 64);

struct RowColumn {
  int attribute;  // index into the TupleDesc
  Lane lane;
  uint32_t nulls;   // offset of the null bytes
  uint32_t values;  // offset of the values
};

class RowLayout {
 public:
  // `lanes` has one entry per attribute of the relation; `attributes` (from 0) are the columns in order.
  RowLayout(const std::vector<Lane>& lanes, const std::vector<int>& attributes, uint32_t capacity,
            bool with_tids);

  const std::vector<RowColumn>& columns() const { return columns_; }
  uint32_t capacity() const { return capacity_; }
  uint32_t tids() const { return tids_; }  // 0: none
  uint32_t heap() const { return heap_; }
  // Attributes 0 .. this-1 must be deformed to fill the columns.
  int attributes_needed() const { return attributes_needed_; }
  bool has_variable() const { return has_variable_; }

 private:
  std::vector<RowColumn> columns_;
  uint32_t capacity_;
  uint32_t tids_ = 0;
  uint32_t heap_ = 0;
  int attributes_needed_ = 0;
  bool has_variable_ = false;
};

// One cell that needs bytes: text or raw, where it lies.
struct CellBytes {
  const std::byte* bytes;
  uint32_t size;
};

// Writes rows into a buffer.
class RowWriter {
 public:
  // At most `rows_max` rows, and no more than the layout has room for.
  RowWriter(const RowLayout& layout, std::byte* buffer, size_t size_bytes,
            uint32_t rows_max = UINT32_MAX);

  bool is_full() const { return rows_ == rows_max_; }
  uint32_t rows() const { return rows_; }
  uint32_t rows_left() const { return rows_max_ - rows_; }

  // Begins a row; then one `put_*` per column in order; then `end_row`, which is false when the row's bytes
  // did not fit: the row is not in the batch, and `bytes_needed` says how large a buffer would hold it alone.
  void begin_row() { text_at_row_ = text_end_, bytes_at_row_ = bytes_start_, overflow_ = 0; }
  void put_null(const RowColumn& column) {
    buffer_[column.nulls + rows_] = std::byte{1};
    if (column.lane == Lane::text) store_u32(column.values + rows_ * 4, text_end_ - layout_.heap());
  }
  // By-value types.
  void put_fixed(const RowColumn& column, Datum datum) {
    buffer_[column.nulls + rows_] = std::byte{0};
    switch (column.lane) {
      case Lane::width1:
        store<uint8_t>(buffer_ + column.values + rows_, static_cast<uint8_t>(datum));
        break;
      case Lane::width2:
        store<uint16_t>(buffer_ + column.values + rows_ * 2, static_cast<uint16_t>(datum));
        break;
      case Lane::width4:
        store<uint32_t>(buffer_ + column.values + rows_ * 4, static_cast<uint32_t>(datum));
        break;
      default:
        store<uint64_t>(buffer_ + column.values + rows_ * 8, datum);
        break;
    }
  }
  void put_bytes(const RowColumn& column, CellBytes cell);
  void put_tid(ItemPointer tid) { put_tid_of(0, tid); }
  bool end_row();
  // Parts of several rows before they are begun: a column of by-value type, or an address, of the next `count`, or of the
  // `ahead`th after the next. There is room for so many.
  void put_fixed_of(const RowColumn& column, const Column& cells, uint32_t count);
  void put_tid_of(uint32_t ahead, ItemPointer tid) {
    if (layout_.tids() == 0) return;
    store_u32(layout_.tids() + (rows_ + ahead) * 8, value_of(tid.block()));
    store_u32(layout_.tids() + (rows_ + ahead) * 8 + 4, tid.offset());
  }
  // Ends that many rows which have nothing else.
  void end_rows(uint32_t count) { rows_ += count; }
  size_t bytes_needed() const { return bytes_needed_; }
  // Writes the header. `ended`: no more rows after these.
  void finish(bool ended);
  // As `finish` said.
  bool has_ended() const { return ended_; }

 private:
  void store_u32(uint32_t offset, uint32_t value) { store<uint32_t>(buffer_ + offset, value); }

  const RowLayout& layout_;
  std::byte* buffer_;
  uint32_t size_;
  uint32_t rows_max_;
  uint32_t rows_ = 0;
  uint32_t text_end_;     // offset in the buffer
  uint32_t bytes_start_;  // offset in the buffer
  uint32_t text_at_row_ = 0;
  uint32_t bytes_at_row_ = 0;
  uint64_t overflow_ = 0;
  size_t bytes_needed_ = 0;
  bool ended_ = false;
};

// Reads rows that JavaScript staged. `check` must be ok before anything else is used.
class RowReader {
 public:
  RowReader(const RowLayout& layout, const std::byte* buffer, size_t size_bytes);

  // Every offset and length lies in the buffer, text ends do not go backwards.
  Status check() const;
  uint32_t rows() const { return rows_; }
  bool is_null(const RowColumn& column, uint32_t row) const {
    return buffer_[column.nulls + row] != std::byte{0};
  }
  Datum fixed(const RowColumn& column, uint32_t row) const;
  // Text cells must be asked for in row-major order; use a TextCursor per pass.
  struct TextCursor {
    uint32_t from = 0;
  };
  TextCursor cursor_at(uint32_t row) const;
  CellBytes text(const RowColumn& column, uint32_t row, TextCursor* cursor) const {
    const uint32_t end = load<uint32_t>(buffer_ + column.values + row * 4);
    const CellBytes cell{buffer_ + layout_.heap() + cursor->from, end - cursor->from};
    cursor->from = end;
    return cell;
  }
  CellBytes bytes(const RowColumn& column, uint32_t row) const {
    return {buffer_ + load<uint32_t>(buffer_ + column.values + row * 8),
            load<uint32_t>(buffer_ + column.values + row * 8 + 4)};
  }

 private:
  const RowLayout& layout_;
  const std::byte* buffer_;
  size_t size_;
  uint32_t rows_ = 0;
};

// Are all bytes below 0x80?
bool is_ascii(const std::byte* bytes, size_t size);

}  // namespace pgdata
