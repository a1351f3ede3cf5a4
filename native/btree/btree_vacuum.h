// BtreeVacuum: removes the entries of dead rows from one index, and pages that become empty.
//
// Goes through the file block by block, not through the tree. A page that is split meanwhile sends its right half ahead,
// or back to a block that was passed; the vacuum's cycle number on both halves tells, and it goes back. One vacuum of an
// index at a time, which the caller sees to.
// Source: btvacuumscan, btvacuumpage in src/backend/access/nbtree/nbtree.c, PostgreSQL 18.
#pragma once

#include <functional>
#include <vector>

#include "base/status.h"
#include "btree/btree_delete_items.h"
#include "btree/btree_index.h"
#include "btree/btree_page_delete.h"
#include "btree/btree_upkeep.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"

namespace pgdata {

// Which rows are gone: their TIDs. Called with a page locked.
class DeadRows {
 public:
  virtual bool contains(ItemPointer tid) const = 0;

 protected:
  ~DeadRows() = default;
};

// What vacuums of an index found and did (IndexBulkDeleteResult). The last scan counts pages and tuples.
struct BtreeVacuumResult {
  bool scanned = false;
  uint32_t blocks = 0;
  uint64_t tuples = 0;
  bool tuples_are_estimated = false;
  uint64_t tuples_removed = 0;
  uint32_t pages_newly_deleted = 0;
  uint32_t pages_deleted = 0;  // all that are deleted now
  uint32_t pages_free = 0;     // those that may be used again
};

class BtreeVacuum {
 public:
  // `pause` is called between pages, with nothing locked; its error ends the vacuum.
  BtreeVacuum(StorageServices& services, const BtreeIndex& index, IndexUpkeep& upkeep,
              BufferStrategy* strategy, std::function<Status()> pause)
      : services_(services),
        pool_(services.pool),
        index_(index),
        upkeep_(upkeep),
        strategy_(strategy),
        pause_(std::move(pause)) {}
  BtreeVacuum(const BtreeVacuum&) = delete;

  // Removes the entries of these rows (btbulkdelete).
  Status bulk_delete(const DeadRows& dead);
  // At the end of a vacuum: without a bulk deletion, scans only if many deleted pages wait to be used again. `heap_tuples`:
  // how many rows the table has, if known exactly.
  Status clean_up(double heap_tuples, bool heap_tuples_are_exact);

  const BtreeVacuumResult& result() const { return result_; }

 private:
  Status scan(const DeadRows* dead, uint16_t cycle);
  Status vacuum_block(BlockNumber scan_block, const DeadRows* dead, uint16_t cycle);
  Status vacuum_leaf(BufferRef& leaf, const DeadRows* dead, bool* is_empty);
  Status free_page(BlockNumber block);
  Status needs_clean_up(bool* needs);
  Status set_clean_up_info(uint32_t deleted_pages);

  StorageServices& services_;
  BufferPool& pool_;
  const BtreeIndex& index_;
  IndexUpkeep& upkeep_;
  BufferStrategy* strategy_;
  std::function<Status()> pause_;
  BtreeVacuumResult result_;
  std::vector<DeletedBtreePage> deleted_;  // in this scan
};

}  // namespace pgdata
