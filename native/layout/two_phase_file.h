// The state of a prepared transaction: the main data of its PREPARE record, and with a checksum its file.
//
// A file pg_twophase/EEEEEEEEXXXXXXXX (epoch and xid in hexadecimal) is the header, then pieces that each begin at a
// multiple of eight bytes, then records of two-phase resource managers until one with TWOPHASE_RM_END_ID, then a
// CRC-32C of all before it. The PREPARE record is the same without the checksum.
//
// The header is xl_xact_prepare; after it come gid, subxacts, commitrels, abortrels, commitstats, abortstats, invalmsgs.
//
//   A two-phase record: 0 4 len, 4 1 rmid, 6 2 info, then at the next multiple of eight its `len` bytes.
//
// Little-endian. Source: xl_xact_prepare in src/include/access/xact.h, src/include/access/twophase_rmgr.h,
// src/backend/access/transam/twophase.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

// Bytes of a transaction's name with its ending zero byte, at most.
inline constexpr size_t GIDSIZE = 200;

inline constexpr uint8_t TWOPHASE_RM_END_ID = 0;
inline constexpr uint8_t TWOPHASE_RM_LOCK_ID = 1;
inline constexpr uint8_t TWOPHASE_RM_PGSTAT_ID = 2;
inline constexpr uint8_t TWOPHASE_RM_MULTIXACT_ID = 3;
inline constexpr uint8_t TWOPHASE_RM_PREDICATELOCK_ID = 4;

struct TwoPhaseRecordOnDisk {
  uint32_t len = 0;
  uint8_t rmid = TWOPHASE_RM_END_ID;
  uint8_t padding = 0;
  uint16_t info = 0;
};
static_assert(sizeof(TwoPhaseRecordOnDisk) == 8);
static_assert(offsetof(TwoPhaseRecordOnDisk, info) == 6);
static_assert(std::has_unique_object_representations_v<TwoPhaseRecordOnDisk>,
              "padding bytes must not reach the disk");

// A heavyweight lock: LOCKTAG and LOCKMODE. Source: src/include/storage/lock.h, storage/lockdefs.h.
inline constexpr uint8_t LOCKTAG_RELATION = 0;     // database, relation
inline constexpr uint8_t LOCKTAG_TRANSACTION = 5;  // xid
inline constexpr int32_t ExclusiveLock = 7;
struct TwoPhaseLockRecord {
  uint32_t locktag_field1 = 0;
  uint32_t locktag_field2 = 0;
  uint32_t locktag_field3 = 0;
  uint16_t locktag_field4 = 0;
  uint8_t locktag_type = 0;
  uint8_t locktag_lockmethodid = 1;
  int32_t lockmode = 0;
};
static_assert(sizeof(TwoPhaseLockRecord) == 20);
static_assert(std::has_unique_object_representations_v<TwoPhaseLockRecord>,
              "padding bytes must not reach the disk");

// What it changed of one relation, for the cumulative statistics.
//
//   offset  size  field                   meaning
//        0     8  tuples_inserted         rows
//        8     8  tuples_updated
//       16     8  tuples_deleted
//       24     8  inserted_pre_truncdrop  of them, before it was emptied
//       32     8  updated_pre_truncdrop
//       40     8  deleted_pre_truncdrop
//       48     4  id                      of the relation
//       52     1  shared                  a shared catalog
//       53     1  truncdropped            it was emptied or dropped
//       54     2  padding                 0
//
// Source: src/backend/utils/activity/pgstat_relation.c.
struct TwoPhasePgStatRecord {
  int64_t tuples_inserted = 0;
  int64_t tuples_updated = 0;
  int64_t tuples_deleted = 0;
  int64_t inserted_pre_truncdrop = 0;
  int64_t updated_pre_truncdrop = 0;
  int64_t deleted_pre_truncdrop = 0;
  uint32_t id = 0;
  uint8_t shared = 0;
  uint8_t truncdropped = 0;
  uint16_t padding = 0;
};
static_assert(sizeof(TwoPhasePgStatRecord) == 56);
static_assert(offsetof(TwoPhasePgStatRecord, truncdropped) == 53);
static_assert(std::has_unique_object_representations_v<TwoPhasePgStatRecord>,
              "padding bytes must not reach the disk");

// What a serializable transaction has read: one record of it, then one of each SIREAD lock.
//
//   offset  size  field   meaning
//        0     4  type    TWOPHASEPREDICATERECORD_XACT or _LOCK
//        4     4  fields  xmin of its snapshot       | database
//        8     4          flags (SXACT_FLAG_...)     | relation
//       12     4          0                          | block, or 0xFFFFFFFF: the whole relation
//       16     4          0                          | line pointer, or 0: the whole page
//       20     4          0                          | 0
//
// Source: TwoPhasePredicateRecord in src/include/storage/predicate_internals.h.
inline constexpr uint32_t TWOPHASEPREDICATERECORD_XACT = 0;
inline constexpr uint32_t TWOPHASEPREDICATERECORD_LOCK = 1;
struct TwoPhasePredicateRecord {
  uint32_t type = TWOPHASEPREDICATERECORD_XACT;
  uint32_t fields[5] = {};
};
static_assert(sizeof(TwoPhasePredicateRecord) == 24);
static_assert(std::has_unique_object_representations_v<TwoPhasePredicateRecord>,
              "padding bytes must not reach the disk");

}  // namespace pgdata
