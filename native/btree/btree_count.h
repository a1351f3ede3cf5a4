// Counting the entries of a B-tree, which are the rows of the heap pages that are visible to all.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "btree/btree_index.h"
#include "buffer/buffer_pool.h"

namespace pgdata {

// The heap TIDs on leaf pages, but for those in the heap blocks `except`, which ascend; all other heap blocks are
// visible to all, so that no entry which is marked dead leads to them. Entries made or removed meanwhile may count or
// not.
Status count_btree_entries(BufferPool& pool, const BtreeIndex& index,
                           std::span<const BlockNumber> except, uint64_t* entries);

}  // namespace pgdata
