// Redo of the resource manager Sequence, and the mask of sequence pages.
//
// Source: src/backend/commands/sequence.c (seq_redo, seq_mask), PostgreSQL 18.
#pragma once

#include "recovery/redo_context.h"

namespace pgdata {

Status sequence_redo(RedoContext& redo);
void sequence_mask(Page page, BlockNumber block);

}  // namespace pgdata
