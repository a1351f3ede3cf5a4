// IndexEntries: what an index itself says of rows, and of which rows that is enough.
//
// The entries of a leaf are copied while it is locked, and the visibility map is looked at then: a block that is visible to
// all has no dead rows, which a vacuum could have removed, and given room to others, by the time the row is asked for.
// Source: src/backend/executor/nodeIndexonlyscan.c, PostgreSQL 18, which keeps the leaf pinned for it.
#pragma once

#include <cstdint>
#include <vector>

#include "btree/btree_scan.h"
#include "btree/index_tuple.h"
#include "executor/row_copier.h"
#include "space/visibility_map.h"
#include "table/table_read.h"
#include "xact/snapshot.h"

namespace pgdata {

class IndexEntries final : public BtreeEntryReader {
 public:
  // `columns`: of the index (from 0), for each column of the batches.
  IndexEntries(const ReadContext& context, const Snapshot& snapshot, RelFileLocator heap,
               const BtreeIndex& btree, std::vector<int> columns, MemoryAccount& account);

  void begin_leaf() override;
  Status read_entry(std::span<const std::byte> tuple, std::span<const ItemPointer> tids) override;

  // Of the leaf's TID with that number: need its row not be looked at?
  bool is_visible(size_t place) const { return entries_[place].is_visible; }
  // Adds its columns to the rows at hand.
  Status add_row(size_t place, RowCopier* copier);
  void pause() { map_page_.release(); }

 private:
  struct Entry {
    const std::byte* tuple = nullptr;
    uint32_t size = 0;
    bool is_visible = false;
  };

  const BtreeIndex& btree_;
  const std::vector<int> columns_;
  int needed_ = 0;
  // The map may be believed: not where a serializable transaction notes which pages it reads, nor in a directory that is only
  // looked into, whose map may be ahead of its heap.
  const bool believes_map_;
  VisibilityMap map_;
  BufferRef map_page_;
  BlockNumber block_ = invalid_block_number;  // whose bit was looked at last for this leaf
  bool is_block_visible_ = false;
  Arena memory_;
  std::vector<Entry> entries_;
  DetoastArena plain_;
  std::vector<Datum> values_;
  std::vector<uint8_t> nulls_;
  std::vector<Datum> row_values_;
  std::vector<uint8_t> row_nulls_;
};

}  // namespace pgdata
