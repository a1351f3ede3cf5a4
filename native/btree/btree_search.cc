// Search: comparison with tuples, binary search on a page, descent, moving right.
#include "btree/btree_search.h"

#include "base/prefetch.h"
#include "btree/btree_upper_pages.h"

namespace pgdata {

namespace {

// The key against the tuple's columns from `first` on, then its TID. `cursor` stands at `first`.
int compare_columns(const BtreeIndex& index, const BtreeSearchKey& key, const std::byte* tuple,
                    IndexTupleCursor cursor, int first) {
  const IndexTupleHeader& header = index_tuple_header(tuple);
  const bool is_pivot = btree_tuple_is_pivot(header);
  const int present = is_pivot ? btree_pivot_columns(header) : index.nkeyatts();
  const int shared = present < key.columns ? present : key.columns;
  for (int i = first; i < shared; ++i) {
    Datum value = 0;
    const auto result = cursor.next(&value);
    if (result == IndexTupleCursor::Result::corrupt) return corrupt_order;
    const int order = compare_keys(index.key(i), key.values[i], key.nulls[i], value,
                                   result == IndexTupleCursor::Result::null);
    if (order != 0) return order < 0 ? -1 : 1;
  }
  // A column that the pivot lacks is minus infinity.
  if (key.columns > present) return 1;

  const bool pivot_tid = is_pivot && btree_pivot_has_heap_tid(header);
  if (!key.has_tid) {
    // All that the pivot says is equal, and what it lacks is below everything: what equals the key
    // is to its right only.
    if (!key.backward && is_pivot && !pivot_tid && key.columns == present) return 1;
    return 0;
  }
  if (is_pivot) {
    if (!pivot_tid) return 1;
    const uint32_t size = index_tuple_size(header.t_info);
    if (size < sizeof(IndexTupleHeader) + sizeof(ItemPointer)) return corrupt_order;
    const auto tid = load<ItemPointer>(tuple + size - sizeof(ItemPointer));
    return key.tid < tid ? -1 : tid < key.tid ? 1 : 0;
  }
  if (!btree_tuple_is_posting(header))
    return key.tid < header.t_tid ? -1 : header.t_tid < key.tid ? 1 : 0;
  if (!leaf_tuple_is_sane(tuple, index_tuple_size(header.t_info))) return corrupt_order;
  if (key.tid < leaf_tid_first(tuple)) return -1;
  return leaf_tid_last(tuple) < key.tid ? 1 : 0;  // 0: within the list
}

int compare_all(const BtreeIndex& index, const BtreeSearchKey& key, const std::byte* tuple) {
  DetoastArena arena;
  IndexTupleCursor cursor(index, tuple, index_tuple_size(index_tuple_header(tuple).t_info), &arena);
  return compare_columns(index, key, tuple, cursor, 0);
}

// Whether equality of the first column is equality.
bool decides(const BtreeSearchKey& key, const IndexTupleHeader& header) {
  return key.columns == 1 && !key.has_tid && !btree_tuple_is_pivot(header);
}

// The first column's value where it is stored with `size` bytes; nullptr when it is null, left out or cut off.
const std::byte* first_value(const std::byte* tuple, size_t size) {
  const IndexTupleHeader& header = index_tuple_header(tuple);
  const bool has_it = (header.t_info & INDEX_NULL_MASK) == 0 &&
                      index_tuple_size(header.t_info) >= index_data_offset + size &&
                      !(btree_tuple_is_pivot(header) && btree_pivot_columns(header) == 0);
  return has_it ? tuple + index_data_offset : nullptr;
}

// What the binary search needs to compare the first column in line. `T` is how its value is stored.
template <typename T>
struct FirstColumn {
  T wanted;
  bool descending;

  FirstColumn(const BtreeIndex& index, const BtreeSearchKey& key)
      : wanted(static_cast<T>(key.values[0])), descending(index.key(0).descending) {}

  int compare(const BtreeIndex& index, const BtreeSearchKey& key, const std::byte* tuple) const {
    const std::byte* bytes = first_value(tuple, sizeof(T));
    if (bytes == nullptr) [[unlikely]]
      return compare_all(index, key, tuple);
    const T value = load<T>(bytes);
    if (wanted != value) return (wanted < value) != descending ? -1 : 1;
    return decides(key, index_tuple_header(tuple)) ? 0 : compare_all(index, key, tuple);
  }
};

// The same for text and bytea whose header in the tuple is the short one.
struct FirstBytes {
  std::string_view wanted;
  bool descending;

  FirstBytes(const BtreeIndex& index, const BtreeSearchKey& key)
      : wanted(varlena_content(key.values[0])), descending(index.key(0).descending) {}

  int compare(const BtreeIndex& index, const BtreeSearchKey& key, const std::byte* tuple) const {
    const IndexTupleHeader& header = index_tuple_header(tuple);
    const uint32_t size = index_tuple_size(header.t_info);
    if ((header.t_info & INDEX_NULL_MASK) != 0 || size <= index_data_offset ||
        (btree_tuple_is_pivot(header) && btree_pivot_columns(header) == 0)) [[unlikely]]
      return compare_all(index, key, tuple);
    const auto first = static_cast<uint8_t>(tuple[index_data_offset]);
    const size_t length = first >> 1;
    if ((first & 1) == 0 || length == 0 || index_data_offset + length > size) [[unlikely]]
      return compare_all(index, key, tuple);
    const int order = compare_bytes(
        wanted, {reinterpret_cast<const char*>(tuple + index_data_offset + 1), length - 1});
    if (order != 0) return (order < 0) != descending ? -1 : 1;
    return decides(key, header) ? 0 : compare_all(index, key, tuple);
  }
};

struct AnyColumn {
  int compare(const BtreeIndex& index, const BtreeSearchKey& key, const std::byte* tuple) const {
    return compare_all(index, key, tuple);
  }
};

// Which item a search looks at next: the one in the middle, or, with a guess, that one, and then ever further to the side
// that the guess was wrong to, until the place is between two items.
class Probes {
 public:
  Probes(OffsetNumber low, OffsetNumber high, double share) {
    if (!(share >= 0) || low >= high) return;
    const uint32_t items = high - low;
    const auto before = static_cast<uint32_t>(share * items + 0.5);
    next_ = low + (before < items ? before : items - 1);
    reach_ = 1;
  }

  bool is_guessing() const { return reach_ != 0; }
  OffsetNumber next(OffsetNumber low, OffsetNumber high) const {
    return static_cast<OffsetNumber>(is_guessing() ? next_ : low + (high - low) / 2);
  }
  // The item was before the place, which is in [low, high] now, or behind it.
  void went(bool was_before, OffsetNumber low, OffsetNumber high) {
    if (!is_guessing()) return;
    (was_before ? has_before_ : has_behind_) = true;
    const uint32_t left = high - low;
    if ((has_before_ && has_behind_) || left == 0) {
      reach_ = 0;
      return;
    }
    const uint32_t step = reach_ < left ? reach_ : left;
    next_ = was_before ? low + step - 1 : high - step;
    reach_ *= 4;
  }

 private:
  uint32_t next_ = 0;
  uint32_t reach_ = 0;  // 0: no guess
  bool has_before_ = false;
  bool has_behind_ = false;
};

// Of the two items that may come next, one is on its way while the one in the middle is compared.
void prefetch_halves(const Page& page, OffsetNumber low, OffsetNumber middle, OffsetNumber high) {
  const auto item = [&](int offset) {
    prefetch_line(page.item_at(static_cast<OffsetNumber>(offset)));
  };
  item(low + (middle - low) / 2);
  item(middle + 1 + (high - middle - 1) / 2);
}

// Calls `body` with what compares the key to tuples.
template <typename Body>
auto with_comparison(const BtreeIndex& index, const BtreeSearchKey& key, Body body) {
  if (key.columns > 0 && !key.nulls[0]) {
    switch (index.key(0).shape) {
      case KeyShape::int2:
        return body(FirstColumn<int16_t>(index, key));
      case KeyShape::int4:
        return body(FirstColumn<int32_t>(index, key));
      case KeyShape::int8:
        return body(FirstColumn<int64_t>(index, key));
      case KeyShape::unsigned4:
        return body(FirstColumn<uint32_t>(index, key));
      case KeyShape::unsigned8:
        return body(FirstColumn<uint64_t>(index, key));
      case KeyShape::bytes:
        return body(FirstBytes(index, key));
      case KeyShape::generic:
        break;
    }
  }
  return body(AnyColumn());
}

template <typename Comparison>
Status search_page(const BtreeIndex& index, const BtreeSearchKey& key, const BtreePageView& view,
                   BlockNumber block, const Comparison& comparison, double share,
                   OffsetNumber* offset) {
  const bool is_leaf = view.is_leaf();
  OffsetNumber low = view.first_data();
  auto high = static_cast<OffsetNumber>(view.max_offset() + 1);
  if (!is_leaf) {
    // The first item of an upper page is minus infinity, whatever its bytes say.
    if (low >= high) return damaged_page(index, block);
    ++low;
  }
  const int wanted = key.next_key ? 0 : 1;
  Probes probes(low, high, share);
  while (low < high) {
    const OffsetNumber probed = probes.next(low, high);
    if (!probes.is_guessing()) prefetch_halves(view.page(), low, probed, high);
    const std::byte* tuple = view.tuple(probed);
    const int order = tuple == nullptr ? corrupt_order : comparison.compare(index, key, tuple);
    if (order == corrupt_order) [[unlikely]]
      return damaged_page(index, block);
    const bool is_before = order >= wanted;
    if (is_before) {
      low = static_cast<OffsetNumber>(probed + 1);
    } else {
      high = probed;
    }
    probes.went(is_before, low, high);
  }
  *offset = is_leaf ? low : static_cast<OffsetNumber>(low - 1);
  return Status::ok;
}

// Is it the only page of that level? Then every key is below it, root or not.
bool is_alone_on_level(const BtreePageView& view, uint32_t level) {
  return !view.is_ignored() && view.opaque().btpo_level == level && view.is_leftmost() &&
         view.is_rightmost();
}

Status read_cached_root(BufferPool& pool, const BtreeIndex& index, BufferRef* root) {
  BtreeHints::Root hint;
  if (!BtreeHints::root(index, &hint)) return Status::ok;
  RETURN_IF_ERROR(read_btree_page(pool, index, hint.block, LockMode::shared, root));
  if (is_alone_on_level(view_of(*root), hint.level)) return Status::ok;
  root->release();
  BtreeHints::forget_root(index);
  return Status::ok;
}

}  // namespace

int compare_with_tuple(const BtreeIndex& index, const BtreeSearchKey& key, const std::byte* tuple) {
  return with_comparison(
      index, key, [&](const auto& comparison) { return comparison.compare(index, key, tuple); });
}

namespace {

Status search_view(const BtreeIndex& index, const BtreeSearchKey& key, const BtreePageView& view,
                   BlockNumber block, double share, OffsetNumber* offset) {
  return with_comparison(index, key, [&](const auto& comparison) {
    return search_page(index, key, view, block, comparison, share, offset);
  });
}

// As far as a value of such a shape can be told apart from its neighbours as a double; false for other shapes.
bool number_of(KeyShape shape, Datum value, double* number) {
  switch (shape) {
    case KeyShape::int2:
    case KeyShape::int4:
    case KeyShape::int8:
      *number = static_cast<double>(static_cast<int64_t>(value));
      return true;
    case KeyShape::unsigned4:
    case KeyShape::unsigned8:
      *number = static_cast<double>(value);
      return true;
    default:
      return false;
  }
}

bool first_number(const BtreeIndex& index, const std::byte* tuple, double* number) {
  const auto size = static_cast<size_t>(index.columns()[0].attlen);
  const std::byte* bytes = tuple == nullptr ? nullptr : first_value(tuple, size);
  if (bytes == nullptr) return false;
  Datum value = 0;
  switch (index.key(0).shape) {
    case KeyShape::int2:
      value = static_cast<Datum>(static_cast<int64_t>(load<int16_t>(bytes)));
      break;
    case KeyShape::int4:
      value = static_cast<Datum>(static_cast<int64_t>(load<int32_t>(bytes)));
      break;
    case KeyShape::unsigned4:
      value = load<uint32_t>(bytes);
      break;
    default:
      value = load<uint64_t>(bytes);
      break;
  }
  return number_of(index.key(0).shape, value, number);
}

// BtreeStart::share of the child of item `offset`, whose keys are between that item's and the next one's.
double share_of(const BtreeIndex& index, const BtreeSearchKey& key, const BtreePageView& parent,
                OffsetNumber offset) {
  double wanted = 0;
  double low = 0;
  double high = 0;
  if (key.columns == 0 || key.nulls[0] || !number_of(index.key(0).shape, key.values[0], &wanted) ||
      offset == parent.first_data())
    return unknown_share;
  const std::byte* next = offset < parent.max_offset()
                              ? parent.tuple(static_cast<OffsetNumber>(offset + 1))
                              : parent.high_key();
  if (!first_number(index, parent.tuple(offset), &low) || !first_number(index, next, &high))
    return unknown_share;
  const double share = (wanted - low) / (high - low);
  return share >= 0 && share <= 1 ? share : unknown_share;
}

}  // namespace

Status descend_btree_copies(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                            BtreeStart* start) {
  *start = {};
  BtreeHints::Root hint;
  BtreePageView view;
  if (!BtreeHints::root(index, &hint) || hint.level == 0 ||
      !find_upper_page(pool, index, hint.block, &view))
    return Status::ok;
  BlockNumber block = hint.block;
  uint32_t here = hint.level;
  if (!is_alone_on_level(view, here)) return Status::ok;
  for (;;) {
    OffsetNumber offset = invalid_offset_number;
    RETURN_IF_ERROR(search_view(index, key, view, block, start->share, &offset));
    const std::byte* tuple = view.tuple(offset);
    if (tuple == nullptr) return damaged_page(index, block);
    *start = {btree_downlink(index_tuple_header(tuple)), --here,
              share_of(index, key, view, offset)};
    if (here == 0 || !find_upper_page(pool, index, start->block, &view)) return Status::ok;
    // One that was split or is on the way to be deleted is looked at itself.
    if (view.is_ignored() || view.is_leaf() || view.opaque().btpo_level != here) return Status::ok;
    if (!view.is_rightmost()) {
      const std::byte* high_key = view.high_key();
      if (high_key == nullptr || compare_with_tuple(index, key, high_key) >= (key.next_key ? 0 : 1))
        return Status::ok;
    }
    block = start->block;
  }
}

Status search_btree_page(const BtreeIndex& index, const BtreeSearchKey& key, const BufferRef& page,
                         OffsetNumber* offset, double share) {
  return search_view(index, key, view_of(page), page.block(), share, offset);
}

Status find_btree_root(BufferPool& pool, const BtreeIndex& index, BufferRef* root) {
  RETURN_IF_ERROR(read_cached_root(pool, index, root));
  if (root->is_valid()) return Status::ok;

  BufferRef meta_buffer;
  RETURN_IF_ERROR(read_btree_meta(pool, index, LockMode::shared, &meta_buffer));
  const BTMetaPage meta = btree_meta(meta_buffer);
  meta_buffer.release();
  if (meta.btm_root == P_NONE) return Status::ok;
  BlockNumber block = meta.btm_fastroot;
  SiblingWalk walk(pool, index);
  while (true) {
    RETURN_IF_ERROR(read_btree_page(pool, index, block, LockMode::shared, root));
    const BtreePageView view = view_of(*root);
    if (!view.is_ignored()) break;
    // The fast root can be deleted while we come; its level goes on to its right.
    block = view.opaque().btpo_next;
    root->release();
    if (block == P_NONE)
      return Status::error(ErrorCode::index_corrupted, "no live root page found in index \"%s\"",
                           index.name());
    RETURN_IF_ERROR(walk.step());
  }
  const uint32_t level = view_of(*root).opaque().btpo_level;
  if (level != meta.btm_fastlevel || level >= BtreeStack::levels_max) {
    root->release();
    return Status::error(ErrorCode::index_corrupted,
                         "root page %u of index \"%s\" has level %u, expected %u", value_of(block),
                         index.name(), level, meta.btm_fastlevel);
  }
  BtreeHints::set_root(index, {block, level, meta.btm_allequalimage != 0});
  return Status::ok;
}

Status move_right(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                  LockMode mode, BtreeStack* stack, SplitFinisher* finisher, BufferRef* buffer) {
  const int beyond = key.next_key ? 0 : 1;
  SiblingWalk walk(pool, index);
  while (true) {
    const BtreePageView view = view_of(*buffer);
    if (view.is_rightmost()) {
      if (!view.is_ignored()) return Status::ok;
      return Status::error(ErrorCode::index_corrupted, "fell off the end of index \"%s\"",
                           index.name());
    }
    if (finisher != nullptr && view.has(BTP_INCOMPLETE_SPLIT)) [[unlikely]] {
      const BlockNumber block = buffer->block();
      if (mode == LockMode::shared) {
        buffer->unlock();
        buffer->lock(LockMode::exclusive);
      }
      if (view_of(*buffer).has(BTP_INCOMPLETE_SPLIT)) {
        RETURN_IF_ERROR(finisher->finish_split(std::move(*buffer), *stack, stack->depth));
      } else {
        buffer->release();
      }
      RETURN_IF_ERROR(read_btree_page(pool, index, block, mode, buffer));
      RETURN_IF_ERROR(walk.step());
      continue;
    }
    if (!view.is_ignored()) {
      const std::byte* high_key = view.high_key();
      const int order =
          high_key == nullptr ? corrupt_order : compare_with_tuple(index, key, high_key);
      if (order == corrupt_order) return damaged_page(index, buffer->block());
      if (order < beyond) return Status::ok;
    }
    const BlockNumber next = view.opaque().btpo_next;
    const uint32_t level = view.opaque().btpo_level;
    buffer->release();
    RETURN_IF_ERROR(walk.step());
    RETURN_IF_ERROR(read_btree_page(pool, index, next, mode, buffer));
    const BtreePageView moved = view_of(*buffer);
    if (!moved.has(BTP_DELETED) && moved.opaque().btpo_level != level)
      return damaged_page(index, next);
  }
}

Status search_btree_leaf_from(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                              const BtreeStart& start, LockMode leaf_mode, BtreeStack* stack,
                              SplitFinisher* finisher, BufferRef* leaf) {
  if (stack != nullptr) stack->depth = 0;
  // Who will change something must know the way back, and completes splits.
  const bool only_reads = stack == nullptr && finisher == nullptr && leaf_mode == LockMode::shared;
  BlockNumber child = start.block;
  if (child != P_NONE) {
    RETURN_IF_ERROR(read_btree_page(pool, index, child, LockMode::shared, leaf));
    const BtreePageView view = view_of(*leaf);
    if (!view.is_ignored() && view.opaque().btpo_level != start.level)
      return damaged_page(index, child);
  } else {
    RETURN_IF_ERROR(find_btree_root(pool, index, leaf));
    if (!leaf->is_valid()) return Status::ok;
  }
  LockMode mode = LockMode::shared;
  if (view_of(*leaf).is_leaf() && leaf_mode == LockMode::exclusive) {
    // The root is a leaf: trade the lock in. It may be split meanwhile, which move_right sees.
    leaf->unlock();
    leaf->lock(LockMode::exclusive);
    mode = LockMode::exclusive;
  }
  uint32_t levels_left = BtreeStack::levels_max;
  while (true) {
    RETURN_IF_ERROR(move_right(pool, index, key, mode, stack, finisher, leaf));
    const BtreePageView view = view_of(*leaf);
    if (view.is_leaf()) return Status::ok;
    if (only_reads) keep_upper_page(pool, index, *leaf);
    OffsetNumber offset = invalid_offset_number;
    RETURN_IF_ERROR(search_btree_page(index, key, *leaf, &offset));
    const std::byte* tuple = view.tuple(offset);
    const uint32_t level = view.opaque().btpo_level;
    if (tuple == nullptr || level == 0 || --levels_left == 0)
      return damaged_page(index, leaf->block());
    child = btree_downlink(index_tuple_header(tuple));
    if (stack != nullptr) stack->steps[stack->depth++] = {leaf->block(), offset};
    if (level == 1) mode = leaf_mode;
    const BlockNumber parent = leaf->block();
    leaf->release();
    RETURN_IF_ERROR(read_btree_page(pool, index, child, mode, leaf));
    const BtreePageView child_view = view_of(*leaf);
    if (!child_view.is_ignored() && child_view.opaque().btpo_level + 1 != level)
      return damaged_page(index, parent);
  }
}

Status search_btree_leaf(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                         LockMode leaf_mode, BtreeStack* stack, SplitFinisher* finisher,
                         BufferRef* leaf) {
  BtreeStart start;
  if (stack == nullptr && finisher == nullptr && leaf_mode == LockMode::shared)
    RETURN_IF_ERROR(descend_btree_copies(pool, index, key, &start));
  return search_btree_leaf_from(pool, index, key, start, leaf_mode, stack, finisher, leaf);
}

Status find_btree_edge(BufferPool& pool, const BtreeIndex& index, uint32_t level, bool rightmost,
                       BufferRef* buffer, std::initializer_list<BlockNumber> held) {
  const auto read = [&](BlockNumber block) -> Status {
    for (BlockNumber other : held)
      if (block == other) return damaged_page(index, block);
    return read_btree_page(pool, index, block, LockMode::shared, buffer);
  };
  if (level == 0) {
    RETURN_IF_ERROR(find_btree_root(pool, index, buffer));
    if (!buffer->is_valid()) return Status::ok;
  } else {
    BufferRef meta_buffer;
    RETURN_IF_ERROR(read_btree_meta(pool, index, LockMode::shared, &meta_buffer));
    const BlockNumber root = btree_meta(meta_buffer).btm_root;
    meta_buffer.release();
    if (root == P_NONE) return Status::ok;
    RETURN_IF_ERROR(read(root));
  }
  SiblingWalk walk(pool, index);
  uint32_t levels_left = BtreeStack::levels_max;
  while (true) {
    BtreePageView view = view_of(*buffer);
    // Stepping right is needed if the page was deleted, or, for the rightmost page, was split.
    while (view.is_ignored() || (rightmost && !view.is_rightmost())) {
      const BlockNumber next = view.opaque().btpo_next;
      buffer->release();
      if (next == P_NONE)
        return Status::error(ErrorCode::index_corrupted, "fell off the end of index \"%s\"",
                             index.name());
      RETURN_IF_ERROR(walk.step());
      RETURN_IF_ERROR(read(next));
      view = view_of(*buffer);
    }
    const uint32_t here = view.opaque().btpo_level;
    if (here == level) return Status::ok;
    const OffsetNumber offset = rightmost ? view.max_offset() : view.first_data();
    if (here < level || offset > view.max_offset() || offset == 0 || --levels_left == 0)
      return damaged_page(index, buffer->block());
    const std::byte* tuple = view.tuple(offset);
    if (tuple == nullptr) return damaged_page(index, buffer->block());
    const BlockNumber child = btree_downlink(index_tuple_header(tuple));
    buffer->release();
    RETURN_IF_ERROR(read(child));
  }
}

}  // namespace pgdata
