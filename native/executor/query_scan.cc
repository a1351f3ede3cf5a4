// QueryScan: rows of the root operator's batches to the buffer.
#include "executor/query_scan.h"

#include <cstring>
#include <utility>

#include "tuple/varlena.h"

namespace pgdata {

QueryScan::QueryScan(std::unique_ptr<Execution> execution, OperatorPointer root,
                     std::vector<OutputColumn> columns, std::shared_ptr<const RowLayout> layout)
    : execution_(std::move(execution)),
      root_(std::move(root)),
      columns_(std::move(columns)),
      layout_(std::move(layout)) {}

Status QueryScan::next(RowWriter* writer) {
  execution_->begin_call();
  Status status = fill(writer);
  root_->pause();
  return status;
}

Status QueryScan::fill(RowWriter* writer) {
  for (;;) {
    while (batch_ != nullptr && next_row_ < batch_->rows) {
      if (writer->is_full()) {
        writer->finish(false);
        return Status::ok;
      }
      put_row(writer, next_row_);
      if (!writer->end_row()) {
        writer->finish(false);
        return Status::ok;
      }
      next_row_++;
    }
    batch_ = nullptr;
    next_row_ = 0;
    const Batch* batch = nullptr;
    Progress progress = Progress::ended;
    if (writer->rows() == 0 || !execution_->is_out_of_time()) {
      RETURN_IF_ERROR(root_->next(&batch, &progress));
    } else {
      progress = Progress::paused;
    }
    if (progress == Progress::ended) {
      // One that inserts may be given more rows.
      reports_->clear();
      root_->report(reports_.get());
    }
    if (progress != Progress::rows) {
      writer->finish(progress == Progress::ended);
      return Status::ok;
    }
    batch_ = batch;
  }
}

void QueryScan::put_row(RowWriter* writer, uint32_t row) {
  writer->begin_row();
  for (size_t i = 0; i < columns_.size(); i++) {
    const RowColumn& to = layout_->columns()[i];
    const Column& from = batch_->columns[i];
    if (from.nulls[row] != 0) {
      writer->put_null(to);
      continue;
    }
    const Datum value = from.values[row];
    const ValueType& type = columns_[i].type;
    if (type.by_value) {
      writer->put_fixed(to, value);
      continue;
    }
    const std::byte* bytes = datum_pointer(value);
    if (type.length == -1) {
      writer->put_bytes(to, {varlena_data(bytes), varlena_data_size(bytes)});
      continue;
    }
    const char* text = reinterpret_cast<const char*>(bytes);
    size_t size = type.length == -2 ? std::strlen(text) : static_cast<size_t>(type.length);
    // A text lane of fixed length is a name: NUL-padded.
    if (to.lane == Lane::text) size = strnlen(text, size);
    writer->put_bytes(to, {bytes, static_cast<uint32_t>(size)});
  }
}

}  // namespace pgdata
