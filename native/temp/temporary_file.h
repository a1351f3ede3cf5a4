// TemporaryFile: bytes of one operation on disk, of any length, gone when this is.
//
// Files of at most 1 GiB, one after the other. Reads and writes go straight to them: whoever moves less than a block at
// a time uses a TemporaryStream. After an error of writing the operation is to be given up; what was read stays right.
// Source: src/backend/storage/file/buffile.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "file/file_system.h"
#include "temp/temporary_space.h"

namespace pgdata {

class TemporaryFile {
 public:
  // Nothing is made on disk before the first write.
  explicit TemporaryFile(TemporarySpace& space);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;

  // May begin behind the end: what lies between must be written before it is read. configuration_limit_exceeded for more
  // than temp_file_limit, disk_full, io_error; invalid_transaction_state once the transaction has ended.
  Status write(const void* bytes, size_t size, uint64_t offset);
  // All of it; io_error if there is less.
  Status read(void* bytes, size_t size, uint64_t offset);
  // Empties it, which gives the space back.
  void remove();

  uint64_t size_bytes() const { return size_bytes_; }

 private:
  friend class TemporarySpace;
  struct Segment {
    std::string path;
    std::unique_ptr<File> file;
    uint64_t size_bytes = 0;
  };

  Status check() const;
  Status open_segments(size_t count);
  // Those of `segments_` go, and are counted.
  void remove_segments();

  TemporarySpace* space_;  // null once it is gone
  uint32_t level_;
  uint64_t segment_bytes_;
  uint64_t size_bytes_ = 0;
  std::vector<Segment> segments_;
};

}  // namespace pgdata
