// The log records of transactions, commit log, storage files and standby snapshots.
//
// A commit or abort record is xact_time, then, if the info byte has XLOG_XACT_HAS_INFO, a 4-byte xinfo and
// the parts it names, in the order of its bits. Source: src/include/access/{xact.h,clog.h,xlogrecord.h},
// src/include/catalog/{storage_xlog.h,pg_control.h}, src/include/storage/standbydefs.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

// Transaction records.
inline constexpr uint8_t XLOG_XACT_COMMIT = 0x00;
inline constexpr uint8_t XLOG_XACT_ABORT = 0x20;
inline constexpr uint8_t XLOG_XACT_OPMASK = 0x70;
inline constexpr uint8_t XLOG_XACT_HAS_INFO = 0x80;

inline constexpr uint32_t XACT_XINFO_HAS_DBINFO = 1u << 0;
inline constexpr uint32_t XACT_XINFO_HAS_SUBXACTS = 1u << 1;
inline constexpr uint32_t XACT_XINFO_HAS_RELFILELOCATORS = 1u << 2;
inline constexpr uint32_t XACT_XINFO_HAS_INVALS = 1u << 3;
inline constexpr uint32_t XACT_XINFO_HAS_TWOPHASE = 1u << 4;
inline constexpr uint32_t XACT_XINFO_HAS_ORIGIN = 1u << 5;
inline constexpr uint32_t XACT_XINFO_HAS_AE_LOCKS = 1u << 6;
inline constexpr uint32_t XACT_XINFO_HAS_GID = 1u << 7;
inline constexpr uint32_t XACT_XINFO_HAS_DROPPED_STATS = 1u << 8;
inline constexpr uint32_t XACT_COMPLETION_APPLY_FEEDBACK = 1u << 29;
inline constexpr uint32_t XACT_COMPLETION_UPDATE_RELCACHE_FILE = 1u << 30;
inline constexpr uint32_t XACT_COMPLETION_FORCE_SYNC_COMMIT = 1u << 31;

// A record that changes relation files otherwise than through its blocks.
inline constexpr uint8_t xlr_special_rel_update = 0x01;  // XLR_SPECIAL_REL_UPDATE

// Commit log, counters, standby.
inline constexpr uint8_t CLOG_ZEROPAGE = 0x00;  // data: the page number, 8 bytes
inline constexpr uint8_t XLOG_NEXTOID = 0x30;   // data: the OID, 4 bytes
inline constexpr uint8_t XLOG_RUNNING_XACTS = 0x10;

// Storage files.
inline constexpr uint8_t XLOG_SMGR_CREATE = 0x10;
inline constexpr uint8_t XLOG_SMGR_TRUNCATE = 0x20;
inline constexpr uint32_t SMGR_TRUNCATE_HEAP = 0x0001;
inline constexpr uint32_t SMGR_TRUNCATE_VM = 0x0002;
inline constexpr uint32_t SMGR_TRUNCATE_FSM = 0x0004;
inline constexpr uint32_t SMGR_TRUNCATE_ALL =
    SMGR_TRUNCATE_HEAP | SMGR_TRUNCATE_VM | SMGR_TRUNCATE_FSM;

// XLOG_SMGR_CREATE: a fork of a relation was created.
//
//   offset  size  field       meaning
//        0    12  rlocator    tablespace, database, file number
//       12     4  forkNum     fork
struct xl_smgr_create {
  RelFileLocator rlocator;
  int32_t forkNum;
};
static_assert(sizeof(xl_smgr_create) == 16);
static_assert(offsetof(xl_smgr_create, forkNum) == 12);
static_assert(std::has_unique_object_representations_v<xl_smgr_create>);

// XLOG_SMGR_TRUNCATE: a relation was cut to `blkno` blocks.
//
//   offset  size  field       meaning
//        0     4  blkno       new length of the main fork in blocks
//        4    12  rlocator    tablespace, database, file number
//       16     4  flags       SMGR_TRUNCATE_*: which forks
struct xl_smgr_truncate {
  uint32_t blkno;
  RelFileLocator rlocator;
  uint32_t flags;
};
static_assert(sizeof(xl_smgr_truncate) == 20);
static_assert(offsetof(xl_smgr_truncate, rlocator) == 4);
static_assert(offsetof(xl_smgr_truncate, flags) == 16);
static_assert(std::has_unique_object_representations_v<xl_smgr_truncate>);

// XLOG_RUNNING_XACTS: the transactions running at a checkpoint, for standbys; xids follow.
//
//   offset  size  field                meaning
//        0     4  xcnt                 number of transaction ids that follow
//        4     4  subxcnt              number of subtransaction ids after those
//        8     4  subxid_overflow      1 when subtransaction ids are missing (a bool and its padding)
//       12     4  nextXid              next to be assigned
//       16     4  oldestRunningXid     oldest that runs
//       20     4  latestCompletedXid   newest that ended
struct xl_running_xacts {
  int32_t xcnt;
  int32_t subxcnt;
  uint32_t subxid_overflow;
  TransactionId nextXid;
  TransactionId oldestRunningXid;
  TransactionId latestCompletedXid;
};
static_assert(sizeof(xl_running_xacts) == 24);
static_assert(offsetof(xl_running_xacts, nextXid) == 12);
static_assert(std::has_unique_object_representations_v<xl_running_xacts>);

}  // namespace pgdata
