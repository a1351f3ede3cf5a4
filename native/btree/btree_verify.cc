// verify_btree: level by level, each page against its neighbours and its parent's separators.
#include "btree/btree_verify.h"

#include <climits>
#include <cstdarg>
#include <cstdio>

#include "btree/btree_page_view.h"
#include "btree/btree_search.h"
#include "btree/index_tuple.h"

namespace pgdata {

namespace {

constexpr size_t complaints_max = 1000;

// A separator that came down from the level above, and the page it leads to.
struct Downlink {
  BlockNumber child;
  BlockNumber parent;
  std::vector<std::byte> pivot;
};

class Verifier {
 public:
  Verifier(BtreePageSource& pages, const BtreeIndex& index, BtreeReport* report,
           const std::function<void(const std::byte*)>& visit)
      : pages_(pages), index_(index), report_(report), visit_(visit) {}

  Status run();

 private:
  void complain(BlockNumber block, const char* format, ...) PGDATA_PRINTF(3, 4);
  bool read(BlockNumber block, std::vector<std::byte>* bytes);
  bool check_level(BlockNumber leftmost, uint32_t level);
  bool check_page(BlockNumber block, const BtreePageView& view, uint32_t level);
  bool check_item(BlockNumber block, const BtreePageView& view, OffsetNumber offset);
  bool is_left_edge(BlockNumber block);
  void check_order(BlockNumber block, const BtreePageView& view);
  int order(const std::byte* left, const std::byte* right) const;

  BtreePageSource& pages_;
  const BtreeIndex& index_;
  BtreeReport* report_;
  const std::function<void(const std::byte*)>& visit_;
  uint32_t blocks_ = 0;
  bool allequalimage_ = false;
  std::vector<bool> seen_;
  // What the level above says of this level, and what this level says of the one below.
  std::vector<Downlink> expected_;
  std::vector<Downlink> found_;
};

void Verifier::complain(BlockNumber block, const char* format, ...) {
  ++report_->complaint_count;
  if (report_->complaints.size() >= complaints_max) return;
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  report_->complaints.push_back({block, text});
}

bool Verifier::read(BlockNumber block, std::vector<std::byte>* bytes) {
  bytes->resize(index_.block_size());
  const Status status = pages_.read(block, bytes->data());
  if (status.is_ok()) return true;
  complain(block, "%s", status.report().message.c_str());
  return false;
}

// The left tuple's last TID against the right one's first; what a pivot lacks is minus infinity.
// INT_MIN if a tuple is damaged.
int Verifier::order(const std::byte* left, const std::byte* right) const {
  struct Side {
    int columns;
    bool has_tid;
    ItemPointer tid;
  };
  const auto side_of = [&](const std::byte* tuple, bool last) -> Side {
    const IndexTupleHeader& header = index_tuple_header(tuple);
    if (!btree_tuple_is_pivot(header))
      return {index_.nkeyatts(), true, last ? leaf_tid_last(tuple) : leaf_tid_first(tuple)};
    const int columns = btree_pivot_columns(header);
    if (!btree_pivot_has_heap_tid(header)) return {columns, false, {}};
    return {columns, true,
            load<ItemPointer>(tuple + index_tuple_size(header.t_info) - sizeof(ItemPointer))};
  };
  const Side a = side_of(left, true);
  const Side b = side_of(right, false);
  DetoastArena arena;
  IndexTupleCursor a_cursor(index_, left, index_tuple_size(index_tuple_header(left).t_info),
                            &arena);
  IndexTupleCursor b_cursor(index_, right, index_tuple_size(index_tuple_header(right).t_info),
                            &arena);
  for (int i = 0; i < a.columns && i < b.columns; ++i) {
    Datum a_value = 0;
    Datum b_value = 0;
    const auto a_result = a_cursor.next(&a_value);
    const auto b_result = b_cursor.next(&b_value);
    if (a_result == IndexTupleCursor::Result::corrupt ||
        b_result == IndexTupleCursor::Result::corrupt)
      return INT_MIN;
    const int result =
        compare_keys(index_.key(i), a_value, a_result == IndexTupleCursor::Result::null, b_value,
                     b_result == IndexTupleCursor::Result::null);
    if (result != 0) return result < 0 ? -1 : 1;
  }
  if (a.columns != b.columns) return a.columns < b.columns ? -1 : 1;
  if (!a.has_tid || !b.has_tid) return static_cast<int>(a.has_tid) - static_cast<int>(b.has_tid);
  return a.tid < b.tid ? -1 : b.tid < a.tid ? 1 : 0;
}

bool Verifier::check_item(BlockNumber block, const BtreePageView& view, OffsetNumber offset) {
  const std::byte* tuple = view.tuple(offset);
  if (tuple == nullptr) {
    complain(block, "item %u does not lie within the page", offset);
    return false;
  }
  const IndexTupleHeader& header = index_tuple_header(tuple);
  const uint32_t size = index_tuple_size(header.t_info);
  const bool is_data = offset >= view.first_data();
  const bool is_pivot = btree_tuple_is_pivot(header);
  if (size < sizeof(IndexTupleHeader) || size > view.page().line_pointer(offset).lp_len()) {
    complain(block, "item %u has size %u, its line pointer says %u", offset, size,
             view.page().line_pointer(offset).lp_len());
    return false;
  }
  if (size > btree_pivot_size_max(index_.block_size())) {
    complain(block, "item %u has size %u, more than a third of the page", offset, size);
    return false;
  }
  if (view.is_leaf() && is_data) {
    if (is_pivot) {
      complain(block, "item %u of a leaf is a pivot tuple", offset);
      return false;
    }
    if (!leaf_tuple_is_sane(tuple, size)) {
      complain(block, "item %u has a posting list outside its tuple", offset);
      return false;
    }
    if (btree_tuple_is_posting(header)) {
      if (!allequalimage_ || index_.natts() != index_.nkeyatts())
        complain(block, "item %u is a posting list in an index that has none", offset);
      const int count = leaf_tid_count(header);
      for (int i = 1; i < count; ++i)
        if (!(leaf_tid(tuple, i - 1) < leaf_tid(tuple, i)))
          complain(block, "posting list of item %u is out of order at place %d", offset, i);
    }
    if (!leaf_tid_first(tuple).is_valid())
      complain(block, "item %u points to no heap tuple", offset);
  } else {
    if (!is_pivot) {
      complain(block, "item %u is not a pivot tuple", offset);
      return false;
    }
    const int columns = btree_pivot_columns(header);
    const bool is_minus_infinity = is_data && offset == view.first_data();
    if (is_minus_infinity ? columns != 0 : (columns < 1 || columns > index_.nkeyatts())) {
      complain(block, "pivot tuple %u has %d columns", offset, columns);
      return false;
    }
    if (btree_pivot_has_heap_tid(header) &&
        (columns != index_.nkeyatts() || size < sizeof(IndexTupleHeader) + sizeof(ItemPointer))) {
      complain(block, "pivot tuple %u has a heap TID but %d columns", offset, columns);
      return false;
    }
  }
  const int columns = is_pivot ? btree_pivot_columns(header) : index_.natts();
  DetoastArena arena;
  IndexTupleCursor cursor(index_, tuple, leaf_key_size(header), &arena);
  for (int i = 0; i < columns; ++i) {
    Datum ignored = 0;
    if (cursor.next(&ignored) == IndexTupleCursor::Result::corrupt) {
      complain(block, "column %d of item %u does not lie within the tuple", i + 1, offset);
      return false;
    }
  }
  return true;
}

bool Verifier::check_page(BlockNumber block, const BtreePageView& view, uint32_t level) {
  const Page page = view.page();
  if (page.is_new()) {
    complain(block, "unexpected zero page");
    return false;
  }
  if (page.special_size() != sizeof(BTPageOpaque)) {
    complain(block, "special space has %u bytes", page.special_size());
    return false;
  }
  if (const Status status = page.verify_items(block, index_.name()); !status.is_ok()) {
    complain(block, "%s", status.report().message.c_str());
    return false;
  }
  if (view.has(BTP_META)) {
    complain(block, "the metapage is linked into the tree");
    return false;
  }
  if (view.is_ignored()) return true;
  if (view.opaque().btpo_level != level) {
    complain(block, "level is %u, expected %u", view.opaque().btpo_level, level);
    return false;
  }
  if (view.is_leaf() != (level == 0)) {
    complain(block, "leaf flag does not agree with level %u", level);
    return false;
  }
  if (!view.is_rightmost() && view.max_offset() < P_HIKEY) {
    complain(block, "high key is missing");
    return false;
  }
  if (!view.is_leaf() && view.max_offset() < view.first_data()) {
    complain(block, "upper page is empty");
    return false;
  }
  bool sane = true;
  for (OffsetNumber offset = 1; offset <= view.max_offset(); ++offset)
    sane = check_item(block, view, offset) && sane;
  return sane;
}

void Verifier::check_order(BlockNumber block, const BtreePageView& view) {
  const OffsetNumber first = view.first_data();
  const OffsetNumber last = view.max_offset();
  // Minus infinity has no order to check.
  const auto start = static_cast<OffsetNumber>(view.is_leaf() ? first : first + 1);
  for (OffsetNumber offset = start; offset <= last; ++offset) {
    const std::byte* tuple = view.tuple(offset);
    if (offset > start && order(view.tuple(static_cast<OffsetNumber>(offset - 1)), tuple) >= 0)
      complain(block, "item order invariant violated between items %u and %u", offset - 1u, offset);
    if (!view.is_rightmost()) {
      const int result = order(tuple, view.tuple(P_HIKEY));
      if (view.is_leaf() ? result > 0 : result >= 0)
        complain(block, "high key invariant violated by item %u", offset);
    }
  }
}

bool pivots_agree(const std::byte* left, const std::byte* right) {
  // All but the block number, which is the downlink's in one and anything in the other.
  const IndexTupleHeader& a = index_tuple_header(left);
  const IndexTupleHeader& b = index_tuple_header(right);
  const uint32_t size = index_tuple_size(a.t_info);
  return a.t_info == b.t_info && a.t_tid.ip_posid == b.t_tid.ip_posid &&
         std::memcmp(left + sizeof(IndexTupleHeader), right + sizeof(IndexTupleHeader),
                     size - sizeof(IndexTupleHeader)) == 0;
}

// Whether all pages from `block` to the left are half dead: an interrupted vacuum leaves such at the edge.
bool Verifier::is_left_edge(BlockNumber block) {
  std::vector<std::byte> bytes;
  for (uint32_t steps = 0; block != P_NONE; ++steps) {
    if (steps > blocks_ || value_of(block) >= blocks_ || !read(block, &bytes)) return false;
    const Page page(bytes.data(), index_.block_size());
    if (page.is_new() || page.special_size() != sizeof(BTPageOpaque)) return false;
    if (!BtreePageView(page).has(BTP_HALF_DEAD)) return false;
    block = BtreePageView(page).opaque().btpo_prev;
  }
  return true;
}

// False when the level cannot be followed to its end.
bool Verifier::check_level(BlockNumber leftmost, uint32_t level) {
  found_.clear();
  std::vector<std::byte> bytes;
  std::vector<std::byte> left_high_key;  // of the page before, empty at the left edge
  BlockNumber block = leftmost;
  BlockNumber previous = P_NONE;
  bool previous_incomplete = false;
  size_t next_expected = 0;
  while (block != P_NONE) {
    if (value_of(block) >= blocks_) {
      complain(previous, "link to block %u, which is past the end of the index", value_of(block));
      return false;
    }
    if (seen_[value_of(block)]) {
      complain(block, "circular link chain found");
      return false;
    }
    seen_[value_of(block)] = true;
    if (!read(block, &bytes)) return false;
    const BtreePageView view(Page(bytes.data(), index_.block_size()));
    const bool sane = check_page(block, view, level);
    if (view.page().is_new() || view.page().special_size() != sizeof(BTPageOpaque)) return false;
    const BlockNumber next = view.opaque().btpo_next;
    if (view.is_ignored()) {
      // Half dead: still linked to its siblings, no longer to its parent. Deleted ones are reached
      // through stale links alone.
      ++report_->deleted_pages;
      if (view.has(BTP_DELETED)) complain(previous, "link to deleted block %u", value_of(block));
      previous = block;
      block = next;
      continue;
    }
    ++(level == 0 ? report_->leaf_pages : report_->upper_pages);
    const bool is_edge = previous == P_NONE && is_left_edge(view.opaque().btpo_prev);
    if (view.opaque().btpo_prev != previous && !is_edge)
      complain(block, "left link is %u, but the page to the left is %u",
               value_of(view.opaque().btpo_prev), value_of(previous));

    if (previous_incomplete) {
      // No downlink yet; the left page's high key is its lower bound.
    } else if (next_expected < expected_.size()) {
      const Downlink& downlink = expected_[next_expected++];
      if (downlink.child != block) {
        complain(block, "expected block %u here, to which block %u links", value_of(downlink.child),
                 value_of(downlink.parent));
        return false;
      }
      if (!left_high_key.empty() && !pivots_agree(left_high_key.data(), downlink.pivot.data()) &&
          btree_pivot_columns(index_tuple_header(downlink.pivot.data())) != 0)
        complain(block, "downlink in block %u differs from the left sibling's high key",
                 value_of(downlink.parent));
    } else if (level + 1 < report_->levels) {
      complain(block, "page has no downlink in its parent");
    }
    if (sane) {
      check_order(block, view);
      const auto first = static_cast<OffsetNumber>(view.first_data() + (level == 0 ? 0 : 1));
      if (!left_high_key.empty() && first <= view.max_offset() &&
          order(left_high_key.data(), view.tuple(first)) >= 0)
        complain(block, "first item is not beyond the left sibling's high key");
      left_high_key.clear();
      if (!view.is_rightmost()) {
        const std::byte* high_key = view.tuple(P_HIKEY);
        left_high_key.assign(high_key,
                             high_key + index_tuple_size(index_tuple_header(high_key).t_info));
      }
      for (OffsetNumber offset = view.first_data(); offset <= view.max_offset(); ++offset) {
        const std::byte* tuple = view.tuple(offset);
        const IndexTupleHeader& header = index_tuple_header(tuple);
        if (level > 0) {
          found_.push_back(
              {btree_downlink(header), block, {tuple, tuple + index_tuple_size(header.t_info)}});
          continue;
        }
        report_->tids += static_cast<uint64_t>(leaf_tid_count(header));
        report_->posting_lists += btree_tuple_is_posting(header) ? 1 : 0;
        if (visit_) visit_(tuple);
      }
    } else {
      left_high_key.clear();
    }
    previous_incomplete = view.has(BTP_INCOMPLETE_SPLIT);
    previous = block;
    block = next;
  }
  if (previous_incomplete) complain(previous, "rightmost page is marked as incompletely split");
  if (next_expected < expected_.size())
    complain(expected_[next_expected].parent,
             "downlink leads to block %u, which is not on level %u",
             value_of(expected_[next_expected].child), level);
  return true;
}

Status Verifier::run() {
  RETURN_IF_ERROR(pages_.block_count(&blocks_));
  if (blocks_ == 0) {
    complain(BTREE_METAPAGE, "index is empty: it lacks even a metapage");
    return Status::ok;
  }
  seen_.assign(blocks_, false);
  seen_[0] = true;
  std::vector<std::byte> bytes;
  if (!read(BTREE_METAPAGE, &bytes)) return Status::ok;
  const Page page(bytes.data(), index_.block_size());
  if (page.is_new() || page.special_size() != sizeof(BTPageOpaque) ||
      !BtreePageView(page).has(BTP_META)) {
    complain(BTREE_METAPAGE, "metapage is not one");
    return Status::ok;
  }
  BTMetaPage meta;
  std::memcpy(&meta, page.bytes() + sizeof(PageHeader), sizeof(meta));
  if (meta.btm_magic != BTREE_MAGIC || meta.btm_version < BTREE_MIN_VERSION ||
      meta.btm_version > BTREE_VERSION) {
    complain(BTREE_METAPAGE, "metapage has magic %#x, version %u", meta.btm_magic,
             meta.btm_version);
    return Status::ok;
  }
  if (meta.btm_version < BTREE_VERSION)
    return Status::error(ErrorCode::feature_not_supported,
                         "index \"%s\" has btree version %u, which is not supported", index_.name(),
                         meta.btm_version);
  allequalimage_ = meta.btm_allequalimage != 0;
  if (allequalimage_ && !index_.allequalimage())
    complain(BTREE_METAPAGE, "metapage says that equal keys have equal bytes, which is not so");
  if (meta.btm_root == P_NONE) {
    if (meta.btm_fastroot != P_NONE)
      complain(BTREE_METAPAGE, "index without root has fast root %u", value_of(meta.btm_fastroot));
    return Status::ok;
  }
  if (meta.btm_level >= static_cast<uint32_t>(BtreeStack::levels_max) ||
      meta.btm_fastlevel > meta.btm_level) {
    complain(BTREE_METAPAGE, "root level %u, fast root level %u", meta.btm_level,
             meta.btm_fastlevel);
    return Status::ok;
  }

  report_->levels = meta.btm_level + 1;
  BlockNumber leftmost = meta.btm_root;
  for (uint32_t level = meta.btm_level;; --level) {
    if (!check_level(leftmost, level)) return Status::ok;
    if (level == 0) return Status::ok;
    if (found_.empty()) {
      complain(leftmost, "level %u has no downlinks", level);
      return Status::ok;
    }
    expected_ = std::move(found_);
    leftmost = expected_.front().child;
  }
}

}  // namespace

Status PooledBtreePages::block_count(uint32_t* blocks) {
  return pool_.storage().block_count(index_.relation(), ForkNumber::main, blocks);
}

Status PooledBtreePages::read(BlockNumber block, std::byte* page) {
  BufferRef buffer;
  RETURN_IF_ERROR(
      pool_.read(index_.relation(), ForkNumber::main, block, ReadMode::normal, nullptr, &buffer));
  buffer.lock(LockMode::shared);
  std::memcpy(page, buffer.page().bytes(), index_.block_size());
  return Status::ok;
}

Status verify_btree(BtreePageSource& pages, const BtreeIndex& index, BtreeReport* report,
                    const std::function<void(const std::byte* tuple)>& visit) {
  *report = BtreeReport{};
  Verifier verifier(pages, index, report, visit);
  return verifier.run();
}

}  // namespace pgdata
