// What an analyze of one relation tells the statistics.
//
// Source: pgstat_report_analyze in src/backend/utils/activity/pgstat_relation.c, PostgreSQL 18.
#pragma once

#include "statistics/statistics.h"

namespace pgdata {

struct AnalyzedRelation : VacuumedRelation {
  // Not only of some that were named: what was changed before is done with.
  bool of_all_columns;
};

void report_analyze(Statistics& statistics, const AnalyzedRelation& analyzed);

}  // namespace pgdata
