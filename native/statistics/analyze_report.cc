// The counters of a relation that was analyzed.
#include "statistics/analyze_report.h"

namespace pgdata {

void report_analyze(Statistics& statistics, const AnalyzedRelation& analyzed) {
  const Oid database = analyzed.is_shared ? invalid_oid : analyzed.database;
  const PgStat_HashKey key = relation_statistics_key(database, analyzed.relation);
  const TimestampTz now = current_timestamp();
  statistics.change(key, true, [&](std::byte* body) {
    PgStat_StatTabEntry& entry = *reinterpret_cast<PgStat_StatTabEntry*>(body);
    entry.live_tuples = analyzed.live_tuples;
    entry.dead_tuples = analyzed.dead_tuples;
    if (analyzed.of_all_columns) entry.mod_since_analyze = 0;
    if (analyzed.is_autovacuum) {
      entry.last_autoanalyze_time = now;
      entry.autoanalyze_count++;
      entry.total_autoanalyze_time += analyzed.elapsed_ms;
    } else {
      entry.last_analyze_time = now;
      entry.analyze_count++;
      entry.total_analyze_time += analyzed.elapsed_ms;
    }
  });
}

}  // namespace pgdata
