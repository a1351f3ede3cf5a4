// RowSort: runs, and a heap of them.
#include "executor/row_sort.h"

#include <algorithm>
#include <utility>

namespace pgdata {

RowSort::RowSort(std::vector<ValueType> types, std::vector<SortKey> keys, uint64_t wanted,
                 MemoryAccount& account)
    : packer_(std::move(types)),
      keys_(std::move(keys)),
      leading_is_exact_(abbreviation_is_exact(keys_[0].order)),
      // So many that leaving the others out pays.
      wanted_(wanted <= run_rows ? static_cast<size_t>(wanted) : 0),
      account_(account),
      rows_(std::make_unique<Arena>(account)) {}

RowSort::Entry RowSort::entry_of(const Batch& batch, uint32_t row) {
  const auto& [index, order] = keys_[0];
  const Column& column = batch.columns[index];
  const bool is_null = column.nulls[row] != 0;
  Entry entry{0, nullptr, static_cast<uint8_t>(is_null == order.nulls_first ? 0 : 1)};
  if (!is_null) {
    const uint64_t bits = abbreviate(column.values[row], order);
    entry.bits = order.descending ? ~bits : bits;
  }
  uint32_t size = 0;
  entry.packed = packer_.pack(batch, row, &size);
  // One that comes after all that are wanted is looked at, and not kept.
  if (has_enough_ && !before(entry, entries_[wanted_ - 1])) {
    entry.packed = nullptr;
    return entry;
  }
  entry.packed = rows_->copy(entry.packed, size);
  return entry;
}

bool RowSort::before(const Entry& left, const Entry& right) const {
  if (left.rank != right.rank) return left.rank < right.rank;
  if (left.bits != right.bits) return left.bits < right.bits;
  return before_rows(left.packed, right.packed);
}

bool RowSort::before_rows(const std::byte* left, const std::byte* right) const {
  // Equal bits may say all of the first column.
  for (size_t i = leading_is_exact_ ? 1 : 0; i < keys_.size(); i++) {
    const auto& [column, order] = keys_[i];
    const bool left_null = packer_.is_null(left, column);
    const bool right_null = packer_.is_null(right, column);
    if (left_null || right_null) {
      if (left_null && right_null) continue;
      return left_null == order.nulls_first;
    }
    const int compared =
        order.compare(packer_.value(left, column), packer_.value(right, column), order);
    if (compared != 0) return (compared < 0) != order.descending;
  }
  return false;
}

void RowSort::charge() {
  const size_t held = entries_.capacity() * sizeof(Entry);
  if (held > charged_) account_.take(held - charged_);
  if (held < charged_) account_.give(charged_ - held);
  charged_ = held;
}

void RowSort::end_run() {
  if (run_begin_ == entries_.size()) return;
  std::sort(entries_.begin() + static_cast<std::ptrdiff_t>(run_begin_), entries_.end(),
            [this](const Entry& left, const Entry& right) { return before(left, right); });
  runs_.push_back({run_begin_, entries_.size()});
  run_begin_ = entries_.size();
}

void RowSort::keep_wanted() {
  std::sort(entries_.begin(), entries_.end(),
            [this](const Entry& left, const Entry& right) { return before(left, right); });
  if (entries_.size() <= wanted_) return;
  entries_.resize(wanted_);
  is_bounded_ = true;
  has_enough_ = true;
  // The rows that are kept move to memory of their own; the rest goes.
  auto kept = std::make_unique<Arena>(account_);
  for (Entry& entry : entries_) entry.packed = kept->copy(entry.packed, packer_.size(entry.packed));
  rows_ = std::move(kept);
}

void RowSort::add(const Batch& batch) {
  for (uint32_t row = 0; row < batch.rows; row++) {
    const Entry entry = entry_of(batch, row);
    if (entry.packed == nullptr) continue;
    entries_.push_back(entry);
    if (wanted_ != 0) {
      if (entries_.size() >= std::max(wanted_ * 2, size_t{1024})) keep_wanted();
    } else if (entries_.size() - run_begin_ == run_rows) {
      end_run();
    }
  }
  charge();
}

void RowSort::finish() {
  if (wanted_ != 0) keep_wanted();
  end_run();
  std::make_heap(runs_.begin(), runs_.end(), [this](const Run& left, const Run& right) {
    return before(entries_[right.next], entries_[left.next]);
  });
}

const std::byte* RowSort::next() {
  if (runs_.empty()) return nullptr;
  if (runs_.size() == 1) {
    Run& run = runs_.front();
    return run.next == run.end ? nullptr : entries_[run.next++].packed;
  }
  const auto later = [this](const Run& left, const Run& right) {
    return before(entries_[right.next], entries_[left.next]);
  };
  std::pop_heap(runs_.begin(), runs_.end(), later);
  Run& run = runs_.back();
  const std::byte* packed = entries_[run.next++].packed;
  if (run.next == run.end)
    runs_.pop_back();
  else
    std::push_heap(runs_.begin(), runs_.end(), later);
  return packed;
}

}  // namespace pgdata
