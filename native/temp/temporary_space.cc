// TemporarySpace: names, limits, and removing.
#include "temp/temporary_space.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "temp/temporary_file.h"

namespace pgdata {

namespace {

// The files of all threads of a process, and of all clusters that it opens, have different numbers.
std::atomic<uint64_t> next_file_number{0};

// A number may be taken by a file that an earlier process of the same id left where nobody has removed it.
constexpr int names_tried_max = 10000;

}  // namespace

int32_t process_of_temporary_file(const std::string& name) {
  const size_t prefix = std::strlen(temporary_prefix);
  if (name.compare(0, prefix, temporary_prefix) != 0) return -1;
  char* end = nullptr;
  const long pid = std::strtol(name.c_str() + prefix, &end, 10);
  const bool is_number = end != name.c_str() + prefix && *end == '.' && pid > 0 && pid <= INT32_MAX;
  return is_number ? static_cast<int32_t>(pid) : -1;
}

std::string TemporarySpace::directory() const {
  if (tablespace_ == default_tablespace_oid || tablespace_ == global_tablespace_oid)
    return std::string("base/") + temporary_prefix;
  return "pg_tblspc/" + std::to_string(tablespace_) + "/" +
         storage_.options().tablespace_version_directory + "/" + temporary_prefix;
}

Status TemporarySpace::open_segment(std::string* path, std::unique_ptr<File>* file) {
  FileSystem& files = storage_.files();
  const std::string root = storage_.options().data_directory + "/";
  const std::string within = directory();
  constexpr OpenFlags create_new = OpenFlags::read_write | OpenFlags::create | OpenFlags::exclusive;
  Status status;
  for (int i = 0; i < names_tried_max; i++) {
    *path = within + "/" + temporary_prefix + std::to_string(getpid()) + "." +
            std::to_string(next_file_number.fetch_add(1));
    status = files.open(root + *path, create_new, file);
    if (status.code() == ErrorCode::undefined_file && i == 0) {
      // Somebody else may be making it at the same time.
      Status made = files.make_directory(root + within);
      if (!made.is_ok() && made.code() != ErrorCode::duplicate_file) return made;
      continue;
    }
    if (status.code() != ErrorCode::duplicate_file) return status;
  }
  return status;
}

Status TemporarySpace::grow(uint64_t bytes) {
  const int64_t limit = limits_.temp_file_limit_bytes;
  if (limit >= 0 && bytes_ + bytes > static_cast<uint64_t>(limit))
    return Status::error(ErrorCode::configuration_limit_exceeded,
                         "temporary file size exceeds \"temp_file_limit\" (%" PRId64 "kB)",
                         limit / 1024);
  bytes_ += bytes;
  return Status::ok;
}

void TemporarySpace::removed(const std::string& path, uint64_t bytes) {
  bytes_ -= bytes;
  // One that cannot be removed now is when the directory is opened next.
  (void)storage_.files().remove_file(storage_.options().data_directory + "/" + path);
  if (counters_ != nullptr) counters_->count_temporary_file(static_cast<int64_t>(bytes));
  const int64_t from = limits_.log_temp_files_bytes;
  if (log_ == nullptr || from < 0 || bytes < static_cast<uint64_t>(from)) return;
  LogMessage message;
  message.backend_type = "client backend";
  message.report.code = Status::ok;
  message.report.message = "temporary file: path \"" + path + "\", size " + std::to_string(bytes);
  (*log_)(std::move(message));
}

void TemporarySpace::remove_files_of(uint32_t level) {
  std::vector<TemporaryFile*> kept;
  for (TemporaryFile* file : files_) {
    if (file->level_ < level) {
      kept.push_back(file);
      continue;
    }
    file->remove();
    file->space_ = nullptr;
  }
  files_ = std::move(kept);
}

void TemporarySpace::end_level(bool committed) {
  if (!committed) remove_files_of(level_);
  level_--;
  for (TemporaryFile* file : files_) file->level_ = std::min(file->level_, level_);
}

}  // namespace pgdata
