// HashJoin: loading, dividing, probing.
#include "executor/hash_join.h"

#include <algorithm>
#include <utility>

namespace pgdata {

namespace {

constexpr uint32_t no_row = 0xFFFFFFFF;
// Between two looks at the clock.
constexpr size_t rows_at_once = 2000;
// Hashes that did not divide the rows by then do not.
constexpr uint32_t levels_max = 8;

}  // namespace

Status HashJoin::create(Execution& execution, JoinType type, OperatorPointer left,
                        OperatorPointer right, std::vector<ValueType> left_types,
                        std::vector<ValueType> right_types, std::vector<JoinKey> keys,
                        std::vector<ExpressionPointer> conditions, OperatorPointer* made) {
  std::vector<JoinTableKey> described;
  for (const JoinKey& of : keys) {
    JoinTableKey key;
    key.type = of.left->type();
    RETURN_IF_ERROR(equality_of_type(key.type, &key.equality));
    key.hash = hash_of_type(key.type);
    described.push_back(key);
  }
  Children children;
  children.push_back(std::move(left));
  children.push_back(std::move(right));
  made->reset(new HashJoin(execution, type, std::move(children), std::move(left_types),
                           std::move(right_types), std::move(keys), std::move(conditions),
                           std::move(described)));
  return Status::ok;
}

HashJoin::HashJoin(Execution& execution, JoinType type, Children children,
                   std::vector<ValueType> left_types, std::vector<ValueType> right_types,
                   std::vector<JoinKey> keys, std::vector<ExpressionPointer> conditions,
                   std::vector<JoinTableKey> key_types)
    : Operator(execution, std::move(children)),
      type_(type),
      keeps_left_(type == JoinType::left || type == JoinType::full),
      keeps_right_(type == JoinType::right || type == JoinType::full),
      left_types_(std::move(left_types)),
      right_types_(std::move(right_types)),
      keys_(std::move(keys)),
      key_columns_(keys_.size()),
      scratch_(account()),
      table_(std::move(key_types), right_types_, execution.block_bytes(), account()),
      memory_limit_(execution.hash_mem_bytes()),
      parts_(SpilledParts::parts_within(memory_limit_)),
      out_(account(), left_types_.size() + (gives_right_columns(type) ? right_types_.size() : 0)) {
  if (conditions.empty()) return;
  const size_t columns = left_types_.size() + right_types_.size();
  filter_ = std::make_unique<JoinFilter>(std::move(conditions), columns, account());
}

Status HashJoin::take(bool is_left, const Batch** batch, Progress* progress) {
  SpilledRows* const spilled = (is_left ? pass_.left : pass_.right).get();
  *batch = nullptr;
  if (spilled == nullptr) {
    RETURN_IF_ERROR(child(is_left ? 0 : 1).next(batch, progress));
    if (*progress != Progress::rows) *batch = nullptr;
  } else if (execution().is_out_of_time()) {
    *progress = Progress::paused;
  } else {
    RETURN_IF_ERROR(spilled->read(batch));
    *progress = *batch == nullptr ? Progress::ended : Progress::rows;
  }
  return *batch == nullptr ? Status(Status::ok) : take_keys(**batch, is_left);
}

Status HashJoin::take_keys(const Batch& batch, bool is_left) {
  scratch_.reset();
  const Selection all{nullptr, batch.rows};
  std::fill_n(hashes_, batch.rows, uint64_t{0});
  std::fill_n(has_null_, batch.rows, uint8_t{0});
  for (size_t i = 0; i < keys_.size(); i++) {
    const ExpressionPointer& expression = is_left ? keys_[i].left : keys_[i].right;
    const Column* column = nullptr;
    RETURN_IF_ERROR(expression->evaluate(batch, all, scratch_, &column));
    key_columns_[i] = *column;
    const HashFunction hash = table_.keys()[i].hash;
    for (uint32_t row = 0; row < batch.rows; row++) {
      has_null_[row] |= column->nulls[row];
      if (has_null_[row] == 0)
        hashes_[row] = combine_hashes(hashes_[row], hash(column->values[row]));
    }
  }
  return Status::ok;
}

Status HashJoin::add_right(const Batch& batch) {
  // While rows are divided, files take memory beside those that are still here.
  const size_t part_bytes = parts_ * SpilledRows::memory_bytes;
  for (uint32_t row = 0; row < batch.rows; row++) {
    const bool has_null = has_null_[row] != 0;
    if (has_null && !keeps_right_) continue;
    const bool is_full = table_.bytes() + part_bytes > memory_limit_;
    if (right_parts_ == nullptr && pass_.is_divisible && is_full) {
      TemporarySpace& space = execution().temporary_space();
      right_parts_ =
          std::make_unique<SpilledParts>(space, right_types_, account(), parts_, pass_.level);
      left_parts_ =
          std::make_unique<SpilledParts>(space, left_types_, account(), parts_, pass_.level);
    }
    if (right_parts_ != nullptr)
      RETURN_IF_ERROR(right_parts_->write(batch.columns, row, has_null ? 0 : hashes_[row]));
    else
      table_.add(batch.columns, key_columns_, row, hashes_[row], has_null);
  }
  const size_t blocks = right_parts_ == nullptr ? 0 : part_bytes;
  peak_bytes_ = std::max<uint64_t>(peak_bytes_, table_.bytes() + blocks);
  return Status::ok;
}

// What was in memory before it became too much.
Status HashJoin::move_to_files(bool* done) {
  for (size_t i = 0; i < rows_at_once && next_row_ != nullptr; i++) {
    const uint64_t hash = next_row_->has_null ? 0 : next_row_->hash;
    RETURN_IF_ERROR(right_parts_->write(table_.packed(next_row_), hash));
    next_row_ = next_row_->added_earlier;
  }
  *done = next_row_ == nullptr;
  if (!*done) return Status::ok;
  table_.clear();
  return right_parts_->end_writing();
}

Status HashJoin::divide_left(const Batch& batch) {
  const bool keeps_all = keeps_left_ || type_ == JoinType::anti;
  for (uint32_t row = 0; row < batch.rows; row++) {
    const bool has_null = has_null_[row] != 0;
    const uint64_t hash = has_null ? 0 : hashes_[row];
    const bool may_match = !has_null && right_parts_->part(right_parts_->part_of(hash)).rows() > 0;
    if (keeps_all || may_match) RETURN_IF_ERROR(left_parts_->write(batch.columns, row, hash));
  }
  return Status::ok;
}

void HashJoin::end_dividing() {
  uint64_t right_rows = 0;
  for (size_t i = 0; i < parts_; i++) right_rows += right_parts_->part(i).rows();
  for (size_t i = 0; i < parts_; i++) {
    Pass pass{left_parts_->take(i), right_parts_->take(i), pass_.level + 1, true};
    if (pass.left->rows() == 0 && (!keeps_right_ || pass.right->rows() == 0)) continue;
    spilled_bytes_ += pass.left->size_bytes() + pass.right->size_bytes();
    pass.is_divisible = pass.level < levels_max && pass.right->rows() < right_rows;
    passes_left_.push_back(std::move(pass));
  }
  left_parts_.reset();
  right_parts_.reset();
  begin_pass();
}

void HashJoin::begin_pass() {
  table_.clear();
  left_ = nullptr;
  left_row_ = 0;
  phase_ = Phase::ended;
  if (passes_left_.empty()) return;
  phase_ = Phase::loading;
  pass_ = std::move(passes_left_.back());
  passes_left_.pop_back();
  passes_++;
}

void HashJoin::put_pair(Batch& out, uint32_t left_row, const JoinRow* right_row) {
  const uint32_t to = out.rows++;
  const size_t left_columns = left_types_.size();
  for (size_t i = 0; i < left_columns; i++) {
    const bool is_null = left_row == no_row || left_->columns[i].nulls[left_row] != 0;
    out.columns[i].nulls[to] = is_null ? 1 : 0;
    out.columns[i].values[to] = is_null ? 0 : left_->columns[i].values[left_row];
  }
  const RowPacker& packer = table_.packer();
  const std::byte* const packed = right_row == nullptr ? nullptr : table_.packed(right_row);
  for (size_t i = left_columns; i < out.columns.size(); i++) {
    const bool is_null = packed == nullptr || packer.is_null(packed, i - left_columns);
    out.columns[i].nulls[to] = is_null ? 1 : 0;
    out.columns[i].values[to] = is_null ? 0 : packer.value(packed, i - left_columns);
  }
}

// Goes on with the left batch until it is done or the output is full.
void HashJoin::match_rows() {
  const bool is_filter = !gives_right_columns(type_);
  const Batch& out = out_.batch();
  while (left_row_ < left_->rows && out.rows < batch_rows_max) {
    if (!is_row_begun_) {
      match_ = has_null_[left_row_] != 0
                   ? nullptr
                   : table_.first_match(key_columns_, left_row_, hashes_[left_row_]);
      is_row_begun_ = true;
      if (is_filter) {
        if ((match_ != nullptr) == (type_ == JoinType::semi)) emit(left_row_, nullptr);
        match_ = nullptr;
      } else if (match_ == nullptr && keeps_left_) {
        emit(left_row_, nullptr);
      }
    }
    while (match_ != nullptr && out.rows < batch_rows_max) {
      match_->is_matched = true;
      emit(left_row_, match_);
      match_ = table_.next_match(match_, key_columns_, left_row_);
    }
    if (match_ != nullptr) return;
    left_row_++;
    is_row_begun_ = false;
  }
}

void HashJoin::collect_pairs() {
  const bool is_one_enough = !gives_right_columns(type_);
  while (left_row_ < left_->rows) {
    if (!is_row_begun_) {
      match_ = has_null_[left_row_] != 0
                   ? nullptr
                   : table_.first_match(key_columns_, left_row_, hashes_[left_row_]);
      is_row_begun_ = true;
    }
    if (is_one_enough && is_left_matched_[left_row_] != 0) match_ = nullptr;
    for (; match_ != nullptr; match_ = table_.next_match(match_, key_columns_, left_row_)) {
      if (filter_->is_full()) return;
      put_pair(filter_->pairs(), left_row_, match_);
      filter_->note(left_row_, match_);
    }
    left_row_++;
    is_row_begun_ = false;
  }
}

Status HashJoin::test_pairs() {
  Selection selected;
  RETURN_IF_ERROR(filter_->select(&selected));
  counted().rows_removed += filter_->pairs().rows - selected.count;
  selected.for_each([&](uint32_t pair) {
    const uint32_t left_row = filter_->left_row(pair);
    JoinRow* const right_row = filter_->right_row(pair);
    right_row->is_matched = true;
    const bool is_first = is_left_matched_[left_row] == 0;
    is_left_matched_[left_row] = 1;
    if (gives_right_columns(type_))
      emit(left_row, right_row);
    else if (type_ == JoinType::semi && is_first)
      emit(left_row, nullptr);
  });
  filter_->clear();
  return Status::ok;
}

void HashJoin::emit_unmatched_left() {
  const bool keeps_unmatched = keeps_left_ || type_ == JoinType::anti;
  if (!keeps_unmatched) next_unmatched_ = left_->rows;
  for (; next_unmatched_ < left_->rows && out_.batch().rows < batch_rows_max; next_unmatched_++)
    if (is_left_matched_[next_unmatched_] == 0) emit(next_unmatched_, nullptr);
}

// Goes on with the left batch, the output being empty, for as many pairs as are tested at once.
Status HashJoin::match_filtered() {
  if (left_row_ < left_->rows) {
    collect_pairs();
    if (filter_->pairs().rows > 0) RETURN_IF_ERROR(test_pairs());
  }
  if (left_row_ == left_->rows) emit_unmatched_left();
  return Status::ok;
}

void HashJoin::emit_unmatched_right() {
  for (; next_row_ != nullptr && out_.batch().rows < batch_rows_max;
       next_row_ = next_row_->added_earlier)
    if (!next_row_->is_matched) emit(no_row, next_row_);
}

Status HashJoin::load(Progress* progress) {
  for (;;) {
    const Batch* from = nullptr;
    RETURN_IF_ERROR(take(false, &from, progress));
    if (*progress == Progress::paused) return Status::ok;
    if (*progress == Progress::ended) break;
    RETURN_IF_ERROR(add_right(*from));
  }
  phase_ = right_parts_ == nullptr ? Phase::hashing : Phase::moving;
  next_row_ = table_.last();
  return Status::ok;
}

Status HashJoin::divide(Progress* progress) {
  for (;;) {
    const Batch* from = nullptr;
    RETURN_IF_ERROR(take(true, &from, progress));
    if (*progress == Progress::paused) return Status::ok;
    if (*progress == Progress::ended) break;
    RETURN_IF_ERROR(divide_left(*from));
  }
  RETURN_IF_ERROR(left_parts_->end_writing());
  end_dividing();
  return Status::ok;
}

// Until the output has rows that point into the left batch, or the left input has ended.
Status HashJoin::probe(Progress* progress) {
  for (;;) {
    if (left_ == nullptr || is_left_done()) {
      if (out_.batch().rows > 0) return Status::ok;
      left_row_ = 0;
      RETURN_IF_ERROR(take(true, &left_, progress));
      if (*progress == Progress::paused) return Status::ok;
      if (*progress == Progress::ended) break;
      next_unmatched_ = filter_ == nullptr ? left_->rows : 0;
      std::fill_n(is_left_matched_, left_->rows, uint8_t{0});
    }
    if (filter_ == nullptr) {
      match_rows();
      if (out_.batch().rows == batch_rows_max) return Status::ok;
      continue;
    }
    RETURN_IF_ERROR(match_filtered());
    if (out_.batch().rows > 0) return Status::ok;
    if (execution().is_out_of_time()) {
      *progress = Progress::paused;
      return Status::ok;
    }
  }
  phase_ = Phase::unmatched;
  next_row_ = keeps_right_ ? table_.last() : nullptr;
  return Status::ok;
}

Status HashJoin::produce(const Batch** batch, Progress* progress) {
  out_.clear();
  *batch = &out_.batch();
  while (phase_ != Phase::ended) {
    *progress = Progress::rows;
    bool done = true;
    switch (phase_) {
      case Phase::loading:
        RETURN_IF_ERROR(load(progress));
        break;
      case Phase::moving:
        RETURN_IF_ERROR(move_to_files(&done));
        if (done) phase_ = Phase::dividing;
        break;
      case Phase::dividing:
        RETURN_IF_ERROR(divide(progress));
        break;
      case Phase::hashing:
        table_.hash_rows(rows_at_once, &done);
        if (done) phase_ = Phase::probing;
        break;
      case Phase::probing:
        RETURN_IF_ERROR(probe(progress));
        break;
      case Phase::unmatched:
        emit_unmatched_right();
        if (out_.batch().rows == 0) begin_pass();
        break;
      case Phase::ended:
        break;
    }
    if (out_.batch().rows > 0) {
      *progress = Progress::rows;
      return Status::ok;
    }
    if (*progress == Progress::paused) return Status::ok;
    if (!done && execution().is_out_of_time()) {
      *progress = Progress::paused;
      return Status::ok;
    }
  }
  *progress = Progress::ended;
  return Status::ok;
}

}  // namespace pgdata
