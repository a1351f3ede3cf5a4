// PageOutput: deform, filter, write.
#include "table/page_output.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace pgdata {

namespace {

std::vector<int> attributes_of(const RowLayout& layout, const Filter& filter) {
  std::vector<int> attributes;
  for (const RowColumn& column : layout.columns()) attributes.push_back(column.attribute);
  for (const int attribute : filter.attributes()) attributes.push_back(attribute);
  return attributes;
}

}  // namespace

PageOutput::PageOutput(std::shared_ptr<Table> table, const RowLayout& layout,
                       std::unique_ptr<Filter> filter)
    : table_(std::move(table)),
      layout_(layout),
      filter_(std::move(filter)),
      output_(*table_, layout),
      deformer_(table_->layout(), attributes_of(layout, *filter_)),
      page_(deformer_.columns(), tuples_max) {
  for (size_t i = 0; i < layout.columns().size(); i++)
    if (layout.columns()[i].lane >= Lane::text) variable_.push_back(i);
}

Status PageOutput::write(const ReadContext& context, const HeapScan& scan, int* next,
                         RowWriter* writer, bool* fits) {
  *fits = true;
  uint16_t passing[tuples_max];
  while (*next < scan.tuple_count() && !writer->is_full()) {
    const int first = *next;
    const int taken = std::min(scan.tuple_count() - first, static_cast<int>(tuples_max));
    RETURN_IF_ERROR(scan.deform(deformer_, first, taken, page_.columns(), 0));
    auto count = static_cast<uint32_t>(taken);
    std::iota(passing, passing + count, uint16_t{0});
    if (!filter_->is_empty()) {
      RETURN_IF_ERROR(
          filter_->select(context, page_.columns() + layout_.columns().size(), passing, &count));
      page_.keep(layout_.columns().size(), passing, count);
    }
    const uint32_t rows = std::min(count, writer->rows_left());
    for (size_t i = 0; i < layout_.columns().size(); i++) {
      const RowColumn& column = layout_.columns()[i];
      if (column.lane < Lane::text) writer->put_fixed_of(column, page_.columns()[i], rows);
    }
    if (layout_.tids() != 0)
      for (uint32_t i = 0; i < rows; i++)
        writer->put_tid_of(i, scan.tuple(first + passing[i]).self);
    uint32_t written = rows;
    if (variable_.empty())
      writer->end_rows(rows);
    else
      RETURN_IF_ERROR(write_cells(context, rows, writer, &written));
    *next = written == count ? first + taken : first + passing[written];
    if (written < rows) {
      *fits = false;
      return Status::ok;
    }
  }
  return Status::ok;
}

// Text and bytes, row by row, as text lies in a batch.
Status PageOutput::write_cells(const ReadContext& context, uint32_t rows, RowWriter* writer,
                               uint32_t* written) {
  for (*written = 0; *written < rows; ++*written) {
    writer->begin_row();
    for (const size_t i : variable_) {
      const RowColumn& column = layout_.columns()[i];
      const Column& from = page_.columns()[i];
      if (from.nulls[*written] != 0) {
        writer->put_null(column);
        continue;
      }
      CellBytes cell;
      RETURN_IF_ERROR(output_.cell_of(context, column, from.values[*written], &cell));
      writer->put_bytes(column, cell);
    }
    if (!writer->end_row()) return Status::ok;
  }
  return Status::ok;
}

}  // namespace pgdata
