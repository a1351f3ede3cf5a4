// Deleting an empty leaf, and upper pages that have no other child, from the tree.
//
// In two logged steps: the downlink is taken out of the parent and the leaf marked half-dead; then each page of the
// branch, from the top, is unlinked from its siblings and marked deleted. Its own links stay, so that searches on their way find on; it may be
// used again once every transaction that was running then is gone (safexid).
// Source: src/backend/access/nbtree/{README,nbtpage.c}, PostgreSQL 18.
#pragma once

#include <vector>

#include "base/status.h"
#include "btree/btree_index.h"
#include "btree/btree_page_view.h"
#include "btree/btree_upkeep.h"
#include "change/change.h"

namespace pgdata {

struct DeletedBtreePage {
  BlockNumber block;
  FullTransactionId safexid;
};

// `leaf` is an empty or half-dead leaf, locked; it is given back. Pages that were deleted, which may be none, and
// include empty leaves to the right, are added to `*deleted`. At most one at a time in an index.
Status delete_btree_leaf(StorageServices& services, const BtreeIndex& index, IndexUpkeep& upkeep,
                         BufferRef leaf, std::vector<DeletedBtreePage>* deleted);

// Of a deleted page: when it was deleted (BTPageGetDeleteXid).
FullTransactionId btree_deleted_at(const BtreePageView& view);

}  // namespace pgdata
