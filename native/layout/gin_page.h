// Pages of a GIN index: special space, metapage, posting lists and posting items.
//
// Block 0 is the metapage, block 1 the root of the entry tree. Every page ends in
//
//   offset  size  field      meaning
//        0     4  rightlink  right sibling, or none
//        4     2  maxoff     items of an inner data page; heap rows' ends of a pending-list page
//        6     2  flags      GIN_*
//
// The metapage holds, from byte 24,
//
//   offset  size  field              meaning
//        0     4  head               first page of the pending list, or none
//        4     4  tail               last
//        8     4  tailFreeSize       bytes free in the last
//       12     4  nPendingPages
//       16     8  nPendingHeapTuples
//       24     4  nTotalPages        statistics of the last vacuum, as the four that follow
//       28     4  nEntryPages
//       32     4  nDataPages
//       40     8  nEntries
//       48     4  ginVersion         2
//
// A data page (GIN_DATA) has its right bound (an ItemPointer, in 8 bytes) at byte 24, then from
// byte 32 PostingItems (inner pages), posting lists (compressed leaves; pd_lower is their end), or
// ItemPointers (leaves of before 9.4). A posting list is
//
//   offset  size  field   meaning
//        0     6  first   first item
//        6     2  nbytes  bytes that follow
//        8        bytes   differences of the others, varbyte encoded
//
// Little-endian. Source: src/include/access/ginblock.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct GinPageOpaqueData {
  BlockNumber rightlink;
  OffsetNumber maxoff;
  uint16_t flags;
};
static_assert(sizeof(GinPageOpaqueData) == 8);
static_assert(offsetof(GinPageOpaqueData, maxoff) == 4);
static_assert(offsetof(GinPageOpaqueData, flags) == 6);
static_assert(std::has_unique_object_representations_v<GinPageOpaqueData>);

inline constexpr uint16_t GIN_DATA = 1 << 0;
inline constexpr uint16_t GIN_LEAF = 1 << 1;
inline constexpr uint16_t GIN_DELETED = 1 << 2;
inline constexpr uint16_t GIN_META = 1 << 3;
inline constexpr uint16_t GIN_LIST = 1 << 4;
inline constexpr uint16_t GIN_LIST_FULLROW = 1 << 5;
inline constexpr uint16_t GIN_INCOMPLETE_SPLIT = 1 << 6;
inline constexpr uint16_t GIN_COMPRESSED = 1 << 7;

inline constexpr BlockNumber GIN_METAPAGE_BLKNO{0};
inline constexpr BlockNumber GIN_ROOT_BLKNO{1};
inline constexpr int32_t GIN_CURRENT_VERSION = 2;

struct GinMetaPageData {
  BlockNumber head;
  BlockNumber tail;
  uint32_t tailFreeSize;
  uint32_t nPendingPages;
  int64_t nPendingHeapTuples;
  uint32_t nTotalPages;
  uint32_t nEntryPages;
  uint32_t nDataPages;
  uint32_t padding1;
  int64_t nEntries;
  int32_t ginVersion;
  uint32_t padding2;
};
static_assert(sizeof(GinMetaPageData) == 56);
static_assert(offsetof(GinMetaPageData, nPendingHeapTuples) == 16);
static_assert(offsetof(GinMetaPageData, nDataPages) == 32);
static_assert(offsetof(GinMetaPageData, nEntries) == 40);
static_assert(offsetof(GinMetaPageData, ginVersion) == 48);
static_assert(std::has_unique_object_representations_v<GinMetaPageData>);

// A block number as two halves, high half first.
struct BlockIdData {
  uint16_t bi_hi;
  uint16_t bi_lo;
  constexpr BlockNumber block() const {
    return BlockNumber{(static_cast<uint32_t>(bi_hi) << 16) | bi_lo};
  }
};
static_assert(sizeof(BlockIdData) == 4 && alignof(BlockIdData) == 2);

// A child of an inner data page and the greatest item below it.
struct PostingItem {
  BlockIdData child_blkno;
  ItemPointer key;
};
static_assert(sizeof(PostingItem) == 10 && alignof(PostingItem) == 2);

struct GinPostingList {
  ItemPointer first;
  uint16_t nbytes;
};
static_assert(sizeof(GinPostingList) == 8);
constexpr size_t gin_posting_list_size(const GinPostingList& list) {
  return sizeof(GinPostingList) + align_up(list.nbytes, 2);
}

// Where a data page's right bound and its items start.
inline constexpr size_t gin_data_right_bound_offset = 24;
inline constexpr size_t gin_data_offset = 32;
static_assert(gin_data_offset == gin_data_right_bound_offset + max_align(sizeof(ItemPointer)));

}  // namespace pgdata
