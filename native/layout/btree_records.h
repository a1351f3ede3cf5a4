// WAL records of the B-tree resource manager: info codes and the fixed part of each record.
//
//   record             main data                 block 0                    1              2           3
//   INSERT_LEAF        xl_btree_insert           page: tuple                -              -           -
//   INSERT_UPPER       xl_btree_insert           page: tuple                left child     -           -
//   INSERT_META        xl_btree_insert           page: tuple                left child     metapage    -
//   INSERT_POST        xl_btree_insert           page: uint16 place in the  -              -           -
//                                                posting list, tuple
//   SPLIT_L, SPLIT_R   xl_btree_split            left: [new tuple,] high    right: tuples  old right   left child
//                                                key                                       sibling
//   DEDUP              xl_btree_dedup            page: BTDedupInterval[]    -              -           -
//   NEWROOT            xl_btree_newroot          root: tuples               left child     metapage    -
//   DELETE             xl_btree_delete           page: offsets, updates     -              -           -
//   VACUUM             xl_btree_vacuum           page: offsets, updates     -              -           -
//   MARK_PAGE_HALFDEAD xl_btree_mark_page_halfdead  leaf                    parent         -           -
//   UNLINK_PAGE(_META) xl_btree_unlink_page [, xl_btree_metadata]  target   left           right       leaf, meta (4)
//   REUSE_PAGE         xl_btree_reuse_page       -                          -              -           -
//   META_CLEANUP       -                         metapage: xl_btree_metadata
//
// A registered metapage carries xl_btree_metadata. Only the bytes up to the `_size` constant are
// logged where a struct ends in padding. Source: src/include/access/nbtxlog.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

inline constexpr uint8_t XLOG_BTREE_INSERT_LEAF = 0x00;
inline constexpr uint8_t XLOG_BTREE_INSERT_UPPER = 0x10;
inline constexpr uint8_t XLOG_BTREE_INSERT_META = 0x20;
inline constexpr uint8_t XLOG_BTREE_SPLIT_L = 0x30;
inline constexpr uint8_t XLOG_BTREE_SPLIT_R = 0x40;
inline constexpr uint8_t XLOG_BTREE_INSERT_POST = 0x50;
inline constexpr uint8_t XLOG_BTREE_DEDUP = 0x60;
inline constexpr uint8_t XLOG_BTREE_DELETE = 0x70;
inline constexpr uint8_t XLOG_BTREE_UNLINK_PAGE = 0x80;
inline constexpr uint8_t XLOG_BTREE_UNLINK_PAGE_META = 0x90;
inline constexpr uint8_t XLOG_BTREE_NEWROOT = 0xA0;
inline constexpr uint8_t XLOG_BTREE_MARK_PAGE_HALFDEAD = 0xB0;
inline constexpr uint8_t XLOG_BTREE_VACUUM = 0xC0;
inline constexpr uint8_t XLOG_BTREE_REUSE_PAGE = 0xD0;
inline constexpr uint8_t XLOG_BTREE_META_CLEANUP = 0xE0;

//   offset  size  field
//        0     4  version
//        4     4  root
//        8     4  level
//       12     4  fastroot
//       16     4  fastlevel
//       20     4  last_cleanup_num_delpages
//       24     1  allequalimage
struct xl_btree_metadata {
  uint32_t version;
  BlockNumber root;
  uint32_t level;
  BlockNumber fastroot;
  uint32_t fastlevel;
  uint32_t last_cleanup_num_delpages;
  uint8_t allequalimage;
  uint8_t padding[3];
};
static_assert(sizeof(xl_btree_metadata) == 28);
static_assert(offsetof(xl_btree_metadata, allequalimage) == 24);
static_assert(std::has_unique_object_representations_v<xl_btree_metadata>,
              "padding bytes must not reach the log");

struct xl_btree_insert {
  OffsetNumber offnum;
};
static_assert(sizeof(xl_btree_insert) == 2);

//   offset  size  field          meaning
//        0     4  level          of the page that is split
//        4     2  firstrightoff  first item of the old page that goes right
//        6     2  newitemoff     where the new item goes, in the old page's numbering
//        8     2  postingoff     place in the posting list that is split, 0 for none
struct xl_btree_split {
  uint32_t level;
  OffsetNumber firstrightoff;
  OffsetNumber newitemoff;
  uint16_t postingoff;
  uint16_t padding;
};
inline constexpr size_t xl_btree_split_size = 10;
static_assert(offsetof(xl_btree_split, postingoff) + sizeof(uint16_t) == xl_btree_split_size);

struct xl_btree_dedup {
  uint16_t nintervals;
};
static_assert(sizeof(xl_btree_dedup) == 2);

// `nitems` consecutive items from `baseoff` on became one posting list.
struct BTDedupInterval {
  OffsetNumber baseoff;
  uint16_t nitems;
};
static_assert(sizeof(BTDedupInterval) == 4);

struct xl_btree_newroot {
  BlockNumber rootblk;
  uint32_t level;
};
static_assert(sizeof(xl_btree_newroot) == 8);

struct xl_btree_vacuum {
  uint16_t ndeleted;
  uint16_t nupdated;
};
static_assert(sizeof(xl_btree_vacuum) == 4);

struct xl_btree_delete {
  TransactionId snapshotConflictHorizon;
  uint16_t ndeleted;
  uint16_t nupdated;
  uint8_t isCatalogRel;
  uint8_t padding[3];
};
inline constexpr size_t xl_btree_delete_size = 9;
static_assert(offsetof(xl_btree_delete, isCatalogRel) + 1 == xl_btree_delete_size);

// Followed by ndeletedtids 0-based places in the posting list.
struct xl_btree_update {
  uint16_t ndeletedtids;
};
static_assert(sizeof(xl_btree_update) == 2);

struct xl_btree_mark_page_halfdead {
  OffsetNumber poffset;
  uint16_t padding;
  BlockNumber leafblk;
  BlockNumber leftblk;
  BlockNumber rightblk;
  BlockNumber topparent;
};
static_assert(sizeof(xl_btree_mark_page_halfdead) == 20);

struct xl_btree_unlink_page {
  BlockNumber leftsib;
  BlockNumber rightsib;
  uint32_t level;
  uint32_t padding;
  FullTransactionId safexid;
  BlockNumber leafleftsib;
  BlockNumber leafrightsib;
  BlockNumber leaftopparent;
  uint32_t padding2;
};
inline constexpr size_t xl_btree_unlink_page_size = 36;
static_assert(offsetof(xl_btree_unlink_page, leaftopparent) + 4 == xl_btree_unlink_page_size);

struct xl_btree_reuse_page {
  RelFileLocator locator;
  BlockNumber block;
  FullTransactionId snapshotConflictHorizon;
  uint8_t isCatalogRel;
  uint8_t padding[7];
};
inline constexpr size_t xl_btree_reuse_page_size = 25;
static_assert(offsetof(xl_btree_reuse_page, isCatalogRel) + 1 == xl_btree_reuse_page_size);

}  // namespace pgdata
