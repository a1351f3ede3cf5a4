// Pages and tuples of an SP-GiST index.
//
// Block 0 is the metapage, 1 the root, 2 the root of the tree of nulls. Every page ends in
//
//   offset  size  field          meaning
//        0     2  flags          SPGIST_*
//        2     2  nRedirection   redirect tuples on the page
//        4     2  nPlaceholder   tuples that keep a place, for later ones
//        6     2  spgist_page_id 0xFF82
//
// Tuples begin with a word whose low two bits are the tuple's state:
//
//   inner:  0  4  state (2) | allTheSame (1) | nNodes (13) | prefixSize (16)
//           4  2  tuple_size (`size` in PostgreSQL)
//           8     prefix (prefixSize bytes), then nNodes nodes: index tuples whose t_tid is the downlink
//   leaf:   0  4  state (2) | size (30)
//           4  2  t_info: next in chain (14) | unused | has null bitmap
//           6  6  heapPtr
//          12     (padding to 16 unless there is a null bitmap), the value
//   dead:   0  4  state (2) | size (30)
//           4  2  t_info
//           6  6  pointer: where a redirect leads
//          12  4  xid: of the inserter of a redirect
//
// Little-endian. Source: src/include/access/spgist_private.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct SpGistPageOpaqueData {
  uint16_t flags;
  uint16_t nRedirection;
  uint16_t nPlaceholder;
  uint16_t spgist_page_id;
};
static_assert(sizeof(SpGistPageOpaqueData) == 8);
static_assert(std::has_unique_object_representations_v<SpGistPageOpaqueData>);

inline constexpr uint16_t SPGIST_META = 1 << 0;
inline constexpr uint16_t SPGIST_DELETED = 1 << 1;
inline constexpr uint16_t SPGIST_LEAF = 1 << 2;
inline constexpr uint16_t SPGIST_NULLS = 1 << 3;

inline constexpr uint16_t SPGIST_PAGE_ID = 0xFF82;
inline constexpr BlockNumber SPGIST_METAPAGE_BLKNO{0};
inline constexpr BlockNumber SPGIST_ROOT_BLKNO{1};
inline constexpr BlockNumber SPGIST_NULL_BLKNO{2};

// tupstate
inline constexpr uint32_t SPGIST_LIVE = 0;
inline constexpr uint32_t SPGIST_REDIRECT = 1;
inline constexpr uint32_t SPGIST_DEAD = 2;
inline constexpr uint32_t SPGIST_PLACEHOLDER = 3;

struct SpGistInnerTupleData {
  uint32_t bits;
  uint16_t tuple_size;
  uint16_t padding;
};
static_assert(sizeof(SpGistInnerTupleData) == 8);
constexpr uint32_t spgist_tupstate(uint32_t bits) { return bits & 3; }
constexpr uint32_t spgist_inner_node_count(uint32_t bits) { return (bits >> 3) & 0x1FFF; }
constexpr uint32_t spgist_inner_prefix_size(uint32_t bits) { return bits >> 16; }

struct SpGistLeafTupleData {
  uint32_t bits;
  uint16_t t_info;
  ItemPointer heapPtr;
};
static_assert(sizeof(SpGistLeafTupleData) == 12);
static_assert(offsetof(SpGistLeafTupleData, heapPtr) == 6);
constexpr uint32_t spgist_leaf_size(uint32_t bits) { return bits >> 2; }
inline constexpr uint16_t SPGIST_NEXT_OFFSET_MASK = 0x3FFF;

struct SpGistDeadTupleData {
  uint32_t bits;
  uint16_t t_info;
  ItemPointer pointer;
  TransactionId xid;
};
static_assert(sizeof(SpGistDeadTupleData) == 16);
static_assert(offsetof(SpGistDeadTupleData, pointer) == 6);
static_assert(offsetof(SpGistDeadTupleData, xid) == 12);
inline constexpr size_t SGDTSIZE = 16;

}  // namespace pgdata
