// SortRows: takes all rows in, then gives them in order.
#include "executor/sort_rows.h"

#include <utility>

namespace pgdata {

namespace {

// Tuples between two looks at the clock.
constexpr uint64_t sort_step = 4000;

}  // namespace

PackedRowOrder::PackedRowOrder(const RowPacker& packer, std::vector<SortKey> keys)
    : packer_(packer),
      keys_(std::move(keys)),
      leading_is_exact_(abbreviation_is_exact(keys_[0].order)) {}

LeadingKey PackedRowOrder::leading_key(const std::vector<Column>& columns, uint32_t row) const {
  const auto& [index, order] = keys_[0];
  const bool is_null = columns[index].nulls[row] != 0;
  LeadingKey key;
  key.rank = is_null == order.nulls_first ? 0 : 1;
  if (!is_null) {
    const uint64_t bits = abbreviate(columns[index].values[row], order);
    key.bits = order.descending ? ~bits : bits;
  }
  return key;
}

bool PackedRowOrder::are_equal(LeadingKey key) const {
  const bool is_null = (key.rank == 0) == keys_[0].order.nulls_first;
  return keys_.size() == 1 && (leading_is_exact_ || is_null);
}

int PackedRowOrder::compare(TupleView left, TupleView right) {
  // Equal leading keys may say all of the first column.
  for (size_t i = leading_is_exact_ ? 1 : 0; i < keys_.size(); i++) {
    const auto& [column, order] = keys_[i];
    const bool left_null = packer_.is_null(left.bytes, column);
    const bool right_null = packer_.is_null(right.bytes, column);
    if (left_null || right_null) {
      if (left_null && right_null) continue;
      return left_null == order.nulls_first ? -1 : 1;
    }
    const int compared =
        order.compare(packer_.value(left.bytes, column), packer_.value(right.bytes, column), order);
    if (compared != 0) return (compared < 0) != order.descending ? -1 : 1;
  }
  return 0;
}

SortRows::SortRows(Execution& execution, OperatorPointer child, std::vector<ValueType> types,
                   std::vector<SortKey> keys, uint64_t wanted)
    : Operator(execution, only(std::move(child))),
      packer_(std::move(types)),
      order_(packer_, std::move(keys)),
      sort_(execution.temporary_space(), &order_,
            {.memory_bytes = execution.work_mem_bytes(), .tuples_wanted = wanted}),
      out_(account(), packer_.types().size()) {}

// The sort counts its memory itself.
void SortRows::charge() {
  const uint64_t peak = sort_.report().memory_peak_bytes;
  if (peak <= charged_) return;
  account().take(peak - charged_);
  charged_ = peak;
}

Status SortRows::add(const Batch& batch) {
  for (uint32_t row = 0; row < batch.rows; row++) {
    uint32_t size = 0;
    const std::byte* packed = packer_.pack(batch.columns, row, &size);
    RETURN_IF_ERROR(sort_.add(order_.leading_key(batch.columns, row), packed, size));
  }
  return Status::ok;
}

void SortRows::describe(OperatorReport* report) const {
  const SortReport sorted = sort_.report();
  report->sort_method = name_of(sorted.method);
  report->peak_bytes = sorted.memory_peak_bytes;
  report->disk_bytes = sorted.is_on_disk ? sorted.space_kb * 1024 : 0;
}

Status SortRows::produce(const Batch** batch, Progress* progress) {
  while (phase_ == Phase::adding) {
    const Batch* from = nullptr;
    RETURN_IF_ERROR(child().next(&from, progress));
    if (*progress == Progress::paused) return Status::ok;
    if (*progress == Progress::ended)
      phase_ = Phase::sorting;
    else
      RETURN_IF_ERROR(add(*from));
    charge();
  }
  while (phase_ == Phase::sorting) {
    bool done = false;
    RETURN_IF_ERROR(sort_.sort(sort_step, &done));
    if (done) {
      phase_ = Phase::reading;
    } else if (execution().is_out_of_time()) {
      *progress = Progress::paused;
      return Status::ok;
    }
  }
  out_.clear();
  Batch& out = out_.batch();
  while (out.rows < batch_rows_wanted) {
    SortedTuple sorted;
    bool found = false;
    RETURN_IF_ERROR(sort_.next(&sorted, &found));
    if (!found) break;
    packer_.unpack(out_.arena().copy(sorted.tuple.bytes, sorted.tuple.size), &out);
  }
  charge();
  *progress = out.rows == 0 ? Progress::ended : Progress::rows;
  *batch = &out;
  return Status::ok;
}

}  // namespace pgdata
