// Making room on a full leaf, so that it need not be split: entries that scans found dead are deleted, then, where versions
// of unchanged rows pile up, entries that turn out to be dead; last, equal entries are merged.
// Source: _bt_delete_or_dedup_one_page in src/backend/access/nbtree/nbtinsert.c, _bt_bottomupdel_pass in
// src/backend/access/nbtree/nbtdedup.c, PostgreSQL 18.
#pragma once

#include "base/status.h"
#include "btree/btree_index.h"
#include "btree/btree_page_view.h"
#include "btree/btree_upkeep.h"
#include "change/change.h"

namespace pgdata {

struct RoomRequest {
  const std::byte* tuple;       // that is to go onto the leaf
  bool checks_unique = false;   // the insertion does
  bool has_duplicates = false;  // and found entries with the key
  bool is_unchanged = false;    // the entry is for a new version of a row whose key did not change
  bool may_merge = false;       // equal keys have equal bytes
};

// `leaf` is locked exclusively and has no room for the tuple; afterwards it may have. `upkeep` null: nothing is deleted.
Status make_room_on_leaf(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                         IndexUpkeep* upkeep, BufferRef& leaf, const RoomRequest& request);
// Deletes what is marked dead, and what turns out to be, alone. `tuple` is to go onto the leaf.
Status delete_dead_from_leaf(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                             IndexUpkeep& upkeep, BufferRef& leaf, const std::byte* tuple);

}  // namespace pgdata
