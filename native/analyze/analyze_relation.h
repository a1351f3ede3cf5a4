// analyze_relation: what ANALYZE finds out about one table, without changing anything.
//
// Source: do_analyze_rel in src/backend/commands/analyze.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "analyze/column_statistics.h"
#include "base/status.h"
#include "table/table.h"
#include "vacuum/cost_delay.h"
#include "xact/backend.h"

namespace pgdata {

// As pg_stat_progress_analyze numbers them.
enum class AnalyzePhase : uint32_t {
  initializing = 0,
  acquiring_sample_rows = 1,
  computing_statistics = 3,
  finalizing_analyze = 5,
};

// Written by the analyze, read by anybody; what it has of UpkeepControl the other way.
struct AnalyzeProgress : UpkeepControl {
  std::atomic<AnalyzePhase> phase{AnalyzePhase::initializing};
  std::atomic<uint32_t> sample_blks_total{0};
  std::atomic<uint32_t> sample_blks_scanned{0};
};

// A column as the catalogs describe it.
struct AnalyzedColumn {
  int attribute = 0;  // from 0
  uint32_t target = 100;
  // What the operators of its type allow.
  ColumnMethod method = ColumnMethod::trivial;
  // Its default B-tree operator class, that of its domain's type; invalid_oid when it has none.
  ComparatorRequest order;
  // Values that are equal under its collation have equal bytes.
  bool collation_is_deterministic = true;
  // Equal values have equal bytes, whether or not we can order them.
  bool has_equal_image = false;
};

struct AnalyzeOutcome {
  uint32_t rel_pages = 0;
  uint32_t scanned_pages = 0;
  uint32_t sampled_rows = 0;
  // Of the whole table.
  double live_rows = 0;
  double dead_rows = 0;
  uint32_t all_visible_pages = 0;
  uint32_t all_frozen_pages = 0;
  // In the order of the request.
  std::vector<ColumnStatistics> columns;
  // Pages of the table's indexes, in their order.
  std::vector<uint32_t> index_pages;
};

// What we can tell of a column: not more than the request says, and less where its type's order is not ours.
ColumnAnalysis column_analysis(const AnalyzedColumn& column);

// `backend` is the analyze's own, in a transaction of its own. query_canceled when `progress.canceled` was set.
Status analyze_relation(Backend& backend, const Table& table,
                        const std::vector<AnalyzedColumn>& columns, const CostSettings& settings,
                        AnalyzeProgress& progress, AnalyzeOutcome* outcome);

}  // namespace pgdata
