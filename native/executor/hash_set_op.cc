// HashSetOp: passes over both sides, of the children and then of temporary files.
#include "executor/hash_set_op.h"

#include <algorithm>
#include <utility>

namespace pgdata {

Status HashSetOp::create(Execution& execution, SetOpCommand command, OperatorPointer left,
                         OperatorPointer right, std::vector<ValueType> types,
                         OperatorPointer* made) {
  std::vector<GroupKey> keys;
  for (const ValueType& type : types) {
    GroupKey key;
    key.type = type;
    RETURN_IF_ERROR(equality_of_type(type, &key.equality));
    key.hash = hash_of_type(type);
    keys.push_back(key);
  }
  Children children = only(std::move(left));
  children.push_back(std::move(right));
  made->reset(
      new HashSetOp(execution, command, std::move(children), std::move(keys), std::move(types)));
  return Status::ok;
}

HashSetOp::HashSetOp(Execution& execution, SetOpCommand command, Children children,
                     std::vector<GroupKey> keys, std::vector<ValueType> types)
    : Operator(execution, std::move(children)),
      command_(command),
      types_(std::move(types)),
      table_(std::move(keys), execution.block_bytes(), account()),
      memory_limit_(execution.hash_mem_bytes()),
      parts_(SpilledParts::parts_within(memory_limit_)),
      out_(account(), types_.size()) {
  begin_pass();
}

void HashSetOp::begin_pass() {
  table_.clear();
  counts_.clear();
  counts_.reserve(table_.capacity());
  note_peak();
  next_group_ = 0;
  given_ = 0;
  phase_ = Phase::left;
}

void HashSetOp::note_peak() {
  const size_t held = counts_.capacity() * sizeof(Counts);
  account().take(held);
  account().give(charged_);
  charged_ = held;
  const bool is_spilling = left_spilling_ != nullptr || right_spilling_ != nullptr;
  const size_t blocks = is_spilling ? parts_ * SpilledRows::memory_bytes : 0;
  peak_bytes_ = std::max<uint64_t>(peak_bytes_, table_.bytes() + held + blocks);
}

// For one more group: what is there may be twice as large after growing. There is always room for one.
bool HashSetOp::has_room() const {
  if (table_.size() == 0) return true;
  const bool grows = table_.size() == table_.capacity();
  const size_t needed = counts_.capacity() * sizeof(Counts) +
                        (grows ? table_.bytes_to_grow(sizeof(Counts)) : table_.bytes());
  return needed + parts_ * SpilledRows::memory_bytes <= memory_limit_;
}

void HashSetOp::grow() {
  table_.grow();
  counts_.reserve(table_.capacity());
}

std::unique_ptr<SpilledParts> HashSetOp::new_parts() {
  return std::make_unique<SpilledParts>(execution().temporary_space(), types_, account(), parts_,
                                        pass_.level);
}

Status HashSetOp::take_input(Side side, const Batch** from, Progress* progress) {
  *from = nullptr;
  *progress = Progress::ended;
  if (pass_.left == nullptr) {
    RETURN_IF_ERROR(child(side == Side::left ? 0 : 1).next(from, progress));
    if (*progress != Progress::rows) *from = nullptr;
    return Status::ok;
  }
  SpilledRows* rows = side == Side::left ? pass_.left.get() : pass_.right.get();
  if (rows == nullptr) return Status::ok;
  if (execution().is_out_of_time()) {
    *progress = Progress::paused;
    return Status::ok;
  }
  RETURN_IF_ERROR(rows->read(from));
  if (*from != nullptr) *progress = Progress::rows;
  return Status::ok;
}

Status HashSetOp::add_left(const Batch& from) {
  table_.hash(from.columns, from.rows, hashes_);
  for (uint32_t row = 0; row < from.rows; row++) {
    uint32_t group = table_.find(from.columns, row, hashes_[row]);
    if (group == GroupTable::no_group) {
      if (left_spilling_ == nullptr && !has_room()) left_spilling_ = new_parts();
      if (left_spilling_ != nullptr) {
        RETURN_IF_ERROR(left_spilling_->write(from.columns, row, hashes_[row]));
        continue;
      }
      if (table_.size() == table_.capacity()) grow();
      group = table_.add(from.columns, row, hashes_[row]);
      counts_.emplace_back();
    }
    counts_[group].left++;
  }
  note_peak();
  return Status::ok;
}

Status HashSetOp::end_left() {
  phase_ = Phase::right;
  if (left_spilling_ == nullptr) return Status::ok;
  RETURN_IF_ERROR(left_spilling_->end_writing());
  right_spilling_ = new_parts();
  return Status::ok;
}

Status HashSetOp::add_right(const Batch& from) {
  table_.hash(from.columns, from.rows, hashes_);
  for (uint32_t row = 0; row < from.rows; row++) {
    const uint64_t hash = hashes_[row];
    const uint32_t group = table_.find(from.columns, row, hash);
    if (group != GroupTable::no_group) {
      counts_[group].right++;
      continue;
    }
    // What meets no left row is of no use.
    if (left_spilling_ == nullptr) continue;
    if (left_spilling_->part(left_spilling_->part_of(hash)).rows() > 0)
      RETURN_IF_ERROR(right_spilling_->write(from.columns, row, hash));
  }
  note_peak();
  return Status::ok;
}

Status HashSetOp::end_right() {
  phase_ = Phase::groups;
  pass_.left.reset();
  pass_.right.reset();
  if (left_spilling_ == nullptr) return Status::ok;
  RETURN_IF_ERROR(right_spilling_->end_writing());
  for (size_t i = 0; i < parts_; i++) {
    Pass pass{left_spilling_->take(i), right_spilling_->take(i), pass_.level + 1};
    if (pass.left->rows() == 0) continue;
    spilled_bytes_ += pass.left->size_bytes() + pass.right->size_bytes();
    if (pass.right->rows() == 0) pass.right.reset();
    passes_left_.push_back(std::move(pass));
  }
  left_spilling_.reset();
  right_spilling_.reset();
  return Status::ok;
}

// How many rows the result has of a group.
uint64_t HashSetOp::rows_of(const Counts& counts) const {
  switch (command_) {
    case SetOpCommand::intersect:
      return counts.right > 0 ? 1 : 0;
    case SetOpCommand::intersect_all:
      return std::min(counts.left, counts.right);
    case SetOpCommand::except:
      return counts.right == 0 ? 1 : 0;
    case SetOpCommand::except_all:
      return counts.left > counts.right ? counts.left - counts.right : 0;
  }
  return 0;
}

void HashSetOp::emit(const Batch** batch) {
  Batch& out = out_.batch();
  out.rows = 0;
  while (next_group_ < table_.size() && out.rows < batch_rows_wanted) {
    const uint64_t rows = rows_of(counts_[next_group_]);
    const auto count =
        static_cast<uint32_t>(std::min<uint64_t>(rows - given_, batch_rows_wanted - out.rows));
    for (size_t i = 0; i < types_.size(); i++) {
      std::fill_n(out.columns[i].values + out.rows, count, table_.value(next_group_, i));
      std::fill_n(out.columns[i].nulls + out.rows, count,
                  static_cast<uint8_t>(table_.is_null(next_group_, i) ? 1 : 0));
    }
    out.rows += count;
    given_ += count;
    if (given_ < rows) break;
    given_ = 0;
    next_group_++;
  }
  *batch = &out;
}

Status HashSetOp::produce(const Batch** batch, Progress* progress) {
  for (;;) {
    while (phase_ != Phase::groups) {
      const Side side = phase_ == Phase::left ? Side::left : Side::right;
      const Batch* from = nullptr;
      RETURN_IF_ERROR(take_input(side, &from, progress));
      if (*progress == Progress::paused) return Status::ok;
      if (from != nullptr)
        RETURN_IF_ERROR(side == Side::left ? add_left(*from) : add_right(*from));
      else
        RETURN_IF_ERROR(side == Side::left ? end_left() : end_right());
    }
    emit(batch);
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
