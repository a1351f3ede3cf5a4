// Files of whole databases and tablespaces: copied, removed, and the relation map replaced, each logged.
//
// What is done here cannot be rolled back: the caller's commit is forced, and a failure leaves files that nobody
// refers to. Source: src/backend/commands/{dbcommands.c,tablespace.c}, src/backend/utils/cache/relmapper.c, PostgreSQL 18.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"

namespace pgdata {

struct DatabaseLocation {
  Oid database;
  Oid tablespace;
};

// Writes out the source's buffers, copies its files, syncs them, logs XLOG_DBASE_CREATE_FILE_COPY. The target's directory must
// not exist; on failure it is removed.
Status copy_database_files(StorageServices& services, TransactionId xid, DatabaseLocation source,
                           DatabaseLocation target);
// Forgets buffers, removes the directories, logs XLOG_DBASE_DROP.
Status drop_database_files(StorageServices& services, TransactionId xid, Oid database,
                           const std::vector<Oid>& tablespaces);
// Makes the version directory below `path`, which exists and is empty, and the link in pg_tblspc; logs XLOG_TBLSPC_CREATE.
Status create_tablespace_directory(StorageServices& services, TransactionId xid, Oid tablespace,
                                   const std::string& path);
// object_in_use when a database still has files there.
Status drop_tablespace_directory(StorageServices& services, TransactionId xid, Oid tablespace);
// Logs XLOG_RELMAP_UPDATE and replaces pg_filenode.map (of the shared catalogs when `place.database` is 0) durably.
Status write_relation_map(StorageServices& services, TransactionId xid, DatabaseLocation place,
                          std::string_view map);

}  // namespace pgdata
