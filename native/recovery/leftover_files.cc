// Files that a crash leaves behind: finding them by name.
#include "recovery/leftover_files.h"

#include <algorithm>
#include <functional>
#include <set>
#include <vector>

#include "file/directory_tree.h"
#include "temp/temporary_space.h"

namespace pgdata {

namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// "16384", "16384.1", "16384_vm", "16384_init.2", taken apart.
bool parse_relation_file(const std::string& name, std::string* number, std::string* fork) {
  const std::string first = name.substr(0, name.find('.'));
  if (first.size() != name.size() && !is_number(name.substr(first.size() + 1))) return false;
  const size_t underscore = first.find('_');
  *number = first.substr(0, underscore);
  *fork = underscore == std::string::npos ? "" : first.substr(underscore + 1);
  return is_number(*number) && (fork->empty() ? underscore == std::string::npos
                                              : *fork == "fsm" || *fork == "vm" || *fork == "init");
}

// The directories, below the data directory, in which each tablespace keeps its databases.
Status tablespace_directories(StorageServices& services, std::vector<std::string>* found) {
  FileSystem& files = services.storage.files();
  const StorageOptions& options = services.storage.options();
  *found = {"base"};
  std::vector<std::string> names;
  Status status = files.list(options.data_directory + "/pg_tblspc", &names);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  for (const std::string& name : names)
    if (is_number(name))
      found->push_back("pg_tblspc/" + name + "/" + options.tablespace_version_directory);
  return Status::ok;
}

// Names in a directory below the data directory; none when it is not there.
Status list_if_there(StorageServices& services, const std::string& path,
                     std::vector<std::string>* names) {
  names->clear();
  Status status =
      services.storage.files().list(services.storage.options().data_directory + "/" + path, names);
  return status.code() == ErrorCode::undefined_file ? Status() : std::move(status);
}

Status for_each_database(StorageServices& services,
                         const std::function<Status(const std::string& directory)>& visit) {
  std::vector<std::string> tablespaces;
  RETURN_IF_ERROR(tablespace_directories(services, &tablespaces));
  for (const std::string& tablespace : tablespaces) {
    std::vector<std::string> databases;
    RETURN_IF_ERROR(list_if_there(services, tablespace, &databases));
    for (const std::string& database : databases)
      if (is_number(database)) RETURN_IF_ERROR(visit(tablespace + "/" + database));
  }
  return Status::ok;
}

// The numbers of the relations in a database's directory that have an init fork.
std::set<std::string> unlogged_relations(const std::vector<std::string>& names) {
  std::set<std::string> numbers;
  std::string number;
  std::string fork;
  for (const std::string& name : names)
    if (parse_relation_file(name, &number, &fork) && fork == "init") numbers.insert(number);
  return numbers;
}

// What is in the directories of temporary files by a name that is `wanted`.
Status remove_temporary(StorageServices& services,
                        const std::function<bool(const std::string& name)>& wanted) {
  FileSystem& files = services.storage.files();
  const std::string root = services.storage.options().data_directory + "/";
  std::vector<std::string> tablespaces;
  RETURN_IF_ERROR(tablespace_directories(services, &tablespaces));
  for (const std::string& tablespace : tablespaces) {
    std::vector<std::string> names;
    const std::string directory = tablespace + "/" + temporary_prefix;
    RETURN_IF_ERROR(list_if_there(services, directory, &names));
    for (const std::string& name : names)
      if (wanted(name))
        RETURN_IF_ERROR(remove_directory_tree(files, root + directory + "/" + name));
  }
  return Status::ok;
}

}  // namespace

Status remove_temporary_relations(StorageServices& services, const std::vector<int>& sessions) {
  FileSystem& files = services.storage.files();
  const std::string root = services.storage.options().data_directory + "/";
  return for_each_database(services, [&](const std::string& directory) -> Status {
    std::vector<std::string> names;
    RETURN_IF_ERROR(list_if_there(services, directory, &names));
    for (const std::string& name : names)
      for (const int session : sessions)
        if (name.rfind(std::string("t").append(std::to_string(session)).append("_"), 0) == 0)
          RETURN_IF_ERROR(files.remove_file(root + directory + "/" + name));
    return Status::ok;
  });
}

Status remove_temporary_files(StorageServices& services, int32_t pid) {
  return remove_temporary(
      services, [pid](const std::string& name) { return process_of_temporary_file(name) == pid; });
}

Status remove_temporary_files(StorageServices& services) {
  FileSystem& files = services.storage.files();
  const std::string root = services.storage.options().data_directory + "/";
  RETURN_IF_ERROR(remove_temporary(
      services, [](const std::string& name) { return name.rfind(temporary_prefix, 0) == 0; }));
  return for_each_database(services, [&](const std::string& directory) -> Status {
    std::vector<std::string> names;
    RETURN_IF_ERROR(list_if_there(services, directory, &names));
    for (const std::string& name : names)
      if (is_temporary_relation(name))
        RETURN_IF_ERROR(files.remove_file(root + directory + "/" + name));
    return Status::ok;
  });
}

Status remove_unlogged_contents(StorageServices& services) {
  FileSystem& files = services.storage.files();
  const std::string root = services.storage.options().data_directory + "/";
  return for_each_database(services, [&](const std::string& directory) -> Status {
    std::vector<std::string> names;
    RETURN_IF_ERROR(list_if_there(services, directory, &names));
    const std::set<std::string> unlogged = unlogged_relations(names);
    if (unlogged.empty()) return Status::ok;
    std::string number;
    std::string fork;
    for (const std::string& name : names) {
      if (!parse_relation_file(name, &number, &fork) || fork == "init") continue;
      if (unlogged.contains(number))
        RETURN_IF_ERROR(files.remove_file(root + directory + "/" + name));
    }
    return Status::ok;
  });
}

Status make_unlogged_empty(StorageServices& services) {
  FileSystem& files = services.storage.files();
  const StorageOptions& options = services.storage.options();
  const std::string root = options.data_directory + "/";
  return for_each_database(services, [&](const std::string& directory) -> Status {
    std::vector<std::string> names;
    RETURN_IF_ERROR(list_if_there(services, directory, &names));
    std::string number;
    std::string fork;
    bool changed = false;
    for (const std::string& name : names) {
      if (!parse_relation_file(name, &number, &fork) || fork != "init") continue;
      std::string target = name;
      target.erase(target.find("_init"), 5);
      RETURN_IF_ERROR(remove_directory_tree(files, root + directory + "/" + target));
      RETURN_IF_ERROR(copy_file(files, root + directory + "/" + name,
                                root + directory + "/" + target, options.fsync));
      changed = true;
    }
    return changed && options.fsync ? files.sync_directory(root + directory) : Status();
  });
}

Status sync_data_directory(StorageServices& services) {
  FileSystem& files = services.storage.files();
  const StorageOptions& options = services.storage.options();
  if (!options.fsync) return Status::ok;
  if (options.recovery_syncs_file_systems) return services.storage.sync_file_systems();
  RETURN_IF_ERROR(sync_directory_tree(files, options.data_directory));
  FileInfo info;
  const std::string log = options.data_directory + "/pg_wal";
  RETURN_IF_ERROR(files.info(log, &info));
  if (info.kind == FileKind::symbolic_link) RETURN_IF_ERROR(sync_directory_tree(files, log));
  std::vector<std::string> names;
  RETURN_IF_ERROR(list_if_there(services, "pg_tblspc", &names));
  for (const std::string& name : names) {
    const std::string link = options.data_directory + "/pg_tblspc/" + name;
    RETURN_IF_ERROR(files.info(link, &info));
    if (info.kind != FileKind::symbolic_link) continue;
    // A tablespace whose directory is gone is the business of who reads it.
    Status status = sync_directory_tree(files, link);
    if (!status.is_ok() && status.code() != ErrorCode::undefined_file) return status;
  }
  return Status::ok;
}

}  // namespace pgdata
