// Descriptors as TypeScript gives them (src-ts/binding/native.ts), as the structures of the rooms below.
#pragma once

#include <napi.h>

#include "base/status.h"
#include "base/types.h"
#include "engine/engine.h"
#include "table/table.h"

namespace pgdata {

Status read_locator(const Napi::Value& value, RelFileLocator* locator);
Status read_engine_options(const Napi::Object& object, EngineOptions* options);
Status read_init_parameters(const Napi::Object& object, InitParameters* parameters);
Status read_table_definition(const Napi::Object& object, TableDefinition* definition);

}  // namespace pgdata
