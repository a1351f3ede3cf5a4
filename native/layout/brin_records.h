// WAL records of the BRIN index resource manager: info codes and the fixed part of each record.
//
//   record           main data                 block 0             1         2
//   CREATE_INDEX     xl_brin_createidx         metapage            -         -
//   INSERT           xl_brin_insert            regular: tuple      revmap    -
//   UPDATE           xl_brin_update            new regular: tuple  revmap    old regular
//   SAMEPAGE_UPDATE  xl_brin_samepage_update   regular: tuple      -         -
//   REVMAP_EXTEND    xl_brin_revmap_extend     metapage            new revmap
//   DESUMMARIZE      xl_brin_desummarize       revmap              regular   -
//
// Only the bytes up to the `_size` constant are logged where a struct ends in padding.
// Little-endian. Source: src/include/access/brin_xlog.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

inline constexpr uint8_t XLOG_BRIN_CREATE_INDEX = 0x00;
inline constexpr uint8_t XLOG_BRIN_INSERT = 0x10;
inline constexpr uint8_t XLOG_BRIN_UPDATE = 0x20;
inline constexpr uint8_t XLOG_BRIN_SAMEPAGE_UPDATE = 0x30;
inline constexpr uint8_t XLOG_BRIN_REVMAP_EXTEND = 0x40;
inline constexpr uint8_t XLOG_BRIN_DESUMMARIZE = 0x50;
inline constexpr uint8_t XLOG_BRIN_OPMASK = 0x70;
// Block 0 is made anew.
inline constexpr uint8_t XLOG_BRIN_INIT_PAGE = 0x80;

struct xl_brin_createidx {
  uint32_t pagesPerRange;
  uint16_t version;
  uint16_t padding;
};
static_assert(offsetof(xl_brin_createidx, version) == 4);
inline constexpr size_t xl_brin_createidx_size = 6;

//   offset  size  field          meaning
//        0     4  heapBlk        a block of the range
//        4     4  pagesPerRange
//        8     2  offnum         where the summary tuple goes
struct xl_brin_insert {
  BlockNumber heapBlk;
  uint32_t pagesPerRange;
  OffsetNumber offnum;
  uint16_t padding;
};
static_assert(sizeof(xl_brin_insert) == 12);
static_assert(offsetof(xl_brin_insert, offnum) == 8);
inline constexpr size_t xl_brin_insert_size = 10;

struct xl_brin_update {
  OffsetNumber oldOffnum;
  uint16_t padding;
  xl_brin_insert insert;
};
static_assert(offsetof(xl_brin_update, insert) == 4);
inline constexpr size_t xl_brin_update_size = 4 + xl_brin_insert_size;

struct xl_brin_samepage_update {
  OffsetNumber offnum;
};
static_assert(sizeof(xl_brin_samepage_update) == 2);

struct xl_brin_revmap_extend {
  BlockNumber targetBlk;
};
static_assert(sizeof(xl_brin_revmap_extend) == 4);

struct xl_brin_desummarize {
  uint32_t pagesPerRange;
  BlockNumber heapBlk;
  OffsetNumber regOffset;
  uint16_t padding;
};
static_assert(offsetof(xl_brin_desummarize, regOffset) == 8);
inline constexpr size_t xl_brin_desummarize_size = 10;

}  // namespace pgdata
