// choose_split_point: all legal points, ordered by balance, then by the size of the separator.
// Source: src/backend/access/nbtree/nbtsplitloc.c, PostgreSQL 18.
#include "btree/btree_split_point.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "btree/btree_build.h"
#include "btree/index_tuple.h"

namespace pgdata {

namespace {

struct Candidate {
  OffsetNumber first_right;
  bool new_item_left;
  int left_free;
  int right_free;
  uint32_t first_right_size;
  double imbalance;
};

class SplitChooser {
 public:
  SplitChooser(const BtreeIndex& index, const BtreePageView& view, OffsetNumber new_offset,
               const std::byte* new_tuple)
      : index_(index), view_(view), new_offset_(new_offset), new_tuple_(new_tuple) {}

  bool collect();
  void order(double left_share, bool use_share);
  bool is_possible() const { return !candidates_.empty(); }
  BtreeSplitPoint choose();

 private:
  void consider(OffsetNumber first_right, bool new_item_left, int bytes_left, uint32_t size);
  const std::byte* last_left(const Candidate& candidate) const;
  const std::byte* first_right(const Candidate& candidate) const;
  // Leaves: key columns in the separator, one more with a TID. Upper pages: its size.
  int penalty(const Candidate& candidate) const;
  size_t near_best() const;
  BtreeSplitPoint best_of(size_t count, int perfect) const;

  const BtreeIndex& index_;
  const BtreePageView& view_;
  OffsetNumber new_offset_;
  const std::byte* new_tuple_;
  int left_space_ = 0;
  int right_space_ = 0;
  int items_bytes_ = 0;
  std::vector<Candidate> candidates_;
};

int stored_size(const std::byte* tuple) {
  return static_cast<int>(max_align(index_tuple_size(index_tuple_header(tuple).t_info)) +
                          sizeof(LinePointer));
}

void SplitChooser::consider(OffsetNumber first_right_offset, bool new_item_left, int bytes_left,
                            uint32_t size) {
  const bool new_is_first_right = first_right_offset == new_offset_ && !new_item_left;
  const std::byte* tuple = new_is_first_right ? new_tuple_ : view_.tuple(first_right_offset);
  const int high_key = view_.is_leaf()
                           ? static_cast<int>(max_align(leaf_key_size(index_tuple_header(tuple))) +
                                              8 + sizeof(LinePointer))
                           : static_cast<int>(size);
  const int new_size = stored_size(new_tuple_);
  Candidate candidate{};
  candidate.first_right = first_right_offset;
  candidate.new_item_left = new_item_left;
  candidate.first_right_size = size;
  candidate.left_free = left_space_ - bytes_left - high_key;
  candidate.right_free = right_space_ - (items_bytes_ - bytes_left);
  (new_item_left ? candidate.left_free : candidate.right_free) -= new_size;
  // The first item of the right half of an upper page loses its columns.
  if (!view_.is_leaf())
    candidate.right_free +=
        static_cast<int>(size) - static_cast<int>(sizeof(IndexTupleHeader) + sizeof(LinePointer));
  if (candidate.left_free >= 0 && candidate.right_free >= 0) candidates_.push_back(candidate);
}

bool SplitChooser::collect() {
  const OffsetNumber first = view_.first_data();
  const OffsetNumber last = view_.max_offset();
  left_space_ = right_space_ = static_cast<int>(btree_page_capacity(index_.block_size()));
  for (OffsetNumber offset = 1; offset <= last; ++offset) {
    const bool is_leaf_item = offset >= first && view_.is_leaf();
    const std::byte* tuple = is_leaf_item ? view_.leaf_tuple(offset) : view_.tuple(offset);
    if (tuple == nullptr) return false;
    (offset < first ? right_space_ : items_bytes_) +=
        (offset < first ? -1 : 1) * stored_size(tuple);
  }
  int bytes_left = 0;
  for (OffsetNumber offset = first; offset <= last; ++offset) {
    const auto size = static_cast<uint32_t>(stored_size(view_.tuple(offset)));
    if (offset < new_offset_) {
      if (offset > first) consider(offset, false, bytes_left, size);
    } else if (offset > new_offset_) {
      consider(offset, true, bytes_left, size);
    } else {
      const auto new_size = static_cast<uint32_t>(stored_size(new_tuple_));
      if (offset > first) consider(offset, false, bytes_left, new_size);
      consider(offset, true, bytes_left, size);
    }
    bytes_left += static_cast<int>(size);
  }
  if (new_offset_ > last)
    consider(new_offset_, false, bytes_left, static_cast<uint32_t>(stored_size(new_tuple_)));
  return true;
}

void SplitChooser::order(double left_share, bool use_share) {
  for (Candidate& candidate : candidates_)
    candidate.imbalance = std::fabs(
        use_share ? left_share * candidate.left_free - (1.0 - left_share) * candidate.right_free
                  : static_cast<double>(candidate.left_free - candidate.right_free));
  std::stable_sort(
      candidates_.begin(), candidates_.end(),
      [](const Candidate& a, const Candidate& b) { return a.imbalance < b.imbalance; });
}

const std::byte* SplitChooser::last_left(const Candidate& candidate) const {
  if (candidate.new_item_left && candidate.first_right == new_offset_) return new_tuple_;
  return view_.tuple(static_cast<OffsetNumber>(candidate.first_right - 1));
}
const std::byte* SplitChooser::first_right(const Candidate& candidate) const {
  if (!candidate.new_item_left && candidate.first_right == new_offset_) return new_tuple_;
  return view_.tuple(candidate.first_right);
}

int SplitChooser::penalty(const Candidate& candidate) const {
  if (!view_.is_leaf()) return static_cast<int>(candidate.first_right_size);
  return columns_to_keep(index_, last_left(candidate), first_right(candidate));
}

// How many candidates are about as well balanced as the first.
size_t SplitChooser::near_best() const {
  const int tolerance = static_cast<int>(items_bytes_ * (view_.is_leaf() ? 0.050 : 0.075));
  size_t count = 1;
  while (count < candidates_.size() &&
         std::abs(candidates_[count].left_free - candidates_[0].left_free) <= tolerance &&
         std::abs(candidates_[count].right_free - candidates_[0].right_free) <= tolerance)
    ++count;
  return count;
}

BtreeSplitPoint SplitChooser::best_of(size_t count, int perfect) const {
  size_t best = 0;
  int best_penalty = INT32_MAX;
  for (size_t i = 0; i < count && best_penalty > perfect; ++i) {
    const int here = penalty(candidates_[i]);
    if (here < best_penalty) {
      best = i;
      best_penalty = here;
    }
  }
  return {candidates_[best].first_right, candidates_[best].new_item_left};
}

BtreeSplitPoint SplitChooser::choose() {
  // Candidates in page order tell what the whole page spans.
  const Candidate leftmost = candidates_.front();
  const Candidate rightmost = candidates_.back();
  const bool is_leaf = view_.is_leaf();
  const bool use_share = view_.is_rightmost();
  const int fillfactor = is_leaf ? index_.definition().fillfactor : BTREE_NONLEAF_FILLFACTOR;
  order(fillfactor / 100.0, use_share);
  const size_t near = near_best();
  if (!is_leaf) return best_of(near, 0);

  const auto span = [&](const Candidate& low, const Candidate& high) {
    return columns_to_keep(index_, last_left(low), first_right(high));
  };
  const auto by_place = [&](const Candidate& a, const Candidate& b) {
    return a.first_right != b.first_right ? a.first_right < b.first_right
                                          : b.new_item_left < a.new_item_left;
  };
  const auto [low, high] = std::minmax_element(
      candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(near), by_place);
  const int keep = span(*low, *high);
  if (keep <= index_.nkeyatts()) return best_of(near, keep);
  // All near the balance point are duplicates: look for any place between different keys.
  if (span(leftmost, rightmost) <= index_.nkeyatts())
    return best_of(candidates_.size(), index_.nkeyatts());
  // The page holds one value. Its duplicates come in TID order: leave it nearly full, unless the same
  // value goes on to the right.
  bool ends_here = view_.is_rightmost();
  if (!ends_here) {
    const IndexTupleHeader& high_key = index_tuple_header(view_.tuple(P_HIKEY));
    ends_here = btree_pivot_columns(high_key) < index_.nkeyatts() ||
                columns_to_keep(index_, view_.tuple(P_HIKEY), new_tuple_) <= index_.nkeyatts();
  }
  if (!ends_here) return best_of(near, index_.nkeyatts() + 1);
  order(BTREE_SINGLEVAL_FILLFACTOR / 100.0, true);
  return best_of(1, 0);
}

}  // namespace

Status choose_split_point(const BtreeIndex& index, const BufferRef& page, OffsetNumber new_offset,
                          const std::byte* new_tuple, BtreeSplitPoint* point) {
  const BtreePageView view = view_of(page);
  SplitChooser chooser(index, view, new_offset, new_tuple);
  if (!chooser.collect()) return damaged_page(index, page.block());
  if (!chooser.is_possible())
    return Status::error(ErrorCode::index_corrupted,
                         "could not find a feasible split point for index \"%s\"", index.name());
  *point = chooser.choose();
  return Status::ok;
}

}  // namespace pgdata
