// Pages of a hash index: special space and metapage.
//
// Block 0 is the metapage; bucket pages, their overflow pages and bitmap pages follow. Every page ends in
//
//   offset  size  field            meaning
//        0     4  hasho_prevblkno  page before; of a bucket's first page: hashm_maxbucket when it was made
//        4     4  hasho_nextblkno  page after, or none
//        8     4  hasho_bucket     bucket, or none
//       12     2  hasho_flag       LH_*
//       14     2  hasho_page_id    0xFF80
//
// A bitmap page has, from byte 24, a bit for each overflow page, set when it is in use. The metapage
// has, from byte 24,
//
//   offset  size  field            meaning
//        0     4  hashm_magic      0x06440640
//        4     4  hashm_version    4
//        8     8  hashm_ntuples    a double: tuples in the index
//       16     2  hashm_ffactor    tuples wanted in a bucket
//       18     2  hashm_bsize      bytes of a page that items can have
//       20     2  hashm_bmsize     bytes of a bitmap: a power of 2
//       22     2  hashm_bmshift    log2 of its bits
//       24     4  hashm_maxbucket  highest bucket
//       28     4  hashm_highmask
//       32     4  hashm_lowmask
//       36     4  hashm_ovflpoint  splitpoint at which overflow pages are added
//       40     4  hashm_firstfree  lowest bit that may be free
//       44     4  hashm_nmaps      bitmap pages
//       48     4  hashm_procid     hash function
//       52   392  hashm_spares     overflow pages before each splitpoint
//      444  4096  hashm_mapp       bitmap pages' block numbers
//
// Little-endian, blocks of 8 KiB and more. Source: src/include/access/hash.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct HashPageOpaqueData {
  BlockNumber hasho_prevblkno;
  BlockNumber hasho_nextblkno;
  uint32_t hasho_bucket;
  uint16_t hasho_flag;
  uint16_t hasho_page_id;
};
static_assert(sizeof(HashPageOpaqueData) == 16);
static_assert(offsetof(HashPageOpaqueData, hasho_flag) == 12);
static_assert(offsetof(HashPageOpaqueData, hasho_page_id) == 14);
static_assert(std::has_unique_object_representations_v<HashPageOpaqueData>);

inline constexpr uint16_t LH_UNUSED_PAGE = 0;
inline constexpr uint16_t LH_OVERFLOW_PAGE = 1 << 0;
inline constexpr uint16_t LH_BUCKET_PAGE = 1 << 1;
inline constexpr uint16_t LH_BITMAP_PAGE = 1 << 2;
inline constexpr uint16_t LH_META_PAGE = 1 << 3;
inline constexpr uint16_t LH_BUCKET_BEING_POPULATED = 1 << 4;
inline constexpr uint16_t LH_BUCKET_BEING_SPLIT = 1 << 5;
inline constexpr uint16_t LH_BUCKET_NEEDS_SPLIT_CLEANUP = 1 << 6;
inline constexpr uint16_t LH_PAGE_HAS_DEAD_TUPLES = 1 << 7;
inline constexpr uint16_t LH_PAGE_TYPE =
    LH_OVERFLOW_PAGE | LH_BUCKET_PAGE | LH_BITMAP_PAGE | LH_META_PAGE;

inline constexpr uint16_t HASHO_PAGE_ID = 0xFF80;
inline constexpr uint32_t HASH_INVALID_BUCKET = 0xFFFFFFFF;
inline constexpr uint32_t HASH_MAGIC = 0x6440640;
inline constexpr uint32_t HASH_VERSION = 4;

// Splitpoints: ten groups of one phase each, then up to 22 groups of four.
inline constexpr uint32_t HASH_SPLITPOINT_PHASE_BITS = 2;
inline constexpr uint32_t HASH_SPLITPOINT_PHASE_MASK = 3;
inline constexpr uint32_t HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE = 10;
inline constexpr uint32_t HASH_MAX_SPLITPOINTS = 98;
inline constexpr uint32_t HASH_MAX_BITMAPS = 1024;

struct HashMetaPageData {
  uint32_t hashm_magic;
  uint32_t hashm_version;
  double hashm_ntuples;
  uint16_t hashm_ffactor;
  uint16_t hashm_bsize;
  uint16_t hashm_bmsize;
  uint16_t hashm_bmshift;
  uint32_t hashm_maxbucket;
  uint32_t hashm_highmask;
  uint32_t hashm_lowmask;
  uint32_t hashm_ovflpoint;
  uint32_t hashm_firstfree;
  uint32_t hashm_nmaps;
  Oid hashm_procid;
  uint32_t hashm_spares[HASH_MAX_SPLITPOINTS];
  uint32_t hashm_mapp[HASH_MAX_BITMAPS];
  uint32_t padding;
};
static_assert(sizeof(HashMetaPageData) == 4544);
static_assert(offsetof(HashMetaPageData, hashm_ntuples) == 8);
static_assert(offsetof(HashMetaPageData, hashm_maxbucket) == 24);
static_assert(offsetof(HashMetaPageData, hashm_procid) == 48);
static_assert(offsetof(HashMetaPageData, hashm_spares) == 52);
static_assert(offsetof(HashMetaPageData, hashm_mapp) == 444);

// Where the metapage's and a bitmap page's contents start.
inline constexpr size_t hash_contents_offset = 24;

}  // namespace pgdata
