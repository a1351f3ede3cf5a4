// NestedLoop: row after row of the left input, batch after batch of the right one.
#include "executor/nested_loop.h"

#include <algorithm>
#include <utility>

#include "base/invariant.h"

namespace pgdata {

namespace {

Operator::Children both(OperatorPointer left, OperatorPointer right) {
  Operator::Children children;
  children.push_back(std::move(left));
  children.push_back(std::move(right));
  return children;
}

uint32_t row_at(const Selection& rows, uint32_t place) {
  return rows.list == nullptr ? place : rows.list[place];
}

}  // namespace

OperatorPointer NestedLoop::create(Execution& execution, LoopPlan plan, OperatorPointer left,
                                   std::unique_ptr<IndexScan> right) {
  IndexScan* const searched = right.get();
  return OperatorPointer(new NestedLoop(execution, std::move(plan),
                                        both(std::move(left), std::move(right)), searched));
}

OperatorPointer NestedLoop::create(Execution& execution, LoopPlan plan, OperatorPointer left,
                                   OperatorPointer right) {
  INVARIANT(right->can_rewind());
  return OperatorPointer(
      new NestedLoop(execution, std::move(plan), both(std::move(left), std::move(right)), nullptr));
}

NestedLoop::NestedLoop(Execution& execution, LoopPlan plan, Children children, IndexScan* searched)
    : Operator(execution, std::move(children)),
      type_(plan.type),
      left_types_(std::move(plan.left_types)),
      right_types_(std::move(plan.right_types)),
      takes_first_(plan.takes_first || !gives_right_columns(type_)),
      conditions_(std::move(plan.conditions), account()),
      tested_columns_(std::move(plan.tested_columns)),
      searched_(searched),
      out_(account(), left_types_.size() + (gives_right_columns(type_) ? right_types_.size() : 0)) {
  tested_.columns.resize(left_types_.size() + right_types_.size());
  for (const size_t column : tested_columns_) {
    repeated_.emplace_back(account());
    tested_.columns[column] = repeated_.back().column();
  }
}

// The next row of the left input, unless it has ended, or the output points into the batch that it had.
Status NestedLoop::next_left(Progress* progress) {
  *progress = Progress::rows;
  if (left_ != nullptr && left_row_ < left_->rows) return Status::ok;
  if (out_.batch().rows > 0) return Status::ok;
  left_row_ = 0;
  left_ = nullptr;
  RETURN_IF_ERROR(child().next(&left_, progress));
  if (*progress != Progress::rows) left_ = nullptr;
  return Status::ok;
}

Status NestedLoop::begin_row() {
  if (searched_ != nullptr) {
    const uint32_t wanted = takes_first_ && conditions_.is_empty() ? 1 : batch_rows_wanted;
    RETURN_IF_ERROR(searched_->search_for(*left_, left_row_, wanted));
  } else if (is_right_begun_) {
    RETURN_IF_ERROR(child(1).rewind());
  }
  is_right_begun_ = true;
  is_row_begun_ = true;
  is_matched_ = false;
  repeated_rows_ = 0;
  return Status::ok;
}

void NestedLoop::end_row() {
  const bool keeps_unmatched = type_ == JoinType::left || type_ == JoinType::anti;
  if (!is_matched_ && keeps_unmatched) emit_alone();
  is_row_begun_ = false;
  right_ = nullptr;
  left_row_++;
}

void NestedLoop::put_left(uint32_t to, uint32_t count) {
  for (size_t i = 0; i < left_types_.size(); i++) {
    const Column& from = left_->columns[i];
    const Column& column = out_.batch().columns[i];
    std::fill_n(column.nulls + to, count, from.nulls[left_row_]);
    std::fill_n(column.values + to, count, from.values[left_row_]);
  }
}

void NestedLoop::emit(const Selection& rows, uint32_t from, uint32_t count) {
  Batch& out = out_.batch();
  const uint32_t to = out.rows;
  put_left(to, count);
  for (size_t i = 0; i < right_types_.size(); i++) {
    const Column& source = right_->columns[i];
    const Column& column = out.columns[left_types_.size() + i];
    const ValueType& type = right_types_[i];
    for (uint32_t k = 0; k < count; k++) {
      const uint32_t row = row_at(rows, from + k);
      const bool is_null = source.nulls[row] != 0;
      column.nulls[to + k] = is_null ? 1 : 0;
      // The right batch is gone before the output is.
      column.values[to + k] = is_null ? 0 : type.copy(source.values[row], out_.arena());
    }
  }
  out.rows += count;
}

void NestedLoop::emit_alone() {
  Batch& out = out_.batch();
  put_left(out.rows, 1);
  for (size_t i = left_types_.size(); i < out.columns.size(); i++) {
    out.columns[i].nulls[out.rows] = 1;
    out.columns[i].values[out.rows] = 0;
  }
  out.rows++;
}

// Which rows of the right batch go with the left row.
Status NestedLoop::select() {
  next_selected_ = 0;
  selected_ = Selection{nullptr, right_->rows};
  if (conditions_.is_empty()) return Status::ok;
  if (right_->rows > repeated_rows_) {
    for (const size_t i : tested_columns_) {
      const uint32_t more = right_->rows - repeated_rows_;
      const Column& column = tested_.columns[i];
      std::fill_n(column.nulls + repeated_rows_, more, left_->columns[i].nulls[left_row_]);
      std::fill_n(column.values + repeated_rows_, more, left_->columns[i].values[left_row_]);
    }
    repeated_rows_ = right_->rows;
  }
  for (size_t i = 0; i < right_types_.size(); i++)
    tested_.columns[left_types_.size() + i] = right_->columns[i];
  tested_.rows = right_->rows;
  return conditions_.select(tested_, &selected_);
}

// Those after the first partner are not looked for.
void NestedLoop::take_first() {
  if (selected_.count == 0) {
    counted().rows_removed += right_->rows;
    right_ = nullptr;
    return;
  }
  counted().rows_removed += row_at(selected_, 0);
  is_matched_ = true;
  if (type_ == JoinType::semi) emit_alone();
  if (gives_right_columns(type_)) emit(selected_, 0, 1);
  end_row();
}

// For the left row at hand, until its partners are out or there is no more room.
Status NestedLoop::match(Progress* progress) {
  *progress = Progress::rows;
  if (!is_row_begun_) RETURN_IF_ERROR(begin_row());
  if (right_ == nullptr) {
    const Batch* found = nullptr;
    RETURN_IF_ERROR(child(1).next(&found, progress));
    if (*progress == Progress::paused) return Status::ok;
    if (*progress == Progress::ended) {
      end_row();
      return Status::ok;
    }
    right_ = found;
    RETURN_IF_ERROR(select());
    if (takes_first_) {
      take_first();
      return Status::ok;
    }
    counted().rows_removed += right_->rows - selected_.count;
    is_matched_ |= selected_.count > 0;
  }
  const uint32_t room = batch_rows_max - out_.batch().rows;
  const uint32_t count = std::min(room, selected_.count - next_selected_);
  emit(selected_, next_selected_, count);
  next_selected_ += count;
  if (next_selected_ == selected_.count) right_ = nullptr;
  return Status::ok;
}

Status NestedLoop::produce(const Batch** batch, Progress* progress) {
  out_.clear();
  *batch = &out_.batch();
  while (out_.batch().rows < batch_rows_wanted) {
    RETURN_IF_ERROR(next_left(progress));
    if (*progress != Progress::rows) break;
    if (left_ == nullptr || left_row_ == left_->rows) break;
    RETURN_IF_ERROR(match(progress));
    if (*progress == Progress::paused) break;
  }
  if (out_.batch().rows > 0) *progress = Progress::rows;
  return Status::ok;
}

}  // namespace pgdata
