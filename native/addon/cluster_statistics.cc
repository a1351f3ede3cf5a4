// ClusterObject: cumulative statistics, read and reported.
//
// Fields are named as in layout/statistics_file.h; times are microseconds since 2000-01-01, 0 for never.
#include <iterator>
#include <string>
#include <utility>

#include "addon/cluster_object.h"
#include "addon/session_object.h"
#include "statistics/analyze_report.h"
#include "statistics/statistics.h"

namespace pgdata {

namespace {

struct Field {
  const char* name;
  size_t offset;
};

#define FIELD(type, name) \
  { #name, offsetof(type, name) }

constexpr Field table_fields[] = {
    FIELD(PgStat_StatTabEntry, numscans),
    FIELD(PgStat_StatTabEntry, lastscan),
    FIELD(PgStat_StatTabEntry, tuples_returned),
    FIELD(PgStat_StatTabEntry, tuples_fetched),
    FIELD(PgStat_StatTabEntry, tuples_inserted),
    FIELD(PgStat_StatTabEntry, tuples_updated),
    FIELD(PgStat_StatTabEntry, tuples_deleted),
    FIELD(PgStat_StatTabEntry, tuples_hot_updated),
    FIELD(PgStat_StatTabEntry, tuples_newpage_updated),
    FIELD(PgStat_StatTabEntry, live_tuples),
    FIELD(PgStat_StatTabEntry, dead_tuples),
    FIELD(PgStat_StatTabEntry, mod_since_analyze),
    FIELD(PgStat_StatTabEntry, ins_since_vacuum),
    FIELD(PgStat_StatTabEntry, blocks_fetched),
    FIELD(PgStat_StatTabEntry, blocks_hit),
    FIELD(PgStat_StatTabEntry, last_vacuum_time),
    FIELD(PgStat_StatTabEntry, vacuum_count),
    FIELD(PgStat_StatTabEntry, last_autovacuum_time),
    FIELD(PgStat_StatTabEntry, autovacuum_count),
    FIELD(PgStat_StatTabEntry, last_analyze_time),
    FIELD(PgStat_StatTabEntry, analyze_count),
    FIELD(PgStat_StatTabEntry, last_autoanalyze_time),
    FIELD(PgStat_StatTabEntry, autoanalyze_count),
    FIELD(PgStat_StatTabEntry, total_vacuum_time),
    FIELD(PgStat_StatTabEntry, total_autovacuum_time),
    FIELD(PgStat_StatTabEntry, total_analyze_time),
    FIELD(PgStat_StatTabEntry, total_autoanalyze_time),
};

constexpr Field database_fields[] = {
    FIELD(PgStat_StatDBEntry, xact_commit),
    FIELD(PgStat_StatDBEntry, xact_rollback),
    FIELD(PgStat_StatDBEntry, blocks_fetched),
    FIELD(PgStat_StatDBEntry, blocks_hit),
    FIELD(PgStat_StatDBEntry, tuples_returned),
    FIELD(PgStat_StatDBEntry, tuples_fetched),
    FIELD(PgStat_StatDBEntry, tuples_inserted),
    FIELD(PgStat_StatDBEntry, tuples_updated),
    FIELD(PgStat_StatDBEntry, tuples_deleted),
    FIELD(PgStat_StatDBEntry, last_autovac_time),
    FIELD(PgStat_StatDBEntry, temp_files),
    FIELD(PgStat_StatDBEntry, temp_bytes),
    FIELD(PgStat_StatDBEntry, deadlocks),
    FIELD(PgStat_StatDBEntry, checksum_failures),
    FIELD(PgStat_StatDBEntry, last_checksum_failure),
    FIELD(PgStat_StatDBEntry, blk_read_time),
    FIELD(PgStat_StatDBEntry, blk_write_time),
    FIELD(PgStat_StatDBEntry, sessions),
    FIELD(PgStat_StatDBEntry, session_time),
    FIELD(PgStat_StatDBEntry, sessions_abandoned),
    FIELD(PgStat_StatDBEntry, sessions_fatal),
    FIELD(PgStat_StatDBEntry, sessions_killed),
    FIELD(PgStat_StatDBEntry, stat_reset_timestamp),
};

constexpr Field bgwriter_fields[] = {
    FIELD(PgStat_BgWriterStats, buf_written_clean),
    FIELD(PgStat_BgWriterStats, maxwritten_clean),
    FIELD(PgStat_BgWriterStats, buf_alloc),
    FIELD(PgStat_BgWriterStats, stat_reset_timestamp),
};

constexpr Field checkpointer_fields[] = {
    FIELD(PgStat_CheckpointerStats, num_timed),
    FIELD(PgStat_CheckpointerStats, num_requested),
    FIELD(PgStat_CheckpointerStats, num_performed),
    FIELD(PgStat_CheckpointerStats, write_time),
    FIELD(PgStat_CheckpointerStats, sync_time),
    FIELD(PgStat_CheckpointerStats, buffers_written),
    FIELD(PgStat_CheckpointerStats, slru_written),
    FIELD(PgStat_CheckpointerStats, stat_reset_timestamp),
};

constexpr Field wal_fields[] = {
    FIELD(PgStat_WalStats, wal_records),
    FIELD(PgStat_WalStats, wal_fpi),
    FIELD(PgStat_WalStats, wal_bytes),
    FIELD(PgStat_WalStats, wal_buffers_full),
    FIELD(PgStat_WalStats, stat_reset_timestamp),
};

constexpr Field archiver_fields[] = {
    FIELD(PgStat_ArchiverStats, archived_count),
    FIELD(PgStat_ArchiverStats, last_archived_timestamp),
    FIELD(PgStat_ArchiverStats, failed_count),
    FIELD(PgStat_ArchiverStats, last_failed_timestamp),
    FIELD(PgStat_ArchiverStats, stat_reset_timestamp),
};

constexpr Field slru_fields[] = {
    FIELD(PgStat_SLRUStats, blocks_zeroed), FIELD(PgStat_SLRUStats, blocks_hit),
    FIELD(PgStat_SLRUStats, blocks_read),   FIELD(PgStat_SLRUStats, blocks_written),
    FIELD(PgStat_SLRUStats, blocks_exists), FIELD(PgStat_SLRUStats, flush),
    FIELD(PgStat_SLRUStats, truncate),      FIELD(PgStat_SLRUStats, stat_reset_timestamp),
};

#undef FIELD

template <size_t count>
Napi::Object numbers_of(Napi::Env env, const Field (&fields)[count], const void* entry) {
  const Napi::Object object = Napi::Object::New(env);
  for (const Field& field : fields) {
    const auto value = load<int64_t>(static_cast<const std::byte*>(entry) + field.offset);
    object.Set(field.name, Napi::Number::New(env, static_cast<double>(value)));
  }
  return object;
}

// As pg_stat_io names them, in the order of their enums.
constexpr const char* io_objects[IOOBJECT_NUM_TYPES] = {"relation", "temp relation", "wal"};
constexpr const char* io_contexts[IOCONTEXT_NUM_TYPES] = {"bulkread", "bulkwrite", "init", "normal",
                                                          "vacuum"};
constexpr const char* io_counts[IOOP_NUM_TYPES] = {"evictions",  "fsyncs",  "hits",  "reuses",
                                                   "writebacks", "extends", "reads", "writes"};
constexpr const char* io_bytes[IOOP_NUM_TYPES] = {
    nullptr, nullptr, nullptr, nullptr, nullptr, "extend_bytes", "read_bytes", "write_bytes"};
constexpr const char* io_times[IOOP_NUM_TYPES] = {nullptr,     "fsync_time",     nullptr,
                                                  nullptr,     "writeback_time", "extend_time",
                                                  "read_time", "write_time"};

// Only the rows that have a count.
Napi::Array io_rows(Napi::Env env, const PgStat_IO& io) {
  const Napi::Array rows = Napi::Array::New(env);
  for (size_t type = 0; type < BACKEND_NUM_TYPES; type++) {
    for (size_t object = 0; object < IOOBJECT_NUM_TYPES; object++) {
      for (size_t context = 0; context < IOCONTEXT_NUM_TYPES; context++) {
        const int64_t(&counts)[IOOP_NUM_TYPES] = io.stats[type].counts[object][context];
        bool is_empty = true;
        for (const int64_t count : counts) is_empty = is_empty && count == 0;
        if (is_empty) continue;
        const Napi::Object row = Napi::Object::New(env);
        row.Set("backend_type", name_of(static_cast<BackendType>(type)));
        row.Set("object", io_objects[object]);
        row.Set("context", io_contexts[context]);
        for (size_t op = 0; op < IOOP_NUM_TYPES; op++) {
          row.Set(io_counts[op], Napi::Number::New(env, static_cast<double>(counts[op])));
          if (io_bytes[op] != nullptr) {
            const auto bytes = static_cast<double>(io.stats[type].bytes[object][context][op]);
            row.Set(io_bytes[op], Napi::Number::New(env, bytes));
          }
          if (io_times[op] != nullptr) {
            // In milliseconds.
            const auto time = static_cast<double>(io.stats[type].times[object][context][op]) / 1000;
            row.Set(io_times[op], Napi::Number::New(env, time));
          }
        }
        rows.Set(rows.Length(), row);
      }
    }
  }
  return rows;
}

// One for each name, with its name.
Napi::Array slru_rows(Napi::Env env, const FixedStatistics& fixed) {
  const Napi::Array rows = Napi::Array::New(env, SLRU_NUM_ELEMENTS);
  for (uint32_t i = 0; i < SLRU_NUM_ELEMENTS; i++) {
    const Napi::Object row = Napi::Object::New(env);
    row.Set("name", name_of(static_cast<SlruArea>(i)));
    row.Set("counters", numbers_of(env, slru_fields, &fixed.slru[i]));
    rows.Set(i, row);
  }
  return rows;
}

Oid oid_of(const Napi::Value& value) { return value.ToNumber().Uint32Value(); }

}  // namespace

// flushStatistics(): what the sessions of this environment have counted is seen by all
Napi::Value ClusterObject::flush_statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    core_->flush_statistics();
    return env.Undefined();
  });
}

// relationStatistics(database, relation): Record<string, number> | null
Napi::Value ClusterObject::relation_statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    Statistics* const statistics = core_->engine().statistics();
    PgStat_StatTabEntry entry{};
    if (statistics == nullptr ||
        !statistics->find(relation_statistics_key(oid_of(info[0]), oid_of(info[1])), &entry,
                          sizeof(entry)))
      return env.Null();
    return numbers_of(env, table_fields, &entry);
  });
}

// databaseStatistics(database): Record<string, number> | null
Napi::Value ClusterObject::database_statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    Statistics* const statistics = core_->engine().statistics();
    PgStat_StatDBEntry entry{};
    if (statistics == nullptr ||
        !statistics->find(database_statistics_key(oid_of(info[0])), &entry, sizeof(entry)))
      return env.Null();
    return numbers_of(env, database_fields, &entry);
  });
}

// clusterStatistics(): { archiver, bgwriter, checkpointer, wal, io, slru } | null
Napi::Value ClusterObject::cluster_statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    Engine& engine = core_->engine();
    if (engine.statistics() == nullptr) return env.Null();
    FixedStatistics fixed = engine.statistics()->fixed();
    engine.add_running_statistics(&fixed);
    const Napi::Object object = Napi::Object::New(env);
    const Napi::Object archiver = numbers_of(env, archiver_fields, &fixed.archiver);
    archiver.Set("last_archived_wal", fixed.archiver.last_archived_wal);
    archiver.Set("last_failed_wal", fixed.archiver.last_failed_wal);
    object.Set("archiver", archiver);
    object.Set("bgwriter", numbers_of(env, bgwriter_fields, &fixed.bgwriter));
    object.Set("checkpointer", numbers_of(env, checkpointer_fields, &fixed.checkpointer));
    object.Set("wal", numbers_of(env, wal_fields, &fixed.wal));
    object.Set("io", io_rows(env, fixed.io));
    object.Set("slru", slru_rows(env, fixed));
    return object;
  });
}

// reportVacuum(database, relation, isShared, isAutovacuum, liveTuples, deadTuples, elapsedMs)
Napi::Value ClusterObject::report_vacuum(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (info.Length() != 7) THROW_IF_ERROR(env, bad_argument("number of arguments"));
    VacuumedRelation vacuumed{};
    vacuumed.database = oid_of(info[0]);
    vacuumed.relation = oid_of(info[1]);
    vacuumed.is_shared = info[2].ToBoolean().Value();
    vacuumed.is_autovacuum = info[3].ToBoolean().Value();
    vacuumed.live_tuples = info[4].ToNumber().Int64Value();
    vacuumed.dead_tuples = info[5].ToNumber().Int64Value();
    vacuumed.elapsed_ms = info[6].ToNumber().Int64Value();
    Statistics* const statistics = core_->engine().statistics();
    if (statistics != nullptr && statistics->tracks_counts()) statistics->report_vacuum(vacuumed);
    return env.Undefined();
  });
}

// reportAnalyze(database, relation, isShared, isAutovacuum, liveTuples, deadTuples, ofAllColumns, elapsedMs)
Napi::Value ClusterObject::report_analyze(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (info.Length() != 8) THROW_IF_ERROR(env, bad_argument("number of arguments"));
    AnalyzedRelation analyzed{};
    analyzed.database = oid_of(info[0]);
    analyzed.relation = oid_of(info[1]);
    analyzed.is_shared = info[2].ToBoolean().Value();
    analyzed.is_autovacuum = info[3].ToBoolean().Value();
    analyzed.live_tuples = info[4].ToNumber().Int64Value();
    analyzed.dead_tuples = info[5].ToNumber().Int64Value();
    analyzed.of_all_columns = info[6].ToBoolean().Value();
    analyzed.elapsed_ms = info[7].ToNumber().Int64Value();
    Statistics* const statistics = core_->engine().statistics();
    if (statistics != nullptr && statistics->tracks_counts())
      pgdata::report_analyze(*statistics, analyzed);
    return env.Undefined();
  });
}

// reportAutovacuumStart(database)
Napi::Value ClusterObject::report_autovacuum_start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (Statistics* const statistics = core_->engine().statistics())
      statistics->report_autovacuum_start(oid_of(info[0]));
    return env.Undefined();
  });
}

// reportArchived(file, failed)
Napi::Value ClusterObject::report_archived(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (Statistics* const statistics = core_->engine().statistics())
      statistics->report_archived(info[0].ToString().Utf8Value(), info[1].ToBoolean().Value());
    return env.Undefined();
  });
}

// setIoTimings(relations, wal): of whatever runs in this process without a session
Napi::Value ClusterObject::set_io_timings(const Napi::CallbackInfo& info) {
  Statistics* const statistics = core_->is_open() ? core_->engine().statistics() : nullptr;
  if (statistics != nullptr)
    statistics->io_timings().set(info[0].ToBoolean().Value(), info[1].ToBoolean().Value());
  return info.Env().Undefined();
}

// dropDatabaseStatistics(database)
Napi::Value ClusterObject::drop_database_statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (Statistics* const statistics = core_->engine().statistics())
      statistics->drop_database(oid_of(info[0]));
    return env.Undefined();
  });
}

// resetStatistics()
Napi::Value ClusterObject::reset_statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    core_->flush_statistics();
    core_->engine().reset_statistics();
    return env.Undefined();
  });
}

// resetSlruStatistics(name: string | null)
Napi::Value ClusterObject::reset_slru_statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    Statistics* const statistics = core_->engine().statistics();
    if (statistics == nullptr) return env.Undefined();
    if (!info[0].IsNull()) {
      statistics->reset_slru(slru_area_named(info[0].ToString().Utf8Value()));
    } else {
      for (size_t i = 0; i < SLRU_NUM_ELEMENTS; i++)
        statistics->reset_slru(static_cast<SlruArea>(i));
    }
    return env.Undefined();
  });
}

}  // namespace pgdata
