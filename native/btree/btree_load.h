// BtreeLoader: writes the pages of a new index from tuples that come in order, from left to right and level by level.
//
// The pages are laid out as PostgreSQL's CREATE INDEX does: leaves to the fill factor, upper pages to
// 70 percent, suffix-truncated separators, equal keys merged into posting lists where allowed. Pages that are not full yet
// are in memory of its own: between two calls nothing is pinned or locked.
// Source: src/backend/access/nbtree/nbtsort.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "btree/index_tuple.h"
#include "change/change.h"

namespace pgdata {

class BtreeLoader {
 public:
  // The index's main fork must exist and have no blocks.
  BtreeLoader(StorageServices& services, TransactionId xid, const BtreeIndex& index);
  ~BtreeLoader();
  BtreeLoader(const BtreeLoader&) = delete;

  Status begin();
  // The next leaf tuple, whose bytes are not needed afterwards.
  Status add(const std::byte* tuple);
  // The metapage is written last: the index is not valid before.
  Status finish(uint32_t* blocks);

 private:
  struct Level;

  Page page_of(std::byte* bytes) const { return {bytes, index_.block_size()}; }
  Status new_page(uint32_t level, std::byte* bytes, BlockNumber* block);
  Status write_page(BlockNumber block, Page page);
  Status add_to_level(size_t level, const std::byte* tuple, uint32_t posting_bytes);
  Status finish_page(size_t level);
  Status finish_levels(BlockNumber* root, uint32_t* root_level);
  Status finish_pending();

  StorageServices& services_;
  TransactionId xid_;
  const BtreeIndex& index_;
  const bool deduplicates_;
  std::unique_ptr<IndexTupleBuffer> scratch_;
  BufferStrategy strategy_;

  std::vector<std::unique_ptr<Level>> levels_;
  uint32_t blocks_ = 0;
  // Equal tuples waiting to become one posting list: the first one, and where the rows are.
  std::vector<std::byte> pending_base_;
  std::vector<ItemPointer> pending_tids_;
};

// Whether the key bytes are the same, so that the tuples may share a posting list.
bool keys_are_identical(const std::byte* left, const std::byte* right);

}  // namespace pgdata
