// Cutting a relation shorter, with its maps.
#pragma once

#include "base/status.h"
#include "base/types.h"
#include "xact/backend.h"

namespace pgdata {

// Cuts the main fork of `relation` to `blocks`, and its free space and visibility maps to match. The caller has
// locked everybody else out of the relation and knows that the blocks hold nothing. Not undone by an abort.
// Source: src/backend/catalog/storage.c (RelationTruncate), PostgreSQL 18.
Status truncate_storage(Backend& backend, RelFileLocator relation, BlockNumber blocks, bool logged,
                        bool temporary = false);

}  // namespace pgdata
