// GroupAggregate: one group after the other.
#include "executor/group_aggregate.h"

#include <utility>

namespace pgdata {

namespace {

// Bytes of keys after which a batch of groups has enough.
constexpr size_t batch_bytes = 64 * 1024;

}  // namespace

Status GroupAggregate::create(Execution& execution, OperatorPointer child,
                              std::vector<ExpressionPointer> keys, std::vector<AggregateCall> calls,
                              OperatorPointer* made) {
  std::vector<KeyColumn> equality(keys.size());
  for (size_t i = 0; i < keys.size(); i++)
    RETURN_IF_ERROR(equality_of_type(keys[i]->type(), &equality[i]));
  made->reset(new GroupAggregate(execution, std::move(child), std::move(keys), std::move(equality),
                                 std::move(calls)));
  return Status::ok;
}

GroupAggregate::GroupAggregate(Execution& execution, OperatorPointer child,
                               std::vector<ExpressionPointer> keys, std::vector<KeyColumn> equality,
                               std::vector<AggregateCall> calls)
    : Operator(execution, only(std::move(child))),
      keys_(std::move(keys)),
      equality_(std::move(equality)),
      calls_(std::move(calls)),
      input_(keys_.size() + calls_.size()),
      scratch_(account()),
      out_(account(), keys_.size() + calls_.size()) {
  for (AggregateCall& call : calls_) call.aggregate->clear();
}

Status GroupAggregate::take_input(Progress* progress) {
  const Batch* from = nullptr;
  RETURN_IF_ERROR(child().next(&from, progress));
  if (*progress != Progress::rows) return Status::ok;
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
  for (const AggregateCall& call : calls_) {
    if (call.argument)
      RETURN_IF_ERROR(take(*call.argument));
    else
      input_[to++] = {};
  }
  rows_ = from->rows;
  next_row_ = 0;
  return Status::ok;
}

bool GroupAggregate::begins_group(uint32_t row) {
  if (group_count_ == 0) return true;
  const std::vector<Column>& groups = out_.batch().columns;
  for (size_t i = 0; i < keys_.size(); i++) {
    const uint8_t is_null = input_[i].nulls[row];
    if (is_null != groups[i].nulls[group_count_ - 1]) return true;
    if (is_null != 0) continue;
    const Datum value = groups[i].values[group_count_ - 1];
    if (equality_[i].compare(value, input_[i].values[row], equality_[i]) != 0) return true;
  }
  return false;
}

void GroupAggregate::begin_group(uint32_t row) {
  const uint32_t group = group_count_++;
  for (size_t i = 0; i < keys_.size(); i++) {
    const Column& to = out_.batch().columns[i];
    const bool is_null = input_[i].nulls[row] != 0;
    to.nulls[group] = is_null ? 1 : 0;
    to.values[group] = is_null ? 0 : keys_[i]->type().copy(input_[i].values[row], out_.arena());
  }
}

// Rows of the input, of which `groups_` tells the groups.
Status GroupAggregate::add(uint32_t first, uint32_t end) {
  if (first == end) return Status::ok;
  size_t held = 0;
  for (size_t i = 0; i < calls_.size(); i++) {
    Aggregate& aggregate = *calls_[i].aggregate;
    aggregate.resize(group_count_);
    Column argument = input_[keys_.size() + i];
    const bool has_argument = calls_[i].argument != nullptr;
    if (has_argument) argument = {argument.values + first, argument.nulls + first};
    RETURN_IF_ERROR(
        aggregate.add(has_argument ? &argument : nullptr, end - first, groups_ + first));
    held += aggregate.bytes();
  }
  account().take(held);
  account().give(charged_);
  charged_ = held;
  return Status::ok;
}

Status GroupAggregate::give(const Batch** batch) {
  Batch& out = out_.batch();
  out.rows = group_count_;
  for (size_t i = 0; i < calls_.size(); i++) {
    const Column& column = out.columns[keys_.size() + i];
    for (uint32_t group = 0; group < group_count_; group++) {
      bool is_null = false;
      RETURN_IF_ERROR(
          calls_[i].aggregate->result(group, out_.arena(), &column.values[group], &is_null));
      column.nulls[group] = is_null ? 1 : 0;
    }
  }
  is_given_ = true;
  *batch = &out;
  return Status::ok;
}

Status GroupAggregate::produce(const Batch** batch, Progress* progress) {
  if (is_given_) {
    for (AggregateCall& call : calls_) call.aggregate->clear();
    out_.clear();
    group_count_ = 0;
    is_given_ = false;
  }
  while (!is_input_ended_) {
    if (next_row_ == rows_) {
      RETURN_IF_ERROR(take_input(progress));
      if (*progress == Progress::paused) return Status::ok;
      if (*progress == Progress::rows) continue;
      is_input_ended_ = true;
      break;
    }
    // Groups up to the end of the batch, or until there are enough that are whole.
    const uint32_t first = next_row_;
    bool is_full = false;
    for (; next_row_ < rows_; next_row_++) {
      if (begins_group(next_row_)) {
        is_full = group_count_ >= batch_rows_wanted || out_.arena().held() > batch_bytes;
        if (is_full && group_count_ > 0) break;
        begin_group(next_row_);
      }
      groups_[next_row_] = group_count_ - 1;
    }
    RETURN_IF_ERROR(add(first, next_row_));
    if (next_row_ == rows_) continue;
    *progress = Progress::rows;
    return give(batch);
  }
  *progress = group_count_ > 0 ? Progress::rows : Progress::ended;
  return group_count_ > 0 ? give(batch) : Status(Status::ok);
}

}  // namespace pgdata
