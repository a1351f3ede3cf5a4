// Statistics: the cumulative counters of a cluster, in the segment, for all processes that use it.
//
// Every function may be called from any thread at any time; each takes effect as a whole.
// Source for the roles: src/backend/utils/activity/{pgstat.c,pgstat_shmem.c,pgstat_relation.c,pgstat_database.c},
// PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "layout/statistics_file.h"
#include "shmem/segment.h"
#include "statistics/slru_counters.h"

namespace pgdata {

PgStat_HashKey database_statistics_key(Oid database);
// `database` is 0 for a shared catalog.
PgStat_HashKey relation_statistics_key(Oid database, Oid relation);

// What a vacuum of one relation reports.
struct VacuumedRelation {
  Oid database;  // of the session; the relation's own if it is not shared
  Oid relation;
  bool is_shared;
  bool is_autovacuum;
  int64_t live_tuples;
  int64_t dead_tuples;
  int64_t elapsed_ms;
};

// Which inputs and outputs are timed, besides being counted: track_io_timing and track_wal_io_timing.
struct IoTimings {
  std::atomic<bool> relations{false};
  std::atomic<bool> wal{false};

  void set(bool of_relations, bool of_wal) {
    relations.store(of_relations, std::memory_order_relaxed);
    wal.store(of_wal, std::memory_order_relaxed);
  }
  bool has(IoObject object) const {
    return (object == IoObject::wal ? wal : relations).load(std::memory_order_relaxed);
  }
};

// Counters of which there is one set.
struct FixedStatistics {
  PgStat_ArchiverStats archiver;
  PgStat_BgWriterStats bgwriter;
  PgStat_CheckpointerStats checkpointer;
  // `change_fixed` sees what SlruCounters have not counted, `fixed` all of it.
  PgStat_SLRUStats slru[SLRU_NUM_ELEMENTS];
  // Of the log before this segment was made; Wal counts the rest.
  PgStat_WalStats wal;
  PgStat_IO io;
};

class Statistics {
 public:
  static constexpr uint32_t entries_max = 16384;

  static void plan(SegmentPlan& plan);
  explicit Statistics(Segment& segment);
  Statistics(const Statistics&) = delete;

  // Runs `body` on the entry, which is made (zeroed) if there is none and `create`. False when there is none, or no room.
  bool change(const PgStat_HashKey& key, bool create, const std::function<void(std::byte*)>& body);
  // A copy of the entry, of `size` bytes; false when there is none.
  bool find(const PgStat_HashKey& key, void* entry, size_t size);
  void drop(const PgStat_HashKey& key);
  // The database's own entry and those of all that is in it.
  void drop_database(Oid database);
  // Copies of all keys; entries may be gone by the time they are looked up.
  std::vector<PgStat_HashKey> keys();

  void change_fixed(const std::function<void(FixedStatistics&)>& body);
  FixedStatistics fixed();
  SlruCounters& slru_counters(SlruArea area);

  // track_counts of this process: without it nothing is counted of relations, deadlocks and temporary files.
  bool tracks_counts() const { return tracks_counts_; }
  void track_counts(bool track) { tracks_counts_ = track; }

  // Of this process, where a session has no other.
  IoTimings& io_timings() { return io_timings_; }

  void report_vacuum(const VacuumedRelation& vacuumed);
  void report_autovacuum_start(Oid database);
  void report_archived(std::string_view file, bool failed);
  // Forgets everything; the times of reset are now.
  void reset();
  void reset_slru(SlruArea area);

 private:
  struct Shared;
  struct Entry;
  static constexpr uint32_t buckets = entries_max;

  uint32_t find_locked(const PgStat_HashKey& key) const;
  void free_locked(uint32_t* link);

  Shared* shared_;
  Entry* entries_;
  bool tracks_counts_ = true;
  IoTimings io_timings_;
};

}  // namespace pgdata
