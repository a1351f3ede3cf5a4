// HashAggregate: passes over rows, of the child and then of temporary files.
#include "executor/hash_aggregate.h"

#include <algorithm>
#include <utility>

namespace pgdata {

Status HashAggregate::create(Execution& execution, OperatorPointer child,
                             std::vector<ExpressionPointer> keys, std::vector<AggregateCall> calls,
                             OperatorPointer* made) {
  std::vector<GroupKey> described;
  std::vector<ValueType> types;
  for (const ExpressionPointer& expression : keys) {
    GroupKey key;
    key.type = expression->type();
    RETURN_IF_ERROR(equality_of_type(key.type, &key.equality));
    key.hash = hash_of_type(key.type);
    described.push_back(key);
    types.push_back(key.type);
  }
  for (const AggregateCall& call : calls)
    if (call.argument) types.push_back(call.argument->type());
  made->reset(new HashAggregate(execution, std::move(child), std::move(keys), std::move(described),
                                std::move(calls), std::move(types)));
  return Status::ok;
}

HashAggregate::HashAggregate(Execution& execution, OperatorPointer child,
                             std::vector<ExpressionPointer> keys, std::vector<GroupKey> key_types,
                             std::vector<AggregateCall> calls, std::vector<ValueType> input_types)
    : Operator(execution, only(std::move(child))),
      keys_(std::move(keys)),
      calls_(std::move(calls)),
      input_types_(std::move(input_types)),
      input_(input_types_.size()),
      scratch_(account()),
      table_(std::move(key_types), execution.block_bytes(), account()),
      memory_limit_(execution.hash_mem_bytes()),
      parts_(SpilledParts::parts_within(memory_limit_)),
      kept_argument_(account()),
      out_(account(), keys_.size() + calls_.size()) {
  begin_pass();
}

void HashAggregate::begin_pass() {
  table_.clear();
  next_group_ = 0;
  is_loaded_ = false;
  for (AggregateCall& call : calls_) {
    call.aggregate->clear();
    call.aggregate->reserve(table_.capacity());
  }
  if (!keys_.empty()) return;
  for (AggregateCall& call : calls_) call.aggregate->resize(1);
}

Status HashAggregate::take_input(Progress* progress, uint32_t* rows) {
  *rows = 0;
  *progress = Progress::ended;
  if (pass_.rows != nullptr) {
    if (execution().is_out_of_time()) {
      *progress = Progress::paused;
      return Status::ok;
    }
    const Batch* from = nullptr;
    RETURN_IF_ERROR(pass_.rows->read(&from));
    if (from == nullptr) return Status::ok;
    input_ = from->columns;
    *rows = from->rows;
    *progress = Progress::rows;
    return Status::ok;
  }
  const Batch* from = nullptr;
  RETURN_IF_ERROR(child().next(&from, progress));
  if (*progress != Progress::rows) return Status::ok;
  *rows = from->rows;
  scratch_.reset();
  const Selection all{nullptr, from->rows};
  size_t to = 0;
  const auto take = [&](Expression& expression) {
    const Column* column = nullptr;
    RETURN_IF_ERROR(expression.evaluate(*from, all, scratch_, &column));
    input_[to++] = *column;
    return Status(Status::ok);
  };
  for (const ExpressionPointer& key : keys_) RETURN_IF_ERROR(take(*key));
  for (const AggregateCall& call : calls_)
    if (call.argument) RETURN_IF_ERROR(take(*call.argument));
  return Status::ok;
}

// For one more group: what is there may be twice as large after growing. There is always room for one.
bool HashAggregate::has_room() const {
  if (table_.size() == 0) return true;
  const uint64_t blocks = parts_ * SpilledRows::memory_bytes;
  const bool grows = table_.size() == table_.capacity();
  size_t needed = 0;
  size_t state_bytes = 0;
  for (const AggregateCall& call : calls_) {
    needed += call.aggregate->bytes();
    state_bytes += call.aggregate->state_bytes();
  }
  needed += grows ? table_.bytes_to_grow(state_bytes) : table_.bytes();
  return needed + blocks <= memory_limit_;
}

void HashAggregate::begin_spilling() {
  spilling_ = std::make_unique<SpilledParts>(execution().temporary_space(), input_types_, account(),
                                             parts_, pass_.level);
}

// `*kept`: so many rows have their groups in memory; the others were written to files.
Status HashAggregate::find_groups(uint32_t rows, uint32_t* kept) {
  table_.hash(input_, rows, hashes_);
  *kept = 0;
  for (uint32_t row = 0; row < rows; row++) {
    uint32_t group = table_.find(input_, row, hashes_[row]);
    if (group == GroupTable::no_group) {
      if (spilling_ == nullptr && !has_room()) begin_spilling();
      if (spilling_ != nullptr) {
        RETURN_IF_ERROR(spilling_->write(input_, row, hashes_[row]));
        continue;
      }
      if (table_.size() == table_.capacity()) {
        table_.grow();
        for (AggregateCall& call : calls_) call.aggregate->reserve(table_.capacity());
      }
      group = table_.add(input_, row, hashes_[row]);
    }
    groups_of_rows_[*kept] = group;
    kept_rows_[(*kept)++] = static_cast<uint16_t>(row);
  }
  return Status::ok;
}

Status HashAggregate::add(uint32_t rows) {
  uint32_t kept = rows;
  if (!keys_.empty()) RETURN_IF_ERROR(find_groups(rows, &kept));
  size_t held = 0;
  size_t argument = keys_.size();
  for (AggregateCall& call : calls_) {
    if (!keys_.empty()) call.aggregate->resize(table_.size());
    const Column* column = call.argument ? &input_[argument++] : nullptr;
    Column of_kept = kept_argument_.column();
    if (column != nullptr && kept < rows) {
      for (uint32_t i = 0; i < kept; i++) {
        of_kept.values[i] = column->values[kept_rows_[i]];
        of_kept.nulls[i] = column->nulls[kept_rows_[i]];
      }
      column = &of_kept;
    }
    RETURN_IF_ERROR(call.aggregate->add(column, kept, keys_.empty() ? nullptr : groups_of_rows_));
    held += call.aggregate->bytes();
  }
  account().take(held);
  account().give(charged_);
  charged_ = held;
  const size_t blocks = spilling_ == nullptr ? 0 : parts_ * SpilledRows::memory_bytes;
  peak_bytes_ = std::max<uint64_t>(peak_bytes_, table_.bytes() + held + blocks);
  return Status::ok;
}

Status HashAggregate::end_pass() {
  is_loaded_ = true;
  pass_.rows.reset();
  if (spilling_ == nullptr) return Status::ok;
  RETURN_IF_ERROR(spilling_->end_writing());
  for (size_t i = 0; i < parts_; i++) {
    std::unique_ptr<SpilledRows> rows = spilling_->take(i);
    if (rows->rows() == 0) continue;
    spilled_bytes_ += rows->size_bytes();
    passes_left_.push_back({std::move(rows), pass_.level + 1});
  }
  spilling_.reset();
  return Status::ok;
}

Status HashAggregate::emit(const Batch** batch) {
  out_.clear();
  Batch& out = out_.batch();
  const size_t groups = keys_.empty() ? 1 : table_.size();
  const size_t end = std::min(groups, next_group_ + batch_rows_wanted);
  out.rows = static_cast<uint32_t>(end - next_group_);
  for (uint32_t row = 0; row < out.rows; row++) {
    const size_t group = next_group_ + row;
    for (size_t i = 0; i < keys_.size(); i++) {
      out.columns[i].values[row] = table_.value(group, i);
      out.columns[i].nulls[row] = table_.is_null(group, i) ? 1 : 0;
    }
    for (size_t i = 0; i < calls_.size(); i++) {
      Column& column = out.columns[keys_.size() + i];
      bool is_null = false;
      RETURN_IF_ERROR(
          calls_[i].aggregate->result(group, out_.arena(), &column.values[row], &is_null));
      column.nulls[row] = is_null ? 1 : 0;
    }
  }
  next_group_ = end;
  *batch = &out;
  return Status::ok;
}

Status HashAggregate::produce(const Batch** batch, Progress* progress) {
  for (;;) {
    while (!is_loaded_) {
      uint32_t rows = 0;
      RETURN_IF_ERROR(take_input(progress, &rows));
      if (*progress == Progress::paused) return Status::ok;
      if (*progress == Progress::ended)
        RETURN_IF_ERROR(end_pass());
      else
        RETURN_IF_ERROR(add(rows));
    }
    RETURN_IF_ERROR(emit(batch));
    *progress = Progress::rows;
    if ((*batch)->rows > 0) return Status::ok;
    *progress = Progress::ended;
    if (passes_left_.empty()) return Status::ok;
    pass_ = std::move(passes_left_.back());
    passes_left_.pop_back();
    passes_++;
    begin_pass();
  }
}

}  // namespace pgdata
