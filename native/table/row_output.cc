// RowOutput: deform, detoast, write.
#include "table/row_output.h"

#include <cstring>
#include <span>

#include "heap/toast.h"
#include "tuple/deform.h"
#include "tuple/varlena.h"

namespace pgdata {

RowOutput::RowOutput(const Table& table, const RowLayout& layout)
    : table_(table),
      layout_(layout),
      values_(static_cast<size_t>(table.natts())),
      nulls_(new bool[static_cast<size_t>(table.natts())]) {}

Status RowOutput::write(const ReadContext& context, const HeapTuple& tuple, RowWriter* writer,
                        bool* fits) {
  RETURN_IF_ERROR(deform_heap_tuple(table_.layout(), tuple.bytes, tuple.length,
                                    layout_.attributes_needed(), values_.data(), nulls_.get()));
  return write_values(context, values_.data(), nulls_.get(), tuple.self, writer, fits);
}

Status RowOutput::cell_of(const ReadContext& context, const RowColumn& column, Datum datum,
                          CellBytes* cell) {
  const Attribute& attribute = table_.desc().attributes[static_cast<size_t>(column.attribute)];
  const std::byte* value = datum_pointer(datum);
  if (attribute.attlen == -1) {
    if (varlena_is_plain(value) || varlena_is_short(value)) [[likely]] {
      *cell = {varlena_data(value), varlena_data_size(value)};
      return Status::ok;
    }
    std::span<const std::byte> data;
    RETURN_IF_ERROR(detoast(context, table_.heap(), value, &scratch_, &data));
    *cell = {data.data(), static_cast<uint32_t>(data.size())};
    return Status::ok;
  }
  // A text lane of fixed length is a name: NUL-padded.
  uint32_t length = static_cast<uint32_t>(attribute.attlen);
  if (attribute.attlen == -2)
    length = static_cast<uint32_t>(std::strlen(reinterpret_cast<const char*>(value)));
  else if (column.lane == Lane::text)
    length = static_cast<uint32_t>(strnlen(reinterpret_cast<const char*>(value), length));
  *cell = {value, length};
  return Status::ok;
}

Status RowOutput::write_values(const ReadContext& context, const Datum* values, const bool* nulls,
                               ItemPointer tid, RowWriter* writer, bool* fits) {
  writer->begin_row();
  for (const RowColumn& column : layout_.columns()) {
    if (nulls[column.attribute]) {
      writer->put_null(column);
      continue;
    }
    const Datum datum = values[column.attribute];
    if (column.lane < Lane::text) {
      writer->put_fixed(column, datum);
      continue;
    }
    CellBytes cell;
    RETURN_IF_ERROR(cell_of(context, column, datum, &cell));
    writer->put_bytes(column, cell);
  }
  writer->put_tid(tid);
  *fits = writer->end_row();
  return Status::ok;
}

}  // namespace pgdata
