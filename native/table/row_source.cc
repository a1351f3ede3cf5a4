// RowSource: headers for staged cells.
#include "table/row_source.h"

#include <algorithm>
#include <cstring>

#include "tuple/varlena.h"

namespace pgdata {

namespace {
constexpr size_t block_bytes = 64 * 1024;
}  // namespace

RowSource::RowSource(const Table& table, const RowLayout& layout, const RowReader& reader,
                     uint32_t first)
    : table_(table),
      layout_(layout),
      reader_(reader),
      cursor_(reader.cursor_at(first)),
      row_(first) {}

std::byte* RowSource::allocate(size_t size) {
  const size_t needed = align_up(size, 8);
  while (block_ < blocks_.size() && blocks_[block_].size - used_ < needed) {
    block_++;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const size_t bytes = std::max(needed, block_bytes);
    blocks_.push_back({std::unique_ptr<std::byte[]>(new std::byte[bytes]), bytes});
  }
  std::byte* address = blocks_[block_].bytes.get() + used_;
  used_ += needed;
  return address;
}

Datum RowSource::with_header(const Attribute& attribute, CellBytes cell) {
  if (attribute.attlen == -1) {
    if (attribute.attstorage != TYPSTORAGE_PLAIN &&
        cell.size + VARHDRSZ_SHORT <= VARATT_SHORT_MAX) {
      std::byte* value = allocate(cell.size + VARHDRSZ_SHORT);
      set_varlena_size_1b(value, cell.size + VARHDRSZ_SHORT);
      std::memcpy(value + VARHDRSZ_SHORT, cell.bytes, cell.size);
      return pointer_datum(value);
    }
    std::byte* value = allocate(cell.size + size_t{VARHDRSZ});
    set_varlena_size_4b(value, cell.size + VARHDRSZ);
    std::memcpy(value + VARHDRSZ, cell.bytes, cell.size);
    return pointer_datum(value);
  }
  if (attribute.attlen == -2) {
    std::byte* value = allocate(cell.size + size_t{1});
    std::memcpy(value, cell.bytes, cell.size);
    value[cell.size] = std::byte{0};
    return pointer_datum(value);
  }
  // Fixed length by reference: padded with zeroes, as a name is.
  const auto length = static_cast<size_t>(attribute.attlen);
  std::byte* value = allocate(length);
  const size_t given = std::min<size_t>(cell.size, length);
  std::memcpy(value, cell.bytes, given);
  std::memset(value + given, 0, length - given);
  return pointer_datum(value);
}

Datum RowSource::cell(const RowColumn& column, uint32_t row) {
  const Attribute& attribute = table_.desc().attributes[static_cast<size_t>(column.attribute)];
  switch (column.lane) {
    case Lane::text:
      return with_header(attribute, reader_.text(column, row, &cursor_));
    case Lane::bytes:
      return with_header(attribute, reader_.bytes(column, row));
    default:
      return reader_.fixed(column, row);
  }
}

Status RowSource::next(Datum* values, bool* nulls) {
  const int natts = table_.natts();
  std::fill_n(nulls, natts, true);
  for (const RowColumn& column : layout_.columns()) {
    if (reader_.is_null(column, row_)) continue;
    values[column.attribute] = cell(column, row_);
    nulls[column.attribute] = false;
  }
  row_++;
  for (int i = 0; i < natts; i++) {
    const Attribute& attribute = table_.desc().attributes[static_cast<size_t>(i)];
    if (!nulls[i] || !attribute.attnotnull || attribute.attisdropped) continue;
    Status status =
        Status::error(ErrorCode::not_null_violation,
                      "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
                      attribute.attname, table_.definition().name.c_str());
    status.report().column = attribute.attname;
    return table_.with_names(std::move(status));
  }
  return Status::ok;
}

void RowSource::next_cells(Datum* values, bool* nulls) {
  size_t i = 0;
  for (const RowColumn& column : layout_.columns()) {
    nulls[i] = reader_.is_null(column, row_);
    values[i] = nulls[i] ? 0 : cell(column, row_);
    i++;
  }
  row_++;
}

}  // namespace pgdata
