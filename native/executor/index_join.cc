// IndexJoin: one search after the other.
#include "executor/index_join.h"

#include <utility>

namespace pgdata {

OperatorPointer IndexJoin::create(Execution& execution, JoinType type, OperatorPointer left,
                                  std::unique_ptr<IndexScan> right,
                                  std::vector<ValueType> left_types,
                                  std::vector<ValueType> right_types) {
  IndexScan& searched = *right;
  Children children;
  children.push_back(std::move(left));
  children.push_back(std::move(right));
  return OperatorPointer(new IndexJoin(execution, type, std::move(children), searched,
                                       std::move(left_types), std::move(right_types)));
}

IndexJoin::IndexJoin(Execution& execution, JoinType type, Children children, IndexScan& right,
                     std::vector<ValueType> left_types, std::vector<ValueType> right_types)
    : Operator(execution, std::move(children)),
      type_(type),
      looks_for_one_(type == JoinType::semi || type == JoinType::anti),
      right_(right),
      left_types_(std::move(left_types)),
      right_types_(std::move(right_types)),
      out_(account(), left_types_.size() + (looks_for_one_ ? 0 : right_types_.size())) {}

void IndexJoin::emit(const Batch* right, uint32_t right_row) {
  Batch& out = out_.batch();
  const uint32_t to = out.rows++;
  const size_t left_columns = left_types_.size();
  for (size_t i = 0; i < left_columns; i++) {
    out.columns[i].nulls[to] = left_->columns[i].nulls[left_row_];
    out.columns[i].values[to] = left_->columns[i].values[left_row_];
  }
  for (size_t i = left_columns; i < out.columns.size(); i++) {
    const size_t column = i - left_columns;
    const bool is_null = right == nullptr || right->columns[column].nulls[right_row] != 0;
    out.columns[i].nulls[to] = is_null ? 1 : 0;
    out.columns[i].values[to] =
        is_null ? 0
                : right_types_[column].copy(right->columns[column].values[right_row], out_.arena());
  }
}

// The next row of the left input, unless it has ended, or the output points into the batch that it had.
Status IndexJoin::next_left(Progress* progress) {
  *progress = Progress::rows;
  if (left_ != nullptr && left_row_ < left_->rows) return Status::ok;
  if (out_.batch().rows > 0) return Status::ok;
  left_row_ = 0;
  left_ = nullptr;
  RETURN_IF_ERROR(child().next(&left_, progress));
  if (*progress != Progress::rows) left_ = nullptr;
  return Status::ok;
}

void IndexJoin::end_row() {
  const bool keeps_unmatched = type_ == JoinType::left || type_ == JoinType::anti;
  if (!is_matched_ && keeps_unmatched) emit(nullptr, 0);
  is_searching_ = false;
  left_row_++;
}

// For the left row at hand, until its partners are out or there is no more room.
Status IndexJoin::search(Progress* progress) {
  const uint32_t wanted = looks_for_one_ ? 1 : batch_rows_wanted;
  if (!is_searching_) {
    RETURN_IF_ERROR(right_.search_for(*left_, left_row_, wanted));
    is_searching_ = true;
    is_matched_ = false;
  }
  const Batch* found = nullptr;
  RETURN_IF_ERROR(right_.next(&found, progress));
  if (*progress == Progress::paused) return Status::ok;
  if (*progress == Progress::ended) {
    end_row();
    return Status::ok;
  }
  is_matched_ = true;
  if (looks_for_one_) {
    if (type_ == JoinType::semi) emit(nullptr, 0);
    end_row();
    return Status::ok;
  }
  for (uint32_t row = 0; row < found->rows; row++) emit(found, row);
  return Status::ok;
}

// The partners of a batch's last row but one may fill it up, and a batch of those of the last one comes on top.
static_assert(2 * batch_rows_wanted <= batch_rows_max);

Status IndexJoin::produce(const Batch** batch, Progress* progress) {
  out_.clear();
  *batch = &out_.batch();
  while (out_.batch().rows < batch_rows_wanted) {
    RETURN_IF_ERROR(next_left(progress));
    if (*progress != Progress::rows) break;
    if (left_ == nullptr || left_row_ == left_->rows) break;
    RETURN_IF_ERROR(search(progress));
    if (*progress == Progress::paused) break;
  }
  if (out_.batch().rows > 0) *progress = Progress::rows;
  return Status::ok;
}

}  // namespace pgdata
