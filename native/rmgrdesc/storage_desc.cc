// Descriptions of the resource managers Storage, Database, Tablespace and RelMap.
// Source: src/backend/access/rmgrdesc/smgrdesc.c, dbasedesc.c, tblspcdesc.c, relmapdesc.c, PostgreSQL 18.
#include "layout/wal_storage_records.h"

#include <cstring>

#include "rmgrdesc/description.h"

namespace pgdata {

bool describe_storage(Description& d) {
  if (d.info() == XLOG_SMGR_CREATE) {
    xl_smgr_create create;
    if (!d.main(&create)) return false;
    const bool is_fork = create.forkNum >= 0 && create.forkNum < fork_count;
    d.path(create.rlocator, is_fork ? static_cast<ForkNumber>(create.forkNum) : ForkNumber::main);
  } else if (d.info() == XLOG_SMGR_TRUNCATE) {
    xl_smgr_truncate truncate;
    if (!d.main(&truncate)) return false;
    d.path(truncate.rlocator, ForkNumber::main);
    d.print(" to %u blocks flags %d", value_of(truncate.blkno), truncate.flags);
  }
  return true;
}

bool describe_database(Description& d) {
  if (d.info() == XLOG_DBASE_CREATE_FILE_COPY) {
    xl_dbase_create_file_copy_rec create;
    if (!d.main(&create)) return false;
    d.print("copy dir %u/%u to %u/%u", create.src_tablespace_id, create.src_db_id,
            create.tablespace_id, create.db_id);
  } else if (d.info() == XLOG_DBASE_CREATE_WAL_LOG) {
    xl_dbase_create_wal_log_rec create;
    if (!d.main(&create)) return false;
    d.print("create dir %u/%u", create.tablespace_id, create.db_id);
  } else if (d.info() == XLOG_DBASE_DROP) {
    RecordBytes bytes = d.main_bytes();
    xl_dbase_drop_rec drop;
    if (!bytes.take(&drop)) return false;
    d.append("dir");
    for (int32_t i = 0; i < drop.ntablespaces; i++) {
      Oid tablespace;
      if (!bytes.take(&tablespace)) return false;
      d.print(" %u/%u", tablespace, drop.db_id);
    }
  }
  return true;
}

bool describe_tablespace(Description& d) {
  RecordBytes bytes = d.main_bytes();
  if (d.info() == XLOG_TBLSPC_CREATE) {
    xl_tblspc_create_rec create;
    if (!bytes.take(&create)) return false;
    d.print("%u \"", create.ts_id);
    const size_t size = bytes.left();
    const std::byte* path = bytes.take_bytes(size);
    d.append_bytes(path, strnlen(reinterpret_cast<const char*>(path), size));
    d.append("\"");
  } else if (d.info() == XLOG_TBLSPC_DROP) {
    xl_tblspc_drop_rec drop;
    if (!bytes.take(&drop)) return false;
    d.print("%u", drop.ts_id);
  }
  return true;
}

bool describe_relmap(Description& d) {
  if (d.info() != XLOG_RELMAP_UPDATE) return true;
  xl_relmap_update update;
  if (!d.main(&update)) return false;
  d.print("database %u tablespace %u size %d", update.dbid, update.tsid, update.nbytes);
  return true;
}

}  // namespace pgdata
