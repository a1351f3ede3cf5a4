// WAL records of the GIN index resource manager: info codes and the fixed part of each record.
//
//   record                 main data                      block 0              1            2, 3
//   CREATE_PTREE           ginxlogCreatePostingTree,      root: -              -            -
//                          compressed posting lists
//   INSERT                 ginxlogInsert [, left and      page: by its kind    left child   -
//                          right child, BlockIdData each]
//   SPLIT                  ginxlogSplit                   left: image          right        2 root (if split),
//                                                                                           3 left child
//   VACUUM_PAGE            -                              page: image          -            -
//   VACUUM_DATA_LEAF_PAGE  -                              page: ginxlogVacuumDataLeafPage, actions
//   DELETE_PAGE            ginxlogDeletePage              deleted              parent       2 left sibling
//   UPDATE_META_PAGE       ginxlogUpdateMeta              metapage             tail: tuples -
//   INSERT_LISTPAGE        ginxlogInsertListPage          page: tuples         -            -
//   DELETE_LISTPAGE        ginxlogDeleteListPages         metapage             1 to ndeleted: deleted
//
// The data of INSERT's block 0: an entry page ginxlogInsertEntry and a tuple; a data leaf
// ginxlogRecompressDataLeaf and actions; an inner data page ginxlogInsertDataInternal.
//
// An action: uint8 segment number, uint8 GIN_SEGMENT_*, then for INSERT and REPLACE a posting list
// (its length rounded up to 2), for ADDITEMS uint16 count and ItemPointers.
//
// Little-endian. Source: src/include/access/ginxlog.h, ginblock.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"
#include "layout/gin_page.h"

namespace pgdata {

inline constexpr uint8_t XLOG_GIN_CREATE_PTREE = 0x10;
inline constexpr uint8_t XLOG_GIN_INSERT = 0x20;
inline constexpr uint8_t XLOG_GIN_SPLIT = 0x30;
inline constexpr uint8_t XLOG_GIN_VACUUM_PAGE = 0x40;
inline constexpr uint8_t XLOG_GIN_DELETE_PAGE = 0x50;
inline constexpr uint8_t XLOG_GIN_UPDATE_META_PAGE = 0x60;
inline constexpr uint8_t XLOG_GIN_INSERT_LISTPAGE = 0x70;
inline constexpr uint8_t XLOG_GIN_DELETE_LISTPAGE = 0x80;
inline constexpr uint8_t XLOG_GIN_VACUUM_DATA_LEAF_PAGE = 0x90;

struct ginxlogCreatePostingTree {
  uint32_t data_size;  // bytes of posting lists that follow (`size` in PostgreSQL)
};
static_assert(sizeof(ginxlogCreatePostingTree) == 4);

struct ginxlogInsert {
  uint16_t flags;  // GIN_INSERT_*
};
static_assert(sizeof(ginxlogInsert) == 2);

// ginxlogInsert.flags and ginxlogSplit.flags
inline constexpr uint16_t GIN_INSERT_ISDATA = 0x01;
inline constexpr uint16_t GIN_INSERT_ISLEAF = 0x02;
inline constexpr uint16_t GIN_SPLIT_ROOT = 0x04;

// Followed by the index tuple.
//
//   offset  size  field     meaning
//        0     2  offset    where the tuple goes
//        2     1  isDelete  it replaces the one there
struct ginxlogInsertEntry {
  OffsetNumber offset;
  uint8_t isDelete;
  uint8_t padding;
};
static_assert(sizeof(ginxlogInsertEntry) == 4);
static_assert(offsetof(ginxlogInsertEntry, isDelete) == 2);

struct ginxlogRecompressDataLeaf {
  uint16_t nactions;
};
static_assert(sizeof(ginxlogRecompressDataLeaf) == 2);

// Actions on a segment.
inline constexpr uint8_t GIN_SEGMENT_UNMODIFIED = 0;  // never logged
inline constexpr uint8_t GIN_SEGMENT_DELETE = 1;
inline constexpr uint8_t GIN_SEGMENT_INSERT = 2;
inline constexpr uint8_t GIN_SEGMENT_REPLACE = 3;
inline constexpr uint8_t GIN_SEGMENT_ADDITEMS = 4;

struct ginxlogInsertDataInternal {
  OffsetNumber offset;
  PostingItem newitem;
};
static_assert(sizeof(ginxlogInsertDataInternal) == 12);
static_assert(offsetof(ginxlogInsertDataInternal, newitem) == 2);

//   offset  size  field            meaning
//        0    12  locator          index
//       12     4  rrlink           right sibling of the right page, or the root's number at a root split
//       16     4  leftChildBlkno   child that this completes the split of, in inner pages
//       20     4  rightChildBlkno
//       24     2  flags            GIN_INSERT_* and GIN_SPLIT_ROOT
struct ginxlogSplit {
  RelFileLocator locator;
  BlockNumber rrlink;
  BlockNumber leftChildBlkno;
  BlockNumber rightChildBlkno;
  uint16_t flags;
  uint16_t padding;
};
static_assert(sizeof(ginxlogSplit) == 28);
static_assert(offsetof(ginxlogSplit, rrlink) == 12);
static_assert(offsetof(ginxlogSplit, flags) == 24);

struct ginxlogVacuumDataLeafPage {
  ginxlogRecompressDataLeaf data;
};
static_assert(sizeof(ginxlogVacuumDataLeafPage) == 2);

//   offset  size  field         meaning
//        0     2  parentOffset  downlink that goes
//        4     4  rightLink     right sibling of the deleted page
//        8     4  deleteXid     the page may be reused when nobody sees this as running
struct ginxlogDeletePage {
  OffsetNumber parentOffset;
  uint16_t padding;
  BlockNumber rightLink;
  TransactionId deleteXid;
};
static_assert(sizeof(ginxlogDeletePage) == 12);
static_assert(offsetof(ginxlogDeletePage, rightLink) == 4);

//   offset  size  field         meaning
//        0    12  locator       index
//       16    56  metadata      the metapage's new contents
//       72     4  prevTail      pending list's tail before, or none
//       76     4  newRightlink  what that page's right link becomes, or none
//       80     4  ntuples       tuples added to the tail, in block 1
struct ginxlogUpdateMeta {
  RelFileLocator locator;
  uint32_t padding1;
  GinMetaPageData metadata;
  BlockNumber prevTail;
  BlockNumber newRightlink;
  int32_t ntuples;
  uint32_t padding2;
};
static_assert(sizeof(ginxlogUpdateMeta) == 88);
static_assert(offsetof(ginxlogUpdateMeta, metadata) == 16);
static_assert(offsetof(ginxlogUpdateMeta, prevTail) == 72);
static_assert(offsetof(ginxlogUpdateMeta, ntuples) == 80);
static_assert(std::has_unique_object_representations_v<ginxlogUpdateMeta>);

struct ginxlogInsertListPage {
  BlockNumber rightlink;
  int32_t ntuples;
};
static_assert(sizeof(ginxlogInsertListPage) == 8);

//   offset  size  field     meaning
//        0    56  metadata  the metapage's new contents
//       56     4  ndeleted  pages deleted, at most GIN_NDELETE_AT_ONCE
struct ginxlogDeleteListPages {
  GinMetaPageData metadata;
  int32_t ndeleted;
  uint32_t padding;
};
static_assert(sizeof(ginxlogDeleteListPages) == 64);
static_assert(offsetof(ginxlogDeleteListPages, ndeleted) == 56);
inline constexpr int32_t GIN_NDELETE_AT_ONCE = 16;

}  // namespace pgdata
