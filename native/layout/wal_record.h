// A write-ahead log record: its header and the headers of what follows.
//
//   offset  size  field         meaning
//        0     4  xl_tot_len    bytes of the whole record, this header included
//        4     4  xl_xid        transaction, or 0
//        8     8  xl_prev       where the record before starts
//       16     1  xl_info       high half: the resource manager's; low half: XLR_* flags
//       17     1  xl_rmid       resource manager
//       18     2  (padding)     zero
//       20     4  xl_crc        CRC-32C of everything after this header, then of bytes 0 to 19
//
// Records start at multiples of 8. After the header come, unaligned and without padding: one
// header for each block, one for the main data, then for each block its page image and its data,
// then the main data. A block's header is
//
//        0     1  id            0 to 32
//        1     1  fork_flags    fork number | BKPBLOCK_* flags
//        2     2  data_length   bytes of block data, without the image
//   then, with BKPBLOCK_HAS_IMAGE:
//        0     2  length        bytes of the image as stored
//        2     2  hole_offset   where the left-out zeroes begin
//        4     1  bimg_info     BKPIMAGE_* flags
//        5     2  hole_length   only if the image has a hole and is compressed
//   then, without BKPBLOCK_SAME_REL, the RelFileLocator (12), and always the block number (4).
//
// The main data's header is an id byte of 255 and a length of one byte, or 254 and four bytes.
//
// Little-endian. Source: src/include/access/xlogrecord.h, PostgreSQL 13 to 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct XLogRecord {
  uint32_t xl_tot_len;
  TransactionId xl_xid;
  Lsn xl_prev;
  uint8_t xl_info;
  uint8_t xl_rmid;
  uint16_t padding;
  uint32_t xl_crc;
};
static_assert(sizeof(XLogRecord) == 24);
static_assert(offsetof(XLogRecord, xl_xid) == 4);
static_assert(offsetof(XLogRecord, xl_prev) == 8);
static_assert(offsetof(XLogRecord, xl_info) == 16);
static_assert(offsetof(XLogRecord, xl_rmid) == 17);
static_assert(offsetof(XLogRecord, xl_crc) == 20);
static_assert(std::has_unique_object_representations_v<XLogRecord>,
              "padding bytes must not reach the disk");

inline constexpr uint32_t SizeOfXLogRecord = sizeof(XLogRecord);
inline constexpr uint32_t XLogRecordMaxSize = 1020u << 20;

// The low half of xl_info.
inline constexpr uint8_t XLR_INFO_MASK = 0x0F;
inline constexpr uint8_t XLR_RMGR_INFO_MASK = 0xF0;
inline constexpr uint8_t XLR_SPECIAL_REL_UPDATE = 0x01;  // changes relation files in its own way
inline constexpr uint8_t XLR_CHECK_CONSISTENCY = 0x02;   // images are there to compare with

// Sizes of the unaligned headers.
inline constexpr uint32_t SizeOfXLogRecordBlockHeader = 4;
inline constexpr uint32_t SizeOfXLogRecordBlockImageHeader = 5;
inline constexpr uint32_t SizeOfXLogRecordBlockCompressHeader = 2;
inline constexpr uint32_t SizeOfXLogRecordDataHeaderShort = 2;
inline constexpr uint32_t SizeOfXLogRecordDataHeaderLong = 5;
inline constexpr uint32_t MaxSizeOfXLogRecordBlockHeader =
    SizeOfXLogRecordBlockHeader + SizeOfXLogRecordBlockImageHeader +
    SizeOfXLogRecordBlockCompressHeader + sizeof(RelFileLocator) + sizeof(BlockNumber);

// fork_flags.
inline constexpr uint8_t BKPBLOCK_FORK_MASK = 0x0F;
inline constexpr uint8_t BKPBLOCK_FLAG_MASK = 0xF0;
inline constexpr uint8_t BKPBLOCK_HAS_IMAGE = 0x10;
inline constexpr uint8_t BKPBLOCK_HAS_DATA = 0x20;
inline constexpr uint8_t BKPBLOCK_WILL_INIT = 0x40;  // replay makes the page anew
inline constexpr uint8_t BKPBLOCK_SAME_REL = 0x80;   // relation as in the block before

// bimg_info, since release 15.
inline constexpr uint8_t BKPIMAGE_HAS_HOLE = 0x01;
inline constexpr uint8_t BKPIMAGE_APPLY = 0x02;  // restored at replay, not only compared
inline constexpr uint8_t BKPIMAGE_COMPRESS_PGLZ = 0x04;
inline constexpr uint8_t BKPIMAGE_COMPRESS_LZ4 = 0x08;
inline constexpr uint8_t BKPIMAGE_COMPRESS_ZSTD = 0x10;
inline constexpr uint8_t BKPIMAGE_COMPRESSED =
    BKPIMAGE_COMPRESS_PGLZ | BKPIMAGE_COMPRESS_LZ4 | BKPIMAGE_COMPRESS_ZSTD;
// bimg_info of releases 13 and 14, whose one compression method was pglz.
inline constexpr uint8_t BKPIMAGE_IS_COMPRESSED_14 = 0x02;
inline constexpr uint8_t BKPIMAGE_APPLY_14 = 0x04;

// Block ids.
inline constexpr uint8_t XLR_MAX_BLOCK_ID = 32;
inline constexpr uint8_t XLR_BLOCK_ID_DATA_SHORT = 255;
inline constexpr uint8_t XLR_BLOCK_ID_DATA_LONG = 254;
inline constexpr uint8_t XLR_BLOCK_ID_ORIGIN = 253;
inline constexpr uint8_t XLR_BLOCK_ID_TOPLEVEL_XID = 252;

}  // namespace pgdata
