// The header and line pointers at the start of every page.
//
//   offset  size  field                 meaning
//        0     8  pd_lsn                end of the last WAL record that changed the page (two halves)
//        8     2  pd_checksum           data checksum, 0 when not in use
//       10     2  pd_flags              PD_* below
//       12     2  pd_lower              byte offset: end of line pointers
//       14     2  pd_upper              byte offset: start of tuples
//       16     2  pd_special            byte offset: start of special space
//       18     2  pd_pagesize_version   page size (multiple of 256) | layout version 4
//       20     4  pd_prune_xid          oldest prunable XID, or 0
//       24     4  pd_linp[]             line pointers
//
// A line pointer packs lp_off (15 bits), lp_flags (2), lp_len (15), low bits
// first. Little-endian. Source: src/include/storage/bufpage.h and itemid.h,
// PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct PageHeader {
  uint32_t pd_lsn_high;
  uint32_t pd_lsn_low;
  uint16_t pd_checksum;
  uint16_t pd_flags;
  uint16_t pd_lower;
  uint16_t pd_upper;
  uint16_t pd_special;
  uint16_t pd_pagesize_version;
  TransactionId pd_prune_xid;
};
static_assert(sizeof(PageHeader) == 24);
static_assert(offsetof(PageHeader, pd_checksum) == 8);
static_assert(offsetof(PageHeader, pd_lower) == 12);
static_assert(offsetof(PageHeader, pd_upper) == 14);
static_assert(offsetof(PageHeader, pd_special) == 16);
static_assert(offsetof(PageHeader, pd_prune_xid) == 20);
static_assert(std::has_unique_object_representations_v<PageHeader>,
              "padding bytes must not reach the disk");

inline constexpr uint16_t PD_HAS_FREE_LINES = 0x0001;
inline constexpr uint16_t PD_PAGE_FULL = 0x0002;
inline constexpr uint16_t PD_ALL_VISIBLE = 0x0004;
inline constexpr uint16_t PD_VALID_FLAG_BITS = 0x0007;
inline constexpr uint16_t PG_PAGE_LAYOUT_VERSION = 4;

// The block size unless a cluster was made with another.
inline constexpr uint32_t default_block_size = 8192;
inline constexpr uint32_t block_size_min = 1024;
inline constexpr uint32_t block_size_max = 32768;

enum class LinePointerFlags : uint8_t {
  LP_UNUSED = 0,
  LP_NORMAL = 1,
  LP_REDIRECT = 2,
  LP_DEAD = 3
};

// A line pointer's 32 bits, read and written with shifts.
struct LinePointer {
  uint32_t bits = 0;

  constexpr LinePointer() = default;
  constexpr LinePointer(uint32_t lp_off, LinePointerFlags lp_flags, uint32_t lp_len)
      : bits(lp_off | (static_cast<uint32_t>(lp_flags) << 15) | (lp_len << 17)) {}
  constexpr uint32_t lp_off() const { return bits & 0x7FFF; }
  constexpr LinePointerFlags lp_flags() const {
    return static_cast<LinePointerFlags>((bits >> 15) & 3);
  }
  constexpr uint32_t lp_len() const { return bits >> 17; }
  constexpr bool is_normal() const { return lp_flags() == LinePointerFlags::LP_NORMAL; }
  constexpr bool is_used() const { return lp_flags() != LinePointerFlags::LP_UNUSED; }
  constexpr bool is_dead() const { return lp_flags() == LinePointerFlags::LP_DEAD; }
  constexpr bool is_redirected() const { return lp_flags() == LinePointerFlags::LP_REDIRECT; }
  constexpr bool has_storage() const { return lp_len() != 0; }
};
static_assert(sizeof(LinePointer) == 4);

}  // namespace pgdata
