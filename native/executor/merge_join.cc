// MergeJoin: two inputs side by side.
#include "executor/merge_join.h"

#include <algorithm>
#include <utility>

namespace pgdata {

namespace {

Operator::Children both(OperatorPointer left, OperatorPointer right) {
  Operator::Children children;
  children.push_back(std::move(left));
  children.push_back(std::move(right));
  return children;
}

// Rows of a group that are tested at once; a batch has room for that many beyond what it wants.
constexpr uint32_t chunk_rows_max = batch_rows_wanted;
static_assert(batch_rows_wanted + chunk_rows_max <= batch_rows_max);

}  // namespace

bool MergeJoin::Side::has_null_key() const {
  return std::any_of(keys.begin(), keys.end(),
                     [this](const Column& key) { return key.nulls[row] != 0; });
}

MergeJoin::MergeJoin(Execution& execution, MergePlan plan, OperatorPointer left,
                     OperatorPointer right)
    : Operator(execution, both(std::move(left), std::move(right))),
      type_(plan.type),
      keeps_left_(type_ == JoinType::left || type_ == JoinType::full || type_ == JoinType::anti),
      keeps_right_(type_ == JoinType::right || type_ == JoinType::full),
      left_types_(std::move(plan.left_types)),
      right_types_(std::move(plan.right_types)),
      keys_(std::move(plan.keys)),
      orders_(std::move(plan.orders)),
      conditions_(std::move(plan.conditions), account()),
      left_(account()),
      right_(account()),
      group_keys_(keys_.size()),
      group_memory_(account()),
      group_(execution.temporary_space(), right_types_, account(), execution.work_mem_bytes()),
      reader_(group_, account()),
      chunk_(account(), right_types_.size()),
      out_(account(), left_types_.size() + (gives_right_columns(type_) ? right_types_.size() : 0)) {
  left_.keys.resize(keys_.size());
  right_.keys.resize(keys_.size());
  if (conditions_.is_empty()) return;
  for (size_t i = 0; i < left_types_.size(); i++) {
    repeated_.emplace_back(account());
    tested_.columns.push_back(repeated_.back().column());
  }
  for (const Column& column : chunk_.batch().columns) tested_.columns.push_back(column);
}

MergeJoin::~MergeJoin() { account().give(charged_); }

Status MergeJoin::take(size_t input, Side* side, Progress* progress) {
  *progress = Progress::rows;
  if (side->has_row() || side->is_ended) return Status::ok;
  side->batch = nullptr;
  side->row = 0;
  RETURN_IF_ERROR(child(input).next(&side->batch, progress));
  if (*progress != Progress::rows) {
    side->batch = nullptr;
    side->is_ended = *progress == Progress::ended;
    if (side->is_ended) *progress = Progress::rows;
    return Status::ok;
  }
  side->scratch.reset();
  const Selection all{nullptr, side->batch->rows};
  for (size_t i = 0; i < keys_.size(); i++) {
    Expression& key = input == 0 ? *keys_[i].left : *keys_[i].right;
    const Column* column = nullptr;
    RETURN_IF_ERROR(key.evaluate(*side->batch, all, side->scratch, &column));
    side->keys[i] = *column;
  }
  return Status::ok;
}

// The left row's keys with those of the right row.
int MergeJoin::compare_with_right() const {
  for (size_t i = 0; i < keys_.size(); i++) {
    const int order = orders_[i].compare(left_.keys[i].values[left_.row],
                                         right_.keys[i].values[right_.row], orders_[i]);
    if (order != 0) return order;
  }
  return 0;
}

int MergeJoin::compare_with_group(const Side& side) const {
  for (size_t i = 0; i < keys_.size(); i++) {
    const int order = orders_[i].compare(side.keys[i].values[side.row], group_keys_[i], orders_[i]);
    if (order != 0) return order;
  }
  return 0;
}

void MergeJoin::put_left(uint32_t to) {
  for (size_t i = 0; i < left_types_.size(); i++) {
    const Column& from = left_.batch->columns[i];
    const Column& column = out_.batch().columns[i];
    const bool is_null = from.nulls[left_.row] != 0;
    column.nulls[to] = is_null ? 1 : 0;
    column.values[to] = is_null ? 0 : left_types_[i].copy(from.values[left_.row], out_.arena());
  }
}

void MergeJoin::put_right(uint32_t to, const std::vector<Column>& columns, uint32_t row) {
  for (size_t i = 0; i < right_types_.size(); i++) {
    const Column& column = out_.batch().columns[left_types_.size() + i];
    const bool is_null = columns[i].nulls[row] != 0;
    column.nulls[to] = is_null ? 1 : 0;
    column.values[to] = is_null ? 0 : right_types_[i].copy(columns[i].values[row], out_.arena());
  }
}

void MergeJoin::put_nulls(uint32_t to, size_t first, size_t end) {
  for (size_t i = first; i < end; i++) {
    out_.batch().columns[i].nulls[to] = 1;
    out_.batch().columns[i].values[to] = 0;
  }
}

void MergeJoin::emit_left_alone() {
  const uint32_t to = out_.batch().rows++;
  put_left(to);
  put_nulls(to, left_types_.size(), out_.batch().columns.size());
}

void MergeJoin::emit_right_alone(const std::vector<Column>& columns, uint32_t row) {
  const uint32_t to = out_.batch().rows++;
  put_nulls(to, 0, left_types_.size());
  put_right(to, columns, row);
}

void MergeJoin::emit_pair(uint32_t chunk_row) {
  const uint32_t to = out_.batch().rows++;
  put_left(to);
  put_right(to, chunk_.batch().columns, chunk_row);
}

void MergeJoin::end_left_row() {
  if (!is_matched_ && keeps_left_) emit_left_alone();
  is_matched_ = false;
  left_.row++;
}

void MergeJoin::begin_group() {
  group_memory_.reset();
  for (size_t i = 0; i < keys_.size(); i++)
    group_keys_[i] = keys_[i].right->type().copy(right_.keys[i].values[right_.row], group_memory_);
  phase_ = Phase::filling;
}

void MergeJoin::end_group() {
  group_.clear();
  chunk_.clear();
  has_group_ = false;
  is_met_.clear();
  phase_ = Phase::comparing;
}

// One step: a left or a right row is passed over, or a group is met.
Status MergeJoin::compare(Progress* progress) {
  RETURN_IF_ERROR(take(0, &left_, progress));
  if (*progress == Progress::paused) return Status::ok;
  if (!has_group_) {
    RETURN_IF_ERROR(take(1, &right_, progress));
    if (*progress == Progress::paused) return Status::ok;
  }
  if (!left_.has_row()) {
    phase_ = has_group_ ? Phase::leaving : keeps_right_ ? Phase::draining : Phase::ended;
    return Status::ok;
  }
  if (left_.has_null_key()) {
    end_left_row();
  } else if (has_group_) {
    const int order = compare_with_group(left_);
    if (order < 0) {
      end_left_row();
    } else {
      phase_ = order == 0 ? Phase::pairing : Phase::leaving;
      chunk_first_ = 0;
    }
  } else if (!right_.has_row()) {
    // Nothing can be met any more.
    if (keeps_left_)
      end_left_row();
    else
      phase_ = Phase::ended;
  } else {
    const bool is_null = right_.has_null_key();
    const int order = is_null ? 1 : compare_with_right();
    if (order < 0) {
      end_left_row();
    } else if (order == 0) {
      begin_group();
    } else {
      if (keeps_right_) emit_right_alone(right_.batch->columns, right_.row);
      right_.row++;
    }
  }
  return Status::ok;
}

Status MergeJoin::fill(Progress* progress) {
  for (;;) {
    RETURN_IF_ERROR(take(1, &right_, progress));
    if (*progress == Progress::paused) return Status::ok;
    if (!right_.has_row() || right_.has_null_key() || compare_with_group(right_) != 0) break;
    RETURN_IF_ERROR(group_.add(right_.batch->columns, right_.row++));
  }
  has_group_ = true;
  if (keeps_right_) is_met_.resize(group_.rows());
  account().take(is_met_.capacity());
  account().give(charged_);
  charged_ = is_met_.capacity();
  chunk_.clear();
  chunk_first_ = 0;
  phase_ = Phase::pairing;
  return Status::ok;
}

// The group's rows from `chunk_first_` on. Those of a group that is one chunk stay for the next left row.
Status MergeJoin::load_chunk() {
  Batch& chunk = chunk_.batch();
  const bool is_there = chunk_first_ == 0 && chunk.rows == group_.rows();
  if (is_there) return Status::ok;
  chunk_.clear();
  const uint64_t end = std::min<uint64_t>(group_.rows(), chunk_first_ + chunk_rows_max);
  for (uint64_t row = chunk_first_; row < end; row++) {
    const std::byte* packed = nullptr;
    RETURN_IF_ERROR(reader_.read(row, &packed));
    const auto size = static_cast<size_t>(load<uint64_t>(packed));
    group_.packer().unpack(chunk_.arena().copy(packed, size), &chunk);
  }
  return Status::ok;
}

Status MergeJoin::select(Selection* selected) {
  const uint32_t rows = chunk_.batch().rows;
  *selected = Selection{nullptr, rows};
  if (conditions_.is_empty()) return Status::ok;
  for (size_t i = 0; i < left_types_.size(); i++) {
    const Column& column = tested_.columns[i];
    std::fill_n(column.nulls, rows, left_.batch->columns[i].nulls[left_.row]);
    std::fill_n(column.values, rows, left_.batch->columns[i].values[left_.row]);
  }
  tested_.rows = rows;
  return conditions_.select(tested_, selected);
}

// The left row with a chunk of the group.
Status MergeJoin::pair() {
  RETURN_IF_ERROR(load_chunk());
  const uint32_t rows = chunk_.batch().rows;
  Selection selected;
  RETURN_IF_ERROR(select(&selected));
  counted().rows_removed += rows - selected.count;
  const bool is_one_enough = !gives_right_columns(type_);
  if (selected.count > 0 && type_ == JoinType::semi && !is_matched_) emit_left_alone();
  is_matched_ |= selected.count > 0;
  if (!is_one_enough) {
    selected.for_each([&](uint32_t row) {
      emit_pair(row);
      if (keeps_right_) is_met_[chunk_first_ + row] = 1;
    });
  }
  chunk_first_ += rows;
  if (chunk_first_ == group_.rows() || (is_one_enough && is_matched_)) {
    end_left_row();
    chunk_first_ = 0;
    phase_ = Phase::comparing;
  }
  return Status::ok;
}

// The group's rows that nothing met.
Status MergeJoin::leave() {
  if (keeps_right_ && chunk_first_ < group_.rows()) {
    RETURN_IF_ERROR(load_chunk());
    const Batch& chunk = chunk_.batch();
    for (uint32_t row = 0; row < chunk.rows; row++)
      if (is_met_[chunk_first_ + row] == 0) emit_right_alone(chunk.columns, row);
    chunk_first_ += chunk.rows;
    return Status::ok;
  }
  end_group();
  return Status::ok;
}

Status MergeJoin::drain(Progress* progress) {
  RETURN_IF_ERROR(take(1, &right_, progress));
  if (*progress == Progress::paused) return Status::ok;
  if (right_.has_row()) {
    emit_right_alone(right_.batch->columns, right_.row++);
    return Status::ok;
  }
  phase_ = Phase::ended;
  return Status::ok;
}

Status MergeJoin::produce(const Batch** batch, Progress* progress) {
  out_.clear();
  Batch& out = out_.batch();
  *batch = &out;
  *progress = Progress::rows;
  while (out.rows < batch_rows_wanted && phase_ != Phase::ended && *progress != Progress::paused) {
    switch (phase_) {
      case Phase::comparing:
        RETURN_IF_ERROR(compare(progress));
        break;
      case Phase::filling:
        RETURN_IF_ERROR(fill(progress));
        break;
      case Phase::pairing:
        RETURN_IF_ERROR(pair());
        // Conditions may leave nothing of many pairs.
        if (out.rows == 0 && execution().is_out_of_time()) *progress = Progress::paused;
        break;
      case Phase::leaving:
        RETURN_IF_ERROR(leave());
        break;
      case Phase::draining:
        RETURN_IF_ERROR(drain(progress));
        break;
      case Phase::ended:
        break;
    }
  }
  if (out.rows > 0)
    *progress = Progress::rows;
  else if (*progress != Progress::paused)
    *progress = Progress::ended;
  return Status::ok;
}

}  // namespace pgdata
