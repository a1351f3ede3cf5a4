// FreeSpaceMap: about how much room each block of a relation has, in the relation's fsm fork.
//
// The map is a hint. It is not logged, may be behind, and may name blocks that are full or gone: whoever gets a
// block from it looks at the page and, when there is no room, records the truth and asks again. Free space is
// kept in 256 categories, one byte per block, as a tree of pages of which the root tells the most there is;
// recording reaches the upper pages only with `vacuum`. Indexes use it with whole pages (record 0 or a page).
//
// Source: src/backend/storage/freespace/{freespace.c,README}, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"

namespace pgdata {

class FreeSpaceMap {
 public:
  FreeSpaceMap(BufferPool& pool, RelFileLocator relation) : pool_(pool), relation_(relation) {}

  // A block that should have `bytes` free, which exists; invalid_block_number when the map knows none.
  Status find(uint32_t bytes, BlockNumber* block);
  Status record(BlockNumber block, uint32_t bytes);
  // Both at once; prefers a block near `old_block`.
  Status record_and_find(BlockNumber old_block, uint32_t old_bytes, uint32_t bytes,
                         BlockNumber* block);
  // What the map says of a block, rounded down to its category; 0 when it knows nothing.
  Status recorded(BlockNumber block, uint32_t* bytes);

  // Brings the upper pages up to date with what was recorded, for all blocks or for those in [start, end).
  Status vacuum();
  Status vacuum_range(BlockNumber start, BlockNumber end);

  // Before the relation is cut to `heap_blocks`: forgets the rest of its last page, and gives the length to cut
  // the fork to; invalid_block_number when there is nothing to cut. `logged`: the relation's changes are logged.
  Status prepare_truncate(StorageServices& services, BlockNumber heap_blocks, bool logged,
                          BlockNumber* fsm_blocks);

 private:
  struct Address {
    uint32_t level;   // 0: leaves
    uint32_t number;  // of the page within its level
  };

  uint32_t slots_per_page() const;
  uint32_t root_level() const;
  BlockNumber physical(Address address) const;
  uint8_t category_of_space(uint32_t bytes) const;
  uint8_t category_needed(uint32_t bytes) const;
  uint32_t heap_tuple_bytes_max() const;

  // Pins and locks a page of the map, initialised. Where there is none, makes it with `extend`, else gives an
  // invalid `*buffer`.
  Status lock_page(Address address, LockMode mode, bool extend, BufferRef* buffer);
  // Searches a locked page; repairs its tree if need be, for which it may take the exclusive lock.
  int search_page(BufferRef& buffer, uint8_t minimum, bool advance);
  Status set_and_search(Address address, uint32_t slot, uint8_t value, uint8_t minimum, int* found);
  Status search(uint8_t minimum, BlockNumber* block);
  Status vacuum_page(Address address, uint32_t first, uint32_t last, uint8_t* maximum,
                     bool* end_of_map);
  Status block_exists(BlockNumber block, bool* exists);

  BufferPool& pool_;
  RelFileLocator relation_;
};

}  // namespace pgdata
