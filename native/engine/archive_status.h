// ArchiveStatus: says of complete log segments that they are to be archived, by files `archive_status/NAME.ready`.
//
// The archiver renames them to `.done`; until then a segment is neither removed nor recycled. What a crash, recovery or
// a cluster without archiving left without either is found at the start, timeline history files included.
// Source: src/backend/access/transam/xlogarchive.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "base/status.h"
#include "base/types.h"
#include "file/file_system.h"

namespace pgdata {

class ArchiveStatus {
 public:
  ArchiveStatus(FileSystem& files, std::string wal_directory, uint32_t segment_bytes)
      : files_(files), directory_(std::move(wal_directory)), segment_bytes_(segment_bytes) {}

  // Segments before that of `flushed`, up to which the log is durable, are complete.
  Status mark_complete(Lsn flushed);

 private:
  FileSystem& files_;
  std::string directory_;
  uint32_t segment_bytes_;
  std::mutex mutex_;
  uint64_t marked_before_ = 0;
};

}  // namespace pgdata
