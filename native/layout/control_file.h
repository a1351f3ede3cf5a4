// The control file global/pg_control, and the checkpoint that it and the log hold.
//
// The file is 8192 bytes, of which all after the crc are zero; it is rewritten in place in one
// write that stays inside one 512-byte sector. What a checkpoint record holds, and a copy of it
// at offset 40 of the file:
//
//   offset  size  field                meaning
//        0     8  redo                 where replay has to start
//        8     4  ThisTimeLineID       timeline
//       12     4  PrevTimeLineID       the one before, if this checkpoint begins a timeline
//       16     1  fullPageWrites       full_page_writes setting
//       20     4  wal_level            since release 17 (padding before it)
//       24     8  nextXid              next transaction id, epoch in the high half
//       32     4  nextOid              next OID
//       36     4  nextMulti            next multixact id
//       40     4  nextMultiOffset      next offset in pg_multixact/members
//       44     4  oldestXid            least datfrozenxid of the cluster
//       48     4  oldestXidDB          database that has it
//       52     4  oldestMulti          least datminmxid of the cluster
//       56     4  oldestMultiDB        database that has it
//       64     8  time                 seconds since 1970
//       72     4  oldestCommitTsXid    oldest xid with a commit timestamp, or 0
//       76     4  newestCommitTsXid    newest, or 0
//       80     4  oldestActiveXid      oldest running xid at an online checkpoint, or 0
//
// The file:
//
//        0     8  system_identifier    made at init, unique
//        8     4  pg_control_version   1300 (releases 13 to 16), 1700, 1800
//       12     4  catalog_version_no   for example 202506291
//       16     4  state                DBState
//       24     8  time                 last change of this file, seconds since 1970
//       32     8  checkPoint           where the last checkpoint record starts
//       40    88  checkPointCopy       its contents
//      128     8  unloggedLSN          counter that stands in for log positions of unlogged pages
//      136     8  minRecoveryPoint     replay must reach this before the data are consistent
//      144     4  minRecoveryPointTLI
//      152     8  backupStartPoint
//      160     8  backupEndPoint
//      168     1  backupEndRequired
//      172     4  wal_level            0 minimal, 1 replica, 2 logical
//      176     1  wal_log_hints
//      180     4  MaxConnections
//      184     4  max_worker_processes
//      188     4  max_wal_senders
//      192     4  max_prepared_xacts
//      196     4  max_locks_per_xact
//      200     1  track_commit_timestamp
//      204     4  maxAlign             8
//      208     8  floatFormat          the double 1234567.0
//      216     4  blcksz
//      220     4  relseg_size          blocks of a relation's segment file
//      224     4  xlog_blcksz
//      228     4  xlog_seg_size        bytes of a log segment file
//      232     4  nameDataLen          64
//      236     4  indexMaxKeys         32
//      240     4  toast_max_chunk_size
//      244     4  loblksize
//      248     1  float8ByVal
//      252     4  data_checksum_version   0 or 1
//      256     1  default_char_signedness    since release 18
//      257    32  mock_authentication_nonce  (at 256 before release 18)
//      292     4  crc                  CRC-32C of all above (at 288 before release 18)
//
// Little-endian. Source: src/include/catalog/pg_control.h, PostgreSQL 13 to 18; offsets checked
// against files written by release 18.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct CheckPoint {
  Lsn redo = invalid_lsn;
  uint32_t ThisTimeLineID = 1;
  uint32_t PrevTimeLineID = 1;
  uint8_t fullPageWrites = 1;
  uint8_t padding1[3] = {};
  int32_t wal_level = 1;
  FullTransactionId nextXid = 3;
  Oid nextOid = first_genbki_object_id;
  MultiXactId nextMulti = 1;
  uint32_t nextMultiOffset = 0;
  TransactionId oldestXid = first_normal_transaction_id;
  Oid oldestXidDB = 1;
  MultiXactId oldestMulti = 1;
  Oid oldestMultiDB = 1;
  uint32_t padding2 = 0;
  int64_t time = 0;
  TransactionId oldestCommitTsXid = invalid_transaction_id;
  TransactionId newestCommitTsXid = invalid_transaction_id;
  TransactionId oldestActiveXid = invalid_transaction_id;
  uint32_t padding3 = 0;
};
static_assert(sizeof(CheckPoint) == 88);
static_assert(offsetof(CheckPoint, ThisTimeLineID) == 8);
static_assert(offsetof(CheckPoint, PrevTimeLineID) == 12);
static_assert(offsetof(CheckPoint, fullPageWrites) == 16);
static_assert(offsetof(CheckPoint, wal_level) == 20);
static_assert(offsetof(CheckPoint, nextXid) == 24);
static_assert(offsetof(CheckPoint, nextOid) == 32);
static_assert(offsetof(CheckPoint, nextMulti) == 36);
static_assert(offsetof(CheckPoint, nextMultiOffset) == 40);
static_assert(offsetof(CheckPoint, oldestXid) == 44);
static_assert(offsetof(CheckPoint, oldestXidDB) == 48);
static_assert(offsetof(CheckPoint, oldestMulti) == 52);
static_assert(offsetof(CheckPoint, oldestMultiDB) == 56);
static_assert(offsetof(CheckPoint, time) == 64);
static_assert(offsetof(CheckPoint, oldestCommitTsXid) == 72);
static_assert(offsetof(CheckPoint, newestCommitTsXid) == 76);
static_assert(offsetof(CheckPoint, oldestActiveXid) == 80);
static_assert(std::has_unique_object_representations_v<CheckPoint>,
              "padding bytes must not reach the disk");

enum class DBState : int32_t {
  DB_STARTUP = 0,
  DB_SHUTDOWNED = 1,
  DB_SHUTDOWNED_IN_RECOVERY = 2,
  DB_SHUTDOWNING = 3,
  DB_IN_CRASH_RECOVERY = 4,
  DB_IN_ARCHIVE_RECOVERY = 5,
  DB_IN_PRODUCTION = 6,
};

inline constexpr size_t MOCK_AUTH_NONCE_LEN = 32;
inline constexpr uint64_t FLOATFORMAT_VALUE = std::bit_cast<uint64_t>(1234567.0);

// What releases 13 to 18 have in common, byte for byte.
struct ControlFileHead {
  uint64_t system_identifier = 0;
  uint32_t pg_control_version = 1800;
  uint32_t catalog_version_no = 202506291;
  DBState state = DBState::DB_STARTUP;
  uint32_t padding1 = 0;
  int64_t time = 0;
  Lsn checkPoint = invalid_lsn;
  CheckPoint checkPointCopy;
  Lsn unloggedLSN = 1000;
  Lsn minRecoveryPoint = invalid_lsn;
  uint32_t minRecoveryPointTLI = 0;
  uint32_t padding2 = 0;
  Lsn backupStartPoint = invalid_lsn;
  Lsn backupEndPoint = invalid_lsn;
  uint8_t backupEndRequired = 0;
  uint8_t padding3[3] = {};
  int32_t wal_level = 1;
  uint8_t wal_log_hints = 0;
  uint8_t padding4[3] = {};
  int32_t MaxConnections = 100;
  int32_t max_worker_processes = 8;
  int32_t max_wal_senders = 10;
  int32_t max_prepared_xacts = 0;
  int32_t max_locks_per_xact = 64;
  uint8_t track_commit_timestamp = 0;
  uint8_t padding5[3] = {};
  uint32_t maxAlign = 8;
  uint64_t floatFormat = FLOATFORMAT_VALUE;
  uint32_t blcksz = 8192;
  uint32_t relseg_size = 131072;
  uint32_t xlog_blcksz = 8192;
  uint32_t xlog_seg_size = 16u << 20;
  uint32_t nameDataLen = 64;
  uint32_t indexMaxKeys = 32;
  uint32_t toast_max_chunk_size = 1996;
  uint32_t loblksize = 2048;
  uint8_t float8ByVal = 1;
  uint8_t padding6[3] = {};
  uint32_t data_checksum_version = 1;
};
static_assert(sizeof(ControlFileHead) == 256);
static_assert(offsetof(ControlFileHead, pg_control_version) == 8);
static_assert(offsetof(ControlFileHead, catalog_version_no) == 12);
static_assert(offsetof(ControlFileHead, state) == 16);
static_assert(offsetof(ControlFileHead, time) == 24);
static_assert(offsetof(ControlFileHead, checkPoint) == 32);
static_assert(offsetof(ControlFileHead, checkPointCopy) == 40);
static_assert(offsetof(ControlFileHead, unloggedLSN) == 128);
static_assert(offsetof(ControlFileHead, minRecoveryPoint) == 136);
static_assert(offsetof(ControlFileHead, minRecoveryPointTLI) == 144);
static_assert(offsetof(ControlFileHead, backupStartPoint) == 152);
static_assert(offsetof(ControlFileHead, backupEndPoint) == 160);
static_assert(offsetof(ControlFileHead, backupEndRequired) == 168);
static_assert(offsetof(ControlFileHead, wal_level) == 172);
static_assert(offsetof(ControlFileHead, wal_log_hints) == 176);
static_assert(offsetof(ControlFileHead, MaxConnections) == 180);
static_assert(offsetof(ControlFileHead, max_worker_processes) == 184);
static_assert(offsetof(ControlFileHead, max_wal_senders) == 188);
static_assert(offsetof(ControlFileHead, max_prepared_xacts) == 192);
static_assert(offsetof(ControlFileHead, max_locks_per_xact) == 196);
static_assert(offsetof(ControlFileHead, track_commit_timestamp) == 200);
static_assert(offsetof(ControlFileHead, maxAlign) == 204);
static_assert(offsetof(ControlFileHead, floatFormat) == 208);
static_assert(offsetof(ControlFileHead, blcksz) == 216);
static_assert(offsetof(ControlFileHead, relseg_size) == 220);
static_assert(offsetof(ControlFileHead, xlog_blcksz) == 224);
static_assert(offsetof(ControlFileHead, xlog_seg_size) == 228);
static_assert(offsetof(ControlFileHead, nameDataLen) == 232);
static_assert(offsetof(ControlFileHead, indexMaxKeys) == 236);
static_assert(offsetof(ControlFileHead, toast_max_chunk_size) == 240);
static_assert(offsetof(ControlFileHead, loblksize) == 244);
static_assert(offsetof(ControlFileHead, float8ByVal) == 248);
static_assert(offsetof(ControlFileHead, data_checksum_version) == 252);
static_assert(std::has_unique_object_representations_v<ControlFileHead>,
              "padding bytes must not reach the disk");

// Release 18.
struct ControlFileData {
  ControlFileHead head;
  uint8_t default_char_signedness = 1;
  uint8_t mock_authentication_nonce[MOCK_AUTH_NONCE_LEN] = {};
  uint8_t padding[3] = {};
  uint32_t crc = 0;
};
static_assert(sizeof(ControlFileData) == 296);
static_assert(offsetof(ControlFileData, default_char_signedness) == 256);
static_assert(offsetof(ControlFileData, mock_authentication_nonce) == 257);
static_assert(offsetof(ControlFileData, crc) == 292);
static_assert(std::has_unique_object_representations_v<ControlFileData>,
              "padding bytes must not reach the disk");

// Releases 13 to 17.
struct ControlFileData17 {
  ControlFileHead head;
  uint8_t mock_authentication_nonce[MOCK_AUTH_NONCE_LEN] = {};
  uint32_t crc = 0;
  uint32_t padding = 0;
};
static_assert(sizeof(ControlFileData17) == 296);
static_assert(offsetof(ControlFileData17, mock_authentication_nonce) == 256);
static_assert(offsetof(ControlFileData17, crc) == 288);

// Any of them, in memory: engine/control_file.h reads and writes it.
struct ControlFile : ControlFileHead {
  uint8_t default_char_signedness = 1;
  uint8_t mock_authentication_nonce[MOCK_AUTH_NONCE_LEN] = {};
};

inline constexpr size_t PG_CONTROL_FILE_SIZE = 8192;
inline constexpr size_t PG_CONTROL_MAX_SAFE_SIZE = 512;
static_assert(sizeof(ControlFileData) <= PG_CONTROL_MAX_SAFE_SIZE);

inline constexpr uint32_t PG_CONTROL_VERSION = 1800;
inline constexpr uint32_t PG_CONTROL_VERSION_17 = 1700;
inline constexpr uint32_t PG_CONTROL_VERSION_13 = 1300;  // releases 13 to 16
inline constexpr uint32_t CATALOG_VERSION_NO = 202506291;

}  // namespace pgdata
