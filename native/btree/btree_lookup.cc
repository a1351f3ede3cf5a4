// Point lookup: the leaf's items that equal a key.
#include "btree/btree_lookup.h"

#include <algorithm>

namespace pgdata {

namespace {

// A leaf of an int8 key that was filled in its order is nine tenths full, with so many items.
constexpr uint32_t common_leaf_items = 366;
constexpr uint32_t common_item_bytes = 16;

// Where in the leaf the guessed item and its line pointer are, if its items are as many, as long and in such an order as is
// common; after the high key, and filled from the end.
struct GuessedItem {
  uint32_t line_pointer;
  uint32_t item;

  GuessedItem(uint32_t special, double share) {
    const auto number = static_cast<uint32_t>(share * common_leaf_items) + 1;
    line_pointer = line_pointer_place(static_cast<OffsetNumber>(number + 1));
    item = special - std::min((number + 1) * common_item_bytes, special);
  }
};

// The leaf on which the key is, or which it is to the right of; invalid when the index is empty.
Status find_leaf(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                 const BtreeStart& start, SerializableTransaction* reader, BufferRef* leaf) {
  if (start.block != P_NONE && start.level == 0) {
    // Whether it was split is asked when the key is behind all of its items: the high key would be one more wait for memory.
    RETURN_IF_ERROR(read_btree_page(pool, index, start.block, LockMode::shared, leaf));
    const BtreePageView view = view_of(*leaf);
    if (view.is_leaf() && !view.is_ignored()) return Status::ok;
    leaf->release();
  }
  RETURN_IF_ERROR(
      search_btree_leaf_from(pool, index, key, start, LockMode::shared, nullptr, nullptr, leaf));
  if (leaf->is_valid() || reader == nullptr) return Status::ok;
  RETURN_IF_ERROR(note_empty_index(index, reader));
  return search_btree_leaf(pool, index, key, LockMode::shared, nullptr, nullptr, leaf);
}

}  // namespace

Status start_btree_lookup(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                          bool is_next, BtreeStart* start) {
  RETURN_IF_ERROR(descend_btree_copies(pool, index, key, start));
  if (start->block == P_NONE) return Status::ok;
  const auto load = [&](std::initializer_list<uint32_t> places) {
    if (is_next)
      pool.prefetch_lines(index.relation(), ForkNumber::main, start->block, places);
    else
      pool.prefetch(index.relation(), ForkNumber::main, start->block, places);
  };
  // Links and flags are at the end of the page.
  const uint32_t special = index.block_size() - static_cast<uint32_t>(sizeof(BTPageOpaque));
  if (start->level > 0 || start->share < 0) {
    load({special});
  } else {
    const GuessedItem guessed(special, start->share);
    load({special, guessed.line_pointer, guessed.item});
  }
  return Status::ok;
}

Status btree_lookup(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                    BtreeMatches* matches, SerializableTransaction* reader,
                    const BtreeStart& start) {
  INVARIANT(key.columns == index.nkeyatts());
  matches->count = 0;
  matches->more = false;
  BufferRef leaf;
  RETURN_IF_ERROR(find_leaf(pool, index, key, start, reader, &leaf));
  if (!leaf.is_valid()) return Status::ok;
  RETURN_IF_ERROR(note_leaf(index, leaf, reader));
  OffsetNumber offset = invalid_offset_number;
  RETURN_IF_ERROR(search_btree_page(index, key, leaf, &offset, start.share));
  SiblingWalk walk(pool, index);
  while (true) {
    const BtreePageView view = view_of(leaf);
    // A page that was deleted while we came has no items.
    const OffsetNumber last = view.is_ignored() ? OffsetNumber{0} : view.max_offset();
    for (; offset <= last; ++offset) {
      const std::byte* tuple = view.leaf_tuple(offset);
      const int order = tuple == nullptr ? corrupt_order : compare_with_tuple(index, key, tuple);
      if (order == corrupt_order) return damaged_page(index, leaf.block());
      if (order != 0) return Status::ok;
      if (view.is_dead(offset)) continue;
      const int count = leaf_tid_count(index_tuple_header(tuple));
      for (int i = 0; i < count; ++i) {
        if (matches->count == BtreeMatches::tids_max) {
          matches->more = true;
          return Status::ok;
        }
        if (matches->count == 0) {
          matches->leaf = leaf.block();
          matches->lsn = leaf.page().lsn();
        }
        matches->tids[matches->count++] = leaf_tid(tuple, i);
      }
    }
    if (view.is_rightmost()) return Status::ok;
    const std::byte* high_key = view.is_ignored() ? nullptr : view.high_key();
    if (!view.is_ignored()) {
      const int order =
          high_key == nullptr ? corrupt_order : compare_with_tuple(index, key, high_key);
      if (order == corrupt_order) return damaged_page(index, leaf.block());
      if (order < 0) return Status::ok;
    }
    const BlockNumber next = view.opaque().btpo_next;
    leaf.release();
    RETURN_IF_ERROR(walk.step());
    RETURN_IF_ERROR(read_btree_page(pool, index, next, LockMode::shared, &leaf));
    RETURN_IF_ERROR(note_leaf(index, leaf, reader));
    // The key, or more of what equals it: what was split off may begin with other keys.
    if (!view_of(leaf).is_ignored()) RETURN_IF_ERROR(search_btree_page(index, key, leaf, &offset));
  }
}

}  // namespace pgdata
