// SessionCounters: levels of transactions, and adding what was counted to the segment.
#include "statistics/session_counters.h"

#include <time.h>

#include <algorithm>
#include <chrono>

#include "base/invariant.h"

namespace pgdata {

namespace {

// Between two flushes that nobody asked for (PGSTAT_MIN_INTERVAL).
constexpr int64_t flush_interval_ms = 1000;
// Relations that are remembered without having counts.
constexpr size_t idle_relations_max = 1024;

constexpr int64_t ns_per_us = 1000;

int64_t coarse_ms() {
  timespec now;
#ifdef CLOCK_MONOTONIC_COARSE
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
  clock_gettime(CLOCK_MONOTONIC, &now);
#endif
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

uint64_t relation_number(Oid database, Oid relation) { return uint64_t{database} << 32 | relation; }

bool is_zero(const RelationCounts& counts) {
  return counts.numscans == 0 && counts.tuples_returned == 0 && counts.tuples_fetched == 0 &&
         counts.tuples_inserted == 0 && counts.tuples_updated == 0 && counts.tuples_deleted == 0 &&
         counts.tuples_hot_updated == 0 && counts.tuples_newpage_updated == 0 &&
         counts.delta_live_tuples == 0 && counts.delta_dead_tuples == 0 &&
         counts.changed_tuples == 0 && counts.blocks_fetched == 0 && counts.blocks_hit == 0 &&
         !counts.truncdropped;
}

// save_truncdrop_counters, restore_truncdrop_counters.
void save_before(ChangedRows& rows) {
  if (rows.truncdropped) return;
  rows.inserted_before = rows.inserted;
  rows.updated_before = rows.updated;
  rows.deleted_before = rows.deleted;
  rows.truncdropped = true;
}

void empty_table(ChangedRows& rows) {
  save_before(rows);
  rows.inserted = 0;
  rows.updated = 0;
  rows.deleted = 0;
}

ChangedRows restored(ChangedRows rows) {
  if (rows.truncdropped) {
    rows.inserted = rows.inserted_before;
    rows.updated = rows.updated_before;
    rows.deleted = rows.deleted_before;
  }
  return rows;
}

void add_relation(PgStat_StatTabEntry& entry, const RelationCounts& counts, TimestampTz now) {
  entry.numscans += counts.numscans;
  if (counts.numscans > 0) entry.lastscan = std::max(entry.lastscan, now);
  entry.tuples_returned += counts.tuples_returned;
  entry.tuples_fetched += counts.tuples_fetched;
  entry.tuples_inserted += counts.tuples_inserted;
  entry.tuples_updated += counts.tuples_updated;
  entry.tuples_deleted += counts.tuples_deleted;
  entry.tuples_hot_updated += counts.tuples_hot_updated;
  entry.tuples_newpage_updated += counts.tuples_newpage_updated;
  if (counts.truncdropped) {
    entry.live_tuples = 0;
    entry.dead_tuples = 0;
    entry.ins_since_vacuum = 0;
  }
  entry.live_tuples = std::max<int64_t>(0, entry.live_tuples + counts.delta_live_tuples);
  entry.dead_tuples = std::max<int64_t>(0, entry.dead_tuples + counts.delta_dead_tuples);
  entry.mod_since_analyze += counts.changed_tuples;
  // Also those of transactions that were rolled back: they take room that a vacuum gives back.
  entry.ins_since_vacuum += counts.tuples_inserted;
  entry.blocks_fetched += counts.blocks_fetched;
  entry.blocks_hit += counts.blocks_hit;
}

}  // namespace

SessionCounters::SessionCounters(Statistics& statistics, BackendType type, Oid database)
    : statistics_(statistics),
      io_timings_(&statistics.io_timings()),
      type_(type),
      database_oid_(database),
      flushed_(coarse_ms()),
      io_(std::make_unique<PgStat_BktypeIO>()) {}

void SessionCounters::finish() {
  if (is_session_) database_.session_time += steady_us() - began_;
  has_counts_ = has_counts_ || is_session_;
  flush();
}

void SessionCounters::begin_session() {
  is_session_ = true;
  began_ = steady_us();
  database_.sessions++;
  has_counts_ = true;
}

SessionCounters::Pending& SessionCounters::find(Oid relation, RelFileLocator locator) {
  const uint64_t file = file_of(locator);
  Pending*& of_relation = by_relation_[relation_number(locator.dbOid, relation)];
  Pending*& of_file = by_file_[file];
  if (of_relation == nullptr) {
    // Its blocks may have been counted before its name was known.
    if (of_file == nullptr || of_file->relation != invalid_oid) {
      all_.push_back(std::make_unique<Pending>());
      of_file = all_.back().get();
      of_file->database = locator.dbOid;
    }
    of_relation = of_file;
    of_relation->relation = relation;
  } else if (of_file != of_relation) {
    if (of_file != nullptr && of_file->relation == invalid_oid) {
      of_relation->counts.blocks_fetched += of_file->counts.blocks_fetched;
      of_relation->counts.blocks_hit += of_file->counts.blocks_hit;
      of_file->counts = {};
    }
    of_file = of_relation;
  }
  known_of(file) = {file, of_relation};
  return *of_relation;
}

SessionCounters::Pending& SessionCounters::find_file(RelFileLocator locator) {
  const uint64_t file = file_of(locator);
  Pending*& of_file = by_file_[file];
  if (of_file == nullptr) {
    all_.push_back(std::make_unique<Pending>());
    of_file = all_.back().get();
    of_file->database = locator.dbOid;
  }
  known_of(file) = {file, of_file};
  return *of_file;
}

ChangedRows& SessionCounters::begin_changes(Pending& pending) {
  INVARIANT(level_ > 0);
  if (pending.levels.empty()) changed_.push_back(&pending);
  pending.levels.push_back({});
  pending.levels.back().level = level_;
  return pending.levels.back();
}

void SessionCounters::count_truncated(Oid relation, RelFileLocator locator) {
  empty_table(changed_rows(of(relation, locator)));
}

void SessionCounters::created(Oid relation, bool is_shared) {
  drops_.push_back(
      {relation_statistics_key(is_shared ? invalid_oid : database_oid_, relation), level_, false});
}

void SessionCounters::dropped(Oid relation, bool is_shared) {
  const PgStat_HashKey key =
      relation_statistics_key(is_shared ? invalid_oid : database_oid_, relation);
  drops_.push_back({key, level_, true});
  const auto found = by_relation_.find(relation_number(key.dboid, relation));
  if (found != by_relation_.end() && !found->second->levels.empty())
    empty_table(changed_rows(*found->second));
}

// AtEOXact_PgStat_Relations, and AtEOSubXact_PgStat_Relations of a level that is rolled back.
void SessionCounters::settle(Pending& pending, const ChangedRows& level, bool committed) {
  RelationCounts& counts = pending.counts;
  const ChangedRows rows = committed ? level : restored(level);
  counts.tuples_inserted += rows.inserted;
  counts.tuples_updated += rows.updated;
  counts.tuples_deleted += rows.deleted;
  if (!committed) {
    counts.delta_dead_tuples += rows.inserted + rows.updated;
    return;
  }
  if (rows.truncdropped) {
    counts.truncdropped = true;
    counts.delta_live_tuples = 0;
    counts.delta_dead_tuples = 0;
  }
  counts.delta_live_tuples += rows.inserted - rows.deleted;
  counts.delta_dead_tuples += rows.updated + rows.deleted;
  counts.changed_tuples += rows.inserted + rows.updated + rows.deleted;
}

void SessionCounters::end_level(bool committed) {
  INVARIANT(level_ > 1);
  for (Pending* pending : changed_) {
    std::vector<ChangedRows>& levels = pending->levels;
    if (levels.back().level != level_) continue;
    const ChangedRows rows = levels.back();
    levels.pop_back();
    if (!committed) {
      settle(*pending, rows, false);
    } else if (levels.empty() || levels.back().level != level_ - 1) {
      levels.push_back(rows);
      levels.back().level = level_ - 1;
    } else {
      ChangedRows& around = levels.back();
      if (rows.truncdropped) {
        empty_table(around);
        around.inserted = rows.inserted;
        around.updated = rows.updated;
        around.deleted = rows.deleted;
      } else {
        around.inserted += rows.inserted;
        around.updated += rows.updated;
        around.deleted += rows.deleted;
      }
    }
  }
  std::erase_if(changed_, [](const Pending* pending) { return pending->levels.empty(); });
  if (!drops_.empty()) run_drops(committed);
  level_--;
}

// Of the levels that end: the current one, and those that were inside it.
void SessionCounters::run_drops(bool committed) {
  std::erase_if(drops_, [&](Drop& drop) {
    if (drop.level < level_) return false;
    if (committed && level_ > 1) {
      drop.level = level_ - 1;
      return false;
    }
    if (drop.at_commit != committed) return true;
    const auto pending =
        by_relation_.find(relation_number(drop.key.dboid, static_cast<Oid>(drop.key.objid)));
    if (pending != by_relation_.end()) pending->second->counts = {};
    statistics_.drop(drop.key);
    return true;
  });
}

void SessionCounters::end(bool committed) {
  (committed ? database_.xact_commit : database_.xact_rollback)++;
  has_counts_ = true;
  if (!changed_.empty()) {
    for (Pending* pending : changed_) {
      // A transaction that is abandoned ends with all of its levels.
      while (!pending->levels.empty()) {
        const ChangedRows rows = pending->levels.back();
        pending->levels.pop_back();
        settle(*pending, rows, committed);
      }
    }
    changed_.clear();
  }
  level_ = 1;
  if (!drops_.empty()) {
    run_drops(committed);
    drops_.clear();
  }
  level_ = 0;
  if (coarse_ms() - flushed_ >= flush_interval_ms) flush();
}

std::vector<xl_xact_stats_item> SessionCounters::drops(bool committed) const {
  std::vector<xl_xact_stats_item> items;
  for (const Drop& drop : drops_) {
    if (drop.at_commit != committed || drop.level < level_) continue;
    items.push_back({static_cast<int32_t>(drop.key.kind), drop.key.dboid,
                     static_cast<uint32_t>(drop.key.objid),
                     static_cast<uint32_t>(drop.key.objid >> 32)});
  }
  return items;
}

std::vector<TwoPhasePgStatRecord> SessionCounters::changes() const {
  std::vector<TwoPhasePgStatRecord> records;
  if (!statistics_.tracks_counts()) return records;
  for (const Pending* pending : changed_) {
    INVARIANT(pending->levels.size() == 1);
    const ChangedRows& rows = pending->levels.front();
    TwoPhasePgStatRecord record;
    record.tuples_inserted = rows.inserted;
    record.tuples_updated = rows.updated;
    record.tuples_deleted = rows.deleted;
    record.inserted_pre_truncdrop = rows.inserted_before;
    record.updated_pre_truncdrop = rows.updated_before;
    record.deleted_pre_truncdrop = rows.deleted_before;
    record.id = pending->relation;
    record.shared = pending->database == invalid_oid ? 1 : 0;
    record.truncdropped = rows.truncdropped ? 1 : 0;
    records.push_back(record);
  }
  return records;
}

void SessionCounters::handed_over() {
  for (Pending* pending : changed_) pending->levels.clear();
  changed_.clear();
  drops_.clear();
  level_ = 0;
}

void SessionCounters::finish_prepared(Statistics& statistics, Oid database,
                                      const std::vector<TwoPhasePgStatRecord>& changes,
                                      const std::vector<xl_xact_stats_item>& dropped,
                                      bool committed) {
  SessionCounters counters(statistics, BackendType::backend, database);
  for (const TwoPhasePgStatRecord& record : changes) {
    ChangedRows rows;
    rows.inserted = record.tuples_inserted;
    rows.updated = record.tuples_updated;
    rows.deleted = record.tuples_deleted;
    rows.truncdropped = record.truncdropped != 0;
    rows.inserted_before = record.inserted_pre_truncdrop;
    rows.updated_before = record.updated_pre_truncdrop;
    rows.deleted_before = record.deleted_pre_truncdrop;
    counters.all_.push_back(std::make_unique<Pending>());
    Pending& pending = *counters.all_.back();
    pending.database = record.shared != 0 ? invalid_oid : database;
    pending.relation = record.id;
    counters.settle(pending, rows, committed);
  }
  counters.end(committed);
  counters.flush();
  for (const xl_xact_stats_item& item : dropped) {
    statistics.drop({static_cast<uint32_t>(item.kind), item.dboid,
                     uint64_t{item.objid_hi} << 32 | item.objid_lo});
  }
}

void SessionCounters::flush_relation(Pending& pending) {
  if (pending.relation == invalid_oid || is_zero(pending.counts)) return;
  const RelationCounts counts = pending.counts;
  pending.counts = {};
  if (!statistics_.tracks_counts()) return;
  const TimestampTz now = counts.numscans > 0 ? current_timestamp() : 0;
  statistics_.change(relation_statistics_key(pending.database, pending.relation), true,
                     [&](std::byte* body) {
                       add_relation(*reinterpret_cast<PgStat_StatTabEntry*>(body), counts, now);
                     });
  // Those of shared catalogs belong to database 0.
  const auto add = [&](PgStat_StatDBEntry& database) {
    database.tuples_returned += counts.tuples_returned;
    database.tuples_fetched += counts.tuples_fetched;
    database.tuples_inserted += counts.tuples_inserted;
    database.tuples_updated += counts.tuples_updated;
    database.tuples_deleted += counts.tuples_deleted;
    database.blocks_fetched += counts.blocks_fetched;
    database.blocks_hit += counts.blocks_hit;
  };
  if (pending.database == database_oid_) {
    add(database_);
    has_counts_ = true;
  } else {
    statistics_.change(database_statistics_key(pending.database), true,
                       [&](std::byte* body) { add(*reinterpret_cast<PgStat_StatDBEntry*>(body)); });
  }
}

void SessionCounters::flush_database() {
  if (!has_counts_) return;
  has_counts_ = false;
  const PgStat_StatDBEntry counted = database_;
  database_ = {};
  statistics_.change(database_statistics_key(database_oid_), true, [&](std::byte* body) {
    PgStat_StatDBEntry& entry = *reinterpret_cast<PgStat_StatDBEntry*>(body);
    entry.xact_commit += counted.xact_commit;
    entry.xact_rollback += counted.xact_rollback;
    entry.blocks_fetched += counted.blocks_fetched;
    entry.blocks_hit += counted.blocks_hit;
    entry.tuples_returned += counted.tuples_returned;
    entry.tuples_fetched += counted.tuples_fetched;
    entry.tuples_inserted += counted.tuples_inserted;
    entry.tuples_updated += counted.tuples_updated;
    entry.tuples_deleted += counted.tuples_deleted;
    entry.temp_files += counted.temp_files;
    entry.temp_bytes += counted.temp_bytes;
    entry.deadlocks += counted.deadlocks;
    entry.blk_read_time += counted.blk_read_time;
    entry.blk_write_time += counted.blk_write_time;
    entry.sessions += counted.sessions;
    entry.session_time += counted.session_time;
  });
}

// pgstat_count_io_op_time.
void SessionCounters::time_io(IoObject object, IoContext context, IoOp op, int64_t nanoseconds) {
  io_->times[static_cast<size_t>(object)][static_cast<size_t>(context)][static_cast<size_t>(op)] +=
      nanoseconds;
  has_io_ = true;
  if (object == IoObject::relation) {
    if (op == IoOp::read) usage_.read_ns += nanoseconds;
    if (op == IoOp::write || op == IoOp::extend) usage_.write_ns += nanoseconds;
  }
  // pg_stat_database only knows blocks, and only what is done for one database.
  if (object == IoObject::wal || database_oid_ == invalid_oid) return;
  if (op == IoOp::read)
    database_.blk_read_time += nanoseconds / ns_per_us;
  else if (op == IoOp::write || op == IoOp::extend)
    database_.blk_write_time += nanoseconds / ns_per_us;
  else
    return;
  has_counts_ = true;
}

void SessionCounters::flush_io() {
  if (!has_io_) return;
  has_io_ = false;
  // What is less than a microsecond waits for the next time.
  PgStat_BktypeIO rest{};
  for (size_t object = 0; object < IOOBJECT_NUM_TYPES; object++) {
    for (size_t context = 0; context < IOCONTEXT_NUM_TYPES; context++) {
      for (size_t op = 0; op < IOOP_NUM_TYPES; op++) {
        int64_t& time = io_->times[object][context][op];
        rest.times[object][context][op] = time % ns_per_us;
        time /= ns_per_us;
      }
    }
  }
  statistics_.change_fixed([&](FixedStatistics& fixed) {
    PgStat_BktypeIO& total = fixed.io.stats[static_cast<size_t>(type_)];
    const auto add = [](auto& to, const auto& from) {
      for (size_t object = 0; object < IOOBJECT_NUM_TYPES; object++) {
        for (size_t context = 0; context < IOCONTEXT_NUM_TYPES; context++) {
          for (size_t op = 0; op < IOOP_NUM_TYPES; op++)
            to[object][context][op] += from[object][context][op];
        }
      }
    };
    add(total.counts, io_->counts);
    add(total.bytes, io_->bytes);
    add(total.times, io_->times);
  });
  *io_ = rest;
}

void SessionCounters::flush() {
  flushed_ = coarse_ms();
  for (const std::unique_ptr<Pending>& pending : all_) flush_relation(*pending);
  flush_database();
  flush_io();
  if (all_.size() > idle_relations_max && changed_.empty()) forget_idle();
}

void SessionCounters::forget_idle() {
  for (Known& known : known_) known = {};
  by_file_.clear();
  by_relation_.clear();
  all_.clear();
}

}  // namespace pgdata
