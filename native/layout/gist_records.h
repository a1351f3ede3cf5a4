// WAL records of the GiST index resource manager: info codes and the fixed part of each record.
//
//   record       main data                   block 0                     1
//   PAGE_UPDATE  gistxlogPageUpdate          page: offsets, tuples       left child
//   DELETE       gistxlogDelete, offsets     page                        -
//   PAGE_REUSE   gistxlogPageReuse           -                           -
//   PAGE_SPLIT   gistxlogPageSplit           left child                  1 to npage: int32 count, tuples
//   PAGE_DELETE  gistxlogPageDelete          deleted leaf                parent
//   ASSIGN_LSN   -                           -                           -
//
// Only the bytes up to the `_size` constant are logged where a struct ends in padding.
// Little-endian. Source: src/include/access/gistxlog.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

inline constexpr uint8_t XLOG_GIST_PAGE_UPDATE = 0x00;
inline constexpr uint8_t XLOG_GIST_DELETE = 0x10;
inline constexpr uint8_t XLOG_GIST_PAGE_REUSE = 0x20;
inline constexpr uint8_t XLOG_GIST_PAGE_SPLIT = 0x30;
inline constexpr uint8_t XLOG_GIST_PAGE_DELETE = 0x60;
inline constexpr uint8_t XLOG_GIST_ASSIGN_LSN = 0x70;

struct gistxlogPageUpdate {
  uint16_t ntodelete;  // offset numbers before the tuples
  uint16_t ntoinsert;
};
static_assert(sizeof(gistxlogPageUpdate) == 4);

// Followed by ntodelete offset numbers.
//
//   offset  size  field                    meaning
//        0     4  snapshotConflictHorizon  newest xid among the removed
//        4     2  ntodelete
//        6     1  isCatalogRel
struct gistxlogDelete {
  TransactionId snapshotConflictHorizon;
  uint16_t ntodelete;
  uint8_t isCatalogRel;
  uint8_t padding;
};
static_assert(sizeof(gistxlogDelete) == 8);
static_assert(offsetof(gistxlogDelete, isCatalogRel) == 6);

//   offset  size  field            meaning
//        0     4  origrlink        right link of the page that was split
//        8     8  orignsn          its node sequence number
//       16     1  origleaf         it was a leaf
//       18     2  npage            pages it became
//       20     1  markfollowright  all but the last get F_FOLLOW_RIGHT
struct gistxlogPageSplit {
  BlockNumber origrlink;
  uint32_t padding1;
  Lsn orignsn;
  uint8_t origleaf;
  uint8_t padding2;
  uint16_t npage;
  uint8_t markfollowright;
  uint8_t padding3[3];
};
static_assert(sizeof(gistxlogPageSplit) == 24);
static_assert(offsetof(gistxlogPageSplit, orignsn) == 8);
static_assert(offsetof(gistxlogPageSplit, npage) == 18);
static_assert(offsetof(gistxlogPageSplit, markfollowright) == 20);
static_assert(std::has_unique_object_representations_v<gistxlogPageSplit>);

//   offset  size  field           meaning
//        0     8  deleteXid       the page may be reused when nobody sees this as running
//        8     2  downlinkOffset  the parent's item that goes
struct gistxlogPageDelete {
  FullTransactionId deleteXid;
  OffsetNumber downlinkOffset;
  uint16_t padding[3];
};
static_assert(offsetof(gistxlogPageDelete, downlinkOffset) == 8);
inline constexpr size_t gistxlogPageDelete_size = 10;

struct gistxlogPageReuse {
  RelFileLocator locator;
  BlockNumber block;
  FullTransactionId snapshotConflictHorizon;
  uint8_t isCatalogRel;
  uint8_t padding[7];
};
static_assert(offsetof(gistxlogPageReuse, snapshotConflictHorizon) == 16);
inline constexpr size_t gistxlogPageReuse_size = 25;
static_assert(offsetof(gistxlogPageReuse, isCatalogRel) + 1 == gistxlogPageReuse_size);

}  // namespace pgdata
