// A batch of decoded WAL records as native code hands it to TypeScript, in a buffer that JavaScript owns. This is
// no disk format; it is here so that its TypeScript copy is generated.
//
// WalBatchHeader, then for each record, at a multiple of 8: WalBatchRecord, a WalBatchBlock for each
// block reference, the type's name, the description.
//
//   WalBatchHeader  0 4 records, 4 4 state (WalBatchState), 8 4 needed: bytes the buffer must have,
//                   when one record alone did not fit
//
//   WalBatchRecord
//
//   offset  size  field              meaning
//        0     8  lsn                where it starts
//        8     8  end_lsn            where the next may start
//       16     8  prev_lsn           where the one before starts
//       24     4  xid
//       28     4  total_length       bytes of the record
//       32     4  fpi_length         of which page images
//       36     4  main_data_length
//       40     4  entry_length       bytes from here to the next WalBatchRecord
//       44     4  text_length        bytes of the description
//       48     2  block_count
//       50     2  origin             replication origin
//       52     1  rmid
//       53     1  info               xl_info
//       54     1  type_length        bytes of the type's name; 0: there is none
//       55     1  undescribed        1: this release's layout of the record is not known
//       56     4  toplevel_xid
//
//   WalBatchBlock
//
//        0    12  relation           spcOid, dbOid, relNumber
//       12     4  block
//       16     2  image_length
//       18     2  hole_offset
//       20     2  hole_length
//       22     2  data_length
//       24     1  id
//       25     1  fork
//       26     1  fork_flags         BKPBLOCK_*
//       27     1  bimg_info          BKPIMAGE_*, in the form of release 15
//
// Little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

enum class WalBatchState : uint32_t {
  more = 0,         // the batch is full, or enough was read
  end_of_log = 1,   // what follows is no valid record
  end_reached = 2,  // the next record ends after the position asked for
};

struct WalBatchHeader {
  uint32_t records;
  uint32_t state;
  uint32_t needed;
  uint32_t padding;
};
static_assert(sizeof(WalBatchHeader) == 16);

struct WalBatchRecord {
  Lsn lsn;
  Lsn end_lsn;
  Lsn prev_lsn;
  uint32_t xid;
  uint32_t total_length;
  uint32_t fpi_length;
  uint32_t main_data_length;
  uint32_t entry_length;
  uint32_t text_length;
  uint16_t block_count;
  uint16_t origin;
  uint8_t rmid;
  uint8_t info;
  uint8_t type_length;
  uint8_t undescribed;
  uint32_t toplevel_xid;
  uint32_t padding;
};
static_assert(sizeof(WalBatchRecord) == 64);
static_assert(offsetof(WalBatchRecord, block_count) == 48);
static_assert(offsetof(WalBatchRecord, toplevel_xid) == 56);
static_assert(std::has_unique_object_representations_v<WalBatchRecord>);

struct WalBatchBlock {
  RelFileLocator relation;
  uint32_t block;
  uint16_t image_length;
  uint16_t hole_offset;
  uint16_t hole_length;
  uint16_t data_length;
  uint8_t id;
  uint8_t fork;
  uint8_t fork_flags;
  uint8_t bimg_info;
};
static_assert(sizeof(WalBatchBlock) == 28);
static_assert(offsetof(WalBatchBlock, id) == 24);

}  // namespace pgdata
