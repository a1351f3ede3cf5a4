// Searching a B-tree: keys, comparison with tuples on pages, descent to a leaf.
//
// Lehman and Yao's protocol: at most one page is locked at a time on the way down; a page that was
// split meanwhile is recognised by its high key, and the search moves right.
// Source: src/backend/access/nbtree/{README,nbtsearch.c}, PostgreSQL 18.
#pragma once

#include <climits>
#include <cstdint>
#include <initializer_list>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "btree/btree_page_view.h"
#include "btree/index_tuple.h"
#include "buffer/buffer_pool.h"

namespace pgdata {

// What is searched for: values of the first `columns` key columns, and, to tell entries with equal
// values apart, a heap TID. The values must outlive the key.
struct BtreeSearchKey {
  int columns = 0;
  // Find the first entry after all equal ones, rather than the first equal one.
  bool next_key = false;
  // The caller will go left from what is found.
  bool backward = false;
  bool has_tid = false;  // all key columns are given too
  ItemPointer tid;
  Datum values[INDEX_MAX_KEYS];
  bool nulls[INDEX_MAX_KEYS];
};

// The order of the key against a tuple; corrupt_order if the tuple is damaged.
inline constexpr int corrupt_order = INT_MIN;
int compare_with_tuple(const BtreeIndex& index, const BtreeSearchKey& key, const std::byte* tuple);

// The way from the root to a leaf: on each upper page, the block and the item that was followed.
struct BtreeStack {
  static constexpr int levels_max = 32;
  struct Step {
    BlockNumber block;
    OffsetNumber offset;
  };
  int depth = 0;
  Step steps[levels_max];
};

// How far the copies of upper pages (btree_upper_pages.h) lead.
inline constexpr double unknown_share = -1;
struct BtreeStart {
  BlockNumber block = P_NONE;  // where to go on; none when there was nothing to be known
  uint32_t level = 0;
  // Which share of that page's items is before the key, if the keys between those of the page above lie evenly.
  double share = unknown_share;
};

// Whoever changes the tree completes splits that a crash left without a downlink, when it meets one.
class SplitFinisher {
 public:
  // `left` is locked exclusively; it is given back, unlocked and unpinned.
  virtual Status finish_split(BufferRef left, BtreeStack& stack, int depth) = 0;

 protected:
  ~SplitFinisher() = default;
};

// The page where searches start, locked shared. Invalid `*root` when the index is empty.
Status find_btree_root(BufferPool& pool, const BtreeIndex& index, BufferRef* root);

// Descends to the first leaf on which the key could be, locked in `leaf_mode`. With `stack` the way
// is remembered, with `finisher` incomplete splits on it are completed. `*leaf` is invalid when the
// index is empty.
Status search_btree_leaf(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                         LockMode leaf_mode, BtreeStack* stack, SplitFinisher* finisher,
                         BufferRef* leaf);
// The same in two steps: down this thread's copies of upper pages, for who only reads; and on from `start`, or from the root.
Status descend_btree_copies(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                            BtreeStart* start);
Status search_btree_leaf_from(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                              const BtreeStart& start, LockMode leaf_mode, BtreeStack* stack,
                              SplitFinisher* finisher, BufferRef* leaf);

// Moves right from a locked page while the key is beyond its high key.
Status move_right(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                  LockMode mode, BtreeStack* stack, SplitFinisher* finisher, BufferRef* buffer);

// On a leaf: the first item not before the key (after it, with next_key), or max_offset + 1. On an
// upper page: the item whose child to follow. `share`: BtreeStart::share of that page.
Status search_btree_page(const BtreeIndex& index, const BtreeSearchKey& key, const BufferRef& page,
                         OffsetNumber* offset, double share = unknown_share);

// The leftmost or rightmost page of a level, locked shared; invalid when the index is empty.
// `level` 0 starts from the fast root, others from the true root. Pages that the caller has locked must
// not be on the way: `held`.
Status find_btree_edge(BufferPool& pool, const BtreeIndex& index, uint32_t level, bool rightmost,
                       BufferRef* buffer, std::initializer_list<BlockNumber> held = {});

// Notes that `reader` (may be null) has read what is on a leaf, or would be, while the leaf is locked.
inline Status note_leaf(const BtreeIndex& index, const BufferRef& leaf,
                        SerializableTransaction* reader) {
  if (reader == nullptr) [[likely]]
    return Status::ok;
  return predicate_transaction(*reader).lock_page(index.predicate_relation(), leaf.block());
}
// The same for the whole of an index that seemed to be empty. The caller looks again then: an entry may have come
// before the lock did.
inline Status note_empty_index(const BtreeIndex& index, SerializableTransaction* reader) {
  if (reader == nullptr) return Status::ok;
  return predicate_transaction(*reader).lock_relation(index.predicate_relation());
}

}  // namespace pgdata
