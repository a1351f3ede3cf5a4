// BtreeBuilder: sorting by abbreviated key, then loading level by level.
#include "btree/btree_build.h"

#include <algorithm>
#include <array>

#include "base/invariant.h"

namespace pgdata {

namespace {

constexpr size_t chunk_bytes = 1u << 20;
// Below this many entries, or when few bytes differ, comparison sorting is as good.
constexpr size_t radix_entries_min = 512;

}  // namespace

Status build_empty_btree(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                         ForkNumber fork) {
  BufferRef buffer;
  BlockNumber first = invalid_block_number;
  RETURN_IF_ERROR(services.pool.extend(index.relation(), fork, 1, nullptr, &buffer, &first));
  INVARIANT(first == BTREE_METAPAGE);
  initialize_btree_meta(buffer.page(), P_NONE, 0, index.allequalimage());
  // An init fork is logged although its index is not: it must survive a crash.
  if (index.logged() || fork == ForkNumber::init) return log_new_page(services, xid, buffer, true);
  services.pool.mark_dirty(buffer);
  return Status::ok;
}

Status build_btree_init_fork(StorageServices& services, TransactionId xid,
                             const BtreeIndex& index) {
  if (index.logged()) return Status::ok;
  return build_empty_btree(services, xid, index, ForkNumber::init);
}

bool keys_are_identical(const std::byte* left, const std::byte* right) {
  const IndexTupleHeader& a = index_tuple_header(left);
  const IndexTupleHeader& b = index_tuple_header(right);
  const uint32_t size = leaf_key_size(a);
  constexpr uint16_t shape = INDEX_NULL_MASK | INDEX_VAR_MASK;
  return size == leaf_key_size(b) && (a.t_info & shape) == (b.t_info & shape) &&
         std::memcmp(left + sizeof(IndexTupleHeader), right + sizeof(IndexTupleHeader),
                     size - sizeof(IndexTupleHeader)) == 0;
}

// The page of one level that is being filled. Offset 1 is kept free for the high key.
struct BtreeBuilder::Level {
  BufferRef buffer;
  OffsetNumber last_offset = P_HIKEY;
  uint32_t last_posting_bytes = 0;  // how much of the last item is posting list
  uint32_t full_bytes = 0;          // the page is full when less than this is free
  std::vector<std::byte> low_key;   // becomes the page's downlink; empty until the first item

  void set_low_key(const std::byte* tuple, uint32_t size) { low_key.assign(tuple, tuple + size); }
};

BtreeBuilder::BtreeBuilder(StorageServices& services, TransactionId xid, const BtreeIndex& index)
    : services_(services),
      xid_(xid),
      index_(index),
      scratch_(std::make_unique<IndexTupleBuffer>()),
      strategy_(services.pool, StrategyKind::bulk_write) {}

BtreeBuilder::~BtreeBuilder() = default;

std::byte* BtreeBuilder::allocate(size_t size) {
  if (chunk_size_ - chunk_used_ < size) {
    chunks_.emplace_back(new std::byte[chunk_bytes]);
    chunk_size_ = chunk_bytes;
    chunk_used_ = 0;
    allocated_ += chunk_bytes;
  }
  std::byte* bytes = chunks_.back().get() + chunk_used_;
  chunk_used_ += size;
  return bytes;
}

size_t BtreeBuilder::memory_bytes() const {
  return allocated_ + (entries_.capacity() + null_entries_.capacity()) * sizeof(Entry);
}

Status BtreeBuilder::add(const Datum* values, const bool* is_null, ItemPointer heap_tid,
                         bool live) {
  RETURN_IF_ERROR(form_index_tuple(index_, values, is_null, heap_tid, scratch_.get()));
  const uint32_t size = scratch_->size();
  std::byte* tuple = allocate(size);
  std::memcpy(tuple, scratch_->bytes, size);
  tids_ascend_ = tids_ascend_ && last_tid_ < heap_tid;
  last_tid_ = heap_tid;
  if (!live) not_live_.push_back(tuple);
  if (is_null[0]) {
    null_entries_.push_back({0, tuple});
    return Status::ok;
  }
  // From the tuple, where a value that came compressed is compressed still.
  DetoastArena arena;
  Datum first = 0;
  IndexTupleCursor cursor(index_, tuple, size, &arena);
  if (cursor.next(&first) != IndexTupleCursor::Result::value)
    return Status::error(ErrorCode::data_corrupted, "compressed value for index \"%s\" is damaged",
                         index_.name());
  const uint64_t abbreviation = abbreviate(first, index_.key(0));
  entries_.push_back({index_.key(0).descending ? ~abbreviation : abbreviation, tuple});
  return Status::ok;
}

int BtreeBuilder::compare_from(const std::byte* left, const std::byte* right, int first_column,
                               bool* has_null) const {
  DetoastArena arena;
  const uint32_t left_size = index_tuple_size(index_tuple_header(left).t_info);
  const uint32_t right_size = index_tuple_size(index_tuple_header(right).t_info);
  IndexTupleCursor left_cursor(index_, left, left_size, &arena);
  IndexTupleCursor right_cursor(index_, right, right_size, &arena);
  for (int i = 0; i < index_.nkeyatts(); ++i) {
    Datum left_value = 0;
    Datum right_value = 0;
    const bool left_null = left_cursor.next(&left_value) == IndexTupleCursor::Result::null;
    const bool right_null = right_cursor.next(&right_value) == IndexTupleCursor::Result::null;
    if (has_null != nullptr && left_null) *has_null = true;
    if (i < first_column) continue;
    const int order = compare_keys(index_.key(i), left_value, left_null, right_value, right_null);
    if (order != 0) return order;
  }
  return 0;
}

bool BtreeBuilder::entry_before(const Entry& left, const Entry& right, int first_column) const {
  if (first_column < index_.nkeyatts()) {
    const int order = compare_from(left.tuple, right.tuple, first_column, nullptr);
    if (order != 0) return order < 0;
  }
  return index_tuple_header(left.tuple).t_tid < index_tuple_header(right.tuple).t_tid;
}

void BtreeBuilder::sort(std::vector<Entry>& entries, bool abbreviated) {
  if (abbreviated) {
    const auto before = [](const Entry& a, const Entry& b) {
      return a.abbreviation < b.abbreviation;
    };
    if (!std::is_sorted(entries.begin(), entries.end(), before)) {
      if (entries.size() < radix_entries_min) {
        std::stable_sort(entries.begin(), entries.end(), before);
      } else {
        // Stable passes over the bytes that are not the same in all keys, last byte first.
        std::vector<std::array<size_t, 256>> counts(8);
        for (const Entry& entry : entries)
          for (size_t byte = 0; byte < 8; ++byte)
            ++counts[byte][entry.abbreviation >> (8 * byte) & 0xFF];
        std::vector<Entry> other(entries.size());
        for (size_t byte = 0; byte < 8; ++byte) {
          std::array<size_t, 256>& places = counts[byte];
          if (places[entries[0].abbreviation >> (8 * byte) & 0xFF] == entries.size()) continue;
          size_t place = 0;
          for (size_t& count : places) {
            const size_t next = place + count;
            count = place;
            place = next;
          }
          for (const Entry& entry : entries)
            other[places[entry.abbreviation >> (8 * byte) & 0xFF]++] = entry;
          entries.swap(other);
        }
      }
    }
  }
  // Entries that the abbreviation does not tell apart.
  const bool exact = abbreviated && abbreviation_is_exact(index_.key(0));
  const int first_column = exact || !abbreviated ? 1 : 0;
  if (first_column == index_.nkeyatts() && tids_ascend_) return;  // Stable: in order already.
  for (size_t start = 0; start < entries.size();) {
    size_t end = start + 1;
    while (end < entries.size() && entries[end].abbreviation == entries[start].abbreviation) ++end;
    if (end - start > 1) {
      std::sort(entries.begin() + static_cast<ptrdiff_t>(start),
                entries.begin() + static_cast<ptrdiff_t>(end),
                [&](const Entry& a, const Entry& b) { return entry_before(a, b, first_column); });
    }
    start = end;
  }
}

void BtreeBuilder::check_unique(const std::vector<Entry>& entries, BtreeBuildResult* result) const {
  const std::byte* last_live = nullptr;
  for (const Entry& entry : entries) {
    if (!not_live_.empty() && std::binary_search(not_live_.begin(), not_live_.end(), entry.tuple))
      continue;
    if (last_live != nullptr) {
      bool has_null = false;
      if (compare_from(last_live, entry.tuple, 0, &has_null) == 0 &&
          (!has_null || index_.definition().nulls_not_distinct)) {
        result->duplicate = true;
        result->duplicate_tids[0] = index_tuple_header(last_live).t_tid;
        result->duplicate_tids[1] = index_tuple_header(entry.tuple).t_tid;
        return;
      }
    }
    last_live = entry.tuple;
  }
}

Status BtreeBuilder::finish(BtreeBuildResult* result) {
  *result = BtreeBuildResult{};
  INVARIANT(blocks_ == 0);
  sort(entries_, true);
  sort(null_entries_, false);
  result->tuples = entries_.size() + null_entries_.size();
  if (index_.unique()) {
    std::sort(not_live_.begin(), not_live_.end());
    check_unique(entries_, result);
    if (!result->duplicate) check_unique(null_entries_, result);
    if (result->duplicate) return Status::ok;
  }

  // Block 0 is written last, so that the index is not valid before.
  BufferRef meta;
  BlockNumber first = invalid_block_number;
  RETURN_IF_ERROR(
      services_.pool.extend(index_.relation(), ForkNumber::main, 1, &strategy_, &meta, &first));
  INVARIANT(first == BTREE_METAPAGE);
  blocks_ = 1;

  const bool nulls_first = index_.key(0).nulls_first;
  RETURN_IF_ERROR(load(nulls_first ? null_entries_ : entries_));
  RETURN_IF_ERROR(load(nulls_first ? entries_ : null_entries_));
  RETURN_IF_ERROR(finish_pending());
  BlockNumber root = P_NONE;
  uint32_t root_level = 0;
  RETURN_IF_ERROR(finish_levels(&root, &root_level));
  initialize_btree_meta(meta.page(), root, root_level, index_.allequalimage());
  RETURN_IF_ERROR(write_page(meta));
  result->blocks = blocks_;
  return Status::ok;
}

Status BtreeBuilder::load(const std::vector<Entry>& entries) {
  const bool deduplicate =
      index_.allequalimage() && !index_.unique() && index_.definition().deduplicate_items;
  if (!deduplicate) {
    for (const Entry& entry : entries) RETURN_IF_ERROR(add_to_level(0, entry.tuple, 0));
    return Status::ok;
  }
  // A tenth of a page: several of them fit where a page is filled to its fill factor.
  const size_t posting_bytes_max = index_.block_size() * 10 / 100 / 8 * 8 - sizeof(LinePointer);
  for (const Entry& entry : entries) {
    if (pending_base_ != nullptr && keys_are_identical(pending_base_, entry.tuple)) {
      const size_t merged = max_align(index_tuple_size(index_tuple_header(pending_base_).t_info) +
                                      (pending_tids_.size() + 1) * sizeof(ItemPointer));
      if (merged <= posting_bytes_max) {
        pending_tids_.push_back(index_tuple_header(entry.tuple).t_tid);
        continue;
      }
    }
    RETURN_IF_ERROR(finish_pending());
    pending_base_ = entry.tuple;
    pending_tids_.assign(1, index_tuple_header(entry.tuple).t_tid);
  }
  return Status::ok;
}

Status BtreeBuilder::finish_pending() {
  if (pending_base_ == nullptr) return Status::ok;
  const std::byte* base = pending_base_;
  pending_base_ = nullptr;
  if (pending_tids_.size() == 1) return add_to_level(0, base, 0);
  form_posting(base, pending_tids_.data(), static_cast<int>(pending_tids_.size()), scratch_.get());
  return add_to_level(0, scratch_->bytes,
                      scratch_->size() - btree_posting_offset(scratch_->header()));
}

Status BtreeBuilder::new_page(uint32_t level, BufferRef* buffer) {
  BlockNumber block = invalid_block_number;
  RETURN_IF_ERROR(
      services_.pool.extend(index_.relation(), ForkNumber::main, 1, &strategy_, buffer, &block));
  INVARIANT(value_of(block) == blocks_);  // Nobody else knows the file yet.
  ++blocks_;
  initialize_btree_page(buffer->page(), level, level == 0 ? BTP_LEAF : uint16_t{0});
  buffer->page().header().pd_lower += static_cast<uint16_t>(sizeof(LinePointer));
  return Status::ok;
}

Status BtreeBuilder::write_page(BufferRef& buffer) {
  if (index_.logged()) {
    RETURN_IF_ERROR(log_new_page(services_, xid_, buffer, true));
  } else {
    services_.pool.mark_dirty(buffer);
  }
  buffer.release();
  return Status::ok;
}

namespace {

// Adds an item; the first data item of an upper page loses its columns and becomes minus infinity.
void add_loaded_item(Page page, const std::byte* tuple, OffsetNumber offset, bool minus_infinity) {
  IndexTupleHeader truncated;
  uint32_t size = index_tuple_size(index_tuple_header(tuple).t_info);
  if (minus_infinity) {
    truncated = index_tuple_header(tuple);
    truncated.t_info = sizeof(IndexTupleHeader);
    btree_set_pivot(truncated, 0, false);
    tuple = reinterpret_cast<const std::byte*>(&truncated);
    size = sizeof(IndexTupleHeader);
  }
  INVARIANT(page.add_item(tuple, size, offset, false) == offset);
}

}  // namespace

Status BtreeBuilder::add_to_level(size_t level_number, const std::byte* tuple,
                                  uint32_t posting_bytes) {
  INVARIANT(level_number < 32);
  if (level_number == levels_.size()) {
    auto made = std::make_unique<Level>();
    RETURN_IF_ERROR(new_page(static_cast<uint32_t>(level_number), &made->buffer));
    const int fillfactor =
        level_number == 0 ? index_.definition().fillfactor : BTREE_NONLEAF_FILLFACTOR;
    made->full_bytes = index_.block_size() * static_cast<uint32_t>(100 - fillfactor) / 100;
    levels_.push_back(std::move(made));
  }
  Level* level = levels_[level_number].get();
  const bool is_leaf = level_number == 0;
  const uint32_t last_posting_bytes = level->last_posting_bytes;
  level->last_posting_bytes = posting_bytes;
  const uint32_t size = index_tuple_size(index_tuple_header(tuple).t_info);
  INVARIANT(size <= btree_pivot_size_max(index_.block_size()));

  // The leaf's high key may need 8 bytes more than the item it is made of. At least two items go
  // on a page before the fill factor counts; a posting list does not stay in a high key.
  const uint32_t free = level->buffer.page().free_bytes();
  if (free < size + (is_leaf ? 8 : 0) ||
      (free + last_posting_bytes < level->full_bytes && level->last_offset > P_FIRSTKEY)) {
    RETURN_IF_ERROR(finish_page(level_number));
    level = levels_[level_number].get();
  }

  if (level->last_offset == P_HIKEY) {
    // First on its level: the downlink to this page is minus infinity.
    IndexTupleHeader lowest{ItemPointer(BlockNumber{0}, 0), sizeof(IndexTupleHeader)};
    btree_set_pivot(lowest, 0, false);
    level->set_low_key(reinterpret_cast<const std::byte*>(&lowest), sizeof(lowest));
  }
  ++level->last_offset;
  add_loaded_item(level->buffer.page(), tuple, level->last_offset,
                  !is_leaf && level->last_offset == P_FIRSTKEY);
  return Status::ok;
}

// The last item moves to a new page as its first, and becomes (on leaves: makes) the old page's high key.
Status BtreeBuilder::finish_page(size_t level_number) {
  Level* level = levels_[level_number].get();
  const bool is_leaf = level_number == 0;
  const OffsetNumber last = level->last_offset;
  INVARIANT(last > P_FIRSTKEY);
  BufferRef next;
  RETURN_IF_ERROR(new_page(static_cast<uint32_t>(level_number), &next));

  const Page page = level->buffer.page();
  const LinePointer moved = page.line_pointer(last);
  add_loaded_item(next.page(), page.item(moved), P_FIRSTKEY, !is_leaf);
  page.line_pointer(P_HIKEY) = moved;
  page.line_pointer(last) = LinePointer();
  page.header().pd_lower -= static_cast<uint16_t>(sizeof(LinePointer));
  if (is_leaf) {
    auto pivot = std::make_unique<IndexTupleBuffer>();
    const auto before_last = static_cast<OffsetNumber>(last - 1);
    RETURN_IF_ERROR(form_pivot(index_, page.item_at(before_last), page.item(moved), pivot.get()));
    INVARIANT(page.overwrite_item(P_HIKEY, pivot->bytes, pivot->size()));
  }
  const std::byte* high_key = page.item_at(P_HIKEY);
  const uint32_t high_key_size = index_tuple_size(index_tuple_header(high_key).t_info);

  // Link the finished page into its parent under its low key; its high key is the next one's.
  std::vector<std::byte> downlink = std::move(level->low_key);
  btree_set_downlink(*reinterpret_cast<IndexTupleHeader*>(downlink.data()), level->buffer.block());
  level->set_low_key(high_key, high_key_size);
  BtreePageView(page).opaque().btpo_next = next.block();
  view_of(next).opaque().btpo_prev = level->buffer.block();
  RETURN_IF_ERROR(add_to_level(level_number + 1, downlink.data(), 0));
  RETURN_IF_ERROR(write_page(level->buffer));
  level->buffer = std::move(next);
  level->last_offset = P_FIRSTKEY;
  return Status::ok;
}

Status BtreeBuilder::finish_levels(BlockNumber* root, uint32_t* root_level) {
  // The list may grow by one level while its last is finished.
  for (size_t i = 0; i < levels_.size(); ++i) {
    const bool is_top = i + 1 == levels_.size();
    Level* level = levels_[i].get();
    const Page page = level->buffer.page();
    if (is_top) {
      BtreePageView(page).opaque().btpo_flags |= BTP_ROOT;
      *root = level->buffer.block();
      *root_level = static_cast<uint32_t>(i);
    } else {
      btree_set_downlink(*reinterpret_cast<IndexTupleHeader*>(level->low_key.data()),
                         level->buffer.block());
      RETURN_IF_ERROR(add_to_level(i + 1, level->low_key.data(), 0));
    }
    // The rightmost page has no high key: its items move down by one. What is left behind of the
    // last line pointer stays, as in stock's pages.
    const OffsetNumber last = page.max_offset();
    for (OffsetNumber offset = P_FIRSTKEY; offset <= last; ++offset)
      page.line_pointer(static_cast<OffsetNumber>(offset - 1)) = page.line_pointer(offset);
    page.header().pd_lower -= static_cast<uint16_t>(sizeof(LinePointer));
    RETURN_IF_ERROR(write_page(level->buffer));
  }
  return Status::ok;
}

}  // namespace pgdata
