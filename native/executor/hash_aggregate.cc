// HashAggregate: a table of groups with open addressing.
#include "executor/hash_aggregate.h"

#include <algorithm>
#include <utility>

namespace pgdata {

namespace {

constexpr size_t first_slots = 256;

}  // namespace

Status HashAggregate::create(Execution& execution, OperatorPointer child,
                             std::vector<ExpressionPointer> keys, std::vector<AggregateCall> calls,
                             OperatorPointer* made) {
  std::vector<Key> described;
  for (ExpressionPointer& expression : keys) {
    Key key;
    key.type = expression->type();
    RETURN_IF_ERROR(equality_of_type(key.type, &key.equality));
    key.hash = hash_of_type(key.type);
    key.expression = std::move(expression);
    described.push_back(std::move(key));
  }
  made->reset(
      new HashAggregate(execution, std::move(child), std::move(described), std::move(calls)));
  return Status::ok;
}

HashAggregate::HashAggregate(Execution& execution, OperatorPointer child, std::vector<Key> keys,
                             std::vector<AggregateCall> calls)
    : Operator(execution, only(std::move(child))),
      keys_(std::move(keys)),
      calls_(std::move(calls)),
      key_columns_(keys_.size()),
      scratch_(account()),
      slots_(keys_.empty() ? 0 : first_slots),
      group_memory_(account()),
      out_(account(), keys_.size() + calls_.size()) {
  if (!keys_.empty()) return;
  groups_.push_back(nullptr);
  std::fill_n(groups_of_rows_, batch_rows_max, 0u);
  for (AggregateCall& call : calls_) call.aggregate->resize(1);
}

bool HashAggregate::is_group(uint32_t group, uint32_t row) const {
  const Datum* const values = groups_[group];
  const auto* nulls = reinterpret_cast<const uint8_t*>(values + keys_.size());
  for (size_t i = 0; i < keys_.size(); i++) {
    const Column& column = *key_columns_[i];
    if (column.nulls[row] != nulls[i]) return false;
    if (nulls[i] != 0) continue;
    const KeyColumn& equality = keys_[i].equality;
    if (equality.compare(column.values[row], values[i], equality) != 0) return false;
  }
  return true;
}

uint32_t HashAggregate::add_group(uint32_t row) {
  const size_t count = keys_.size();
  auto* const values = reinterpret_cast<Datum*>(group_memory_.allocate(count * 9));
  auto* const nulls = reinterpret_cast<uint8_t*>(values + count);
  for (size_t i = 0; i < count; i++) {
    const Column& column = *key_columns_[i];
    nulls[i] = column.nulls[row];
    values[i] = nulls[i] != 0 ? 0 : keys_[i].type.copy(column.values[row], group_memory_);
  }
  groups_.push_back(values);
  return static_cast<uint32_t>(groups_.size() - 1);
}

void HashAggregate::grow() {
  std::vector<Slot> slots(slots_.size() * 2);
  const size_t mask = slots.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.group == no_group) continue;
    size_t at = slot.hash & mask;
    while (slots[at].group != no_group) at = (at + 1) & mask;
    slots[at] = slot;
  }
  slots_ = std::move(slots);
}

uint32_t HashAggregate::find_group(uint64_t hash, uint32_t row) {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].group != no_group) {
    if (slots_[at].hash == hash && is_group(slots_[at].group, row)) return slots_[at].group;
    at = (at + 1) & mask;
  }
  const uint32_t group = add_group(row);
  slots_[at] = {hash, group};
  return group;
}

void HashAggregate::find_groups(uint32_t rows) {
  std::fill_n(hashes_, rows, uint64_t{0});
  for (size_t i = 0; i < keys_.size(); i++) {
    const Column& column = *key_columns_[i];
    const HashFunction hash = keys_[i].hash;
    for (uint32_t row = 0; row < rows; row++) {
      const uint64_t value = column.nulls[row] != 0 ? 1 : hash(column.values[row]);
      hashes_[row] = combine_hashes(hashes_[row], value);
    }
  }
  for (uint32_t row = 0; row < rows; row++) {
    if (groups_.size() * 2 >= slots_.size()) grow();
    groups_of_rows_[row] = find_group(hashes_[row], row);
  }
}

Status HashAggregate::add(const Batch& batch) {
  scratch_.reset();
  const Selection all{nullptr, batch.rows};
  if (!keys_.empty()) {
    for (size_t i = 0; i < keys_.size(); i++)
      RETURN_IF_ERROR(keys_[i].expression->evaluate(batch, all, scratch_, &key_columns_[i]));
    find_groups(batch.rows);
  }
  size_t held = slots_.capacity() * sizeof(Slot) + groups_.capacity() * sizeof(Datum*);
  for (AggregateCall& call : calls_) {
    call.aggregate->resize(groups_.size());
    const Column* argument = nullptr;
    if (call.argument) RETURN_IF_ERROR(call.argument->evaluate(batch, all, scratch_, &argument));
    RETURN_IF_ERROR(call.aggregate->add(argument, batch.rows, groups_of_rows_));
    held += call.aggregate->bytes();
  }
  account().take(held - charged_);
  charged_ = held;
  return Status::ok;
}

Status HashAggregate::emit(const Batch** batch, Progress* progress) {
  out_.clear();
  Batch& out = out_.batch();
  const size_t end = std::min(groups_.size(), next_group_ + batch_rows_wanted);
  out.rows = static_cast<uint32_t>(end - next_group_);
  *progress = out.rows == 0 ? Progress::ended : Progress::rows;
  for (uint32_t row = 0; row < out.rows; row++) {
    const size_t group = next_group_ + row;
    const Datum* const values = groups_[group];
    const auto* nulls = reinterpret_cast<const uint8_t*>(values + keys_.size());
    for (size_t i = 0; i < keys_.size(); i++) {
      out.columns[i].values[row] = values[i];
      out.columns[i].nulls[row] = nulls[i];
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
  while (!is_loaded_) {
    const Batch* from = nullptr;
    RETURN_IF_ERROR(child().next(&from, progress));
    if (*progress == Progress::paused) return Status::ok;
    if (*progress == Progress::ended)
      is_loaded_ = true;
    else
      RETURN_IF_ERROR(add(*from));
  }
  return emit(batch, progress);
}

}  // namespace pgdata
