// The redo functions and masks of all resource managers, by the file that defines them.
#pragma once

#include "base/status.h"
#include "base/types.h"
#include "page/page.h"

namespace pgdata {

class RedoContext;
class TransactionSystem;

// xlog_redo.cc
Status xlog_redo(RedoContext& redo);
// transaction_redo.cc
Status transaction_redo(RedoContext& redo);
// clog_redo.cc
Status clog_redo(RedoContext& redo);
// multixact_redo.cc
Status multixact_redo(RedoContext& redo);
// After replay: no multixact from the next one on has members, whatever the crash left behind.
Status trim_multixacts(TransactionSystem& transactions, uint32_t block_size);
// commit_ts_redo.cc
Status commit_ts_redo(RedoContext& redo);
// storage_redo.cc
Status storage_redo(RedoContext& redo);
Status relmap_redo(RedoContext& redo);
// database_redo.cc
Status database_redo(RedoContext& redo);
Status tablespace_redo(RedoContext& redo);
// replication_redo.cc
Status standby_redo(RedoContext& redo);
Status replication_origin_redo(RedoContext& redo);
Status logical_message_redo(RedoContext& redo);
// heap_redo.cc
Status heap_redo(RedoContext& redo);
Status heap2_redo(RedoContext& redo);
void heap_mask(Page page, BlockNumber block);
// logical_rewrite_redo.cc: an operation of heap2
Status logical_rewrite_redo(RedoContext& redo);
// btree_redo.cc
Status btree_redo(RedoContext& redo);
void btree_mask(Page page, BlockNumber block);
// sequence_redo.cc
Status sequence_redo(RedoContext& redo);
void sequence_mask(Page page, BlockNumber block);
// generic_redo.cc
Status generic_redo(RedoContext& redo);
void generic_mask(Page page, BlockNumber block);
// hash_redo.cc
Status hash_redo(RedoContext& redo);
void hash_mask(Page page, BlockNumber block);
// gin_redo.cc
Status gin_redo(RedoContext& redo);
void gin_mask(Page page, BlockNumber block);
// gist_redo.cc
Status gist_redo(RedoContext& redo);
void gist_mask(Page page, BlockNumber block);
// spgist_redo.cc
Status spgist_redo(RedoContext& redo);
void spgist_mask(Page page, BlockNumber block);
// brin_redo.cc
Status brin_redo(RedoContext& redo);
void brin_mask(Page page, BlockNumber block);

}  // namespace pgdata
