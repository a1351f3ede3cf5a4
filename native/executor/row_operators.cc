// Project, FilterRows, Limit, Append.
#include "executor/row_operators.h"

#include <algorithm>
#include <utility>

namespace pgdata {

Project::Project(Execution& execution, OperatorPointer child,
                 std::vector<ExpressionPointer> expressions)
    : Operator(execution, only(std::move(child))),
      expressions_(std::move(expressions)),
      scratch_(account()) {
  batch_.columns.resize(expressions_.size());
}

Status Project::produce(const Batch** batch, Progress* progress) {
  const Batch* from = nullptr;
  RETURN_IF_ERROR(child().next(&from, progress));
  if (*progress != Progress::rows) return Status::ok;
  scratch_.reset();
  const Selection all{nullptr, from->rows};
  for (size_t i = 0; i < expressions_.size(); i++) {
    const Column* column = nullptr;
    RETURN_IF_ERROR(expressions_[i]->evaluate(*from, all, scratch_, &column));
    batch_.columns[i] = *column;
  }
  batch_.rows = from->rows;
  *batch = &batch_;
  return Status::ok;
}

FilterRows::FilterRows(Execution& execution, OperatorPointer child, size_t columns,
                       std::vector<ExpressionPointer> conditions)
    : Operator(execution, only(std::move(child))),
      conditions_(std::move(conditions), account()),
      out_(account(), columns) {}

Status FilterRows::produce(const Batch** batch, Progress* progress) {
  for (;;) {
    const Batch* from = nullptr;
    RETURN_IF_ERROR(child().next(&from, progress));
    if (*progress != Progress::rows) return Status::ok;
    Selection selected;
    RETURN_IF_ERROR(conditions_.select(*from, &selected));
    counted().rows_removed += from->rows - selected.count;
    if (selected.count == 0) continue;
    Batch& to = out_.batch();
    for (size_t i = 0; i < to.columns.size(); i++) {
      const Column& source = from->columns[i];
      uint32_t at = 0;
      selected.for_each([&](uint32_t row) {
        to.columns[i].values[at] = source.values[row];
        to.columns[i].nulls[at++] = source.nulls[row];
      });
    }
    to.rows = selected.count;
    *batch = &to;
    return Status::ok;
  }
}

Limit::Limit(Execution& execution, OperatorPointer child, uint64_t limit, uint64_t offset)
    : Operator(execution, only(std::move(child))), left_(limit), to_skip_(offset) {}

Status Limit::produce(const Batch** batch, Progress* progress) {
  for (;;) {
    *progress = Progress::ended;
    if (left_ == 0) return Status::ok;
    const Batch* from = nullptr;
    RETURN_IF_ERROR(child().next(&from, progress));
    if (*progress != Progress::rows) return Status::ok;
    const auto skipped = static_cast<uint32_t>(std::min<uint64_t>(to_skip_, from->rows));
    to_skip_ -= skipped;
    const auto given = static_cast<uint32_t>(std::min<uint64_t>(left_, from->rows - skipped));
    if (given == 0) continue;
    if (left_ != all) left_ -= given;
    batch_ = *from;
    for (Column& column : batch_.columns) {
      column.values += skipped;
      column.nulls += skipped;
    }
    batch_.rows = given;
    *batch = &batch_;
    return Status::ok;
  }
}

Status Append::produce(const Batch** batch, Progress* progress) {
  *progress = Progress::ended;
  for (; children_left_ > 0; children_left_--) {
    RETURN_IF_ERROR(child(child_count() - children_left_).next(batch, progress));
    if (*progress != Progress::ended) return Status::ok;
  }
  return Status::ok;
}

Status OneRow::produce(const Batch** batch, Progress* progress) {
  *progress = std::exchange(given_, true) ? Progress::ended : Progress::rows;
  batch_.rows = 1;
  *batch = &batch_;
  return Status::ok;
}

}  // namespace pgdata
