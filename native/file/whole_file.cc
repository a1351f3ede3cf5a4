// Small files as a whole: read, and replaced so that a crash leaves the old or the new one.
#include "file/file_system.h"

namespace pgdata {

namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status write_new_file(FileSystem& files, const std::string& path, std::string_view contents) {
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(files.open(path, OpenFlags::read_write | OpenFlags::create, &file));
  RETURN_IF_ERROR(file->truncate(0));  // A crash may have left one.
  RETURN_IF_ERROR(file->write(contents.data(), contents.size(), 0));
  return file->sync();
}

}  // namespace

Status read_whole_file(FileSystem& files, const std::string& path, std::string* contents) {
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(files.open(path, OpenFlags::read_only, &file));
  uint64_t size = 0;
  RETURN_IF_ERROR(file->size(&size));
  contents->resize(static_cast<size_t>(size));
  size_t done = 0;
  RETURN_IF_ERROR(file->read(contents->data(), contents->size(), 0, &done));
  contents->resize(done);
  return Status::ok;
}

// Source for the order of steps: durable_rename, src/backend/storage/file/fd.c.
Status replace_file_durably(FileSystem& files, const std::string& path, std::string_view contents) {
  const std::string temporary = path + ".tmp";
  Status status = write_new_file(files, temporary, contents);
  if (status.is_ok()) status = files.rename(temporary, path);
  if (!status.is_ok()) {
    // What the caller must hear of is the first failure.
    static_cast<void>(files.remove_file(temporary));
    return status;
  }
  return files.sync_directory(parent_of(path));
}

}  // namespace pgdata
