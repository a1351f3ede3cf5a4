// Materialize: what the child gives is kept, and passed on.
#include "executor/materialize.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/invariant.h"

namespace pgdata {

Materialize::Materialize(Execution& execution, OperatorPointer child, std::vector<ValueType> types)
    : Operator(execution, only(std::move(child))),
      types_(std::move(types)),
      memory_limit_(execution.work_mem_bytes()),
      memory_(account(), static_cast<size_t>(std::clamp<uint64_t>(
                             memory_limit_ / 16, Arena::block_bytes_min, Arena::block_bytes_max))) {
}

Status Materialize::restart() {
  INVARIANT(pending_ == nullptr);
  next_ = 0;
  if (spilled_ == nullptr) return Status::ok;
  is_reading_ = true;
  return spilled_->rewind();
}

bool Materialize::fits(const Batch& batch) const {
  size_t bytes = types_.size() * (batch.rows * (sizeof(Datum) + sizeof(uint8_t)) + 8);
  for (size_t i = 0; i < types_.size(); i++) {
    if (types_[i].by_value) continue;
    const Column& column = batch.columns[i];
    for (uint32_t row = 0; row < batch.rows; row++)
      if (column.nulls[row] == 0) bytes += align_up(types_[i].size_of(column.values[row]), 8);
  }
  const size_t described = (kept_.size() + 1) * (sizeof(Batch) + types_.size() * sizeof(Column));
  return memory_.held() + bytes + described <= memory_limit_;
}

void Materialize::copy(const Batch& batch) {
  Batch& to = kept_.emplace_back();
  to.rows = batch.rows;
  to.columns.resize(types_.size());
  for (size_t i = 0; i < types_.size(); i++) {
    const Column& from = batch.columns[i];
    Column& column = to.columns[i];
    column.values = memory_.allocate_array<Datum>(batch.rows);
    column.nulls = memory_.allocate_array<uint8_t>(batch.rows);
    std::memcpy(column.nulls, from.nulls, batch.rows);
    for (uint32_t row = 0; row < batch.rows; row++)
      column.values[row] = from.nulls[row] != 0 ? 0 : types_[i].copy(from.values[row], memory_);
  }
}

// In memory, or, where there is no room, in the file, which what was in memory goes to before.
Status Materialize::keep_pending(bool* done) {
  *done = true;
  if (spilled_ == nullptr && fits(*pending_)) {
    copy(*pending_);
    next_ = kept_.size();
    peak_bytes_ = std::max<uint64_t>(peak_bytes_, memory_.held());
    return Status::ok;
  }
  if (spilled_ == nullptr)
    spilled_ = std::make_unique<SpilledRows>(execution().temporary_space(), types_, account());
  for (; moved_ < kept_.size(); moved_++) {
    *done = !execution().is_out_of_time();
    if (!*done) return Status::ok;
    const Batch& batch = kept_[moved_];
    for (uint32_t row = 0; row < batch.rows; row++)
      RETURN_IF_ERROR(spilled_->write(batch.columns, row));
  }
  kept_.clear();
  next_ = moved_ = 0;
  memory_.reset();
  for (uint32_t row = 0; row < pending_->rows; row++)
    RETURN_IF_ERROR(spilled_->write(pending_->columns, row));
  return Status::ok;
}

Status Materialize::next_kept(const Batch** batch) {
  *batch = nullptr;
  if (next_ < kept_.size()) {
    *batch = &kept_[next_++];
    return Status::ok;
  }
  if (!is_reading_) return Status::ok;
  RETURN_IF_ERROR(spilled_->read(batch));
  is_reading_ = *batch != nullptr;
  return Status::ok;
}

Status Materialize::produce(const Batch** batch, Progress* progress) {
  *progress = Progress::rows;
  if (pending_ == nullptr) {
    RETURN_IF_ERROR(next_kept(batch));
    if (*batch != nullptr) return Status::ok;
    *progress = Progress::ended;
    if (!is_child_done_) RETURN_IF_ERROR(child().next(&pending_, progress));
    if (*progress != Progress::rows) pending_ = nullptr;
    if (*progress == Progress::ended) is_child_done_ = true;
    if (pending_ == nullptr) return Status::ok;
  }
  bool done = false;
  RETURN_IF_ERROR(keep_pending(&done));
  if (done)
    *batch = std::exchange(pending_, nullptr);
  else
    *progress = Progress::paused;
  return Status::ok;
}

}  // namespace pgdata
