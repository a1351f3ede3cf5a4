// The header of a write-ahead log page, the names of segment files, and what a page magic says.
//
//   offset  size  field             meaning
//        0     2  xlp_magic         format version: 0xD118 in release 18
//        2     2  xlp_info          XLP_* flags
//        4     4  xlp_tli           timeline of the first record on the page
//        8     8  xlp_pageaddr      log position of this page
//       16     4  xlp_rem_len       bytes of a record continued from the page before, or 0
//       20     4  (padding)         zero
//
// The first page of a segment file has a longer header, flagged XLP_LONG_HEADER:
//
//       24     8  xlp_sysid         system_identifier of pg_control
//       32     4  xlp_seg_size      bytes of a segment file
//       36     4  xlp_xlog_blcksz   bytes of a page
//
// Little-endian. Source: src/include/access/xlog_internal.h, PostgreSQL 13 to 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct XLogPageHeaderData {
  uint16_t xlp_magic;
  uint16_t xlp_info;
  uint32_t xlp_tli;
  Lsn xlp_pageaddr;
  uint32_t xlp_rem_len;
  uint32_t padding;
};
static_assert(sizeof(XLogPageHeaderData) == 24);
static_assert(offsetof(XLogPageHeaderData, xlp_info) == 2);
static_assert(offsetof(XLogPageHeaderData, xlp_tli) == 4);
static_assert(offsetof(XLogPageHeaderData, xlp_pageaddr) == 8);
static_assert(offsetof(XLogPageHeaderData, xlp_rem_len) == 16);
static_assert(std::has_unique_object_representations_v<XLogPageHeaderData>,
              "padding bytes must not reach the disk");

struct XLogLongPageHeaderData {
  XLogPageHeaderData std;
  uint64_t xlp_sysid;
  uint32_t xlp_seg_size;
  uint32_t xlp_xlog_blcksz;
};
static_assert(sizeof(XLogLongPageHeaderData) == 40);
static_assert(offsetof(XLogLongPageHeaderData, xlp_sysid) == 24);
static_assert(offsetof(XLogLongPageHeaderData, xlp_seg_size) == 32);
static_assert(offsetof(XLogLongPageHeaderData, xlp_xlog_blcksz) == 36);
static_assert(std::has_unique_object_representations_v<XLogLongPageHeaderData>,
              "padding bytes must not reach the disk");

inline constexpr uint32_t SizeOfXLogShortPHD = sizeof(XLogPageHeaderData);
inline constexpr uint32_t SizeOfXLogLongPHD = sizeof(XLogLongPageHeaderData);

inline constexpr uint16_t XLP_FIRST_IS_CONTRECORD = 0x0001;
inline constexpr uint16_t XLP_LONG_HEADER = 0x0002;
inline constexpr uint16_t XLP_BKP_REMOVABLE = 0x0004;  // no base backup was running
inline constexpr uint16_t XLP_FIRST_IS_OVERWRITE_CONTRECORD = 0x0008;
inline constexpr uint16_t XLP_ALL_FLAGS = 0x000F;

// What we write.
inline constexpr uint16_t XLOG_PAGE_MAGIC = 0xD118;

// The page magic of each major release that can be read.
struct WalPageMagic {
  uint16_t magic;
  uint8_t major;
};
inline constexpr WalPageMagic wal_page_magics[] = {
    {0xD106, 13}, {0xD10D, 14}, {0xD110, 15}, {0xD113, 16}, {0xD116, 17}, {0xD118, 18},
};
// The major release of a page magic, or 0 for an unknown one.
constexpr uint8_t major_of_page_magic(uint16_t magic) {
  for (const WalPageMagic& known : wal_page_magics)
    if (known.magic == magic) return known.major;
  return 0;
}
static_assert(major_of_page_magic(XLOG_PAGE_MAGIC) == 18);

inline constexpr uint32_t wal_segment_bytes_min = 1u << 20;
inline constexpr uint32_t wal_segment_bytes_max = 1u << 30;
constexpr bool is_valid_wal_segment_size(uint32_t bytes) {
  return bytes >= wal_segment_bytes_min && bytes <= wal_segment_bytes_max &&
         (bytes & (bytes - 1)) == 0;
}

// A segment file's name is 24 hexadecimal digits: timeline, high part, and low part of its number.
inline constexpr size_t wal_file_name_length = 24;

}  // namespace pgdata
