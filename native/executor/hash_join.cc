// HashJoin: building the table, then probing it.
#include "executor/hash_join.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace pgdata {

Status HashJoin::create(Execution& execution, JoinType type, OperatorPointer left,
                        OperatorPointer right, size_t left_columns,
                        std::vector<ValueType> right_types, std::vector<JoinKey> keys,
                        OperatorPointer* made) {
  std::vector<Key> described;
  for (JoinKey& of : keys) {
    Key key;
    key.type = of.left->type();
    RETURN_IF_ERROR(equality_of_type(key.type, &key.equality));
    key.hash = hash_of_type(key.type);
    key.of = std::move(of);
    described.push_back(std::move(key));
  }
  Children children;
  children.push_back(std::move(left));
  children.push_back(std::move(right));
  made->reset(new HashJoin(execution, type, std::move(children), left_columns,
                           std::move(right_types), std::move(described)));
  return Status::ok;
}

HashJoin::HashJoin(Execution& execution, JoinType type, Children children, size_t left_columns,
                   std::vector<ValueType> right_types, std::vector<Key> keys)
    : Operator(execution, std::move(children)),
      type_(type),
      left_columns_(left_columns),
      packer_(std::move(right_types)),
      keys_(std::move(keys)),
      key_columns_(keys_.size()),
      scratch_(account()),
      right_memory_(account()),
      out_(account(), type == JoinType::semi || type == JoinType::anti
                          ? left_columns
                          : left_columns + packer_.types().size()) {}

Status HashJoin::take_keys(const Batch& batch, bool is_left) {
  scratch_.reset();
  const Selection all{nullptr, batch.rows};
  std::fill_n(hashes_, batch.rows, uint64_t{0});
  std::fill_n(has_null_, batch.rows, uint8_t{0});
  for (size_t i = 0; i < keys_.size(); i++) {
    const ExpressionPointer& expression = is_left ? keys_[i].of.left : keys_[i].of.right;
    RETURN_IF_ERROR(expression->evaluate(batch, all, scratch_, &key_columns_[i]));
    const Column& column = *key_columns_[i];
    const HashFunction hash = keys_[i].hash;
    for (uint32_t row = 0; row < batch.rows; row++) {
      has_null_[row] |= column.nulls[row];
      if (has_null_[row] == 0)
        hashes_[row] = combine_hashes(hashes_[row], hash(column.values[row]));
    }
  }
  return Status::ok;
}

Status HashJoin::add_right(const Batch& batch) {
  RETURN_IF_ERROR(take_keys(batch, false));
  const bool keeps_all = type_ == JoinType::right || type_ == JoinType::full;
  for (uint32_t row = 0; row < batch.rows; row++) {
    if (has_null_[row] != 0 && !keeps_all) continue;
    RightRow right{};
    right.hash = hashes_[row];
    right.has_null = has_null_[row] != 0;
    right.next = no_row;
    uint32_t size = 0;
    const std::byte* packed = packer_.pack(batch, row, &size);
    right.packed = right_memory_.copy(packed, size);
    auto* const keys = right_memory_.allocate_array<Datum>(keys_.size());
    for (size_t i = 0; i < keys_.size(); i++) {
      keys[i] =
          right.has_null ? 0 : keys_[i].type.copy(key_columns_[i]->values[row], right_memory_);
    }
    right.keys = keys;
    right_.push_back(right);
  }
  const size_t held = right_.capacity() * sizeof(RightRow);
  account().take(held - charged_);
  charged_ = held;
  return Status::ok;
}

void HashJoin::make_table() {
  heads_.assign(std::bit_ceil(std::max<size_t>(right_.size() * 2, 16)), no_row);
  const size_t bytes = heads_.size() * sizeof(uint32_t);
  account().take(bytes);
  charged_ += bytes;
  // From the last one on, so that chains are in order of arrival.
  for (size_t i = right_.size(); i-- > 0;) {
    if (right_[i].has_null) continue;
    uint32_t& head = heads_[right_[i].hash & (heads_.size() - 1)];
    right_[i].next = head;
    head = static_cast<uint32_t>(i);
  }
}

bool HashJoin::is_match(uint32_t left_row, uint32_t right_row) const {
  const RightRow& right = right_[right_row];
  if (right.hash != hashes_[left_row]) return false;
  for (size_t i = 0; i < keys_.size(); i++) {
    const KeyColumn& equality = keys_[i].equality;
    if (equality.compare(key_columns_[i]->values[left_row], right.keys[i], equality) != 0)
      return false;
  }
  return true;
}

uint32_t HashJoin::first_match(uint32_t left_row) const {
  if (has_null_[left_row] != 0) return no_row;
  const uint32_t head = heads_[hashes_[left_row] & (heads_.size() - 1)];
  if (head == no_row || is_match(left_row, head)) return head;
  return next_match(left_row, head);
}

uint32_t HashJoin::next_match(uint32_t left_row, uint32_t right_row) const {
  for (uint32_t at = right_[right_row].next; at != no_row; at = right_[at].next)
    if (is_match(left_row, at)) return at;
  return no_row;
}

void HashJoin::emit(uint32_t left_row, uint32_t right_row) {
  Batch& out = out_.batch();
  const uint32_t to = out.rows++;
  for (size_t i = 0; i < left_columns_; i++) {
    const bool is_null = left_row == no_row || left_->columns[i].nulls[left_row] != 0;
    out.columns[i].nulls[to] = is_null ? 1 : 0;
    out.columns[i].values[to] = is_null ? 0 : left_->columns[i].values[left_row];
  }
  for (size_t i = left_columns_; i < out.columns.size(); i++) {
    const size_t column = i - left_columns_;
    const bool is_null = right_row == no_row || packer_.is_null(right_[right_row].packed, column);
    out.columns[i].nulls[to] = is_null ? 1 : 0;
    out.columns[i].values[to] = is_null ? 0 : packer_.value(right_[right_row].packed, column);
  }
}

// Goes on with the left batch until it is done or the output is full.
void HashJoin::match_rows() {
  const bool keeps_left = type_ == JoinType::left || type_ == JoinType::full;
  const Batch& out = out_.batch();
  while (left_row_ < left_->rows && out.rows < batch_rows_max) {
    if (!is_row_begun_) {
      right_row_ = first_match(left_row_);
      is_row_begun_ = true;
      if (type_ == JoinType::semi || type_ == JoinType::anti) {
        if ((right_row_ != no_row) == (type_ == JoinType::semi)) emit(left_row_, no_row);
        right_row_ = no_row;
      } else if (right_row_ == no_row && keeps_left) {
        emit(left_row_, no_row);
      }
    }
    while (right_row_ != no_row && out.rows < batch_rows_max) {
      right_[right_row_].is_matched = true;
      emit(left_row_, right_row_);
      right_row_ = next_match(left_row_, right_row_);
    }
    if (right_row_ != no_row) return;
    left_row_++;
    is_row_begun_ = false;
  }
}

void HashJoin::emit_unmatched_right() {
  for (; next_unmatched_ < right_.size() && out_.batch().rows < batch_rows_max; next_unmatched_++)
    if (!right_[next_unmatched_].is_matched) emit(no_row, static_cast<uint32_t>(next_unmatched_));
}

Status HashJoin::produce(const Batch** batch, Progress* progress) {
  while (!is_loaded_) {
    const Batch* from = nullptr;
    RETURN_IF_ERROR(child(1).next(&from, progress));
    if (*progress == Progress::paused) return Status::ok;
    is_loaded_ = *progress == Progress::ended;
    if (is_loaded_)
      make_table();
    else
      RETURN_IF_ERROR(add_right(*from));
  }
  out_.clear();
  Batch& out = out_.batch();
  *batch = &out;
  *progress = Progress::rows;
  while (!is_left_ended_) {
    if (left_ == nullptr || left_row_ == left_->rows) {
      // What was emitted points into the batch before.
      if (out.rows > 0) return Status::ok;
      left_row_ = 0;
      RETURN_IF_ERROR(child(0).next(&left_, progress));
      if (*progress == Progress::paused) {
        left_ = nullptr;
        return Status::ok;
      }
      is_left_ended_ = *progress == Progress::ended;
      if (is_left_ended_) break;
      RETURN_IF_ERROR(take_keys(*left_, true));
    }
    match_rows();
    if (out.rows == batch_rows_max) return Status::ok;
  }
  left_ = nullptr;
  if (type_ == JoinType::right || type_ == JoinType::full) emit_unmatched_right();
  *progress = out.rows > 0 ? Progress::rows : Progress::ended;
  return Status::ok;
}

}  // namespace pgdata
