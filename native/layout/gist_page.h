// Pages of a GiST index: the special space, and what a deleted page holds.
//
// Block 0 is the root. Every page ends in
//
//   offset  size  field         meaning
//        0     8  nsn           log position of the last split of this page, high half first
//        8     4  rightlink     right sibling, or none
//       12     2  flags         F_*
//       14     2  gist_page_id  0xFF81
//
// A deleted page holds, from byte 24, the transaction id (8 bytes) whose end lets it be reused.
// Little-endian. Source: src/include/access/gist.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct GISTPageOpaqueData {
  uint32_t nsn_high;
  uint32_t nsn_low;
  BlockNumber rightlink;
  uint16_t flags;
  uint16_t gist_page_id;
};
static_assert(sizeof(GISTPageOpaqueData) == 16);
static_assert(offsetof(GISTPageOpaqueData, rightlink) == 8);
static_assert(offsetof(GISTPageOpaqueData, flags) == 12);
static_assert(offsetof(GISTPageOpaqueData, gist_page_id) == 14);
static_assert(std::has_unique_object_representations_v<GISTPageOpaqueData>);

inline constexpr uint16_t F_LEAF = 1 << 0;
inline constexpr uint16_t F_DELETED = 1 << 1;
inline constexpr uint16_t F_TUPLES_DELETED = 1 << 2;
inline constexpr uint16_t F_FOLLOW_RIGHT = 1 << 3;
inline constexpr uint16_t F_HAS_GARBAGE = 1 << 4;

inline constexpr uint16_t GIST_PAGE_ID = 0xFF81;
inline constexpr BlockNumber GIST_ROOT_BLKNO{0};

struct GISTDeletedPageContents {
  FullTransactionId deleteXid;
};
static_assert(sizeof(GISTDeletedPageContents) == 8);

}  // namespace pgdata
