// Whole directories: copying, removing, syncing.
#include "file/directory_tree.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pgdata {

namespace {

constexpr size_t copy_bytes = 1 << 20;

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

Status copy_file(FileSystem& files, const std::string& from, const std::string& to, bool sync) {
  std::unique_ptr<File> source;
  std::unique_ptr<File> target;
  RETURN_IF_ERROR(files.open(from, OpenFlags::read_only, &source));
  RETURN_IF_ERROR(
      files.open(to, OpenFlags::read_write | OpenFlags::create | OpenFlags::exclusive, &target));
  const std::unique_ptr<std::byte[]> buffer(new std::byte[copy_bytes]);
  uint64_t offset = 0;
  for (;;) {
    size_t done = 0;
    RETURN_IF_ERROR(source->read(buffer.get(), copy_bytes, offset, &done));
    if (done != 0) RETURN_IF_ERROR(target->write(buffer.get(), done, offset));
    offset += done;
    if (done < copy_bytes) break;
  }
  return sync ? target->sync() : Status::ok;
}

bool is_temporary_relation(const std::string& name) {
  return name.size() > 1 && name[0] == 't' && name[1] >= '0' && name[1] <= '9';
}

Status copy_directory(FileSystem& files, const std::string& from, const std::string& to,
                      bool sync) {
  RETURN_IF_ERROR(files.make_directory(to));
  std::vector<std::string> names;
  RETURN_IF_ERROR(files.list(from, &names));
  for (const std::string& name : names) {
    FileInfo info;
    RETURN_IF_ERROR(files.info(from + "/" + name, &info));
    if (info.kind != FileKind::regular || is_temporary_relation(name)) continue;
    RETURN_IF_ERROR(copy_file(files, from + "/" + name, to + "/" + name, sync));
  }
  if (!sync) return Status::ok;
  RETURN_IF_ERROR(files.sync_directory(to));
  return files.sync_directory(parent_of(to));
}

Status remove_directory_tree(FileSystem& files, const std::string& path) {
  FileInfo info;
  RETURN_IF_ERROR(files.info(path, &info));
  if (info.kind == FileKind::none) return Status::ok;
  if (info.kind != FileKind::directory) return files.remove_file(path);
  std::vector<std::string> names;
  RETURN_IF_ERROR(files.list(path, &names));
  for (const std::string& name : names)
    RETURN_IF_ERROR(remove_directory_tree(files, path + "/" + name));
  return files.remove_directory(path);
}

Status sync_directory_tree(FileSystem& files, const std::string& path) {
  std::vector<std::string> names;
  RETURN_IF_ERROR(files.list(path, &names));
  for (const std::string& name : names) {
    const std::string entry = path + "/" + name;
    FileInfo info;
    RETURN_IF_ERROR(files.info(entry, &info));
    if (info.kind == FileKind::directory) {
      RETURN_IF_ERROR(sync_directory_tree(files, entry));
    } else if (info.kind == FileKind::regular) {
      std::unique_ptr<File> file;
      Status status = files.open(entry, OpenFlags::read_only, &file);
      if (status.is_ok()) status = file->sync();
      if (!status.is_ok() && status.code() != ErrorCode::undefined_file &&
          status.code() != ErrorCode::insufficient_privilege)
        return status;
    }
  }
  return files.sync_directory(path);
}

}  // namespace pgdata
