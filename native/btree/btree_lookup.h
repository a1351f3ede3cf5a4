// Point lookup in a B-tree.
#pragma once

#include "btree/btree_search.h"

namespace pgdata {

// The entries equal to a key that gives all key columns. Several heap tuples can share a key even
// in a unique index: versions of a row, of which a snapshot sees at most one.
struct BtreeMatches {
  static constexpr int tids_max = 32;
  int count = 0;
  bool more = false;  // there were more than fit: use a scan
  ItemPointer tids[tids_max];
  // The leaf that the first one lies on, and its LSN then.
  BlockNumber leaf = P_NONE;
  Lsn lsn = invalid_lsn;
};

// `reader` (may be null): the serializable transaction that looks. `start`: what `start_btree_lookup` gave for the key.
Status btree_lookup(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                    BtreeMatches* matches, SerializableTransaction* reader = nullptr,
                    const BtreeStart& start = {});
// Lets what the key's lookup will look at first come into the processor's caches, or, unless it comes next, the pool. The
// caller's snapshot, which the lookup is for, keeps a page from being used anew.
Status start_btree_lookup(BufferPool& pool, const BtreeIndex& index, const BtreeSearchKey& key,
                          bool is_next, BtreeStart* start);

}  // namespace pgdata
