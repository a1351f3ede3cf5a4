// Main data of the records of resource managers Storage, RelMap, Database and Tablespace.
//
//   xl_smgr_create: 0 12 rlocator, 12 4 forkNum
//   xl_smgr_truncate: 0 4 blkno, 4 12 rlocator, 16 4 flags
//   xl_relmap_update: 0 4 dbid, 4 4 tsid, 8 4 nbytes, then the whole map file
//   xl_dbase_create_file_copy_rec: db_id, tablespace_id, src_db_id, src_tablespace_id (4 each)
//   xl_dbase_create_wal_log_rec: db_id, tablespace_id (4 each)
//   xl_dbase_drop_rec: 0 4 db_id, 4 4 ntablespaces, then an Oid each
//   xl_tblspc_create_rec: 0 4 ts_id, then the path, ended by a zero byte
//   xl_tblspc_drop_rec: 0 4 ts_id
//
// Little-endian. Source: src/include/catalog/storage_xlog.h, utils/relmapper.h,
// commands/dbcommands_xlog.h, commands/tablespace.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"

namespace pgdata {

// Storage.
inline constexpr uint8_t XLOG_SMGR_CREATE = 0x10;
inline constexpr uint8_t XLOG_SMGR_TRUNCATE = 0x20;

struct xl_smgr_create {
  RelFileLocator rlocator;
  int32_t forkNum;
};
static_assert(sizeof(xl_smgr_create) == 16);

inline constexpr int32_t SMGR_TRUNCATE_HEAP = 0x0001;
inline constexpr int32_t SMGR_TRUNCATE_VM = 0x0002;
inline constexpr int32_t SMGR_TRUNCATE_FSM = 0x0004;
inline constexpr int32_t SMGR_TRUNCATE_ALL =
    SMGR_TRUNCATE_HEAP | SMGR_TRUNCATE_VM | SMGR_TRUNCATE_FSM;

struct xl_smgr_truncate {
  BlockNumber blkno;
  RelFileLocator rlocator;
  int32_t flags;
};
static_assert(sizeof(xl_smgr_truncate) == 20);

// RelMap.
inline constexpr uint8_t XLOG_RELMAP_UPDATE = 0x00;

struct xl_relmap_update {
  Oid dbid;  // 0: the shared map
  Oid tsid;
  int32_t nbytes;
};
static_assert(sizeof(xl_relmap_update) == 12);

// Database.
inline constexpr uint8_t XLOG_DBASE_CREATE_FILE_COPY = 0x00;
inline constexpr uint8_t XLOG_DBASE_CREATE_WAL_LOG = 0x10;
inline constexpr uint8_t XLOG_DBASE_DROP = 0x20;

struct xl_dbase_create_file_copy_rec {
  Oid db_id;
  Oid tablespace_id;
  Oid src_db_id;
  Oid src_tablespace_id;
};
static_assert(sizeof(xl_dbase_create_file_copy_rec) == 16);

struct xl_dbase_create_wal_log_rec {
  Oid db_id;
  Oid tablespace_id;
};
static_assert(sizeof(xl_dbase_create_wal_log_rec) == 8);

struct xl_dbase_drop_rec {
  Oid db_id;
  int32_t ntablespaces;  // that many Oids follow
};
static_assert(sizeof(xl_dbase_drop_rec) == 8);

// Tablespace.
inline constexpr uint8_t XLOG_TBLSPC_CREATE = 0x00;
inline constexpr uint8_t XLOG_TBLSPC_DROP = 0x10;

struct xl_tblspc_create_rec {
  Oid ts_id;  // the path follows
};
static_assert(sizeof(xl_tblspc_create_rec) == 4);

struct xl_tblspc_drop_rec {
  Oid ts_id;
};
static_assert(sizeof(xl_tblspc_drop_rec) == 4);

}  // namespace pgdata
