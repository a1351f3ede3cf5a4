// The resource managers of PostgreSQL 18: for each its name, its redo, and the mask of what replay need not reproduce.
// Source: src/include/access/rmgrlist.h, src/backend/access/common/bufmask.c, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "page/page.h"
#include "recovery/redo_context.h"

namespace pgdata {

struct ResourceManager {
  const char* name;
  Status (*redo)(RedoContext& redo);
  // Overwrites what may differ between a primary and replay (hint bits, unused space); null: nothing does.
  void (*mask)(Page page, BlockNumber block);
};

// Null for an id that no built-in resource manager has.
const ResourceManager* resource_manager(uint8_t id);

}  // namespace pgdata
