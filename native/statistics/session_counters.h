// SessionCounters: what one session has counted and not yet added to the segment's statistics.
//
// Used by one thread at a time, and free of locks but for `flush`. Rows that are inserted, updated and deleted are noted
// with the level of subtransaction that does it; whether they then are live or dead its end tells.
// Source: src/backend/utils/activity/{pgstat.c,pgstat_relation.c,pgstat_database.c,pgstat_io.c}, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "layout/statistics_file.h"
#include "layout/two_phase_file.h"
#include "layout/wal_transaction_records.h"
#include "statistics/statistics.h"
#include "statistics/usage.h"

namespace pgdata {

// PgStat_TableCounts.
struct RelationCounts {
  int64_t numscans = 0;
  int64_t tuples_returned = 0;
  int64_t tuples_fetched = 0;
  int64_t tuples_inserted = 0;
  int64_t tuples_updated = 0;
  int64_t tuples_deleted = 0;
  int64_t tuples_hot_updated = 0;
  int64_t tuples_newpage_updated = 0;
  int64_t delta_live_tuples = 0;
  int64_t delta_dead_tuples = 0;
  int64_t changed_tuples = 0;
  int64_t blocks_fetched = 0;
  int64_t blocks_hit = 0;
  bool truncdropped = false;
};

// PgStat_TableXactStatus: rows that one level of subtransaction changed.
struct ChangedRows {
  uint32_t level = 0;
  int64_t inserted = 0;
  int64_t updated = 0;
  int64_t deleted = 0;
  // The table was emptied at this level; what was done at it before.
  bool truncdropped = false;
  int64_t inserted_before = 0;
  int64_t updated_before = 0;
  int64_t deleted_before = 0;
};

class SessionCounters {
 public:
  // One relation's.
  struct Pending {
    Oid database = invalid_oid;
    Oid relation = invalid_oid;
    RelationCounts counts;
    std::vector<ChangedRows> levels;
  };

  SessionCounters(Statistics& statistics, BackendType type, Oid database);
  SessionCounters(const SessionCounters&) = delete;

  Statistics& statistics() { return statistics_; }
  // Of the session, added to by whoever uses.
  Usage& usage() { return usage_; }
  void set_type(BackendType type) { type_ = type; }
  // From here on this session's own, in place of its process's.
  void set_io_timings(bool of_relations, bool of_wal) {
    own_io_timings_.set(of_relations, of_wal);
    io_timings_ = &own_io_timings_;
  }
  bool is_timed(IoObject object) const { return io_timings_->has(object); }
  // A session of a user begins, which ends with `finish`.
  void begin_session();

  // Reading. `locator` is where the relation's file is now.
  void count_scan(Oid relation, RelFileLocator locator) { of(relation, locator).counts.numscans++; }
  void count_returned(Oid relation, RelFileLocator locator, int64_t tuples) {
    of(relation, locator).counts.tuples_returned += tuples;
  }
  void count_fetched(Oid relation, RelFileLocator locator) {
    of(relation, locator).counts.tuples_fetched++;
  }
  // `local`: of a temporary relation.
  void count_block(RelFileLocator locator, bool is_hit, bool local) {
    RelationCounts& counts = of_file(locator).counts;
    counts.blocks_fetched++;
    if (is_hit) counts.blocks_hit++;
    if (local) [[unlikely]]
      (is_hit ? usage_.local_hit : usage_.local_read)++;
    else
      (is_hit ? usage_.shared_hit : usage_.shared_read)++;
  }
  void count_io(IoObject object, IoContext context, IoOp op, int64_t count, int64_t bytes) {
    const auto at = [&](auto& table) -> int64_t& {
      return table[static_cast<size_t>(object)][static_cast<size_t>(context)]
                  [static_cast<size_t>(op)];
    };
    at(io_->counts) += count;
    at(io_->bytes) += bytes;
    has_io_ = true;
  }
  // Of what is counted besides.
  void time_io(IoObject object, IoContext context, IoOp op, int64_t nanoseconds);

  // Writing, in a transaction.
  void count_inserted(Oid relation, RelFileLocator locator, int64_t tuples) {
    changed_rows(of(relation, locator)).inserted += tuples;
  }
  void count_updated(Oid relation, RelFileLocator locator, bool hot, bool to_new_page) {
    Pending& pending = of(relation, locator);
    changed_rows(pending).updated++;
    if (hot)
      pending.counts.tuples_hot_updated++;
    else if (to_new_page)
      pending.counts.tuples_newpage_updated++;
  }
  void count_deleted(Oid relation, RelFileLocator locator) {
    changed_rows(of(relation, locator)).deleted++;
  }
  // Dead rows that were pruned away between two vacuums.
  void count_pruned(Oid relation, RelFileLocator locator, int64_t tuples) {
    of(relation, locator).counts.delta_dead_tuples -= tuples;
  }
  void count_truncated(Oid relation, RelFileLocator locator);
  void count_deadlock() {
    if (statistics_.tracks_counts()) database_.deadlocks++;
  }
  void count_temporary_file(int64_t bytes) {
    if (!statistics_.tracks_counts()) return;
    database_.temp_files++;
    database_.temp_bytes += bytes;
  }
  // The relation's statistics go when the level that created it is rolled back, or that dropped it commits.
  void created(Oid relation, bool is_shared);
  void dropped(Oid relation, bool is_shared);

  // Levels, as Backend counts them: 1 is the transaction itself.
  void begin() { level_ = 1; }
  void begin_level() { level_++; }
  void end_level(bool committed);
  // May flush.
  void end(bool committed);
  // Statistics that go with the current level when it commits, or is rolled back.
  std::vector<xl_xact_stats_item> drops(bool committed) const;
  // What a transaction that is prepared has changed; then that is no longer this session's.
  std::vector<TwoPhasePgStatRecord> changes() const;
  void handed_over();
  // Such a transaction, of `database`, has ended. `dropped` are those of its outcome.
  static void finish_prepared(Statistics& statistics, Oid database,
                              const std::vector<TwoPhasePgStatRecord>& changes,
                              const std::vector<xl_xact_stats_item>& dropped, bool committed);

  void flush();
  // Flushes for the last time, the session's length too. What is not flushed when this is destroyed is forgotten.
  void finish();

 private:
  struct Drop {
    PgStat_HashKey key;
    uint32_t level;
    bool at_commit;
  };
  // A small cache in front of the maps.
  struct Known {
    uint64_t file = 0;
    Pending* pending = nullptr;
  };
  static constexpr size_t known_count = 64;
  static uint64_t file_of(RelFileLocator locator) {
    return uint64_t{locator.dbOid} << 32 | locator.relNumber;
  }
  Known& known_of(uint64_t file) { return known_[file % known_count]; }

  Pending& of(Oid relation, RelFileLocator locator) {
    const uint64_t file = file_of(locator);
    const Known& known = known_of(file);
    if (known.file == file && known.pending->relation == relation) [[likely]]
      return *known.pending;
    return find(relation, locator);
  }
  Pending& of_file(RelFileLocator locator) {
    const uint64_t file = file_of(locator);
    const Known& known = known_of(file);
    if (known.file == file) [[likely]]
      return *known.pending;
    return find_file(locator);
  }
  ChangedRows& changed_rows(Pending& pending) {
    if (!pending.levels.empty() && pending.levels.back().level == level_) [[likely]]
      return pending.levels.back();
    return begin_changes(pending);
  }
  Pending& find(Oid relation, RelFileLocator locator);
  Pending& find_file(RelFileLocator locator);
  ChangedRows& begin_changes(Pending& pending);
  void settle(Pending& pending, const ChangedRows& rows, bool committed);
  void run_drops(bool committed);
  void flush_relation(Pending& pending);
  void flush_database();
  void flush_io();
  void forget_idle();

  Statistics& statistics_;
  const IoTimings* io_timings_;
  IoTimings own_io_timings_;
  BackendType type_;
  Oid database_oid_;
  uint32_t level_ = 0;
  bool is_session_ = false;
  bool has_io_ = false;
  int64_t began_ = 0;    // microseconds, of the clock that only goes forward
  int64_t flushed_ = 0;  // milliseconds, of a coarse clock
  bool has_counts_ = false;
  Usage usage_;
  PgStat_StatDBEntry database_{};
  Known known_[known_count];
  std::unordered_map<uint64_t, Pending*> by_file_;
  std::unordered_map<uint64_t, Pending*> by_relation_;
  std::vector<std::unique_ptr<Pending>> all_;
  std::vector<Pending*> changed_;  // that have levels
  std::vector<Drop> drops_;
  std::unique_ptr<PgStat_BktypeIO> io_;  // times in nanoseconds
};

}  // namespace pgdata
