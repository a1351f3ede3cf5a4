// VisibilityMap: two bits per heap block, in the relation's vm fork: all tuples visible to all, and all frozen.
//
// A set bit may be believed. Rules: all-frozen is never set without all-visible; a bit is set only while the
// heap page is locked exclusively and has PD_ALL_VISIBLE; whoever changes a heap page that has PD_ALL_VISIBLE
// pins the map page before locking the heap page, and clears the bits before unlocking it. Clearing is redone
// from the heap's own record; setting has a record of its own.
//
// After the page header, block n of a page is bits 2n and 2n+1, low bits first.
// Source: src/backend/access/heap/visibilitymap.c, src/include/access/visibilitymapdefs.h, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"

namespace pgdata {

inline constexpr uint8_t VISIBILITYMAP_ALL_VISIBLE = 0x01;
inline constexpr uint8_t VISIBILITYMAP_ALL_FROZEN = 0x02;
inline constexpr uint8_t VISIBILITYMAP_VALID_BITS = 0x03;

class VisibilityMap {
 public:
  VisibilityMap(BufferPool& pool, RelFileLocator relation) : pool_(pool), relation_(relation) {}

  // Pins the map page of a heap block, making it if there is none; keeps `*map_page` when it is that page.
  Status pin(BlockNumber heap_block, BufferRef* map_page);
  bool is_pinned(BlockNumber heap_block, const BufferRef& map_page) const;

  // The bits of a heap block, 0 where the map does not reach. Keeps the page pinned in `*map_page` for the
  // next call. Read without a lock: the answer may be old by the time it comes.
  Status status_of(BlockNumber heap_block, BufferRef* map_page, uint8_t* flags);

  // Sets `flags` for the heap page in `heap_page`, which is locked exclusively and has PD_ALL_VISIBLE, and logs
  // it. `conflict_horizon`: the newest xid a standby's query must not need hidden. Dirties the heap page; its LSN
  // moves only with data checksums, since only then may the flag on it need a full image.
  Status set(StorageServices& services, TransactionId xid, BufferRef& heap_page,
             BufferRef& map_page, TransactionId conflict_horizon, uint8_t flags, bool logged);
  // Clears `flags` (all, or all-frozen alone). Returns whether any was set. Within the caller's change of the
  // heap page.
  bool clear(BlockNumber heap_block, BufferRef& map_page, uint8_t flags);

  // The blocks below `heap_blocks` that are not visible to all, in order; `limit` of them at most.
  Status find_not_visible(uint32_t heap_blocks, size_t limit, std::vector<BlockNumber>* blocks);
  // How many blocks have each bit.
  Status count(uint32_t* all_visible, uint32_t* all_frozen);

  // Before the relation is cut to `heap_blocks`: forgets the rest of the last page, and gives the length to cut
  // the fork to; invalid_block_number when there is nothing to cut.
  Status prepare_truncate(StorageServices& services, BlockNumber heap_blocks, bool logged,
                          BlockNumber* map_blocks);

 private:
  uint32_t map_bytes() const;
  uint32_t heap_blocks_per_page() const { return map_bytes() * 4; }
  BlockNumber map_block(BlockNumber heap_block) const;
  // Pins a page of the map, initialised; invalid when there is none and `extend` is false.
  Status read_page(BlockNumber block, bool extend, BufferRef* buffer);

  BufferPool& pool_;
  RelFileLocator relation_;
};

}  // namespace pgdata
