// LazyVacuum: heap, indexes, heap again, indexes again.
#include "vacuum/lazy_vacuum.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <thread>

#include "base/invariant.h"
#include "heap/visibility.h"
#include "space/free_space_map.h"
#include "space/visibility_map.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

// Fewer pages in a row are read rather than skipped, for the sake of reading ahead.
constexpr uint32_t skip_pages_min = 32;
// Index vacuuming is put off while fewer pages of a hundred have dead items.
constexpr double bypass_pages_share = 0.02;
constexpr size_t bypass_bytes_max = 32u << 20;
// The upper pages of the free space map are brought up to date after so many bytes of heap.
constexpr uint64_t map_vacuum_bytes = 8ull << 30;
constexpr uint64_t failsafe_check_bytes = 4ull << 30;
constexpr uint32_t eager_region_pages = 4096;
constexpr double eager_success_share = 0.2;
// Truncation takes a strong lock: only for so many blocks, or such a part of the table.
constexpr uint32_t truncate_pages_min = 1000;
constexpr uint32_t truncate_share = 16;

bool is_all_visible(const Page& page) { return (page.header().pd_flags & PD_ALL_VISIBLE) != 0; }
bool is_empty(const Page& page) { return page.max_offset() == 0; }

}  // namespace

class LazyVacuum::Upkeep final : public IndexUpkeep {
 public:
  Upkeep(TransactionSystem& transactions, RemovalTest& removal, bool shared)
      : transactions_(transactions), removal_(removal), shared_(shared) {}
  bool is_recyclable(FullTransactionId safexid) override {
    return removal_.is_recyclable(safexid, shared_);
  }
  FullTransactionId next_full_xid() override { return transactions_.next_full_xid(); }
  Status find_deletable(uint32_t, std::vector<IndexEntry>*, TransactionId*) override {
    return Status::ok;  // It brings its own list.
  }

 private:
  TransactionSystem& transactions_;
  RemovalTest& removal_;
  bool shared_;
};

LazyVacuum::LazyVacuum(Backend& backend, VacuumTarget target, const VacuumSettings& settings,
                       VacuumProgress& progress)
    : context_(backend),
      backend_(backend),
      pool_(backend.pool_of(target.heap->temporary)),
      target_(std::move(target)),
      heap_(*target_.heap),
      settings_(settings),
      progress_(progress),
      removal_(backend.transactions(), backend.database()),
      upkeep_(std::make_unique<Upkeep>(backend.transactions(), removal_, heap_.is_shared())),
      strategy_(std::make_unique<BufferStrategy>(pool_, StrategyKind::vacuum)),
      delay_(backend.services().state, settings_, progress) {
  for (const BtreeIndex* index : target_.indexes)
    index_vacuums_.push_back(std::make_unique<BtreeVacuum>(backend.services_of(heap_.temporary),
                                                           *index, *upkeep_, strategy_.get(),
                                                           [this] { return pause(false); }));
}

LazyVacuum::~LazyVacuum() = default;

Status LazyVacuum::run(VacuumOutcome* outcome) {
  cutoffs_ = vacuum_cutoffs(backend_.transactions(), backend_.database(), heap_.is_shared(),
                            settings_.freeze, target_.relfrozenxid, target_.relminmxid,
                            &outcome_.aggressive);
  if (settings_.disable_page_skipping) {
    outcome_.aggressive = true;
    skips_with_map_ = false;
  }
  switch (settings_.index_cleanup) {
    case IndexCleanup::automatic:
      break;
    case IndexCleanup::on:
      may_bypass_ = false;
      break;
    case IndexCleanup::off:
      do_index_vacuuming_ = do_index_cleanup_ = false;
      break;
  }
  if (!target_.has_all_indexes) do_index_vacuuming_ = do_index_cleanup_ = false;
  RETURN_IF_ERROR(pool_.storage().block_count(heap_.locator, ForkNumber::main, &rel_pages_));
  new_relfrozenxid_ = cutoffs_.OldestXmin;
  new_relminmxid_ = cutoffs_.OldestMxact;
  progress_.heap_blks_total = rel_pages_;
  progress_.max_dead_tuple_bytes = settings_.maintenance_work_mem_bytes;
  check_failsafe();
  set_up_eager_scan();
  RETURN_IF_ERROR(scan_heap());

  progress_.phase = VacuumPhase::performing_final_cleanup;
  outcome_.rel_pages = rel_pages_;
  const uint32_t freeable = rel_pages_ - outcome_.nonempty_pages;
  outcome_.truncatable =
      settings_.truncate && !outcome_.failsafe && freeable > 0 &&
      (freeable >= truncate_pages_min || freeable >= rel_pages_ / truncate_share);
  uint32_t visible = 0;
  uint32_t frozen = 0;
  RETURN_IF_ERROR(VisibilityMap(pool_, heap_.locator).count(&visible, &frozen));
  outcome_.all_visible_pages = std::min(visible, rel_pages_);
  outcome_.all_frozen_pages = std::min(frozen, outcome_.all_visible_pages);
  if (!skipped_all_visible_) {
    outcome_.relfrozenxid = new_relfrozenxid_;
    outcome_.relminmxid = new_relminmxid_;
  }
  for (const auto& index : index_vacuums_) outcome_.indexes.push_back(index->result());
  *outcome = std::move(outcome_);
  return Status::ok;
}

// Called with nothing locked.
Status LazyVacuum::pause(bool dirtied) { return delay_.pause(dirtied, outcome_.failsafe); }

bool LazyVacuum::check_failsafe() {
  if (outcome_.failsafe) return true;
  if (!needs_failsafe(backend_.transactions(), settings_.freeze, cutoffs_)) return false;
  outcome_.failsafe = true;
  do_index_vacuuming_ = do_index_cleanup_ = false;
  return true;
}

void LazyVacuum::set_up_eager_scan() {
  if (settings_.vacuum_max_eager_freeze_failure_rate <= 0 || outcome_.aggressive ||
      rel_pages_ < 2 * eager_region_pages)
    return;
  if (precedes(cutoffs_.FreezeLimit, cutoffs_.relfrozenxid) &&
      multixact_precedes(cutoffs_.MultiXactCutoff, cutoffs_.relminmxid))
    return;
  uint32_t visible = 0;
  uint32_t frozen = 0;
  if (!VisibilityMap(pool_, heap_.locator).count(&visible, &frozen).is_ok()) return;
  eager_successes_left_ = static_cast<uint32_t>(eager_success_share * (visible - frozen));
  if (eager_successes_left_ == 0) return;
  // A random start, so that the same pages are not tried by every vacuum.
  eager_region_start_ = std::random_device()() % eager_region_pages;
  eager_fails_per_region_ =
      static_cast<uint32_t>(settings_.vacuum_max_eager_freeze_failure_rate * eager_region_pages);
  eager_fails_left_ =
      static_cast<uint32_t>(eager_fails_per_region_ *
                            (1 - static_cast<double>(eager_region_start_) / eager_region_pages));
}

// The next block that must be looked at. `*skips_all_visible`: between are pages that are not frozen.
Status LazyVacuum::find_unskippable(bool* skips_all_visible) {
  VisibilityMap map(pool_, heap_.locator);
  *skips_all_visible = false;
  unskippable_eager_ = false;
  for (unskippable_++;; unskippable_++) {
    uint8_t flags = 0;
    RETURN_IF_ERROR(map.status_of(BlockNumber{unskippable_}, &skip_map_page_, &flags));
    unskippable_all_visible_ = (flags & VISIBILITYMAP_ALL_VISIBLE) != 0;
    if (unskippable_ >= eager_region_start_) {
      eager_fails_left_ = eager_fails_per_region_;
      eager_region_start_ += eager_region_pages;
    }
    // The last page says whether the file can be cut.
    if (!unskippable_all_visible_ || unskippable_ == rel_pages_ - 1 || !skips_with_map_)
      return Status::ok;
    if ((flags & VISIBILITYMAP_ALL_FROZEN) != 0) continue;
    if (outcome_.aggressive) return Status::ok;
    if (eager_fails_left_ > 0) {
      unskippable_eager_ = true;
      return Status::ok;
    }
    *skips_all_visible = true;
  }
}

Status LazyVacuum::next_block(uint32_t* block, bool* all_visible, bool* eager) {
  uint32_t next = current_block_ + 1;  // 0 at first
  *block = value_of(invalid_block_number);
  if (next >= rel_pages_) {
    skip_map_page_.release();
    return Status::ok;
  }
  if (unskippable_ == value_of(invalid_block_number) || next > unskippable_) {
    bool skips_all_visible = false;
    RETURN_IF_ERROR(find_unskippable(&skips_all_visible));
    if (unskippable_ - next >= skip_pages_min) {
      next = unskippable_;
      if (skips_all_visible) skipped_all_visible_ = true;
    }
  }
  const bool skippable = next < unskippable_;
  *all_visible = skippable || unskippable_all_visible_;
  *eager = !skippable && unskippable_eager_;
  *block = current_block_ = next;
  return Status::ok;
}

void LazyVacuum::note_dead(BlockNumber block, std::span<const OffsetNumber> offsets) {
  dead_item_pages_++;
  outcome_.dead_items += offsets.size();
  dead_.add(block, offsets);
  progress_.dead_tuple_bytes = dead_.memory_bytes();
  progress_.num_dead_item_ids = dead_.count();
}

Status LazyVacuum::scan_heap() {
  progress_.phase = VacuumPhase::scanning_heap;
  const uint32_t block_size = pool_.options().block_size;
  const auto map_vacuum_pages = static_cast<uint32_t>(map_vacuum_bytes / block_size);
  const auto failsafe_pages = static_cast<uint32_t>(failsafe_check_bytes / block_size);
  FreeSpaceMap free_space(pool_, heap_.locator);
  uint32_t mapped_upto = 0;
  uint32_t failsafe_checked = 0;
  for (;;) {
    uint32_t block = 0;
    bool all_visible = false;
    bool eager = false;
    RETURN_IF_ERROR(next_block(&block, &all_visible, &eager));
    if (block == value_of(invalid_block_number)) break;
    outcome_.scanned_pages++;
    progress_.heap_blks_scanned = block;
    if (outcome_.scanned_pages - failsafe_checked >= failsafe_pages) {
      check_failsafe();
      failsafe_checked = outcome_.scanned_pages;
    }
    if (dead_.count() > 0 && dead_.memory_bytes() > settings_.maintenance_work_mem_bytes) {
      map_page_.release();
      may_bypass_ = false;
      RETURN_IF_ERROR(vacuum_dead_items());
      RETURN_IF_ERROR(free_space.vacuum_range(BlockNumber{mapped_upto}, BlockNumber{block}));
      mapped_upto = block;
      progress_.phase = VacuumPhase::scanning_heap;
    }
    RETURN_IF_ERROR(visit(BlockNumber{block}, all_visible, eager));
    if (target_.indexes.empty() && block - mapped_upto >= map_vacuum_pages) {
      RETURN_IF_ERROR(free_space.vacuum_range(BlockNumber{mapped_upto}, BlockNumber{block}));
      mapped_upto = block;
    }
  }
  map_page_.release();
  progress_.heap_blks_scanned = rel_pages_;
  outcome_.live_tuples = estimate_live_tuples();
  if (dead_.count() > 0) RETURN_IF_ERROR(vacuum_dead_items());
  if (rel_pages_ > mapped_upto)
    RETURN_IF_ERROR(free_space.vacuum_range(BlockNumber{mapped_upto}, BlockNumber{rel_pages_}));
  progress_.heap_blks_vacuumed = rel_pages_;
  if (!target_.indexes.empty() && do_index_cleanup_) RETURN_IF_ERROR(clean_up_indexes());
  return Status::ok;
}

Status LazyVacuum::visit(BlockNumber block, bool all_visible, bool eager) {
  BufferRef buffer;
  RETURN_IF_ERROR(pool_.read(heap_.locator, ForkNumber::main, block, ReadMode::normal,
                             outcome_.failsafe ? nullptr : strategy_.get(), &buffer));
  const Lsn lsn_before = buffer.page().lsn();
  RETURN_IF_ERROR(pause(false));
  RETURN_IF_ERROR(VisibilityMap(pool_, heap_.locator).pin(block, &map_page_));
  bool pruning = buffer.try_lock_for_cleanup();
  if (!pruning) buffer.lock(LockMode::shared);
  bool done = false;
  RETURN_IF_ERROR(visit_new_or_empty(buffer, pruning, &done));
  if (done) return Status::ok;
  bool has_dead_items = false;
  bool newly_frozen = false;
  if (!pruning) {
    RETURN_IF_ERROR(visit_without_pruning(buffer, &has_dead_items, &pruning));
    if (pruning) RETURN_IF_ERROR(wait_for_cleanup_lock(buffer));
  }
  if (pruning) {
    RETURN_IF_ERROR(visit_pruning(buffer, all_visible, &has_dead_items, &newly_frozen));
    if (eager && newly_frozen) {
      if (eager_successes_left_ > 0 && --eager_successes_left_ == 0) {
        eager_fails_left_ = eager_fails_per_region_ = 0;
        eager_region_start_ = value_of(invalid_block_number);
      }
    } else if (eager && eager_fails_left_ > 0) {
      eager_fails_left_--;
    }
  }
  const bool dirtied = buffer.page().lsn() != lsn_before;
  // A page with dead items gets more room in the second pass, which then records it.
  const bool records = target_.indexes.empty() || !do_index_vacuuming_ || !has_dead_items;
  const uint32_t free_bytes = buffer.page().heap_free_bytes();
  buffer.release();
  if (records) RETURN_IF_ERROR(FreeSpaceMap(pool_, heap_.locator).record(block, free_bytes));
  return dirtied ? pause(true) : Status::ok;
}

Status LazyVacuum::set_visible(BufferRef& buffer, TransactionId conflict_horizon, uint8_t flags) {
  PageHeader& header = buffer.page().header();
  header.pd_flags |= PD_ALL_VISIBLE;
  return VisibilityMap(pool_, heap_.locator)
      .set(backend_.services(), invalid_transaction_id, buffer, map_page_, conflict_horizon, flags,
           heap_.logged);
}

// Pages without tuples: one that was never used goes to the free space map; an empty one is all-visible, too.
Status LazyVacuum::visit_new_or_empty(BufferRef& buffer, bool has_cleanup_lock, bool* done) {
  const Page page = buffer.page();
  const BlockNumber block = buffer.block();
  FreeSpaceMap free_space(pool_, heap_.locator);
  *done = false;
  if (page.is_new()) {
    buffer.release();
    *done = true;
    uint32_t recorded = 0;
    RETURN_IF_ERROR(free_space.recorded(block, &recorded));
    if (recorded != 0) return Status::ok;
    return free_space.record(
        block, pool_.options().block_size - static_cast<uint32_t>(sizeof(PageHeader)));
  }
  if (!is_empty(page)) return Status::ok;
  if (!has_cleanup_lock) {
    buffer.unlock();
    buffer.lock(LockMode::exclusive);
    if (!is_empty(page)) {
      buffer.unlock();
      buffer.lock(LockMode::shared);
      return Status::ok;
    }
  }
  *done = true;
  if (!is_all_visible(page)) {
    // Replay of the map's change needs a page that is there, which an extension alone does not log.
    if (heap_.logged && page.lsn() == invalid_lsn)
      RETURN_IF_ERROR(log_new_page(backend_.services(), invalid_transaction_id, buffer, true));
    RETURN_IF_ERROR(set_visible(buffer, invalid_transaction_id,
                                VISIBILITYMAP_ALL_VISIBLE | VISIBILITYMAP_ALL_FROZEN));
  }
  const uint32_t free_bytes = page.heap_free_bytes();
  buffer.release();
  return free_space.record(block, free_bytes);
}

// The lock is held by who reads the page; a reader that stays can be waited for only as long as the vacuum may.
Status LazyVacuum::wait_for_cleanup_lock(BufferRef& buffer) {
  buffer.unlock();
  while (!buffer.try_lock_for_cleanup()) {
    RETURN_IF_ERROR(pause(false));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Status::ok;
}

Status LazyVacuum::visit_pruning(BufferRef& buffer, bool all_visible, bool* has_dead_items,
                                 bool* newly_frozen) {
  const BlockNumber block = buffer.block();
  const PruneOptions options{cutoffs_, removal_,
                             target_.indexes.empty() && target_.has_all_indexes};
  PruneResult found;
  RETURN_IF_ERROR(prune_and_freeze(context_, heap_, buffer, options, &new_relfrozenxid_,
                                   &new_relminmxid_, &found));
  *has_dead_items = !found.dead.empty();
  if (*has_dead_items) note_dead(block, found.dead);
  outcome_.tuples_deleted += static_cast<uint64_t>(found.deleted);
  outcome_.tuples_frozen += static_cast<uint64_t>(found.frozen);
  outcome_.recently_dead_tuples += static_cast<uint64_t>(found.recently_dead);
  live_tuples_ += static_cast<uint64_t>(found.live);
  if (found.has_tuples) outcome_.nonempty_pages = value_of(block) + 1;

  const Page page = buffer.page();
  VisibilityMap map(pool_, heap_.locator);
  uint8_t flags = 0;
  RETURN_IF_ERROR(map.status_of(block, &map_page_, &flags));
  const bool was_visible = (flags & VISIBILITYMAP_ALL_VISIBLE) != 0;
  const bool was_frozen = (flags & VISIBILITYMAP_ALL_FROZEN) != 0;
  if (!all_visible && found.all_visible) {
    *newly_frozen = found.all_frozen && !was_frozen;
    return set_visible(buffer, found.conflict_horizon,
                       static_cast<uint8_t>(VISIBILITYMAP_ALL_VISIBLE |
                                            (found.all_frozen ? VISIBILITYMAP_ALL_FROZEN : 0)));
  }
  // The map must not say more than the page, nor the page more than is true: mend what a damaged file says.
  if (was_visible && !is_all_visible(page)) {
    map.clear(block, map_page_, VISIBILITYMAP_VALID_BITS);
    return Status::ok;
  }
  if (*has_dead_items && is_all_visible(page)) {
    page.header().pd_flags = static_cast<uint16_t>(page.header().pd_flags & ~PD_ALL_VISIBLE);
    pool_.mark_dirty(buffer);
    map.clear(block, map_page_, VISIBILITYMAP_VALID_BITS);
    return Status::ok;
  }
  if (all_visible && found.all_visible && found.all_frozen && !was_frozen) {
    *newly_frozen = true;
    return set_visible(buffer, invalid_transaction_id,
                       VISIBILITYMAP_ALL_VISIBLE | VISIBILITYMAP_ALL_FROZEN);
  }
  return Status::ok;
}

// Somebody has the page pinned: counts what is there. Under a shared lock.
Status LazyVacuum::visit_without_pruning(BufferRef& buffer, bool* has_dead_items,
                                         bool* must_prune) {
  const Page page = buffer.page();
  const BlockNumber block = buffer.block();
  TransactionId relfrozenxid = new_relfrozenxid_;
  MultiXactId relminmxid = new_relminmxid_;
  std::vector<OffsetNumber> dead;
  uint64_t live = 0;
  uint64_t recently_dead = 0;
  uint64_t missed_dead = 0;
  bool has_tuples = false;
  const TupleFreezer freezer(context_, cutoffs_);
  Visibility visibility(context_, nullptr);
  Status status;
  for (OffsetNumber offset = first_offset_number; offset <= page.max_offset(); offset++) {
    const LinePointer item = page.line_pointer(offset);
    if (!item.is_used()) continue;
    if (item.is_dead()) {
      dead.push_back(offset);
      continue;
    }
    has_tuples = true;
    if (item.is_redirected()) continue;
    if (!heap_item_is_sane(page, item)) {
      status = heap_item_corrupted(heap_, ItemPointer(block, offset));
      break;
    }
    HeapTupleHeader& tuple = *reinterpret_cast<HeapTupleHeader*>(page.item(item));
    bool should_freeze = false;
    status = freezer.should_freeze(tuple, &relfrozenxid, &relminmxid, &should_freeze);
    if (!status.is_ok()) break;
    if (should_freeze && outcome_.aggressive) {
      *must_prune = true;
      break;
    }
    VacuumVerdict verdict = VacuumVerdict::live;
    status = visibility.satisfies_vacuum(tuple, cutoffs_.OldestXmin, buffer, &verdict);
    if (!status.is_ok()) break;
    switch (verdict) {
      case VacuumVerdict::live:
      case VacuumVerdict::delete_in_progress:
        live++;
        break;
      case VacuumVerdict::dead:
        missed_dead++;
        break;
      case VacuumVerdict::recently_dead:
        recently_dead++;
        break;
      case VacuumVerdict::insert_in_progress:
        break;
    }
  }
  visibility.hints_done(buffer);
  RETURN_IF_ERROR(std::move(status));
  if (*must_prune) return Status::ok;
  new_relfrozenxid_ = relfrozenxid;
  new_relminmxid_ = relminmxid;
  *has_dead_items = !dead.empty();
  if (target_.indexes.empty()) {
    has_tuples = has_tuples || !dead.empty();
    missed_dead += dead.size();
  } else if (!dead.empty()) {
    note_dead(block, dead);
  }
  live_tuples_ += live;
  outcome_.recently_dead_tuples += recently_dead;
  outcome_.missed_dead_tuples += missed_dead;
  if (has_tuples) outcome_.nonempty_pages = value_of(block) + 1;
  return Status::ok;
}

// vac_estimate_reltuples: the pages that were scanned are known, the others as they were.
double LazyVacuum::estimate_live_tuples() const {
  const double scanned_tuples = static_cast<double>(live_tuples_);
  const uint32_t scanned = outcome_.scanned_pages;
  if (scanned >= rel_pages_) return scanned_tuples;
  if (target_.relpages == rel_pages_ && scanned < rel_pages_ * 0.02) return target_.reltuples;
  if (scanned <= 1) return target_.reltuples;
  if (target_.reltuples < 0 || target_.relpages == 0)
    return std::floor(scanned_tuples / scanned * rel_pages_ + 0.5);
  const double density = target_.reltuples / target_.relpages;
  return std::floor(density * (rel_pages_ - scanned) + scanned_tuples + 0.5);
}

Status LazyVacuum::vacuum_dead_items() {
  if (!do_index_vacuuming_ || target_.indexes.empty()) {
    dead_.clear();
    return Status::ok;
  }
  if (may_bypass_ && rel_pages_ > 0 && dead_item_pages_ < rel_pages_ * bypass_pages_share &&
      dead_.memory_bytes() < bypass_bytes_max) {
    // So few that they wait for the next vacuum; the indexes are only cleaned up.
    do_index_vacuuming_ = false;
  } else {
    bool all_done = false;
    RETURN_IF_ERROR(vacuum_indexes(&all_done));
    if (all_done) RETURN_IF_ERROR(reap_heap());
  }
  dead_.clear();
  progress_.dead_tuple_bytes = 0;
  progress_.num_dead_item_ids = 0;
  return Status::ok;
}

Status LazyVacuum::vacuum_indexes(bool* all_done) {
  *all_done = false;
  if (check_failsafe()) return Status::ok;
  progress_.phase = VacuumPhase::vacuuming_indexes;
  progress_.indexes_total = static_cast<uint32_t>(index_vacuums_.size());
  bool finished = true;
  for (size_t i = 0; finished && i < index_vacuums_.size(); i++) {
    RETURN_IF_ERROR(index_vacuums_[i]->bulk_delete(dead_));
    progress_.indexes_processed = static_cast<uint32_t>(i + 1);
    if (check_failsafe()) finished = false;
  }
  progress_.indexes_total = 0;
  progress_.indexes_processed = 0;
  progress_.index_vacuum_count = ++outcome_.index_scans;
  *all_done = finished;
  return Status::ok;
}

// The second pass.
Status LazyVacuum::reap_heap() {
  progress_.phase = VacuumPhase::vacuuming_heap;
  FreeSpaceMap free_space(pool_, heap_.locator);
  VisibilityMap map(pool_, heap_.locator);
  for (size_t i = 0; i < dead_.block_count(); i++) {
    const BlockNumber block = dead_.block(i);
    RETURN_IF_ERROR(pause(true));
    progress_.heap_blks_vacuumed = value_of(block);
    BufferRef buffer;
    RETURN_IF_ERROR(pool_.read(heap_.locator, ForkNumber::main, block, ReadMode::normal,
                               strategy_.get(), &buffer));
    RETURN_IF_ERROR(map.pin(block, &map_page_));
    buffer.lock(LockMode::exclusive);
    RETURN_IF_ERROR(reap_dead_items(context_, heap_, buffer, dead_.offsets(i)));
    bool all_visible = false;
    bool all_frozen = false;
    TransactionId conflict_horizon = invalid_transaction_id;
    RETURN_IF_ERROR(page_is_all_visible(context_, heap_, buffer, cutoffs_.OldestXmin, &all_visible,
                                        &all_frozen, &conflict_horizon));
    if (all_visible)
      RETURN_IF_ERROR(
          set_visible(buffer, conflict_horizon,
                      static_cast<uint8_t>(VISIBILITYMAP_ALL_VISIBLE |
                                           (all_frozen ? VISIBILITYMAP_ALL_FROZEN : 0))));
    const uint32_t free_bytes = buffer.page().heap_free_bytes();
    buffer.release();
    RETURN_IF_ERROR(free_space.record(block, free_bytes));
  }
  map_page_.release();
  return Status::ok;
}

Status LazyVacuum::clean_up_indexes() {
  progress_.phase = VacuumPhase::cleaning_up_indexes;
  progress_.indexes_total = static_cast<uint32_t>(index_vacuums_.size());
  const double tuples = std::max(outcome_.live_tuples, 0.0) +
                        static_cast<double>(outcome_.recently_dead_tuples) +
                        static_cast<double>(outcome_.missed_dead_tuples);
  const bool exact = outcome_.scanned_pages >= rel_pages_;
  for (size_t i = 0; i < index_vacuums_.size(); i++) {
    RETURN_IF_ERROR(index_vacuums_[i]->clean_up(tuples, exact));
    progress_.indexes_processed = static_cast<uint32_t>(i + 1);
  }
  progress_.indexes_total = 0;
  progress_.indexes_processed = 0;
  return Status::ok;
}

}  // namespace pgdata
