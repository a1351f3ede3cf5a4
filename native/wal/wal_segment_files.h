// WalSegmentFiles: the segment files of one pg_wal directory: made, kept in stock, recycled, removed.
//
// A new segment is written full of zeroes and synced under a temporary name,
// then renamed, so that later commits change no metadata. A segment that is no
// longer needed is renamed to serve as a future one while the stock is short.
// Names change under `lock`, which processes share, and last before anybody can
// open a segment under its new name.
// Source: XLogFileInit, InstallXLogFileSegment, RemoveOldXlogFiles in
// src/backend/access/transam/xlog.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/types.h"
#include "file/file_system.h"
#include "shmem/lwlock.h"
#include "wal/wal_geometry.h"

namespace pgdata {

// What a checkpoint did to the segments, for the log.
struct SegmentReport {
  uint64_t added = 0;
  uint64_t removed = 0;
  uint64_t recycled = 0;
  uint64_t distance_bytes = 0;  // of log since the redo pointer before
  uint64_t estimate_bytes = 0;  // until the next one
};

class WalSegmentFiles {
 public:
  // In the shared segment; zeroes to begin with.
  struct Shared {
    LwLock lock;
    std::atomic<uint64_t> preallocated_upto;  // highest segment number known to exist
    std::atomic<uint64_t> distance_estimate;  // log bytes between checkpoints, smoothed
    std::atomic<Lsn> prior_redo;
  };

  WalSegmentFiles(FileSystem& files, Shared& shared, std::string directory, WalGeometry geometry,
                  uint32_t timeline, bool fsync)
      : files_(files),
        shared_(shared),
        directory_(std::move(directory)),
        geometry_(geometry),
        timeline_(timeline),
        fsync_(fsync) {}

  std::string path(uint64_t segment) const;
  // Opens a segment for writing, making it when it does not exist.
  Status open(uint64_t segment, OpenFlags extra, std::unique_ptr<File>* file);
  // Makes a segment unless it exists.
  Status ensure(uint64_t segment, SegmentReport* report = nullptr);
  // Removes half-filled files that a crash left. Only before anybody makes segments.
  Status remove_temporary();
  // Recycles or removes the segments before `redo`'s, those waiting for the archiver excepted; with `only_archived` those
  // that he has done alone.
  Status remove_before(Lsn redo, Lsn end_of_log, uint64_t min_wal_bytes, uint64_t max_wal_bytes,
                       bool only_archived, SegmentReport* report = nullptr);

 private:
  // Gives a filled file the name of `*segment`, or of the first later number up to `last` that has no file.
  // `*installed` false: all exist.
  Status install(const std::string& temporary, uint64_t* segment, uint64_t last, bool* installed);
  Status fill(const std::string& temporary);
  uint64_t recycle_upto(Lsn redo, uint64_t min_wal_bytes, uint64_t max_wal_bytes) const;
  Status sync_directory();

  FileSystem& files_;
  Shared& shared_;
  std::string directory_;
  WalGeometry geometry_;
  uint32_t timeline_;
  bool fsync_;
};

}  // namespace pgdata
