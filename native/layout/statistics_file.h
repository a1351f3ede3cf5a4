// Cumulative statistics as PostgreSQL 18 keeps them in shared memory and in pg_stat/pgstat.stat.
//
// The file:
//
//   size  meaning
//      4  PGSTAT_FILE_FORMAT_ID
//         then records, each begun by one byte:
//    'F'  a kind of which there is one: kind (4 bytes), its struct
//    'S'  one of many: PgStat_HashKey, its struct
//    'N'  a replication slot: kind (4 bytes), its name (64 bytes), its struct
//    'E'  the end
//
// Times are microseconds since 2000-01-01; 0 is never. Little-endian.
// Source: src/include/pgstat.h, src/include/utils/{pgstat_kind.h,pgstat_internal.h}, src/include/miscadmin.h,
// src/backend/utils/activity/pgstat.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

inline constexpr uint32_t PGSTAT_FILE_FORMAT_ID = 0x01A5BCB7;
inline constexpr char PGSTAT_FILE_ENTRY_END = 'E';
inline constexpr char PGSTAT_FILE_ENTRY_FIXED = 'F';
inline constexpr char PGSTAT_FILE_ENTRY_NAME = 'N';
inline constexpr char PGSTAT_FILE_ENTRY_HASH = 'S';
inline constexpr size_t statistics_name_bytes = 64;

enum class StatisticsKind : uint32_t {
  database = 1,
  relation = 2,
  function = 3,
  replslot = 4,
  subscription = 5,
  backend = 6,
  archiver = 7,
  bgwriter = 8,
  checkpointer = 9,
  io = 10,
  slru = 11,
  wal = 12,
};

// BackendType.
enum class BackendType : uint8_t {
  invalid,
  backend,
  dead_end_backend,
  autovac_launcher,
  autovac_worker,
  bg_worker,
  wal_sender,
  slotsync_worker,
  standalone_backend,
  archiver,
  bg_writer,
  checkpointer,
  io_worker,
  startup,
  wal_receiver,
  wal_summarizer,
  wal_writer,
  logger,
};
inline constexpr size_t BACKEND_NUM_TYPES = 18;

enum class IoObject : uint8_t { relation, temp_relation, wal };
enum class IoContext : uint8_t { bulkread, bulkwrite, init, normal, vacuum };
// From `extend` on, bytes are counted too.
enum class IoOp : uint8_t { evict, fsync, hit, reuse, writeback, extend, read, write };
inline constexpr size_t IOOBJECT_NUM_TYPES = 3;
inline constexpr size_t IOCONTEXT_NUM_TYPES = 5;
inline constexpr size_t IOOP_NUM_TYPES = 8;

struct PgStat_HashKey {
  uint32_t kind;
  Oid dboid;  // 0 for what is shared
  uint64_t objid;
  friend bool operator==(const PgStat_HashKey&, const PgStat_HashKey&) = default;
};
static_assert(sizeof(PgStat_HashKey) == 16);

struct PgStat_ArchiverStats {
  int64_t archived_count;
  char last_archived_wal[48];
  int64_t last_archived_timestamp;
  int64_t failed_count;
  char last_failed_wal[48];
  int64_t last_failed_timestamp;
  int64_t stat_reset_timestamp;
};
static_assert(sizeof(PgStat_ArchiverStats) == 136);

struct PgStat_BgWriterStats {
  int64_t buf_written_clean;
  int64_t maxwritten_clean;
  int64_t buf_alloc;
  int64_t stat_reset_timestamp;
};

struct PgStat_CheckpointerStats {
  int64_t num_timed;
  int64_t num_requested;
  int64_t num_performed;
  int64_t restartpoints_timed;
  int64_t restartpoints_requested;
  int64_t restartpoints_performed;
  int64_t write_time;  // milliseconds
  int64_t sync_time;
  int64_t buffers_written;
  int64_t slru_written;
  int64_t stat_reset_timestamp;
};
static_assert(sizeof(PgStat_CheckpointerStats) == 88);

struct PgStat_BktypeIO {
  int64_t bytes[IOOBJECT_NUM_TYPES][IOCONTEXT_NUM_TYPES][IOOP_NUM_TYPES];
  int64_t counts[IOOBJECT_NUM_TYPES][IOCONTEXT_NUM_TYPES][IOOP_NUM_TYPES];
  int64_t times[IOOBJECT_NUM_TYPES][IOCONTEXT_NUM_TYPES][IOOP_NUM_TYPES];
};

struct PgStat_IO {
  int64_t stat_reset_timestamp;
  PgStat_BktypeIO stats[BACKEND_NUM_TYPES];
};
static_assert(sizeof(PgStat_IO) == 8 + 18 * 2880);

struct PgStat_StatDBEntry {
  int64_t xact_commit;
  int64_t xact_rollback;
  int64_t blocks_fetched;
  int64_t blocks_hit;
  int64_t tuples_returned;
  int64_t tuples_fetched;
  int64_t tuples_inserted;
  int64_t tuples_updated;
  int64_t tuples_deleted;
  int64_t last_autovac_time;
  int64_t conflict_tablespace;
  int64_t conflict_lock;
  int64_t conflict_snapshot;
  int64_t conflict_logicalslot;
  int64_t conflict_bufferpin;
  int64_t conflict_startup_deadlock;
  int64_t temp_files;
  int64_t temp_bytes;
  int64_t deadlocks;
  int64_t checksum_failures;
  int64_t last_checksum_failure;
  int64_t blk_read_time;  // microseconds
  int64_t blk_write_time;
  int64_t sessions;
  int64_t session_time;
  int64_t active_time;
  int64_t idle_in_transaction_time;
  int64_t sessions_abandoned;
  int64_t sessions_fatal;
  int64_t sessions_killed;
  int64_t parallel_workers_to_launch;
  int64_t parallel_workers_launched;
  int64_t stat_reset_timestamp;
};
static_assert(sizeof(PgStat_StatDBEntry) == 33 * 8);

struct PgStat_StatFuncEntry {
  int64_t numcalls;
  int64_t total_time;
  int64_t self_time;
};

struct PgStat_StatReplSlotEntry {
  int64_t spill_txns;
  int64_t spill_count;
  int64_t spill_bytes;
  int64_t stream_txns;
  int64_t stream_count;
  int64_t stream_bytes;
  int64_t total_txns;
  int64_t total_bytes;
  int64_t stat_reset_timestamp;
};

// "commit_timestamp", "multixact_member", "multixact_offset", "notify", "serializable", "subtransaction",
// "transaction", "other".
inline constexpr size_t SLRU_NUM_ELEMENTS = 8;
struct PgStat_SLRUStats {
  int64_t blocks_zeroed;
  int64_t blocks_hit;
  int64_t blocks_read;
  int64_t blocks_written;
  int64_t blocks_exists;
  int64_t flush;
  int64_t truncate;
  int64_t stat_reset_timestamp;
};

struct PgStat_StatSubEntry {
  int64_t apply_error_count;
  int64_t sync_error_count;
  int64_t conflict_count[7];
  int64_t stat_reset_timestamp;
};

struct PgStat_StatTabEntry {
  int64_t numscans;
  int64_t lastscan;
  int64_t tuples_returned;
  int64_t tuples_fetched;
  int64_t tuples_inserted;
  int64_t tuples_updated;
  int64_t tuples_deleted;
  int64_t tuples_hot_updated;
  int64_t tuples_newpage_updated;
  int64_t live_tuples;
  int64_t dead_tuples;
  int64_t mod_since_analyze;
  int64_t ins_since_vacuum;
  int64_t blocks_fetched;
  int64_t blocks_hit;
  int64_t last_vacuum_time;
  int64_t vacuum_count;
  int64_t last_autovacuum_time;
  int64_t autovacuum_count;
  int64_t last_analyze_time;
  int64_t analyze_count;
  int64_t last_autoanalyze_time;
  int64_t autoanalyze_count;
  int64_t total_vacuum_time;  // milliseconds
  int64_t total_autovacuum_time;
  int64_t total_analyze_time;
  int64_t total_autoanalyze_time;
};
static_assert(sizeof(PgStat_StatTabEntry) == 27 * 8);

struct PgStat_WalStats {
  int64_t wal_records;
  int64_t wal_fpi;
  int64_t wal_bytes;
  int64_t wal_buffers_full;
  int64_t stat_reset_timestamp;
};

// Room for any of many.
inline constexpr size_t statistics_entry_bytes = sizeof(PgStat_StatDBEntry);

}  // namespace pgdata
