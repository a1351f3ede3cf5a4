// WalSegmentFiles: creation, recycling and removal of segment files.
#include "wal/wal_segment_files.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "shmem/wait_scope.h"
#include "statistics/counting.h"

namespace pgdata {
namespace {

// Written at a time when a segment is filled with zeroes.
constexpr size_t fill_bytes = 256 * 1024;
alignas(direct_io_alignment) const std::byte fill_zeroes[fill_bytes] = {};

constexpr const char* temporary_prefix = "xlogtemp.";

// Segments looked at for a free name when somebody else made the wanted one meanwhile.
constexpr uint64_t install_attempts = 64;

}  // namespace

std::string WalSegmentFiles::path(uint64_t segment) const {
  return directory_ + "/" + wal_file_name(timeline_, segment, geometry_.segment_bytes());
}

Status WalSegmentFiles::sync_directory() {
  if (!fsync_) return Status::ok;
  return files_.sync_directory(directory_);
}

Status WalSegmentFiles::open(uint64_t segment, OpenFlags extra, std::unique_ptr<File>* file) {
  // Two attempts: between making a segment and opening it nobody removes it.
  for (int attempt = 0; attempt < 2; attempt++) {
    {
      // The lock is shared with renames, whose directory entries are on disk once we have it.
      LwLockGuard guard(shared_.lock, LockMode::shared);
      Status status = files_.open(path(segment), OpenFlags::read_write | extra, file);
      if (status.is_ok() || status.code() != ErrorCode::undefined_file) return status;
    }
    RETURN_IF_ERROR(ensure(segment));
  }
  return Status::error(ErrorCode::undefined_file, "could not open file \"%s\"",
                       path(segment).c_str());
}

Status WalSegmentFiles::ensure(uint64_t segment, SegmentReport* report) {
  if (shared_.preallocated_upto.load(std::memory_order_acquire) >= segment) {
    // Known to have existed; whoever removed it by hand is found out here.
    FileInfo info;
    RETURN_IF_ERROR(files_.info(path(segment), &info));
    if (info.kind != FileKind::none) return Status::ok;
  } else {
    LwLockGuard guard(shared_.lock, LockMode::shared);
    FileInfo info;
    RETURN_IF_ERROR(files_.info(path(segment), &info));
    if (info.kind != FileKind::none) {
      uint64_t known = shared_.preallocated_upto.load(std::memory_order_relaxed);
      while (known < segment && !shared_.preallocated_upto.compare_exchange_weak(known, segment)) {
      }
      return Status::ok;
    }
  }

  static std::atomic<uint32_t> serial{0};
  const std::string temporary = directory_ + "/" + temporary_prefix + std::to_string(getpid()) +
                                "." + std::to_string(serial++);
  if (Status status = fill(temporary); !status.is_ok()) {
    (void)files_.remove_file(temporary).is_ok();
    return status;
  }
  bool installed = false;
  uint64_t number = segment;
  RETURN_IF_ERROR(install(temporary, &number, segment + install_attempts, &installed));
  if (!installed) RETURN_IF_ERROR(files_.remove_file(temporary));
  if (installed && report != nullptr) report->added++;
  return Status::ok;
}

Status WalSegmentFiles::remove_temporary() {
  std::vector<std::string> names;
  RETURN_IF_ERROR(files_.list(directory_, &names));
  for (const std::string& name : names)
    if (name.rfind(temporary_prefix, 0) == 0)
      RETURN_IF_ERROR(files_.remove_file(directory_ + "/" + name));
  return Status::ok;
}

Status WalSegmentFiles::fill(const std::string& temporary) {
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(files_.open(
      temporary, OpenFlags::read_write | OpenFlags::create | OpenFlags::exclusive, &file));
  const uint64_t size = geometry_.segment_bytes();
  {
    const WaitScope writing(WaitEvent::wal_init_write);
    CountedIo io(IoObject::wal);
    for (uint64_t offset = 0; offset < size; offset += fill_bytes)
      RETURN_IF_ERROR(
          file->write(fill_zeroes, std::min<uint64_t>(fill_bytes, size - offset), offset));
    io.done(IoContext::init, IoOp::write, 1, static_cast<int64_t>(size));
  }
  if (!fsync_) return Status::ok;
  const WaitScope syncing(WaitEvent::wal_init_sync);
  CountedIo io(IoObject::wal);
  RETURN_IF_ERROR(file->sync());
  io.done(IoContext::init, IoOp::fsync, 1, 0);
  return Status::ok;
}

Status WalSegmentFiles::install(const std::string& temporary, uint64_t* segment, uint64_t last,
                                bool* installed) {
  *installed = false;
  LwLockGuard guard(shared_.lock, LockMode::exclusive);
  for (; *segment <= last; ++*segment) {
    FileInfo info;
    RETURN_IF_ERROR(files_.info(path(*segment), &info));
    if (info.kind == FileKind::none) break;
  }
  if (*segment > last) return Status::ok;
  RETURN_IF_ERROR(files_.rename(temporary, path(*segment)));
  RETURN_IF_ERROR(sync_directory());
  *installed = true;
  if (shared_.preallocated_upto.load(std::memory_order_relaxed) < *segment)
    shared_.preallocated_upto.store(*segment, std::memory_order_release);
  return Status::ok;
}

// The last segment worth keeping in stock: enough for the log that two checkpoints' distance may
// need, within min_wal_size and max_wal_size.
uint64_t WalSegmentFiles::recycle_upto(Lsn redo, uint64_t min_wal_bytes,
                                       uint64_t max_wal_bytes) const {
  constexpr double checkpoint_completion_target = 0.9;
  const uint64_t segment_bytes = geometry_.segment_bytes();
  const uint64_t base = redo / segment_bytes;
  const uint64_t low = base + std::max<uint64_t>(min_wal_bytes / segment_bytes, 1) - 1;
  const uint64_t high = base + std::max<uint64_t>(max_wal_bytes / segment_bytes, 1) - 1;
  const double distance =
      (1.0 + checkpoint_completion_target) * 1.1 *
      static_cast<double>(shared_.distance_estimate.load(std::memory_order_relaxed));
  const uint64_t wanted =
      (redo + static_cast<uint64_t>(distance) + segment_bytes - 1) / segment_bytes;
  return std::clamp(wanted, low, std::max(low, high));
}

Status WalSegmentFiles::remove_before(Lsn redo, Lsn end_of_log, uint64_t min_wal_bytes,
                                      uint64_t max_wal_bytes, bool only_archived,
                                      SegmentReport* report) {
  const Lsn prior = shared_.prior_redo.exchange(redo);
  if (prior != invalid_lsn && redo > prior) {
    const uint64_t bytes = redo - prior;
    const uint64_t estimate = shared_.distance_estimate.load(std::memory_order_relaxed);
    shared_.distance_estimate.store(
        bytes > estimate ? bytes
                         : static_cast<uint64_t>(0.9 * static_cast<double>(estimate) +
                                                 0.1 * static_cast<double>(bytes)),
        std::memory_order_relaxed);
    if (report != nullptr) report->distance_bytes = bytes;
  }
  if (report != nullptr)
    report->estimate_bytes = shared_.distance_estimate.load(std::memory_order_relaxed);

  const uint64_t first_kept = geometry_.segment_of(redo);
  const uint64_t recycle_last = recycle_upto(redo, min_wal_bytes, max_wal_bytes);

  std::vector<std::string> names;
  RETURN_IF_ERROR(files_.list(directory_, &names));
  std::sort(names.begin(), names.end());
  std::vector<std::string> archive_names;
  FileInfo archive_info;
  RETURN_IF_ERROR(files_.info(directory_ + "/archive_status", &archive_info));
  if (archive_info.kind == FileKind::directory)
    RETURN_IF_ERROR(files_.list(directory_ + "/archive_status", &archive_names));
  const auto archive_has = [&](const std::string& name) {
    return std::find(archive_names.begin(), archive_names.end(), name) != archive_names.end();
  };

  uint64_t candidate = geometry_.segment_of(end_of_log) + 1;
  bool changed = false;
  {
    LwLockGuard guard(shared_.lock, LockMode::exclusive);
    for (const std::string& name : names) {
      uint32_t timeline;
      uint64_t segment;
      if (!parse_wal_file_name(name, geometry_.segment_bytes(), &timeline, &segment)) continue;
      if (segment >= first_kept || archive_has(name + ".ready")) continue;
      if (only_archived && !archive_has(name + ".done")) continue;
      const std::string old_path = directory_ + "/" + name;

      bool recycled = false;
      FileInfo info;
      RETURN_IF_ERROR(files_.info(old_path, &info));
      if (info.kind == FileKind::regular && info.size_bytes == geometry_.segment_bytes()) {
        for (; candidate <= recycle_last; candidate++) {
          FileInfo taken;
          RETURN_IF_ERROR(files_.info(path(candidate), &taken));
          if (taken.kind == FileKind::none) break;
        }
        if (candidate <= recycle_last) {
          RETURN_IF_ERROR(files_.rename(old_path, path(candidate)));
          if (shared_.preallocated_upto.load(std::memory_order_relaxed) < candidate)
            shared_.preallocated_upto.store(candidate, std::memory_order_release);
          candidate++;
          recycled = true;
        }
      }
      if (!recycled) RETURN_IF_ERROR(files_.remove_file(old_path));
      if (archive_has(name + ".done"))
        RETURN_IF_ERROR(files_.remove_file(directory_ + "/archive_status/" + name + ".done"));
      changed = true;
      if (report != nullptr) (recycled ? report->recycled : report->removed)++;
    }
    if (changed) RETURN_IF_ERROR(sync_directory());
  }
  return Status::ok;
}

}  // namespace pgdata
