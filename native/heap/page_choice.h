// Page choice: finds the page that a new tuple goes to, extending the relation if none has room.
//
// Pages of one relation are locked in ascending order. A visibility map page that will have to be
// cleared is pinned before the heap page is locked, so that no IO happens under the lock.
// Source: src/backend/access/heap/hio.c, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "heap/heap_relation.h"

namespace pgdata {

// Options of inserting, as in src/include/access/heapam.h.
inline constexpr uint32_t HEAP_INSERT_SKIP_FSM = 0x0002;
// The rows are visible to everybody at once: only for a table that the own transaction made.
inline constexpr uint32_t HEAP_INSERT_FROZEN = 0x0004;

// State of a statement that inserts much: its page stays pinned, it extends by many pages, and
// its pages go through a ring of buffers.
class BulkInsertState {
 public:
  explicit BulkInsertState(BufferPool& pool) : strategy_(pool, StrategyKind::bulk_write) {}

 private:
  friend class PageChoice;
  BufferStrategy strategy_;
  BufferRef current_;
  BlockNumber next_free_ = invalid_block_number;
  BlockNumber last_free_ = invalid_block_number;
  uint32_t already_extended_by_ = 0;
};

class PageChoice {
 public:
  PageChoice(Backend& backend, HeapRelation& relation, uint32_t options, BulkInsertState* bulk)
      : backend_(backend), relation_(relation), options_(options), bulk_(bulk) {}

  // Gives a page with room for `length` bytes, pinned and locked exclusively. If it is all-visible
  // (or is going to be, for HEAP_INSERT_FROZEN), its visibility map page is pinned in `map`.
  // `pages`: how many pages the caller expects to fill.
  Status find(uint32_t length, uint32_t pages, BufferRef* buffer, BufferRef* map);
  // The same while a pin on another page of the relation is held, which is locked along with it.
  // If the page found is that page, `*buffer` is left invalid.
  Status find_beside(uint32_t length, BufferRef& other, BufferRef* other_map, BufferRef* buffer,
                     BufferRef* map);

  // Keeps the page for the next tuple of the same bulk insertion; unlocks it.
  void keep(BufferRef buffer);

  // Bytes that a page keeps free for updates.
  uint32_t reserved_bytes() const;

 private:
  Status find_page(uint32_t length, uint32_t pages, BufferRef* other, BufferRef* other_map,
                   BufferRef* buffer, BufferRef* map);
  Status forget_if_cut_off(BlockNumber* target);
  Status read(BlockNumber block, BufferRef* buffer);
  Status extend(uint32_t pages, BufferRef* buffer, bool* unlocked);
  Status pin_maps(BufferRef& first, BufferRef* first_map, BufferRef* second, BufferRef* second_map,
                  bool* unlocked);
  Status pin_map_if_needed(const BufferRef& buffer, BufferRef* map);

  Backend& backend_;
  HeapRelation& relation_;
  uint32_t options_;
  BulkInsertState* bulk_;
};

}  // namespace pgdata
