// Building a B-tree from all tuples of a table at once: sort, then fill pages from left to right.
//
// The pages are laid out as PostgreSQL's CREATE INDEX does: leaves to the fill factor, upper pages to
// 70 percent, suffix-truncated separators, equal keys merged into posting lists where allowed.
// Source: src/backend/access/nbtree/nbtsort.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "btree/btree_page_view.h"
#include "btree/index_tuple.h"
#include "change/change.h"

namespace pgdata {

// Writes the metapage of an empty index as block 0 of a fork that has no blocks (`init` for unlogged
// indexes), and logs it.
Status build_empty_btree(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                         ForkNumber fork);
// Of an unlogged index writes what it begins as after a crash.
Status build_btree_init_fork(StorageServices& services, TransactionId xid, const BtreeIndex& index);

struct BtreeBuildResult {
  uint64_t tuples = 0;
  uint32_t blocks = 0;
  // A unique index cannot be built: these two live heap tuples have equal keys. Nothing was written.
  bool duplicate = false;
  ItemPointer duplicate_tids[2];
};

class BtreeBuilder {
 public:
  BtreeBuilder(StorageServices& services, TransactionId xid, const BtreeIndex& index);
  ~BtreeBuilder();
  BtreeBuilder(const BtreeBuilder&) = delete;

  // Tuples may come in any order, fastest in that of their TIDs or keys. Tuples that no new snapshot
  // can see (`live` false) are indexed but do not violate uniqueness.
  Status add(const Datum* values, const bool* is_null, ItemPointer heap_tid, bool live = true);

  // Sorts and writes the index, whose main fork must exist and have no blocks. Once only.
  Status finish(BtreeBuildResult* result);

  // Memory in use for tuples and sorting.
  size_t memory_bytes() const;

 private:
  // The first column's leading bytes, inverted for descending order, and the tuple.
  struct Entry {
    uint64_t abbreviation;
    const std::byte* tuple;
  };
  struct Level;

  std::byte* allocate(size_t size);
  int compare_from(const std::byte* left, const std::byte* right, int first_column,
                   bool* has_null) const;
  bool entry_before(const Entry& left, const Entry& right, int first_column) const;
  void sort(std::vector<Entry>& entries, bool abbreviated);
  void check_unique(const std::vector<Entry>& entries, BtreeBuildResult* result) const;
  Status load(const std::vector<Entry>& entries);

  Status new_page(uint32_t level, BufferRef* buffer);
  Status write_page(BufferRef& buffer);
  Status add_to_level(size_t level, const std::byte* tuple, uint32_t posting_bytes);
  Status finish_page(size_t level);
  Status finish_levels(BlockNumber* root, uint32_t* root_level);
  Status finish_pending();

  StorageServices& services_;
  TransactionId xid_;
  const BtreeIndex& index_;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  size_t chunk_used_ = 0;
  size_t chunk_size_ = 0;
  size_t allocated_ = 0;
  std::vector<Entry> entries_;
  std::vector<Entry> null_entries_;  // the first column is null
  std::vector<const std::byte*> not_live_;
  bool tids_ascend_ = true;
  ItemPointer last_tid_{BlockNumber{0}, 0};
  std::unique_ptr<IndexTupleBuffer> scratch_;
  BufferStrategy strategy_;

  std::vector<std::unique_ptr<Level>> levels_;
  uint32_t blocks_ = 0;
  // Equal tuples waiting to become one posting list.
  const std::byte* pending_base_ = nullptr;
  std::vector<ItemPointer> pending_tids_;
};

// Whether the key bytes are the same, so that the tuples may share a posting list.
bool keys_are_identical(const std::byte* left, const std::byte* right);

}  // namespace pgdata
