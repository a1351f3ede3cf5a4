// SortRows: takes all rows in, then gives them in order.
#include "executor/sort_rows.h"

#include <utility>

namespace pgdata {

SortRows::SortRows(Execution& execution, OperatorPointer child, std::vector<ValueType> types,
                   std::vector<SortKey> keys, uint64_t wanted)
    : Operator(execution, only(std::move(child))),
      sort_(types, std::move(keys), wanted, account()),
      out_(account(), types.size()) {}

Status SortRows::produce(const Batch** batch, Progress* progress) {
  while (!is_sorted_) {
    const Batch* from = nullptr;
    RETURN_IF_ERROR(child().next(&from, progress));
    if (*progress == Progress::paused) return Status::ok;
    is_sorted_ = *progress == Progress::ended;
    if (is_sorted_)
      sort_.finish();
    else
      sort_.add(*from);
  }
  Batch& out = out_.batch();
  out.rows = 0;
  const RowPacker& packer = sort_.packer();
  while (out.rows < batch_rows_wanted) {
    const std::byte* packed = sort_.next();
    if (packed == nullptr) break;
    for (size_t i = 0; i < out.columns.size(); i++) {
      const bool is_null = packer.is_null(packed, i);
      out.columns[i].nulls[out.rows] = is_null ? 1 : 0;
      out.columns[i].values[out.rows] = is_null ? 0 : packer.value(packed, i);
    }
    out.rows++;
  }
  *progress = out.rows == 0 ? Progress::ended : Progress::rows;
  *batch = &out;
  return Status::ok;
}

}  // namespace pgdata
