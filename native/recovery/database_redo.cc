// Redo of resource managers Database and Tablespace: directories made, copied, removed.
// Source: dbase_redo in src/backend/commands/dbcommands.c, tblspc_redo in tablespace.c, PostgreSQL 18.
#include <cstring>
#include <string>
#include <vector>

#include "file/directory_tree.h"
#include "layout/wal_storage_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

std::string absolute(RedoContext& redo, const std::string& path) {
  return redo.services().storage.options().data_directory + "/" + path;
}

Status redo_copy(RedoContext& redo) {
  const xl_dbase_create_file_copy_rec* body = redo.main_data<xl_dbase_create_file_copy_rec>();
  if (body == nullptr) return redo.corrupted("copy of a database too short");
  const auto copy = load<xl_dbase_create_file_copy_rec>(body);
  StorageServices& services = redo.services();
  FileSystem& files = services.storage.files();
  const std::string from = services.storage.database_path(copy.src_db_id, copy.src_tablespace_id);
  const std::string to = services.storage.database_path(copy.db_id, copy.tablespace_id);
  redo.driver().forget_database(copy.db_id);
  // What the crash left of the copy may be anything.
  RETURN_IF_ERROR(remove_directory_tree(files, absolute(redo, to)));
  RETURN_IF_ERROR(redo.driver().make_directories(to.substr(0, to.rfind('/'))));
  RETURN_IF_ERROR(redo.driver().make_directories(from));
  RETURN_IF_ERROR(services.pool.flush_database(copy.src_db_id));
  return copy_directory(files, absolute(redo, from), absolute(redo, to),
                        services.storage.options().fsync);
}

Status redo_make(RedoContext& redo) {
  const xl_dbase_create_wal_log_rec* body = redo.main_data<xl_dbase_create_wal_log_rec>();
  if (body == nullptr) return redo.corrupted("creation of a database too short");
  const auto create = load<xl_dbase_create_wal_log_rec>(body);
  Storage& storage = redo.services().storage;
  const std::string path = storage.database_path(create.db_id, create.tablespace_id);
  RETURN_IF_ERROR(redo.driver().make_directories(path));
  return replace_file_durably(storage.files(), absolute(redo, path) + "/PG_VERSION", "18\n");
}

Status redo_drop(RedoContext& redo) {
  RedoBytes bytes(redo.record().main_data, redo.record().main_data_length);
  const std::byte* head = bytes.take(sizeof(xl_dbase_drop_rec));
  if (head == nullptr) return redo.corrupted("drop of a database too short");
  const auto drop = load<xl_dbase_drop_rec>(head);
  if (drop.ntablespaces < 0) return redo.corrupted("drop of a database malformed");
  const auto count = static_cast<uint32_t>(drop.ntablespaces);
  const std::byte* tablespaces = bytes.take(count * sizeof(Oid));
  if (tablespaces == nullptr) return redo.corrupted("drop of a database too short");
  redo.driver().forget_database(drop.db_id);
  Storage& storage = redo.services().storage;
  for (uint32_t i = 0; i < count; i++)
    RETURN_IF_ERROR(remove_directory_tree(
        storage.files(),
        absolute(redo,
                 storage.database_path(drop.db_id, load<Oid>(tablespaces + i * sizeof(Oid))))));
  return Status::ok;
}

// A link, or the directory that stands in for one: a tablespace in place, or one that replay made up.
Status remove_tablespace_link(FileSystem& files, const std::string& link) {
  FileInfo info;
  RETURN_IF_ERROR(files.info(link, &info));
  if (info.kind == FileKind::none) return Status::ok;
  if (info.kind == FileKind::directory) return remove_directory_tree(files, link);
  return files.remove_file(link);
}

Status redo_make_tablespace(RedoContext& redo) {
  RedoBytes bytes(redo.record().main_data, redo.record().main_data_length);
  const std::byte* head = bytes.take(sizeof(xl_tblspc_create_rec));
  if (head == nullptr) return redo.corrupted("creation of a tablespace too short");
  const size_t room = bytes.left();
  const std::byte* text = bytes.take(room);
  if (room == 0 || std::memchr(text, 0, room) == nullptr)
    return redo.corrupted("path of a tablespace does not end");
  const std::string path(reinterpret_cast<const char*>(text));
  const Oid tablespace = load<xl_tblspc_create_rec>(head).ts_id;
  Storage& storage = redo.services().storage;
  FileSystem& files = storage.files();
  const std::string link = absolute(redo, "pg_tblspc/" + std::to_string(tablespace));
  const std::string version = storage.options().tablespace_version_directory;
  if (path.empty())
    return redo.driver().make_directories("pg_tblspc/" + std::to_string(tablespace) + "/" +
                                          version);
  FileInfo info;
  RETURN_IF_ERROR(files.info(path, &info));
  if (info.kind == FileKind::none)
    return Status::error(ErrorCode::undefined_file, "directory \"%s\" does not exist", path.c_str())
        .with_hint("Create this directory for the tablespace before restarting the server.");
  Status made = files.make_directory(path + "/" + version);
  if (!made.is_ok() && made.code() != ErrorCode::duplicate_file) return made;
  RETURN_IF_ERROR(files.sync_directory(path));
  RETURN_IF_ERROR(remove_tablespace_link(files, link));
  RETURN_IF_ERROR(files.link_symbolic(path, link));
  return files.sync_directory(absolute(redo, "pg_tblspc"));
}

Status redo_drop_tablespace(RedoContext& redo) {
  const xl_tblspc_drop_rec* body = redo.main_data<xl_tblspc_drop_rec>();
  if (body == nullptr) return redo.corrupted("drop of a tablespace too short");
  const Oid tablespace = load<xl_tblspc_drop_rec>(body).ts_id;
  Storage& storage = redo.services().storage;
  FileSystem& files = storage.files();
  const std::string link = absolute(redo, "pg_tblspc/" + std::to_string(tablespace));
  storage.close_all();
  RETURN_IF_ERROR(
      remove_directory_tree(files, link + "/" + storage.options().tablespace_version_directory));
  return remove_tablespace_link(files, link);
}

}  // namespace

Status database_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_DBASE_CREATE_FILE_COPY:
      return redo_copy(redo);
    case XLOG_DBASE_CREATE_WAL_LOG:
      return redo_make(redo);
    case XLOG_DBASE_DROP:
      return redo_drop(redo);
    default:
      return redo.corrupted("unknown operation");
  }
}

Status tablespace_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_TBLSPC_CREATE:
      return redo_make_tablespace(redo);
    case XLOG_TBLSPC_DROP:
      return redo_drop_tablespace(redo);
    default:
      return redo.corrupted("unknown operation");
  }
}

}  // namespace pgdata
