// Redo of XLOG_HEAP2_REWRITE: where the rows of a rewritten catalog went, kept for logical decoding.
//
// Source: src/backend/access/heap/rewriteheap.c (heap_xlog_logical_rewrite), PostgreSQL 18.
#pragma once

#include "recovery/redo_context.h"

namespace pgdata {

Status logical_rewrite_redo(RedoContext& redo);

}  // namespace pgdata
