// Redo of the resource manager Generic, and the mask of its pages.
//
// Extensions log with it: a block's data is a list of fragments, each a uint16 offset, a uint16 length, and the
// bytes to put there. What lies between pd_lower and pd_upper is zero afterwards.
// Source: src/backend/access/transam/generic_xlog.c, PostgreSQL 18.
#pragma once

#include "recovery/redo_context.h"

namespace pgdata {

Status generic_redo(RedoContext& redo);
void generic_mask(Page page, BlockNumber block);

}  // namespace pgdata
