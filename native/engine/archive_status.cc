// ArchiveStatus: looking through pg_wal for what is complete and not yet marked.
#include "engine/archive_status.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

namespace pgdata {

namespace {

constexpr size_t segment_name_length = 24;

bool is_hexadecimal(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); });
}

bool is_history(const std::string& name) {
  return name.size() == 16 && name.ends_with(".history") && is_hexadecimal(name.substr(0, 8));
}

}  // namespace

Status ArchiveStatus::mark_complete(Lsn flushed) {
  const std::lock_guard<std::mutex> guard(mutex_);
  const uint64_t current = flushed / segment_bytes_;
  if (current <= marked_before_) return Status::ok;
  std::vector<std::string> names;
  std::vector<std::string> statuses;
  RETURN_IF_ERROR(files_.list(directory_, &names));
  RETURN_IF_ERROR(files_.list(directory_ + "/archive_status", &statuses));
  const auto has = [&](const std::string& status) {
    return std::find(statuses.begin(), statuses.end(), status) != statuses.end();
  };
  const uint64_t segments_per_id = (uint64_t{1} << 32) / segment_bytes_;
  for (const std::string& name : names) {
    bool wanted = is_history(name);
    if (name.size() == segment_name_length && is_hexadecimal(name)) {
      const uint64_t id = std::strtoull(name.substr(8, 8).c_str(), nullptr, 16);
      const uint64_t low = std::strtoull(name.substr(16, 8).c_str(), nullptr, 16);
      wanted = id * segments_per_id + low < current;
    }
    if (!wanted || has(name + ".ready") || has(name + ".done")) continue;
    std::unique_ptr<File> file;
    RETURN_IF_ERROR(files_.open(directory_ + "/archive_status/" + name + ".ready",
                                OpenFlags::read_write | OpenFlags::create, &file));
  }
  marked_before_ = current;
  return Status::ok;
}

}  // namespace pgdata
