// The WAL records of the resource managers Heap and Heap2.
//
// A struct here may be longer than what is logged: padding at its end stays out, and the
// `*_size` constant beside it (PostgreSQL's SizeOf…) is the number of bytes that are logged.
// Little-endian. Source: src/include/access/heapam_xlog.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

// Operations of RmgrId::heap, in the high bits of xl_info.
inline constexpr uint8_t XLOG_HEAP_INSERT = 0x00;
inline constexpr uint8_t XLOG_HEAP_DELETE = 0x10;
inline constexpr uint8_t XLOG_HEAP_UPDATE = 0x20;
inline constexpr uint8_t XLOG_HEAP_TRUNCATE = 0x30;
inline constexpr uint8_t XLOG_HEAP_HOT_UPDATE = 0x40;
inline constexpr uint8_t XLOG_HEAP_CONFIRM = 0x50;
inline constexpr uint8_t XLOG_HEAP_LOCK = 0x60;
inline constexpr uint8_t XLOG_HEAP_INPLACE = 0x70;
inline constexpr uint8_t XLOG_HEAP_OPMASK = 0x70;
// The record's first tuple is the first of a new page, which redo can therefore make from nothing.
inline constexpr uint8_t XLOG_HEAP_INIT_PAGE = 0x80;

// Operations of RmgrId::heap2.
inline constexpr uint8_t XLOG_HEAP2_REWRITE = 0x00;
inline constexpr uint8_t XLOG_HEAP2_PRUNE_ON_ACCESS = 0x10;
inline constexpr uint8_t XLOG_HEAP2_PRUNE_VACUUM_SCAN = 0x20;
inline constexpr uint8_t XLOG_HEAP2_PRUNE_VACUUM_CLEANUP = 0x30;
inline constexpr uint8_t XLOG_HEAP2_VISIBLE = 0x40;
inline constexpr uint8_t XLOG_HEAP2_MULTI_INSERT = 0x50;
inline constexpr uint8_t XLOG_HEAP2_LOCK_UPDATED = 0x60;
inline constexpr uint8_t XLOG_HEAP2_NEW_CID = 0x70;

// xl_heap_insert.flags and xl_heap_multi_insert.flags
inline constexpr uint8_t XLH_INSERT_ALL_VISIBLE_CLEARED = 1 << 0;
inline constexpr uint8_t XLH_INSERT_LAST_IN_MULTI = 1 << 1;
inline constexpr uint8_t XLH_INSERT_IS_SPECULATIVE = 1 << 2;
inline constexpr uint8_t XLH_INSERT_CONTAINS_NEW_TUPLE = 1 << 3;
inline constexpr uint8_t XLH_INSERT_ON_TOAST_RELATION = 1 << 4;
inline constexpr uint8_t XLH_INSERT_ALL_FROZEN_SET = 1 << 5;

// xl_heap_update.flags
inline constexpr uint8_t XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED = 1 << 0;
inline constexpr uint8_t XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED = 1 << 1;
inline constexpr uint8_t XLH_UPDATE_CONTAINS_OLD_TUPLE = 1 << 2;
inline constexpr uint8_t XLH_UPDATE_CONTAINS_OLD_KEY = 1 << 3;
inline constexpr uint8_t XLH_UPDATE_CONTAINS_NEW_TUPLE = 1 << 4;
inline constexpr uint8_t XLH_UPDATE_PREFIX_FROM_OLD = 1 << 5;
inline constexpr uint8_t XLH_UPDATE_SUFFIX_FROM_OLD = 1 << 6;

// xl_heap_delete.flags
inline constexpr uint8_t XLH_DELETE_ALL_VISIBLE_CLEARED = 1 << 0;
inline constexpr uint8_t XLH_DELETE_CONTAINS_OLD_TUPLE = 1 << 1;
inline constexpr uint8_t XLH_DELETE_CONTAINS_OLD_KEY = 1 << 2;
inline constexpr uint8_t XLH_DELETE_IS_SUPER = 1 << 3;
inline constexpr uint8_t XLH_DELETE_IS_PARTITION_MOVE = 1 << 4;

// xl_heap_truncate.flags
inline constexpr uint8_t XLH_TRUNCATE_CASCADE = 1 << 0;
inline constexpr uint8_t XLH_TRUNCATE_RESTART_SEQS = 1 << 1;

// xl_heap_lock.flags and xl_heap_lock_updated.flags
inline constexpr uint8_t XLH_LOCK_ALL_FROZEN_CLEARED = 1 << 0;

// infobits_set: the bits of t_infomask and t_infomask2 that concern xmax.
inline constexpr uint8_t XLHL_XMAX_IS_MULTI = 0x01;
inline constexpr uint8_t XLHL_XMAX_LOCK_ONLY = 0x02;
inline constexpr uint8_t XLHL_XMAX_EXCL_LOCK = 0x04;
inline constexpr uint8_t XLHL_XMAX_KEYSHR_LOCK = 0x08;
inline constexpr uint8_t XLHL_KEYS_UPDATED = 0x10;

// XLOG_HEAP_DELETE
//
//   offset  size  field         meaning
//        0     4  xmax          new xmax of the tuple
//        4     2  offnum        the tuple's offset number
//        6     1  infobits_set  XLHL_*
//        7     1  flags         XLH_DELETE_*
struct xl_heap_delete {
  TransactionId xmax;
  OffsetNumber offnum;
  uint8_t infobits_set;
  uint8_t flags;
};
static_assert(sizeof(xl_heap_delete) == 8);
static_assert(offsetof(xl_heap_delete, flags) == 7);
inline constexpr size_t xl_heap_delete_size = 8;

// XLOG_HEAP_TRUNCATE (logical decoding only), followed by nrelids OIDs
//
//   offset  size  field    meaning
//        0     4  dbId     database
//        4     4  nrelids  number of OIDs
//        8     1  flags    XLH_TRUNCATE_*
//       12     -  relids   truncated relations, then sequences restarted
struct xl_heap_truncate {
  Oid dbId;
  uint32_t nrelids;
  uint8_t flags;
  uint8_t padding[3];
};
static_assert(sizeof(xl_heap_truncate) == 12);
inline constexpr size_t xl_heap_truncate_size = 12;

// What a record keeps of an inserted tuple's header; the data follows.
//
//   offset  size  field        meaning
//        0     2  t_infomask2
//        2     2  t_infomask
//        4     1  t_hoff
struct xl_heap_header {
  uint16_t t_infomask2;
  uint16_t t_infomask;
  uint8_t t_hoff;
  uint8_t padding;
};
static_assert(offsetof(xl_heap_header, t_hoff) == 4);
inline constexpr size_t xl_heap_header_size = 5;

// XLOG_HEAP_INSERT; block 0 carries xl_heap_header and the tuple from its bitmap on
//
//   offset  size  field   meaning
//        0     2  offnum  the tuple's offset number
//        2     1  flags   XLH_INSERT_*
struct xl_heap_insert {
  OffsetNumber offnum;
  uint8_t flags;
  uint8_t padding;
};
static_assert(offsetof(xl_heap_insert, flags) == 2);
inline constexpr size_t xl_heap_insert_size = 3;

// XLOG_HEAP2_MULTI_INSERT, followed by ntuples offset numbers unless the page is initialised;
// block 0 carries xl_multi_insert_tuple and data of each tuple, the former 2-byte aligned
//
//   offset  size  field    meaning
//        0     1  flags    XLH_INSERT_*
//        2     2  ntuples  number of tuples
//        4     -  offsets  their offset numbers
struct xl_heap_multi_insert {
  uint8_t flags;
  uint8_t padding;
  uint16_t ntuples;
};
static_assert(sizeof(xl_heap_multi_insert) == 4);
static_assert(offsetof(xl_heap_multi_insert, ntuples) == 2);
inline constexpr size_t xl_heap_multi_insert_size = 4;

//   offset  size  field        meaning
//        0     2  datalen      bytes of tuple data that follow
//        2     2  t_infomask2
//        4     2  t_infomask
//        6     1  t_hoff
//        7     -  the tuple from its bitmap on
struct xl_multi_insert_tuple {
  uint16_t datalen;
  uint16_t t_infomask2;
  uint16_t t_infomask;
  uint8_t t_hoff;
  uint8_t padding;
};
static_assert(offsetof(xl_multi_insert_tuple, t_hoff) == 6);
inline constexpr size_t xl_multi_insert_tuple_size = 7;

// XLOG_HEAP_UPDATE and XLOG_HEAP_HOT_UPDATE. Block 0 is the new tuple's page, block 1 the old
// one's if it is another. Block 0 carries the length of the prefix and of the suffix that equal
// the old tuple's (uint16 each, as flagged), xl_heap_header, and the new tuple from its bitmap
// on without prefix and suffix.
//
//   offset  size  field             meaning
//        0     4  old_xmax          xmax of the old tuple
//        4     2  old_offnum        its offset number
//        6     1  old_infobits_set  XLHL_*
//        7     1  flags             XLH_UPDATE_*
//        8     4  new_xmax          xmax of the new tuple
//       12     2  new_offnum        its offset number
struct xl_heap_update {
  TransactionId old_xmax;
  OffsetNumber old_offnum;
  uint8_t old_infobits_set;
  uint8_t flags;
  TransactionId new_xmax;
  OffsetNumber new_offnum;
  uint16_t padding;
};
static_assert(offsetof(xl_heap_update, flags) == 7);
static_assert(offsetof(xl_heap_update, new_xmax) == 8);
static_assert(offsetof(xl_heap_update, new_offnum) == 12);
inline constexpr size_t xl_heap_update_size = 14;

// XLOG_HEAP2_PRUNE_*: main data is this and, with XLHP_HAS_CONFLICT_HORIZON, an unaligned xid.
// Block 0 carries, as flagged and in this order: xlhp_freeze_plans, then xlhp_prune_items of
// redirected (pairs), dead and unused line pointers, then the offset numbers of the freeze plans.
//
//   offset  size  field   meaning
//        0     1  reason  not used by redo
//        1     1  flags   XLHP_*
struct xl_heap_prune {
  uint8_t reason;
  uint8_t flags;
};
static_assert(sizeof(xl_heap_prune) == 2);
inline constexpr size_t xl_heap_prune_size = 2;

// xl_heap_prune.flags
inline constexpr uint8_t XLHP_IS_CATALOG_REL = 1 << 1;
inline constexpr uint8_t XLHP_CLEANUP_LOCK = 1 << 2;
inline constexpr uint8_t XLHP_HAS_CONFLICT_HORIZON = 1 << 3;
inline constexpr uint8_t XLHP_HAS_FREEZE_PLANS = 1 << 4;
inline constexpr uint8_t XLHP_HAS_REDIRECTIONS = 1 << 5;
inline constexpr uint8_t XLHP_HAS_DEAD_ITEMS = 1 << 6;
inline constexpr uint8_t XLHP_HAS_NOW_UNUSED_ITEMS = 1 << 7;

// xlhp_freeze_plan.frzflags
inline constexpr uint8_t XLH_FREEZE_XVAC = 0x02;
inline constexpr uint8_t XLH_INVALID_XVAC = 0x04;

// How to freeze several tuples alike.
//
//   offset  size  field        meaning
//        0     4  xmax         new xmax
//        4     2  t_infomask2  new value
//        6     2  t_infomask   new value
//        8     1  frzflags     XLH_*_XVAC
//       10     2  ntuples      how many offset numbers are this plan's
struct xlhp_freeze_plan {
  TransactionId xmax;
  uint16_t t_infomask2;
  uint16_t t_infomask;
  uint8_t frzflags;
  uint8_t padding;
  uint16_t ntuples;
};
static_assert(sizeof(xlhp_freeze_plan) == 12);
static_assert(offsetof(xlhp_freeze_plan, ntuples) == 10);

//   offset  size  field    meaning
//        0     2  nplans   number of plans
//        4     -  plans    xlhp_freeze_plan each
struct xlhp_freeze_plans {
  uint16_t nplans;
  uint16_t padding;
};
static_assert(sizeof(xlhp_freeze_plans) == 4);

//   offset  size  field     meaning
//        0     2  ntargets  number of offset numbers (of pairs, for redirections)
//        2     -  data      offset numbers
struct xlhp_prune_items {
  uint16_t ntargets;
};
static_assert(sizeof(xlhp_prune_items) == 2);

// XLOG_HEAP_LOCK and XLOG_HEAP2_LOCK_UPDATED
//
//   offset  size  field         meaning
//        0     4  xmax          locker, may be a multixact
//        4     2  offnum        the tuple's offset number
//        6     1  infobits_set  XLHL_*
//        7     1  flags         XLH_LOCK_*
struct xl_heap_lock {
  TransactionId xmax;
  OffsetNumber offnum;
  uint8_t infobits_set;
  uint8_t flags;
};
static_assert(sizeof(xl_heap_lock) == 8);
inline constexpr size_t xl_heap_lock_size = 8;

// XLOG_HEAP_CONFIRM: a speculative insertion became a real one.
//
//   offset  size  field   meaning
//        0     2  offnum  the tuple's offset number
struct xl_heap_confirm {
  OffsetNumber offnum;
};
static_assert(sizeof(xl_heap_confirm) == 2);
inline constexpr size_t xl_heap_confirm_size = 2;

// XLOG_HEAP_INPLACE, followed by nmsgs invalidation messages of 16 bytes; block 0 carries the
// tuple's new data area. (Up to 17 only offnum.)
//
//   offset  size  field                  meaning
//        0     2  offnum                 the tuple's offset number
//        4     4  dbId                   database, for invalidation
//        8     4  tsId                   its tablespace
//       12     1  relcacheInitFileInval  the relation cache's file is stale
//       16     4  nmsgs                  number of messages
struct xl_heap_inplace {
  OffsetNumber offnum;
  uint16_t padding1;
  Oid dbId;
  Oid tsId;
  uint8_t relcacheInitFileInval;
  uint8_t padding2[3];
  int32_t nmsgs;
};
static_assert(sizeof(xl_heap_inplace) == 20);
static_assert(offsetof(xl_heap_inplace, dbId) == 4);
static_assert(offsetof(xl_heap_inplace, nmsgs) == 16);
inline constexpr size_t xl_heap_inplace_size = 20;

// XLOG_HEAP2_REWRITE (logical decoding only), followed by num_mappings mappings of 36 bytes
//
//   offset  size  field         meaning
//        0     4  mapped_xid    transaction that may need to see the rows
//        4     4  mapped_db     database, 0 for a shared relation
//        8     4  mapped_rel    OID of the rewritten relation
//       16     8  offset        where in the file the mappings go
//       24     4  num_mappings  how many follow
//       32     8  start_lsn     where the log stood when rewriting began
struct xl_heap_rewrite_mapping {
  TransactionId mapped_xid;
  Oid mapped_db;
  Oid mapped_rel;
  uint32_t padding1;
  int64_t offset;
  uint32_t num_mappings;
  uint32_t padding2;
  Lsn start_lsn;
};
static_assert(sizeof(xl_heap_rewrite_mapping) == 40);
static_assert(offsetof(xl_heap_rewrite_mapping, offset) == 16);
static_assert(offsetof(xl_heap_rewrite_mapping, start_lsn) == 32);
// LogicalRewriteMappingData: old and new relation file, old and new address.
inline constexpr size_t logical_rewrite_mapping_size = 36;

// XLOG_HEAP2_VISIBLE; block 0 is the visibility map's page, block 1 the heap's.
//
//   offset  size  field                    meaning
//        0     4  snapshotConflictHorizon  newest xid on the page
//        4     1  flags                    VISIBILITYMAP_* bits set
struct xl_heap_visible {
  TransactionId snapshotConflictHorizon;
  uint8_t flags;
  uint8_t padding[3];
};
static_assert(offsetof(xl_heap_visible, flags) == 4);
inline constexpr size_t xl_heap_visible_size = 5;

// XLOG_HEAP2_NEW_CID (logical decoding only)
//
//   offset  size  field           meaning
//        0     4  top_xid         transaction at top level
//        4     4  cmin
//        8     4  cmax
//       12     4  combocid
//       16    12  target_locator  relation of the tuple
//       28     6  target_tid      the tuple
struct xl_heap_new_cid {
  TransactionId top_xid;
  CommandId cmin;
  CommandId cmax;
  CommandId combocid;
  RelFileLocator target_locator;
  ItemPointer target_tid;
  uint16_t padding;
};
static_assert(offsetof(xl_heap_new_cid, target_tid) == 28);
inline constexpr size_t xl_heap_new_cid_size = 34;

}  // namespace pgdata
