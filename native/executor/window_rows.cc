// WindowRows: takes the rows of a unit, then gives them with its results.
#include "executor/window_rows.h"

#include <algorithm>
#include <utility>

namespace pgdata {

namespace {

// Bytes of by-reference values after which a batch has enough.
constexpr size_t batch_bytes = 64 * 1024;

}  // namespace

WindowRows::WindowRows(Execution& execution, OperatorPointer child, std::vector<ValueType> types,
                       WindowKeys partition, WindowKeys peers, WindowUnit unit,
                       std::vector<WindowCall> calls)
    : Operator(execution, only(std::move(child))),
      types_(std::move(types)),
      partition_(types_, std::move(partition), account()),
      peers_(types_, std::move(peers), account()),
      unit_(unit),
      calls_(std::move(calls)),
      packer_(types_),
      kept_(account(), execution.block_bytes()),
      results_memory_(account()),
      results_(calls_.size()),
      result_nulls_(calls_.size()),
      out_(account(), types_.size() + calls_.size()) {
  for (size_t i = 0; i < calls_.size(); i++)
    values_.push_back(std::make_unique<KeptValue>(account()));
}

WindowRows::~WindowRows() { account().give(charged_); }

bool WindowRows::begins_unit() const {
  if (unit_ == WindowUnit::row || partition_.differ(input_->columns, row_)) return true;
  return unit_ == WindowUnit::peers && peers_.differ(input_->columns, row_);
}

void WindowRows::charge_aggregates() {
  size_t held = 0;
  for (const WindowCall& call : calls_)
    if (call.aggregate) held += call.aggregate->bytes();
  account().take(held);
  account().give(charged_);
  charged_ = held;
}

// Takes the row into the counts and the aggregates.
Status WindowRows::count_row() {
  const bool is_new_partition = partition_.differ(input_->columns, row_);
  const bool is_new_peer = is_new_partition || peers_.differ(input_->columns, row_);
  if (is_new_partition) {
    partition_.keep(input_->columns, row_);
    row_number_ = 0;
    dense_rank_ = 0;
    for (const auto& kept : values_) kept->is_null = true;
    for (WindowCall& call : calls_) {
      if (!call.aggregate) continue;
      call.aggregate->clear();
      call.aggregate->resize(1);
    }
  }
  row_number_++;
  if (is_new_peer) {
    peers_.keep(input_->columns, row_);
    rank_ = row_number_;
    dense_rank_++;
  }
  constexpr uint32_t group = 0;
  for (size_t i = 0; i < calls_.size(); i++) {
    const WindowCall& call = calls_[i];
    const bool is_last = call.function == WindowFunction::last_value;
    const bool is_nth = call.function == WindowFunction::nth_value;
    if (is_last || (is_nth && call.number == row_number_)) keep_value(i);
    if (!call.aggregate) continue;
    Column argument;
    if (call.argument >= 0) {
      const Column& column = input_->columns[static_cast<size_t>(call.argument)];
      argument = {column.values + row_, column.nulls + row_};
    }
    RETURN_IF_ERROR(call.aggregate->add(call.argument >= 0 ? &argument : nullptr, 1, &group));
  }
  return Status::ok;
}

void WindowRows::keep_value(size_t call) {
  const auto argument = static_cast<size_t>(calls_[call].argument);
  const Column& column = input_->columns[argument];
  KeptValue& kept = *values_[call];
  kept.memory.reset();
  kept.is_null = column.nulls[row_] != 0;
  if (!kept.is_null) kept.value = types_[argument].copy(column.values[row_], kept.memory);
}

Status WindowRows::keep_row() {
  uint32_t size = 0;
  const std::byte* packed = packer_.pack(input_->columns, row_, &size);
  rows_kept_++;
  // There is always room for one.
  const bool has_room = first_ == nullptr || kept_.held() < execution().work_mem_bytes();
  if (spilled_ == nullptr && !has_room)
    spilled_ = std::make_unique<SpilledRows>(execution().temporary_space(), types_, account());
  if (spilled_ != nullptr) return spilled_->write(packed);
  std::byte* to = kept_.allocate(sizeof(KeptRow) + size);
  auto* const row = new (to) KeptRow;
  std::copy_n(packed, size, to + sizeof(KeptRow));
  (last_ == nullptr ? first_ : last_->next) = row;
  last_ = row;
  peak_bytes_ = std::max<uint64_t>(peak_bytes_, kept_.held());
  return Status::ok;
}

Status WindowRows::compute_results() {
  results_memory_.reset();
  for (size_t i = 0; i < calls_.size(); i++) {
    bool is_null = false;
    switch (calls_[i].function) {
      case WindowFunction::row_number:
        results_[i] = static_cast<Datum>(row_number_);
        break;
      case WindowFunction::rank:
        results_[i] = static_cast<Datum>(rank_);
        break;
      case WindowFunction::dense_rank:
        results_[i] = static_cast<Datum>(dense_rank_);
        break;
      case WindowFunction::nth_value:
      case WindowFunction::last_value:
        is_null = values_[i]->is_null;
        results_[i] = values_[i]->value;
        break;
      default:
        RETURN_IF_ERROR(calls_[i].aggregate->result(0, results_memory_, &results_[i], &is_null));
        break;
    }
    result_nulls_[i] = is_null ? 1 : 0;
  }
  charge_aggregates();
  return Status::ok;
}

Status WindowRows::end_unit() {
  RETURN_IF_ERROR(compute_results());
  if (spilled_ != nullptr) {
    RETURN_IF_ERROR(spilled_->end_writing());
    spilled_bytes_ += spilled_->size_bytes();
  }
  phase_ = Phase::giving;
  return Status::ok;
}

void WindowRows::put_results(uint32_t row) {
  for (size_t i = 0; i < calls_.size(); i++) {
    const Column& to = out_.batch().columns[types_.size() + i];
    const bool is_null = result_nulls_[i] != 0;
    to.nulls[row] = result_nulls_[i];
    to.values[row] = is_null ? 0 : calls_[i].result_type.copy(results_[i], out_.arena());
  }
}

// Puts a row into the batch.
void WindowRows::give(const std::vector<Column>& columns, uint32_t row) {
  Batch& out = out_.batch();
  const uint32_t to = out.rows++;
  for (size_t i = 0; i < types_.size(); i++) {
    const bool is_null = columns[i].nulls[row] != 0;
    out.columns[i].nulls[to] = columns[i].nulls[row];
    out.columns[i].values[to] = is_null ? 0 : types_[i].copy(columns[i].values[row], out_.arena());
  }
  put_results(to);
}

// Gives the next row of the unit; after the last one, the next unit is taken.
Status WindowRows::give_kept() {
  if (first_ != nullptr) {
    const auto* const packed = reinterpret_cast<const std::byte*>(first_ + 1);
    const auto size = static_cast<size_t>(load<uint64_t>(packed));
    const uint32_t to = out_.batch().rows;
    packer_.unpack(out_.arena().copy(packed, size), &out_.batch());
    put_results(to);
    first_ = first_->next;
    return Status::ok;
  }
  if (spilled_ != nullptr) {
    if (from_file_ == nullptr || next_from_file_ == from_file_->rows) {
      RETURN_IF_ERROR(spilled_->read(&from_file_));
      next_from_file_ = 0;
    }
    if (from_file_ != nullptr) {
      give(from_file_->columns, next_from_file_++);
      return Status::ok;
    }
    spilled_.reset();
  }
  last_ = nullptr;
  kept_.reset();
  rows_kept_ = 0;
  phase_ = Phase::taking;
  return Status::ok;
}

Status WindowRows::produce(const Batch** batch, Progress* progress) {
  out_.clear();
  Batch& out = out_.batch();
  *batch = &out;
  while (out.rows == 0 || (out.rows < batch_rows_wanted && out_.arena().held() < batch_bytes)) {
    if (phase_ == Phase::giving) {
      RETURN_IF_ERROR(give_kept());
      continue;
    }
    if (input_ == nullptr || row_ == input_->rows) {
      if (is_input_ended_) break;
      input_ = nullptr;
      RETURN_IF_ERROR(child().next(&input_, progress));
      row_ = 0;
      if (*progress == Progress::rows) continue;
      input_ = nullptr;
      if (*progress == Progress::paused) {
        if (out.rows > 0) break;
        return Status::ok;
      }
      is_input_ended_ = true;
      if (rows_kept_ > 0) RETURN_IF_ERROR(end_unit());
      continue;
    }
    if (rows_kept_ > 0 && begins_unit()) {
      RETURN_IF_ERROR(end_unit());
      continue;
    }
    RETURN_IF_ERROR(count_row());
    if (unit_ == WindowUnit::row) {
      RETURN_IF_ERROR(compute_results());
      give(input_->columns, row_);
    } else {
      RETURN_IF_ERROR(keep_row());
    }
    row_++;
  }
  *progress = out.rows > 0 ? Progress::rows : Progress::ended;
  return Status::ok;
}

}  // namespace pgdata
