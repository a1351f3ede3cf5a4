// BtreeLoader: filling pages, and linking full ones into their parents.
#include "btree/btree_load.h"

#include <cstring>
#include <utility>

#include "base/invariant.h"
#include "btree/btree_page_view.h"

namespace pgdata {

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
struct BtreeLoader::Level {
  explicit Level(size_t block_size)
      : bytes(new std::byte[block_size]), next_bytes(new std::byte[block_size]) {}

  std::unique_ptr<std::byte[]> bytes;
  std::unique_ptr<std::byte[]> next_bytes;  // of the page to its right, while that is begun
  BlockNumber block = invalid_block_number;
  OffsetNumber last_offset = P_HIKEY;
  uint32_t last_posting_bytes = 0;  // how much of the last item is posting list
  uint32_t full_bytes = 0;          // the page is full when less than this is free
  std::vector<std::byte> low_key;   // becomes the page's downlink; empty until the first item

  void set_low_key(const std::byte* tuple, uint32_t size) { low_key.assign(tuple, tuple + size); }
};

BtreeLoader::BtreeLoader(StorageServices& services, TransactionId xid, const BtreeIndex& index)
    : services_(services),
      xid_(xid),
      index_(index),
      deduplicates_(index.allequalimage() && !index.unique() &&
                    index.definition().deduplicate_items),
      scratch_(std::make_unique<IndexTupleBuffer>()),
      strategy_(services.pool, StrategyKind::bulk_write) {}

BtreeLoader::~BtreeLoader() = default;

// Makes room for the metapage, which is written by `finish`.
Status BtreeLoader::begin() {
  INVARIANT(blocks_ == 0);
  BufferRef meta;
  BlockNumber first = invalid_block_number;
  RETURN_IF_ERROR(
      services_.pool.extend(index_.relation(), ForkNumber::main, 1, &strategy_, &meta, &first));
  INVARIANT(first == BTREE_METAPAGE);
  blocks_ = 1;
  return Status::ok;
}

Status BtreeLoader::add(const std::byte* tuple) {
  if (!deduplicates_) return add_to_level(0, tuple, 0);
  // A tenth of a page: several of them fit where a page is filled to its fill factor.
  const size_t posting_bytes_max = index_.block_size() * 10 / 100 / 8 * 8 - sizeof(LinePointer);
  if (!pending_base_.empty() && keys_are_identical(pending_base_.data(), tuple)) {
    const size_t merged =
        max_align(index_tuple_size(index_tuple_header(pending_base_.data()).t_info) +
                  (pending_tids_.size() + 1) * sizeof(ItemPointer));
    if (merged <= posting_bytes_max) {
      pending_tids_.push_back(index_tuple_header(tuple).t_tid);
      return Status::ok;
    }
  }
  RETURN_IF_ERROR(finish_pending());
  pending_base_.assign(tuple, tuple + index_tuple_size(index_tuple_header(tuple).t_info));
  pending_tids_.assign(1, index_tuple_header(tuple).t_tid);
  return Status::ok;
}

Status BtreeLoader::finish_pending() {
  if (pending_base_.empty()) return Status::ok;
  const std::vector<std::byte> base = std::move(pending_base_);
  pending_base_.clear();
  if (pending_tids_.size() == 1) return add_to_level(0, base.data(), 0);
  form_posting(base.data(), pending_tids_.data(), static_cast<int>(pending_tids_.size()),
               scratch_.get());
  return add_to_level(0, scratch_->bytes,
                      scratch_->size() - btree_posting_offset(scratch_->header()));
}

Status BtreeLoader::finish(uint32_t* blocks) {
  RETURN_IF_ERROR(finish_pending());
  BlockNumber root = P_NONE;
  uint32_t root_level = 0;
  RETURN_IF_ERROR(finish_levels(&root, &root_level));
  const std::unique_ptr<std::byte[]> meta(new std::byte[index_.block_size()]);
  initialize_btree_meta(page_of(meta.get()), root, root_level, index_.allequalimage());
  RETURN_IF_ERROR(write_page(BTREE_METAPAGE, page_of(meta.get())));
  *blocks = blocks_;
  return Status::ok;
}

Status BtreeLoader::new_page(uint32_t level, std::byte* bytes, BlockNumber* block) {
  BufferRef buffer;
  RETURN_IF_ERROR(
      services_.pool.extend(index_.relation(), ForkNumber::main, 1, &strategy_, &buffer, block));
  INVARIANT(value_of(*block) == blocks_);  // Nobody else knows the file yet.
  ++blocks_;
  const Page page = page_of(bytes);
  initialize_btree_page(page, level, level == 0 ? BTP_LEAF : uint16_t{0});
  page.header().pd_lower += static_cast<uint16_t>(sizeof(LinePointer));
  return Status::ok;
}

Status BtreeLoader::write_page(BlockNumber block, Page page) {
  BufferRef buffer;
  RETURN_IF_ERROR(services_.pool.read(index_.relation(), ForkNumber::main, block,
                                      ReadMode::zero_and_lock, &strategy_, &buffer));
  std::memcpy(buffer.page().bytes(), page.bytes(), page.size());
  if (index_.logged()) return log_new_page(services_, xid_, buffer, true);
  services_.pool.mark_dirty(buffer);
  return Status::ok;
}

Status BtreeLoader::add_to_level(size_t level_number, const std::byte* tuple,
                                 uint32_t posting_bytes) {
  INVARIANT(level_number < 32);
  if (level_number == levels_.size()) {
    auto made = std::make_unique<Level>(index_.block_size());
    RETURN_IF_ERROR(new_page(static_cast<uint32_t>(level_number), made->bytes.get(), &made->block));
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
  const uint32_t free = page_of(level->bytes.get()).free_bytes();
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
  add_loaded_item(page_of(level->bytes.get()), tuple, level->last_offset,
                  !is_leaf && level->last_offset == P_FIRSTKEY);
  return Status::ok;
}

// The last item moves to a new page as its first, and becomes (on leaves: makes) the old page's high key.
Status BtreeLoader::finish_page(size_t level_number) {
  Level* level = levels_[level_number].get();
  const bool is_leaf = level_number == 0;
  const OffsetNumber last = level->last_offset;
  INVARIANT(last > P_FIRSTKEY);
  const Page next = page_of(level->next_bytes.get());
  BlockNumber next_block = invalid_block_number;
  RETURN_IF_ERROR(new_page(static_cast<uint32_t>(level_number), next.bytes(), &next_block));

  const Page page = page_of(level->bytes.get());
  const LinePointer moved = page.line_pointer(last);
  add_loaded_item(next, page.item(moved), P_FIRSTKEY, !is_leaf);
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
  btree_set_downlink(*reinterpret_cast<IndexTupleHeader*>(downlink.data()), level->block);
  level->set_low_key(high_key, high_key_size);
  BtreePageView(page).opaque().btpo_next = next_block;
  BtreePageView(next).opaque().btpo_prev = level->block;
  RETURN_IF_ERROR(add_to_level(level_number + 1, downlink.data(), 0));
  RETURN_IF_ERROR(write_page(level->block, page));
  std::swap(level->bytes, level->next_bytes);
  level->block = next_block;
  level->last_offset = P_FIRSTKEY;
  return Status::ok;
}

Status BtreeLoader::finish_levels(BlockNumber* root, uint32_t* root_level) {
  // The list may grow by one level while its last is finished.
  for (size_t i = 0; i < levels_.size(); ++i) {
    const bool is_top = i + 1 == levels_.size();
    Level* level = levels_[i].get();
    const Page page = page_of(level->bytes.get());
    if (is_top) {
      BtreePageView(page).opaque().btpo_flags |= BTP_ROOT;
      *root = level->block;
      *root_level = static_cast<uint32_t>(i);
    } else {
      btree_set_downlink(*reinterpret_cast<IndexTupleHeader*>(level->low_key.data()), level->block);
      RETURN_IF_ERROR(add_to_level(i + 1, level->low_key.data(), 0));
    }
    // The rightmost page has no high key: its items move down by one. What is left behind of the
    // last line pointer stays, as in stock's pages.
    const OffsetNumber last = page.max_offset();
    for (OffsetNumber offset = P_FIRSTKEY; offset <= last; ++offset)
      page.line_pointer(static_cast<OffsetNumber>(offset - 1)) = page.line_pointer(offset);
    page.header().pd_lower -= static_cast<uint16_t>(sizeof(LinePointer));
    RETURN_IF_ERROR(write_page(level->block, page));
  }
  return Status::ok;
}

}  // namespace pgdata
