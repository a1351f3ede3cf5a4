// Where to split a B-tree page that has no room for a new item.
#pragma once

#include "base/status.h"
#include "btree/btree_index.h"
#include "btree/btree_page_view.h"

namespace pgdata {

// The items from `first_right` on (in the old page's numbering) go right. The new item, which goes
// before the item at its own offset, goes left or right as `new_item_left` says where that is open.
struct BtreeSplitPoint {
  OffsetNumber first_right = invalid_offset_number;
  bool new_item_left = false;
};

// Both halves have room for their items and high keys. Balanced, except that the rightmost page of a
// level is left as full as the fill factor says; close to that, where the separator is shortest.
Status choose_split_point(const BtreeIndex& index, const BufferRef& page, OffsetNumber new_offset,
                          const std::byte* new_tuple, BtreeSplitPoint* point);

}  // namespace pgdata
