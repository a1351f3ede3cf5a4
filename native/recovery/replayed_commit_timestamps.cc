// ReplayedCommitTimestamps: pages of pg_commit_ts in memory and on disk.
#include "recovery/replayed_commit_timestamps.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace pgdata {

namespace {

constexpr const char* directory = "pg_commit_ts";
constexpr uint32_t entry_bytes = 10;
constexpr uint64_t pages_per_segment = 32;

}  // namespace

ReplayedCommitTimestamps::ReplayedCommitTimestamps(StorageServices& services)
    : services_(services), block_size_(services.storage.options().block_size) {}

uint32_t ReplayedCommitTimestamps::entries_per_page() const { return block_size_ / entry_bytes; }

std::string ReplayedCommitTimestamps::segment_path(uint64_t segment) const {
  char name[24];
  std::snprintf(name, sizeof(name), "%04" PRIX64, segment);
  return services_.storage.options().data_directory + "/" + directory + "/" + name;
}

void ReplayedCommitTimestamps::begin(bool active, TransactionId oldest, TransactionId newest) {
  active_ = active;
  oldest_ = oldest;
  newest_ = newest;
}

// What the files do not have reads as zeroes: it was truncated later in the log, or its page is still to be zeroed.
Status ReplayedCommitTimestamps::page(uint64_t number, Page** found) {
  const auto [place, is_new] = pages_.try_emplace(number);
  *found = &place->second;
  if (!is_new) return Status::ok;
  place->second.bytes.assign(block_size_, std::byte{0});
  std::unique_ptr<File> file;
  Status status = services_.storage.files().open(segment_path(number / pages_per_segment),
                                                 OpenFlags::read_only, &file);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  size_t done = 0;
  return file->read(place->second.bytes.data(), block_size_,
                    number % pages_per_segment * block_size_, &done);
}

void ReplayedCommitTimestamps::zero_page(uint64_t number) {
  Page& zeroed = pages_[number];
  zeroed.bytes.assign(block_size_, std::byte{0});
  zeroed.dirty = true;
}

Status ReplayedCommitTimestamps::set(TransactionId xid, TimestampTz time, uint16_t origin) {
  Page* changed = nullptr;
  RETURN_IF_ERROR(page(value_of(xid) / entries_per_page(), &changed));
  std::byte* entry = changed->bytes.data() + value_of(xid) % entries_per_page() * entry_bytes;
  store(entry, time);
  store(entry + sizeof(time), origin);
  changed->dirty = true;
  if (!is_valid(newest_) || precedes(newest_, xid)) newest_ = xid;
  return Status::ok;
}

Status ReplayedCommitTimestamps::set_active(bool active, TransactionId next_xid) {
  if (active == active_) return Status::ok;
  active_ = active;
  if (active) {
    if (!is_valid(oldest_)) oldest_ = newest_ = next_xid;
    Page* first = nullptr;
    RETURN_IF_ERROR(page(value_of(next_xid) / entries_per_page(), &first));
    first->dirty = true;
    return Status::ok;
  }
  oldest_ = newest_ = invalid_transaction_id;
  pages_.clear();
  return remove_segments([](uint64_t) { return true; });
}

template <typename Unwanted>
Status ReplayedCommitTimestamps::remove_segments(Unwanted unwanted) {
  std::vector<std::string> names;
  FileSystem& files = services_.storage.files();
  Status status = files.list(services_.storage.options().data_directory + "/" + directory, &names);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  for (const std::string& name : names) {
    if (name.size() < 4 || name.size() > 15 ||
        name.find_first_not_of("0123456789ABCDEF") != std::string::npos)
      continue;
    const uint64_t segment = std::strtoull(name.c_str(), nullptr, 16);
    if (unwanted(segment)) RETURN_IF_ERROR(files.remove_file(segment_path(segment)));
  }
  return Status::ok;
}

Status ReplayedCommitTimestamps::truncate(uint64_t cutoff, TransactionId oldest) {
  if (!is_valid(oldest_) || precedes(oldest_, oldest)) oldest_ = oldest;
  const uint64_t page_count = (uint64_t{1} << 32) / entries_per_page() + 1;
  cutoff -= cutoff % pages_per_segment;
  const auto precedes_cutoff = [&](uint64_t number) {
    const uint64_t distance = (cutoff + page_count - number % page_count) % page_count;
    return distance > 0 && distance <= page_count / 2;
  };
  const auto unwanted = [&](uint64_t segment) {
    const uint64_t first = segment * pages_per_segment;
    return precedes_cutoff(first) && precedes_cutoff(first + pages_per_segment - 1);
  };
  std::erase_if(pages_,
                [&](const auto& entry) { return unwanted(entry.first / pages_per_segment); });
  return remove_segments(unwanted);
}

Status ReplayedCommitTimestamps::write() {
  FileSystem& files = services_.storage.files();
  std::unique_ptr<File> file;
  uint64_t open_segment = UINT64_MAX;
  const bool fsync = services_.storage.options().fsync;
  for (auto& [number, changed] : pages_) {
    if (!changed.dirty) continue;
    const uint64_t segment = number / pages_per_segment;
    if (segment != open_segment) {
      if (file != nullptr && fsync) RETURN_IF_ERROR(file->sync());
      RETURN_IF_ERROR(
          files.open(segment_path(segment), OpenFlags::read_write | OpenFlags::create, &file));
      open_segment = segment;
    }
    RETURN_IF_ERROR(
        file->write(changed.bytes.data(), block_size_, number % pages_per_segment * block_size_));
    changed.dirty = false;
  }
  if (file == nullptr || !fsync) return Status::ok;
  RETURN_IF_ERROR(file->sync());
  return files.sync_directory(services_.storage.options().data_directory + "/" + directory);
}

}  // namespace pgdata
