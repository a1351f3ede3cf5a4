// Database files: copy, drop, tablespace directories, relation maps.
#include "engine/database_files.h"

#include <algorithm>

#include "file/directory_tree.h"
#include "layout/wal_record.h"
#include "layout/wal_storage_records.h"

namespace pgdata {

namespace {

constexpr const char* relation_map_name = "pg_filenode.map";

Status log_record(StorageServices& services, TransactionId xid, RmgrId rmgr, uint8_t info,
                  const void* head, size_t head_size, const void* tail, size_t tail_size,
                  bool special, Lsn* end) {
  WalRecord record;
  record.begin(rmgr, static_cast<uint8_t>(info | (special ? XLR_SPECIAL_REL_UPDATE : 0)), xid);
  record.data(head, head_size);
  if (tail_size != 0) record.data(tail, tail_size);
  RETURN_IF_ERROR(services.wal.insert(record, end));
  return services.wal.flush(*end);
}

std::string absolute(const StorageServices& services, const std::string& path) {
  return services.storage.options().data_directory + "/" + path;
}

}  // namespace

Status copy_database_files(StorageServices& services, TransactionId xid, DatabaseLocation source,
                           DatabaseLocation target) {
  FileSystem& files = services.storage.files();
  RETURN_IF_ERROR(services.pool.flush_database(source.database));
  const std::string from =
      absolute(services, services.storage.database_path(source.database, source.tablespace));
  const std::string to =
      absolute(services, services.storage.database_path(target.database, target.tablespace));
  FileInfo info;
  RETURN_IF_ERROR(files.info(to, &info));
  if (info.kind != FileKind::none)
    return Status::error(ErrorCode::duplicate_file, "directory \"%s\" already exists", to.c_str());
  Status status = copy_directory(files, from, to, services.storage.options().fsync);
  if (!status.is_ok()) {
    // What it failed with is what the caller should hear of.
    const Status removed = remove_directory_tree(files, to);
    static_cast<void>(removed.is_ok());
    return status;
  }
  const xl_dbase_create_file_copy_rec record{target.database, target.tablespace, source.database,
                                             source.tablespace};
  Lsn end = invalid_lsn;
  return log_record(services, xid, RmgrId::database, XLOG_DBASE_CREATE_FILE_COPY, &record,
                    sizeof(record), nullptr, 0, true, &end);
}

Status drop_database_files(StorageServices& services, TransactionId xid, Oid database,
                           const std::vector<Oid>& tablespaces) {
  services.pool.drop_database(database);
  services.storage.close_database(database);
  for (const Oid tablespace : tablespaces)
    RETURN_IF_ERROR(remove_directory_tree(
        services.storage.files(),
        absolute(services, services.storage.database_path(database, tablespace))));
  const xl_dbase_drop_rec record{database, static_cast<int32_t>(tablespaces.size())};
  Lsn end = invalid_lsn;
  return log_record(services, xid, RmgrId::database, XLOG_DBASE_DROP, &record, sizeof(record),
                    tablespaces.data(), tablespaces.size() * sizeof(Oid), true, &end);
}

Status create_tablespace_directory(StorageServices& services, TransactionId xid, Oid tablespace,
                                   const std::string& path) {
  FileSystem& files = services.storage.files();
  FileInfo info;
  RETURN_IF_ERROR(files.info(path, &info));
  if (info.kind != FileKind::directory)
    return Status::error(ErrorCode::undefined_file, "directory \"%s\" does not exist",
                         path.c_str());
  const std::string version = path + "/" + services.storage.options().tablespace_version_directory;
  RETURN_IF_ERROR(files.info(version, &info));
  if (info.kind != FileKind::none)
    return Status::error(ErrorCode::object_in_use,
                         "directory \"%s\" already in use as a tablespace", version.c_str());
  const std::string link = absolute(services, "pg_tblspc/" + std::to_string(tablespace));
  RETURN_IF_ERROR(files.make_directory(version));
  RETURN_IF_ERROR(files.sync_directory(path));
  RETURN_IF_ERROR(files.link_symbolic(path, link));
  RETURN_IF_ERROR(files.sync_directory(absolute(services, "pg_tblspc")));
  const xl_tblspc_create_rec record{tablespace};
  Lsn end = invalid_lsn;
  return log_record(services, xid, RmgrId::tablespace, XLOG_TBLSPC_CREATE, &record, sizeof(record),
                    path.c_str(), path.size() + 1, false, &end);
}

Status drop_tablespace_directory(StorageServices& services, TransactionId xid, Oid tablespace) {
  FileSystem& files = services.storage.files();
  const std::string link = absolute(services, "pg_tblspc/" + std::to_string(tablespace));
  std::string path;
  RETURN_IF_ERROR(files.read_link(link, &path));
  const std::string version = path + "/" + services.storage.options().tablespace_version_directory;
  std::vector<std::string> databases;
  RETURN_IF_ERROR(files.list(version, &databases));
  // A database's directory there may be left empty by its last relation.
  for (const std::string& database : databases) {
    std::vector<std::string> names;
    RETURN_IF_ERROR(files.list(version + "/" + database, &names));
    if (!names.empty())
      return Status::error(ErrorCode::object_not_in_prerequisite_state,
                           "tablespace %u is not empty", tablespace);
  }
  const xl_tblspc_drop_rec record{tablespace};
  Lsn end = invalid_lsn;
  RETURN_IF_ERROR(log_record(services, xid, RmgrId::tablespace, XLOG_TBLSPC_DROP, &record,
                             sizeof(record), nullptr, 0, false, &end));
  RETURN_IF_ERROR(remove_directory_tree(files, version));
  RETURN_IF_ERROR(files.remove_file(link));
  return files.sync_directory(absolute(services, "pg_tblspc"));
}

Status write_relation_map(StorageServices& services, TransactionId xid, DatabaseLocation place,
                          std::string_view map) {
  const std::string directory =
      place.database == invalid_oid
          ? "global"
          : services.storage.database_path(place.database, place.tablespace);
  const xl_relmap_update record{place.database, place.tablespace, static_cast<int32_t>(map.size())};
  Lsn end = invalid_lsn;
  RETURN_IF_ERROR(log_record(services, xid, RmgrId::relmap, XLOG_RELMAP_UPDATE, &record,
                             sizeof(record), map.data(), map.size(), false, &end));
  return replace_file_durably(services.storage.files(),
                              absolute(services, directory + "/" + relation_map_name), map);
}

}  // namespace pgdata
