// Main data of the records of resource managers Transaction, CLOG, MultiXact and Standby.
//
// A commit or abort record is the time (8 bytes), then, when xl_info has XLOG_XACT_HAS_INFO, a
// four-byte xinfo, then the pieces it names, in this order, each a multiple of four bytes:
//
//   XACT_XINFO_HAS_DBINFO            xl_xact_dbinfo
//   XACT_XINFO_HAS_SUBXACTS          int32 count, then TransactionId each
//   XACT_XINFO_HAS_RELFILELOCATORS   int32 count, then RelFileLocator each: files to be removed
//   XACT_XINFO_HAS_DROPPED_STATS     int32 count, then xl_xact_stats_item each
//   XACT_XINFO_HAS_INVALS            int32 count, then SharedInvalidationMessage each (commit only)
//   XACT_XINFO_HAS_TWOPHASE          TransactionId of the prepared transaction
//   XACT_XINFO_HAS_GID               its name, ended by a zero byte
//   XACT_XINFO_HAS_ORIGIN            xl_xact_origin, unaligned
//
// CLOG_ZEROPAGE carries an int64 page number, the multixact zero-page records likewise.
//
//   xl_running_xacts: 0 4 xcnt, 4 4 subxcnt, 8 1 subxid_overflow, 12 4 nextXid,
//   16 4 oldestRunningXid, 20 4 latestCompletedXid, then xcnt + subxcnt TransactionIds
//
// Little-endian. Source: src/include/access/xact.h, access/clog.h, access/multixact.h,
// storage/standbydefs.h, storage/sinval.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

// Transaction.
inline constexpr uint8_t XLOG_XACT_COMMIT = 0x00;
inline constexpr uint8_t XLOG_XACT_PREPARE = 0x10;
inline constexpr uint8_t XLOG_XACT_ABORT = 0x20;
inline constexpr uint8_t XLOG_XACT_COMMIT_PREPARED = 0x30;
inline constexpr uint8_t XLOG_XACT_ABORT_PREPARED = 0x40;
inline constexpr uint8_t XLOG_XACT_ASSIGNMENT = 0x50;
inline constexpr uint8_t XLOG_XACT_INVALIDATIONS = 0x60;
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

struct xl_xact_commit {
  TimestampTz xact_time;
};
static_assert(sizeof(xl_xact_commit) == 8);

struct xl_xact_abort {
  TimestampTz xact_time;
};
static_assert(sizeof(xl_xact_abort) == 8);

struct xl_xact_xinfo {
  uint32_t xinfo;
};
static_assert(sizeof(xl_xact_xinfo) == 4);

struct xl_xact_dbinfo {
  Oid dbId;
  Oid tsId;
};
static_assert(sizeof(xl_xact_dbinfo) == 8);

struct xl_xact_stats_item {
  int32_t kind;
  Oid dboid;
  uint32_t objid_lo;
  uint32_t objid_hi;
};
static_assert(sizeof(xl_xact_stats_item) == 16);

struct xl_xact_origin {
  Lsn origin_lsn;
  TimestampTz origin_timestamp;
};
static_assert(sizeof(xl_xact_origin) == 16);

struct xl_xact_assignment {
  TransactionId xtop;
  int32_t nsubxacts;  // that many TransactionIds follow
};
static_assert(sizeof(xl_xact_assignment) == 8);

// XLOG_XACT_PREPARE, which is also the content of a file in pg_twophase. What follows, each starting at a multiple
// of 8: the name with its zero byte (gidlen), nsubxacts TransactionIds, ncommitrels and nabortrels
// RelFileLocators, ncommitstats and nabortstats xl_xact_stats_items, ninvalmsgs
// SharedInvalidationMessages, then the records of the parts that have state of their own.
//
//   offset  size  field             meaning
//        0     4  magic             TWOPHASE_MAGIC
//        4     4  total_len         bytes of all of it
//        8     4  xid
//       12     4  database
//       16     8  prepared_at
//       24     4  owner             role
//       28     4  nsubxacts
//       32     4  ncommitrels       files removed by a commit
//       36     4  nabortrels        files removed by an abort
//       40     4  ncommitstats
//       44     4  nabortstats
//       48     4  ninvalmsgs
//       52     1  initfileinval     the relation cache's file becomes stale
//       54     2  gidlen
//       56     8  origin_lsn        of the replication origin, if there is one
//       64     8  origin_timestamp
struct xl_xact_prepare {
  uint32_t magic;
  uint32_t total_len;
  TransactionId xid;
  Oid database;
  TimestampTz prepared_at;
  Oid owner;
  int32_t nsubxacts;
  int32_t ncommitrels;
  int32_t nabortrels;
  int32_t ncommitstats;
  int32_t nabortstats;
  int32_t ninvalmsgs;
  uint8_t initfileinval;
  uint8_t padding;
  uint16_t gidlen;
  Lsn origin_lsn;
  TimestampTz origin_timestamp;
};
static_assert(sizeof(xl_xact_prepare) == 72);
static_assert(offsetof(xl_xact_prepare, prepared_at) == 16);
static_assert(offsetof(xl_xact_prepare, initfileinval) == 52);
static_assert(offsetof(xl_xact_prepare, gidlen) == 54);
static_assert(offsetof(xl_xact_prepare, origin_lsn) == 56);
static_assert(std::has_unique_object_representations_v<xl_xact_prepare>);
inline constexpr uint32_t TWOPHASE_MAGIC = 0x57F94534;

// One of the kinds by `id`: a catalog cache's number (0 and above), or SHAREDINVAL*_ID.
//   catcache: 4 4 dbId, 8 4 hashValue      catalog: 4 4 dbId, 8 4 catId
//   relcache: 4 4 dbId, 8 4 relId          relmap: 4 4 dbId
//   snapshot: 4 4 dbId, 8 4 relId          relsync: 4 4 dbId, 8 4 relid
//   smgr: 1 1 backend_hi, 2 2 backend_lo, 4 12 rlocator
struct SharedInvalidationMessage {
  int8_t id;
  int8_t backend_hi;
  uint16_t backend_lo;
  uint32_t words[3];
};
static_assert(sizeof(SharedInvalidationMessage) == 16);
static_assert(std::has_unique_object_representations_v<SharedInvalidationMessage>);
inline constexpr int8_t SHAREDINVALCATALOG_ID = -1;
inline constexpr int8_t SHAREDINVALRELCACHE_ID = -2;
inline constexpr int8_t SHAREDINVALSMGR_ID = -3;
inline constexpr int8_t SHAREDINVALRELMAP_ID = -4;
inline constexpr int8_t SHAREDINVALSNAPSHOT_ID = -5;
inline constexpr int8_t SHAREDINVALRELSYNC_ID = -6;

// CLOG.
inline constexpr uint8_t CLOG_ZEROPAGE = 0x00;
inline constexpr uint8_t CLOG_TRUNCATE = 0x10;

struct xl_clog_truncate {
  int64_t pageno;
  TransactionId oldestXact;
  Oid oldestXactDb;
};
static_assert(sizeof(xl_clog_truncate) == 16);

// MultiXact.
inline constexpr uint8_t XLOG_MULTIXACT_ZERO_OFF_PAGE = 0x00;
inline constexpr uint8_t XLOG_MULTIXACT_ZERO_MEM_PAGE = 0x10;
inline constexpr uint8_t XLOG_MULTIXACT_CREATE_ID = 0x20;
inline constexpr uint8_t XLOG_MULTIXACT_TRUNCATE_ID = 0x30;

// What a member does to the row; the last two are changes, the others locks.
enum class MultiXactStatus : int32_t {
  for_key_share = 0,
  for_share = 1,
  for_no_key_update = 2,
  for_update = 3,
  no_key_update = 4,
  update = 5,
};
constexpr bool is_update(MultiXactStatus status) { return status > MultiXactStatus::for_update; }

struct MultiXactMember {
  TransactionId xid;
  MultiXactStatus status;
};
static_assert(sizeof(MultiXactMember) == 8);

struct xl_multixact_create {
  MultiXactId mid;
  uint32_t moff;
  int32_t nmembers;  // that many MultiXactMembers follow
};
static_assert(sizeof(xl_multixact_create) == 12);

struct xl_multixact_truncate {
  Oid oldestMultiDB;
  MultiXactId startTruncOff;
  MultiXactId endTruncOff;
  uint32_t startTruncMemb;
  uint32_t endTruncMemb;
};
static_assert(sizeof(xl_multixact_truncate) == 20);

// Standby.
inline constexpr uint8_t XLOG_STANDBY_LOCK = 0x00;
inline constexpr uint8_t XLOG_RUNNING_XACTS = 0x10;
inline constexpr uint8_t XLOG_INVALIDATIONS = 0x20;

struct xl_standby_lock {
  TransactionId xid;
  Oid dbOid;
  Oid relOid;
};
static_assert(sizeof(xl_standby_lock) == 12);

struct xl_standby_locks {
  int32_t nlocks;  // that many xl_standby_locks follow
};
static_assert(sizeof(xl_standby_locks) == 4);

struct xl_running_xacts {
  int32_t xcnt;
  int32_t subxcnt;
  uint8_t subxid_overflow;
  uint8_t padding[3];
  TransactionId nextXid;
  TransactionId oldestRunningXid;
  TransactionId latestCompletedXid;
};
static_assert(sizeof(xl_running_xacts) == 24);
static_assert(offsetof(xl_running_xacts, nextXid) == 12);
static_assert(std::has_unique_object_representations_v<xl_running_xacts>);

struct xl_invalidations {
  Oid dbId;
  Oid tsId;
  uint8_t relcacheInitFileInval;
  uint8_t padding[3];
  int32_t nmsgs;  // that many SharedInvalidationMessages follow
};
static_assert(sizeof(xl_invalidations) == 16);
static_assert(std::has_unique_object_representations_v<xl_invalidations>);

}  // namespace pgdata
