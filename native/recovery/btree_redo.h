// Redo of the resource manager Btree, and the mask of its pages.
//
// Source: src/backend/access/nbtree/nbtxlog.c, PostgreSQL 18.
#pragma once

#include "recovery/redo_context.h"

namespace pgdata {

Status btree_redo(RedoContext& redo);
void btree_mask(Page page, BlockNumber block);

}  // namespace pgdata
