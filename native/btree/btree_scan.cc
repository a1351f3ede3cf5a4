// BtreeScan: conditions made into a range, pages read in order.
#include "btree/btree_scan.h"

#include <algorithm>

#include "base/invariant.h"
#include "btree/btree_kill.h"

namespace pgdata {

BtreeScan::BtreeScan(BufferPool& pool, const BtreeIndex& index,
                     std::span<const BtreeCondition> conditions, ScanDirection direction,
                     SerializableTransaction* reader)
    : pool_(pool), index_(index), direction_(direction), reader_(reader), walk_(pool, index) {
  for (const BtreeCondition& condition : conditions) add_condition(condition);
  prepare();
}

void BtreeScan::tighten(int column, Bound bound, bool is_lower) {
  Range& range = ranges_[column];
  Bound& held = is_lower ? range.lower : range.upper;
  bound.is_set = true;
  if (!held.is_set) {
    held = bound;
    return;
  }
  int order =
      compare_keys(index_.key(column), bound.value, bound.is_null, held.value, held.is_null);
  if (!is_lower) order = -order;
  if (order > 0 || (order == 0 && !bound.is_inclusive)) held = bound;
}

void BtreeScan::add_condition(const BtreeCondition& condition) {
  INVARIANT(condition.column >= 0);
  INVARIANT(condition.column < index_.nkeyatts());
  const KeyColumn& key = index_.key(condition.column);
  const int column = condition.column;
  const Bound null{true, true, true, 0};
  const Bound beyond_null{true, false, true, 0};
  switch (condition.op) {
    case BtreeOperator::is_null:
      tighten(column, null, true);
      tighten(column, null, false);
      return;
    case BtreeOperator::is_not_null:
      tighten(column, beyond_null, key.nulls_first);
      return;
    default:
      break;
  }
  if (condition.is_null) {
    impossible_ = true;
    return;
  }
  const bool inclusive = condition.op == BtreeOperator::less_or_equal ||
                         condition.op == BtreeOperator::equal ||
                         condition.op == BtreeOperator::greater_or_equal;
  const Bound bound{true, inclusive, false, condition.value};
  if (condition.op == BtreeOperator::equal) {
    tighten(column, bound, true);
    tighten(column, bound, false);
    return;
  }
  const bool greater =
      condition.op == BtreeOperator::greater || condition.op == BtreeOperator::greater_or_equal;
  tighten(column, bound, greater != key.descending);
  // No comparison is true of null, which lies at one end of the column.
  tighten(column, beyond_null, key.nulls_first);
}

void BtreeScan::prepare() {
  bool prefix_open = true;
  for (int i = 0; i < index_.nkeyatts(); ++i) {
    Range& range = ranges_[i];
    if (range.lower.is_set && range.upper.is_set) {
      const int order = compare_keys(index_.key(i), range.lower.value, range.lower.is_null,
                                     range.upper.value, range.upper.is_null);
      const bool both_inclusive = range.lower.is_inclusive && range.upper.is_inclusive;
      if (order > 0 || (order == 0 && !both_inclusive)) impossible_ = true;
      range.is_equality = order == 0 && both_inclusive;
    }
    if (range.lower.is_set || range.upper.is_set) columns_ = i + 1;
    if (prefix_open && (range.lower.is_set || range.upper.is_set)) prefix_columns_ = i + 1;
    if (!range.is_equality) prefix_open = false;
  }
}

BtreeScan::Match BtreeScan::match(const std::byte* tuple) const {
  DetoastArena arena;
  IndexTupleCursor cursor(index_, tuple, leaf_key_size(index_tuple_header(tuple)), &arena);
  bool in_prefix = true;  // all columns so far are equalities that hold
  for (int i = 0; i < columns_; ++i) {
    const Range& range = ranges_[i];
    Datum value = 0;
    const auto result = cursor.next(&value);
    if (result == IndexTupleCursor::Result::corrupt) return Match::corrupt;
    const bool is_null = result == IndexTupleCursor::Result::null;
    if (range.lower.is_set) {
      const int order =
          compare_keys(index_.key(i), value, is_null, range.lower.value, range.lower.is_null);
      if (order < 0 || (order == 0 && !range.lower.is_inclusive)) {
        const bool ends = in_prefix && direction_ == ScanDirection::backward;
        return ends ? Match::stop : Match::skip;
      }
      if (order == 0 && range.is_equality) continue;
    }
    if (range.upper.is_set) {
      const int order =
          compare_keys(index_.key(i), value, is_null, range.upper.value, range.upper.is_null);
      if (order > 0 || (order == 0 && !range.upper.is_inclusive)) {
        const bool ends = in_prefix && direction_ == ScanDirection::forward;
        return ends ? Match::stop : Match::skip;
      }
    }
    in_prefix = in_prefix && range.is_equality;
  }
  return Match::yes;
}

// The key that finds where the range begins, or, for its upper end, what comes after it. `columns` 0
// when it is open.
void BtreeScan::make_key(bool lower_end, BtreeSearchKey* key) const {
  key->columns = 0;
  key->next_key = !lower_end;
  for (int i = 0; i < prefix_columns_; ++i) {
    const Range& range = ranges_[i];
    const Bound& bound = lower_end ? range.lower : range.upper;
    if (!bound.is_set) return;
    key->values[i] = bound.value;
    key->nulls[i] = bound.is_null;
    key->columns = i + 1;
    if (!range.is_equality) key->next_key = lower_end != bound.is_inclusive;
  }
}

Status BtreeScan::read_page(const BufferRef& leaf, OffsetNumber from) {
  RETURN_IF_ERROR(note_leaf(index_, leaf, reader_));
  const BtreePageView view = view_of(leaf);
  const bool forward = direction_ == ScanDirection::forward;
  current_ = leaf.block();
  current_lsn_ = leaf.page().lsn();
  next_ = forward ? view.opaque().btpo_next : view.opaque().btpo_prev;
  if (next_ == P_NONE) at_end_ = true;
  tid_count_ = 0;
  next_tid_ = 0;
  if (entries_ != nullptr) entries_->begin_leaf();
  if (view.is_ignored()) return Status::ok;
  int first = view.first_data();
  int last = view.max_offset();
  // When the conditions are one stretch of the index, its far end on the page can be searched for.
  const bool is_stretch = columns_ == prefix_columns_;
  if (is_stretch && columns_ > 0) {
    BtreeSearchKey end;
    make_key(!forward, &end);
    if (end.columns > 0) {
      OffsetNumber limit = invalid_offset_number;
      RETURN_IF_ERROR(search_btree_page(index_, end, leaf, &limit));
      if (forward ? limit <= last : limit > first) at_end_ = true;
      (forward ? last : first) = forward ? limit - 1 : limit;
    }
  }
  // Damaged pages could otherwise claim any number.
  const size_t tids_max = leaf.page().size() / sizeof(ItemPointer);
  for (int offset = from; offset >= first && offset <= last; offset += forward ? 1 : -1) {
    const auto at = static_cast<OffsetNumber>(offset);
    const std::byte* tuple = view.leaf_tuple(at);
    const Match result = tuple == nullptr ? Match::corrupt : is_stretch ? Match::yes : match(tuple);
    if (result == Match::corrupt) return damaged_page(index_, leaf.block());
    if (result == Match::stop) {
      at_end_ = true;
      break;
    }
    if (result == Match::skip || view.is_dead(at)) continue;
    const auto tuple_tids = static_cast<size_t>(leaf_tid_count(index_tuple_header(tuple)));
    const size_t needed = tid_count_ + tuple_tids;
    if (needed > tids_max) return damaged_page(index_, leaf.block());
    if (needed > tids_.size()) tids_.resize(needed + 64 + tids_.size());
    const size_t first_tid = tid_count_;
    for (size_t i = 0; i < tuple_tids; ++i)
      tids_[tid_count_++] = leaf_tid(tuple, static_cast<int>(forward ? i : tuple_tids - 1 - i));
    if (entries_ == nullptr) continue;
    RETURN_IF_ERROR(
        entries_->read_entry({tuple, index_tuple_size(index_tuple_header(tuple).t_info)},
                             {tids_.data() + first_tid, tuple_tids}));
  }
  return Status::ok;
}

Status BtreeScan::find_first(const BtreeSearchKey& key, BufferRef* leaf) {
  if (key.columns == 0)
    return find_btree_edge(pool_, index_, 0, direction_ == ScanDirection::backward, leaf);
  return search_btree_leaf(pool_, index_, key, LockMode::shared, nullptr, nullptr, leaf);
}

Status BtreeScan::first_page() {
  BtreeSearchKey key;
  const bool forward = direction_ == ScanDirection::forward;
  make_key(forward, &key);
  key.backward = !forward;

  BufferRef leaf;
  RETURN_IF_ERROR(find_first(key, &leaf));
  if (!leaf.is_valid() && reader_ != nullptr) {
    RETURN_IF_ERROR(note_empty_index(index_, reader_));
    RETURN_IF_ERROR(find_first(key, &leaf));
  }
  if (!leaf.is_valid()) {
    at_end_ = true;
    return Status::ok;
  }
  OffsetNumber offset = invalid_offset_number;
  if (key.columns == 0) {
    offset = forward ? view_of(leaf).first_data() : view_of(leaf).max_offset();
  } else {
    RETURN_IF_ERROR(search_btree_page(index_, key, leaf, &offset));
    if (!forward) --offset;
  }
  return read_page(leaf, offset);
}

Status BtreeScan::next_page_right() {
  BufferRef leaf;
  RETURN_IF_ERROR(walk_.step());
  RETURN_IF_ERROR(read_btree_page(pool_, index_, next_, LockMode::shared, &leaf));
  return read_page(leaf, view_of(leaf).first_data());
}

// The left link may be out of date: the left sibling may have been split since (then the neighbour
// is to its right), or either page deleted.
Status BtreeScan::next_page_left() {
  BlockNumber here = current_;
  BlockNumber left = next_;
  while (true) {
    if (left == P_NONE) {
      at_end_ = true;
      return Status::ok;
    }
    constexpr int splits_max = 4;  // before the link is read anew
    BufferRef leaf;
    RETURN_IF_ERROR(walk_.step());
    BlockNumber block = left;
    bool is_neighbour = false;
    for (int i = 0; i <= splits_max && !is_neighbour; ++i) {
      RETURN_IF_ERROR(read_btree_page(pool_, index_, block, LockMode::shared, &leaf));
      const BtreePageView view = view_of(leaf);
      is_neighbour = !view.has(BTP_DELETED) && view.opaque().btpo_next == here;
      if (is_neighbour || view.has(BTP_DELETED) || view.is_rightmost()) break;
      block = view.opaque().btpo_next;
      leaf.release();
    }
    if (is_neighbour) {
      if (!view_of(leaf).is_ignored()) return read_page(leaf, view_of(leaf).max_offset());
      here = leaf.block();
      left = view_of(leaf).opaque().btpo_prev;
      continue;
    }
    leaf.release();

    RETURN_IF_ERROR(read_btree_page(pool_, index_, here, LockMode::shared, &leaf));
    if (view_of(leaf).has(BTP_DELETED)) {
      // Its place was taken over by the page to its right.
      while (view_of(leaf).has(BTP_DELETED)) {
        const BlockNumber right = view_of(leaf).opaque().btpo_next;
        leaf.release();
        if (right == P_NONE)
          return Status::error(ErrorCode::index_corrupted, "fell off the end of index \"%s\"",
                               index_.name());
        RETURN_IF_ERROR(walk_.step());
        RETURN_IF_ERROR(read_btree_page(pool_, index_, right, LockMode::shared, &leaf));
      }
      here = leaf.block();
      left = view_of(leaf).opaque().btpo_prev;
      continue;
    }
    const BlockNumber now = view_of(leaf).opaque().btpo_prev;
    leaf.release();
    if (now == left)
      return Status::error(ErrorCode::index_corrupted,
                           "could not find left sibling of block %u in index \"%s\"",
                           value_of(here), index_.name())
          .with_hint("Please REINDEX it.");
    left = now;
  }
}

Status BtreeScan::mark_killed() {
  if (killed_.empty()) return Status::ok;
  Status status = mark_dead_entries(pool_, index_, current_, current_lsn_, &killed_);
  killed_.clear();
  return status;
}

Status BtreeScan::next_batch(std::span<const ItemPointer>* tids) {
  RETURN_IF_ERROR(mark_killed());
  *tids = {};
  if (impossible_) return Status::ok;
  tid_count_ = 0;
  next_tid_ = 0;
  while (!at_end_ && tid_count_ == 0) {
    if (!started_) {
      started_ = true;
      RETURN_IF_ERROR(first_page());
    } else if (direction_ == ScanDirection::forward) {
      RETURN_IF_ERROR(next_page_right());
    } else {
      RETURN_IF_ERROR(next_page_left());
    }
  }
  *tids = {tids_.data(), tid_count_};
  next_tid_ = tid_count_;
  return Status::ok;
}

Status BtreeScan::refill() {
  if (next_tid_ < tid_count_) return Status::ok;
  std::span<const ItemPointer> batch;
  RETURN_IF_ERROR(next_batch(&batch));
  next_tid_ = 0;
  return Status::ok;
}

Status BtreeScan::next_run(size_t most, std::span<const ItemPointer>* tids) {
  RETURN_IF_ERROR(refill());
  const size_t end = std::min(tid_count_, next_tid_ + most);
  size_t last = next_tid_;
  while (last < end && tids_[last].block() == tids_[next_tid_].block()) ++last;
  *tids = {tids_.data() + next_tid_, last - next_tid_};
  return Status::ok;
}

Status BtreeScan::next(ItemPointer* tid, bool* found) {
  RETURN_IF_ERROR(refill());
  *found = next_tid_ < tid_count_;
  if (*found) *tid = tids_[next_tid_++];
  return Status::ok;
}

}  // namespace pgdata
