// Descriptors as TypeScript gives them (src-ts/binding/native.ts), as the structures of the rooms below.
#pragma once

#include <napi.h>

#include <vector>

#include "addon/session_object.h"
#include "analyze/analyze_relation.h"
#include "base/status.h"
#include "base/types.h"
#include "engine/engine.h"
#include "table/table.h"
#include "vacuum/lazy_vacuum.h"

namespace pgdata {

// A number of bytes, 'text' or 'bytes'.
Status read_lane(const Napi::Value& value, Lane* lane);
Status read_locator(const Napi::Value& value, RelFileLocator* locator);
Status read_engine_options(const Napi::Object& object, EngineOptions* options);
Status read_init_parameters(const Napi::Object& object, InitParameters* parameters);
Status read_table_definition(const Napi::Object& object, TableDefinition* definition);
// What pg_class says of the table; the table itself is the caller's.
Status read_vacuum_target(const Napi::Value& value, VacuumTarget* target);
Status read_memory_limits(const Napi::Value& value, MemoryLimits* memory,
                          TemporaryLimits* temporary);
// Settings that are left out keep their defaults.
Status read_vacuum_settings(const Napi::Value& value, VacuumSettings* settings);
Status read_cost_settings(const Napi::Value& value, CostSettings* settings);
// Columns of the table that are to be analyzed.
Status read_analyzed_columns(const Napi::Value& value, const Table& table,
                             std::vector<AnalyzedColumn>* columns);

}  // namespace pgdata
