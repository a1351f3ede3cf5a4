// LazyVacuum: one vacuum of one table, in a thread of its own choosing.
//
// Source: src/backend/access/heap/vacuumlazy.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "btree/btree_vacuum.h"
#include "heap/prune.h"
#include "vacuum/cost_delay.h"
#include "vacuum/dead_tids.h"
#include "vacuum/vacuum_cutoffs.h"
#include "xact/backend.h"

namespace pgdata {

// A table as its vacuum sees it, with what pg_class says.
struct VacuumTarget {
  HeapRelation* heap = nullptr;
  std::vector<const BtreeIndex*> indexes;
  // False if there are indexes besides, which cannot be maintained.
  bool has_all_indexes = true;
  TransactionId relfrozenxid = invalid_transaction_id;
  MultiXactId relminmxid = 0;
  uint32_t relpages = 0;
  double reltuples = -1;
};

enum class IndexCleanup : uint8_t { automatic, on, off };

struct VacuumSettings : CostSettings {
  FreezeSettings freeze;
  // Looks at every page, whatever the visibility map says.
  bool disable_page_skipping = false;
  IndexCleanup index_cleanup = IndexCleanup::automatic;
  bool truncate = true;
  uint64_t maintenance_work_mem_bytes = 64ull << 20;
  double vacuum_max_eager_freeze_failure_rate = 0.03;
};

// As pg_stat_progress_vacuum numbers them.
enum class VacuumPhase : uint32_t {
  initializing = 0,
  scanning_heap = 1,
  vacuuming_indexes = 2,
  vacuuming_heap = 3,
  cleaning_up_indexes = 4,
  truncating_heap = 5,
  performing_final_cleanup = 6,
};

// Written by the vacuum, read by anybody; what it has of UpkeepControl the other way.
struct VacuumProgress : UpkeepControl {
  std::atomic<VacuumPhase> phase{VacuumPhase::initializing};
  std::atomic<uint32_t> heap_blks_total{0};
  std::atomic<uint32_t> heap_blks_scanned{0};
  std::atomic<uint32_t> heap_blks_vacuumed{0};
  std::atomic<uint32_t> index_vacuum_count{0};
  std::atomic<uint64_t> max_dead_tuple_bytes{0};
  std::atomic<uint64_t> dead_tuple_bytes{0};
  std::atomic<uint64_t> num_dead_item_ids{0};
  std::atomic<uint32_t> indexes_total{0};
  std::atomic<uint32_t> indexes_processed{0};
};

// What a vacuum found and did.
struct VacuumOutcome {
  bool aggressive = false;
  bool failsafe = false;
  uint32_t index_scans = 0;
  uint32_t rel_pages = 0;
  uint32_t scanned_pages = 0;
  // Blocks from here on are empty, if that is less than rel_pages and cutting them off is worthwhile.
  uint32_t nonempty_pages = 0;
  bool truncatable = false;
  double live_tuples = -1;  // pg_class.reltuples
  uint64_t tuples_deleted = 0;
  uint64_t tuples_frozen = 0;
  uint64_t recently_dead_tuples = 0;
  uint64_t missed_dead_tuples = 0;
  uint64_t dead_items = 0;
  uint32_t all_visible_pages = 0;
  uint32_t all_frozen_pages = 0;
  // The new bounds; invalid and 0 when pages were left out that may hold older ids.
  TransactionId relfrozenxid = invalid_transaction_id;
  MultiXactId relminmxid = 0;
  // Per index; `scanned` false: its pg_class row stays as it is.
  std::vector<BtreeVacuumResult> indexes;
};

class LazyVacuum {
 public:
  // `backend` is the vacuum's own, outside a transaction.
  LazyVacuum(Backend& backend, VacuumTarget target, const VacuumSettings& settings,
             VacuumProgress& progress);
  ~LazyVacuum();
  LazyVacuum(const LazyVacuum&) = delete;

  // query_canceled when `progress.canceled` was set; what was done until then stays.
  Status run(VacuumOutcome* outcome);

 private:
  class Upkeep;
  enum class PageVisit : uint8_t { done, has_dead_items };

  Status pause(bool dirtied);
  Status scan_heap();
  Status next_block(uint32_t* block, bool* all_visible, bool* eager);
  Status find_unskippable(bool* skips_all_visible);
  void set_up_eager_scan();
  Status visit(BlockNumber block, bool all_visible, bool eager);
  Status visit_new_or_empty(BufferRef& buffer, bool has_cleanup_lock, bool* done);
  Status visit_pruning(BufferRef& buffer, bool all_visible, bool* has_dead_items,
                       bool* newly_frozen);
  Status visit_without_pruning(BufferRef& buffer, bool* has_dead_items, bool* must_prune);
  Status wait_for_cleanup_lock(BufferRef& buffer);
  Status set_visible(BufferRef& buffer, TransactionId conflict_horizon, uint8_t flags);
  void note_dead(BlockNumber block, std::span<const OffsetNumber> offsets);

  Status vacuum_dead_items();
  Status vacuum_indexes(bool* all_done);
  Status reap_heap();
  Status clean_up_indexes();
  bool check_failsafe();
  double estimate_live_tuples() const;

  ReadContext context_;
  Backend& backend_;
  BufferPool& pool_;
  VacuumTarget target_;
  HeapRelation& heap_;
  VacuumSettings settings_;
  VacuumProgress& progress_;
  VacuumOutcome outcome_;
  VacuumCutoffs cutoffs_;
  RemovalTest removal_;
  std::unique_ptr<Upkeep> upkeep_;
  std::unique_ptr<BufferStrategy> strategy_;
  std::vector<std::unique_ptr<BtreeVacuum>> index_vacuums_;
  DeadTids dead_;
  BufferRef map_page_;

  bool do_index_vacuuming_ = true;
  bool do_index_cleanup_ = true;
  bool may_bypass_ = true;
  bool skips_with_map_ = true;
  bool skipped_all_visible_ = false;
  uint32_t rel_pages_ = 0;
  uint64_t live_tuples_ = 0;
  uint32_t dead_item_pages_ = 0;
  TransactionId new_relfrozenxid_ = invalid_transaction_id;
  MultiXactId new_relminmxid_ = 0;
  CostDelay delay_;

  // Skipping by the map: the block scanned last, and the next that must be.
  uint32_t current_block_ = value_of(invalid_block_number);
  uint32_t unskippable_ = value_of(invalid_block_number);
  bool unskippable_all_visible_ = false;
  bool unskippable_eager_ = false;
  BufferRef skip_map_page_;
  // Eager scanning of pages that are all-visible but not frozen, as long as it succeeds.
  uint32_t eager_region_start_ = value_of(invalid_block_number);
  uint32_t eager_fails_per_region_ = 0;
  uint32_t eager_fails_left_ = 0;
  uint32_t eager_successes_left_ = 0;
};

}  // namespace pgdata
