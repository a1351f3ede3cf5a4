// B-tree pages, version 4: the special space, the meta page, and what index tuples mean in them.
//
// Special space of every page (BTPageOpaque):
//
//   offset  size  field         meaning
//        0     4  btpo_prev     left sibling, 0 on the leftmost page
//        4     4  btpo_next     right sibling, 0 on the rightmost page
//        8     4  btpo_level    0 on leaves, one more on each level above
//       12     2  btpo_flags    BTP_* below
//       14     2  btpo_cycleid  vacuum cycle during which the page was last split
//
// Block 0 (BTMetaPage, after the page header):
//
//   offset  size  field                             meaning
//        0     4  btm_magic                         0x053162
//        4     4  btm_version                       2 to 4
//        8     4  btm_root                          root block, 0 while the index is empty
//       12     4  btm_level                         its level
//       16     4  btm_fastroot                      lowest level's only page, from which searches start
//       20     4  btm_fastlevel                     its level
//       24     4  btm_last_cleanup_num_delpages     deleted pages not yet recyclable at the last vacuum
//       32     8  btm_last_cleanup_num_heap_tuples  no longer used, -1
//       40     1  btm_allequalimage                 equal keys have equal bytes: may be deduplicated
//
// A deleted page holds BTDeletedPageData: the 64-bit xid after which no search can reach it.
//
// Tuples. A page that has a right sibling starts with its high key; then come the data items. A leaf
// item points to one heap tuple (t_tid) or, as a posting list, to several. High keys and all items
// of upper pages are pivots: they separate, may lack trailing columns (which then stand for minus
// infinity), and on upper pages carry the block number of a child.
//
//   form     t_info        t_tid block           t_tid offset                            at the end
//   plain    -             heap block            heap offset                             -
//   posting  ALT_TID_MASK  offset of the list    BT_IS_POSTING | number of TIDs          TIDs, ascending
//   pivot    ALT_TID_MASK  child block           number of columns, | BT_PIVOT_HEAP_     TID, if that
//                                                TID_ATTR                                bit is set
//
// Little-endian. Source: src/include/access/nbtree.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"
#include "layout/index_tuple.h"
#include "layout/page_header.h"

namespace pgdata {

struct BTPageOpaque {
  BlockNumber btpo_prev;
  BlockNumber btpo_next;
  uint32_t btpo_level;
  uint16_t btpo_flags;
  uint16_t btpo_cycleid;
};
static_assert(sizeof(BTPageOpaque) == 16);
static_assert(offsetof(BTPageOpaque, btpo_level) == 8);
static_assert(offsetof(BTPageOpaque, btpo_flags) == 12);
static_assert(std::has_unique_object_representations_v<BTPageOpaque>,
              "padding bytes must not reach the disk");

inline constexpr uint16_t BTP_LEAF = 1 << 0;
inline constexpr uint16_t BTP_ROOT = 1 << 1;
inline constexpr uint16_t BTP_DELETED = 1 << 2;
inline constexpr uint16_t BTP_META = 1 << 3;
inline constexpr uint16_t BTP_HALF_DEAD = 1 << 4;
inline constexpr uint16_t BTP_SPLIT_END = 1 << 5;
inline constexpr uint16_t BTP_HAS_GARBAGE = 1 << 6;
inline constexpr uint16_t BTP_INCOMPLETE_SPLIT = 1 << 7;
inline constexpr uint16_t BTP_HAS_FULLXID = 1 << 8;

inline constexpr BlockNumber P_NONE{0};
inline constexpr OffsetNumber P_HIKEY = 1;
inline constexpr OffsetNumber P_FIRSTKEY = 2;

struct BTMetaPage {
  uint32_t btm_magic;
  uint32_t btm_version;
  BlockNumber btm_root;
  uint32_t btm_level;
  BlockNumber btm_fastroot;
  uint32_t btm_fastlevel;
  uint32_t btm_last_cleanup_num_delpages;
  uint32_t padding28;
  double btm_last_cleanup_num_heap_tuples;
  uint8_t btm_allequalimage;
  uint8_t padding41[7];
};
static_assert(sizeof(BTMetaPage) == 48);
static_assert(offsetof(BTMetaPage, btm_last_cleanup_num_delpages) == 24);
static_assert(offsetof(BTMetaPage, btm_last_cleanup_num_heap_tuples) == 32);
static_assert(offsetof(BTMetaPage, btm_allequalimage) == 40);

inline constexpr BlockNumber BTREE_METAPAGE{0};
inline constexpr uint32_t BTREE_MAGIC = 0x053162;
inline constexpr uint32_t BTREE_VERSION = 4;
inline constexpr uint32_t BTREE_MIN_VERSION = 2;
inline constexpr uint32_t BTREE_NOVAC_VERSION = 3;

struct BTDeletedPageData {
  FullTransactionId safexid;
};
static_assert(sizeof(BTDeletedPageData) == 8);

inline constexpr int BTREE_MIN_FILLFACTOR = 10;
inline constexpr int BTREE_DEFAULT_FILLFACTOR = 90;
inline constexpr int BTREE_NONLEAF_FILLFACTOR = 70;
inline constexpr int BTREE_SINGLEVAL_FILLFACTOR = 96;

// Bits of t_tid's offset in tuples with INDEX_ALT_TID_MASK.
inline constexpr uint16_t INDEX_ALT_TID_MASK = INDEX_AM_RESERVED_BIT;
inline constexpr uint16_t BT_OFFSET_MASK = 0x0FFF;
inline constexpr uint16_t BT_STATUS_OFFSET_MASK = 0xF000;
inline constexpr uint16_t BT_PIVOT_HEAP_TID_ATTR = 0x1000;
inline constexpr uint16_t BT_IS_POSTING = 0x2000;

// Room for items on a page: all but the header and the special space.
constexpr uint32_t btree_page_capacity(uint32_t block_size) {
  return block_size - static_cast<uint32_t>(sizeof(PageHeader) + sizeof(BTPageOpaque));
}
// Three items fit on every page: the largest pivot, and the largest leaf item, which leaves the pivot
// made of it room for a heap TID (BTMaxItemSizeNoHeapTid, BTMaxItemSize).
constexpr uint32_t btree_pivot_size_max(uint32_t block_size) {
  const uint32_t fixed = static_cast<uint32_t>(
      max_align(sizeof(PageHeader) + 3 * sizeof(LinePointer)) + sizeof(BTPageOpaque));
  return (block_size - fixed) / 3 / 8 * 8;
}
constexpr uint32_t btree_item_size_max(uint32_t block_size) {
  return btree_pivot_size_max(block_size) - 8;
}
static_assert(btree_item_size_max(8192) == 2704);

inline bool btree_tuple_is_pivot(const IndexTupleHeader& tuple) {
  return (tuple.t_info & INDEX_ALT_TID_MASK) != 0 && (tuple.t_tid.ip_posid & BT_IS_POSTING) == 0;
}
inline bool btree_tuple_is_posting(const IndexTupleHeader& tuple) {
  return (tuple.t_info & INDEX_ALT_TID_MASK) != 0 && (tuple.t_tid.ip_posid & BT_IS_POSTING) != 0;
}
inline uint16_t btree_posting_count(const IndexTupleHeader& tuple) {
  return tuple.t_tid.ip_posid & BT_OFFSET_MASK;
}
inline uint32_t btree_posting_offset(const IndexTupleHeader& tuple) {
  return value_of(tuple.t_tid.block());
}
// Key columns present in a pivot.
inline int btree_pivot_columns(const IndexTupleHeader& tuple) {
  return tuple.t_tid.ip_posid & BT_OFFSET_MASK;
}
inline bool btree_pivot_has_heap_tid(const IndexTupleHeader& tuple) {
  return (tuple.t_tid.ip_posid & BT_PIVOT_HEAP_TID_ATTR) != 0;
}
inline BlockNumber btree_downlink(const IndexTupleHeader& tuple) { return tuple.t_tid.block(); }

inline void btree_set_downlink(IndexTupleHeader& tuple, BlockNumber child) {
  tuple.t_tid = ItemPointer(child, tuple.t_tid.ip_posid);
}
inline void btree_set_pivot(IndexTupleHeader& tuple, int columns, bool heap_tid) {
  tuple.t_info |= INDEX_ALT_TID_MASK;
  tuple.t_tid.ip_posid =
      static_cast<OffsetNumber>(columns | (heap_tid ? BT_PIVOT_HEAP_TID_ATTR : 0));
}
inline void btree_set_posting(IndexTupleHeader& tuple, int count, uint32_t list_offset) {
  tuple.t_info |= INDEX_ALT_TID_MASK;
  tuple.t_tid =
      ItemPointer(BlockNumber{list_offset}, static_cast<OffsetNumber>(count | BT_IS_POSTING));
}
inline void btree_set_size(IndexTupleHeader& tuple, uint32_t size) {
  tuple.t_info = static_cast<uint16_t>((tuple.t_info & ~INDEX_SIZE_MASK) | size);
}

}  // namespace pgdata
