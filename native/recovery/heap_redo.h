// Redo of the resource managers Heap and Heap2, and the mask of heap pages.
//
// Source: src/backend/access/heap/heapam_xlog.c, PostgreSQL 18.
#pragma once

#include "recovery/redo_context.h"

namespace pgdata {

Status heap_redo(RedoContext& redo);
Status heap2_redo(RedoContext& redo);
void heap_mask(Page page, BlockNumber block);

}  // namespace pgdata
