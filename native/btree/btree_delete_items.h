// Removing entries from one leaf: whole items, and some TIDs of posting lists.
#pragma once

#include <vector>

#include "base/status.h"
#include "btree/btree_index.h"
#include "btree/btree_page_view.h"
#include "change/change.h"

namespace pgdata {

// A posting list that loses some of its TIDs, but not all.
struct PostingCut {
  OffsetNumber offset = invalid_offset_number;
  std::vector<uint16_t> places;  // of the TIDs that go, from 0, ascending
};

struct ItemDeletions {
  std::vector<OffsetNumber> deleted;  // ascending
  std::vector<PostingCut> cut;        // ascending by offset
  bool empty() const { return deleted.empty() && cut.empty(); }
};

// By a vacuum (XLOG_BTREE_VACUUM): also takes the vacuum cycle off the page. The leaf is locked exclusively.
Status delete_items_in_vacuum(StorageServices& services, const BtreeIndex& index, BufferRef& leaf,
                              const ItemDeletions& deletions);
// By whoever needs room on the page (XLOG_BTREE_DELETE). `conflict_horizon`: the newest transaction that deleted one
// of the rows.
Status delete_items_for_room(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                             BufferRef& leaf, const ItemDeletions& deletions,
                             TransactionId conflict_horizon);

}  // namespace pgdata
