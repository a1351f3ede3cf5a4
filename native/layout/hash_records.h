// WAL records of the hash index resource manager: info codes and the fixed part of each record.
//
//   record               main data                    block 0          1               2             3, 4
//   INIT_META_PAGE       xl_hash_init_meta_page       metapage         -               -             -
//   INIT_BITMAP_PAGE     xl_hash_init_bitmap_page     bitmap           metapage        -             -
//   INSERT               xl_hash_insert               page: tuple      metapage        -             -
//   ADD_OVFL_PAGE        xl_hash_add_ovfl_page        new overflow:    page before it  bitmap:       new bitmap,
//                                                     bucket                           bit           metapage
//   SPLIT_ALLOCATE_PAGE  xl_hash_split_allocate_page  old bucket       new bucket      metapage      -
//   SPLIT_PAGE           -                            page: image      -               -             -
//   SPLIT_COMPLETE       xl_hash_split_complete       old bucket       new bucket      -             -
//   MOVE_PAGE_CONTENTS   xl_hash_move_page_contents   primary bucket   written: items  read: deleted
//   SQUEEZE_PAGE         xl_hash_squeeze_page         primary bucket   written: items  freed         3 before it, 4 after
//                                                                                      overflow      it, 5 bitmap, 6 meta
//   DELETE               xl_hash_delete               primary bucket   page: offsets   -             -
//   SPLIT_CLEANUP        -                            primary bucket   -               -             -
//   UPDATE_META_PAGE     xl_hash_update_meta_page     metapage         -               -             -
//   VACUUM_ONE_PAGE      xl_hash_vacuum_one_page,     page             metapage        -             -
//                        offsets
//
// Only the bytes up to the `_size` constant are logged where a struct ends in padding.
// Little-endian. Source: src/include/access/hash_xlog.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

inline constexpr uint8_t XLOG_HASH_INIT_META_PAGE = 0x00;
inline constexpr uint8_t XLOG_HASH_INIT_BITMAP_PAGE = 0x10;
inline constexpr uint8_t XLOG_HASH_INSERT = 0x20;
inline constexpr uint8_t XLOG_HASH_ADD_OVFL_PAGE = 0x30;
inline constexpr uint8_t XLOG_HASH_SPLIT_ALLOCATE_PAGE = 0x40;
inline constexpr uint8_t XLOG_HASH_SPLIT_PAGE = 0x50;
inline constexpr uint8_t XLOG_HASH_SPLIT_COMPLETE = 0x60;
inline constexpr uint8_t XLOG_HASH_MOVE_PAGE_CONTENTS = 0x70;
inline constexpr uint8_t XLOG_HASH_SQUEEZE_PAGE = 0x80;
inline constexpr uint8_t XLOG_HASH_DELETE = 0x90;
inline constexpr uint8_t XLOG_HASH_SPLIT_CLEANUP = 0xA0;
inline constexpr uint8_t XLOG_HASH_UPDATE_META_PAGE = 0xB0;
inline constexpr uint8_t XLOG_HASH_VACUUM_ONE_PAGE = 0xC0;

// xl_hash_split_allocate_page.flags
inline constexpr uint8_t XLH_SPLIT_META_UPDATE_MASKS = 1 << 0;
inline constexpr uint8_t XLH_SPLIT_META_UPDATE_SPLITPOINT = 1 << 1;

//   offset  size  field       meaning
//        0     8  num_tuples  a double: rows expected
//        8     4  procid      hash function
//       12     2  ffactor     tuples wanted in a bucket
struct xl_hash_init_meta_page {
  double num_tuples;
  Oid procid;
  uint16_t ffactor;
  uint16_t padding;
};
static_assert(sizeof(xl_hash_init_meta_page) == 16);
static_assert(offsetof(xl_hash_init_meta_page, procid) == 8);
static_assert(offsetof(xl_hash_init_meta_page, ffactor) == 12);
inline constexpr size_t xl_hash_init_meta_page_size = 14;

struct xl_hash_init_bitmap_page {
  uint16_t bmsize;  // bytes of the bitmap
};
static_assert(sizeof(xl_hash_init_bitmap_page) == 2);

struct xl_hash_insert {
  OffsetNumber offnum;
};
static_assert(sizeof(xl_hash_insert) == 2);

//   offset  size  field         meaning
//        0     2  bmsize        bytes of a bitmap
//        2     1  bmpage_found  the bit was found in a bitmap that exists
struct xl_hash_add_ovfl_page {
  uint16_t bmsize;
  uint8_t bmpage_found;
  uint8_t padding;
};
static_assert(offsetof(xl_hash_add_ovfl_page, bmpage_found) == 2);
inline constexpr size_t xl_hash_add_ovfl_page_size = 3;

//   offset  size  field            meaning
//        0     4  new_bucket
//        4     2  old_bucket_flag  hasho_flag of the old bucket's page
//        6     2  new_bucket_flag  and of the new one's
//        8     1  flags            XLH_SPLIT_*: which parts of the metapage change
struct xl_hash_split_allocate_page {
  uint32_t new_bucket;
  uint16_t old_bucket_flag;
  uint16_t new_bucket_flag;
  uint8_t flags;
  uint8_t padding[3];
};
static_assert(sizeof(xl_hash_split_allocate_page) == 12);
static_assert(offsetof(xl_hash_split_allocate_page, flags) == 8);
inline constexpr size_t xl_hash_split_allocate_page_size = 9;

struct xl_hash_split_complete {
  uint16_t old_bucket_flag;
  uint16_t new_bucket_flag;
};
static_assert(sizeof(xl_hash_split_complete) == 4);

//   offset  size  field                    meaning
//        0     2  ntups                    tuples moved
//        2     1  is_prim_bucket_same_wrt  the page written to is the bucket's first
struct xl_hash_move_page_contents {
  uint16_t ntups;
  uint8_t is_prim_bucket_same_wrt;
  uint8_t padding;
};
static_assert(offsetof(xl_hash_move_page_contents, is_prim_bucket_same_wrt) == 2);
inline constexpr size_t xl_hash_move_page_contents_size = 3;

//   offset  size  field                    meaning
//        0     4  prevblkno                page before the freed one
//        4     4  nextblkno                page after it, or none
//        8     2  ntups                    tuples moved
//       10     1  is_prim_bucket_same_wrt  the page written to is the bucket's first
//       11     1  is_prev_bucket_same_wrt  it is the page before the freed one
struct xl_hash_squeeze_page {
  BlockNumber prevblkno;
  BlockNumber nextblkno;
  uint16_t ntups;
  uint8_t is_prim_bucket_same_wrt;
  uint8_t is_prev_bucket_same_wrt;
};
static_assert(sizeof(xl_hash_squeeze_page) == 12);
static_assert(offsetof(xl_hash_squeeze_page, is_prev_bucket_same_wrt) == 11);

struct xl_hash_delete {
  uint8_t clear_dead_marking;      // the page has no dead items any more
  uint8_t is_primary_bucket_page;  // block 1 is the bucket's first page
};
static_assert(sizeof(xl_hash_delete) == 2);

struct xl_hash_update_meta_page {
  double ntuples;
};
static_assert(sizeof(xl_hash_update_meta_page) == 8);

// Followed by ntuples offset numbers.
//
//   offset  size  field                    meaning
//        0     4  snapshotConflictHorizon  newest xid among the removed
//        4     2  ntuples                  tuples removed
//        6     1  isCatalogRel
struct xl_hash_vacuum_one_page {
  TransactionId snapshotConflictHorizon;
  uint16_t ntuples;
  uint8_t isCatalogRel;
  uint8_t padding;
};
static_assert(sizeof(xl_hash_vacuum_one_page) == 8);
static_assert(offsetof(xl_hash_vacuum_one_page, isCatalogRel) == 6);

}  // namespace pgdata
