// TapeSet: any number of tapes in one temporary file. A tape is written from its start to its end, then read.
//
// The file is made of extents of one size, each written and read by one call. What a tape was read past is used again for
// what is written next, so that merging takes little more room than what is merged.
//
//   the extents of a tape: bytes of the tape, and in the last 8 of each but the last extent the number of the next
//
// Source: src/backend/utils/sort/logtape.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "temp/temporary_file.h"

namespace pgdata {

struct Tape {
  uint64_t first_extent = 0;
  uint64_t bytes = 0;
};

class TapeSet {
 public:
  // A multiple of 8 KiB.
  TapeSet(TemporarySpace& space, size_t extent_bytes);

  size_t extent_bytes() const { return extent_bytes_; }
  // On disk, where tapes that were read take none if something else was written since.
  uint64_t disk_bytes() const { return file_.size_bytes(); }

 private:
  friend class TapeWriter;
  friend class TapeReader;
  static constexpr size_t link_bytes = sizeof(uint64_t);

  uint64_t take_extent();
  void give_extent(uint64_t extent) { free_.push_back(extent); }

  TemporaryFile file_;
  const size_t extent_bytes_;
  uint64_t extents_ = 0;
  std::vector<uint64_t> free_;
};

// Writes one tape at a time. Holds one extent of memory.
class TapeWriter {
 public:
  explicit TapeWriter(TapeSet& tapes);

  void begin();
  // The errors of TemporaryFile.
  Status write(const void* bytes, size_t size);
  Status end(Tape* tape);

 private:
  Status write_extent(size_t used);

  TapeSet& tapes_;
  std::unique_ptr<std::byte[]> extent_;
  Tape tape_;
  uint64_t current_ = 0;
  size_t used_ = 0;
};

// Reads one tape. Holds one extent of memory.
class TapeReader {
 public:
  // `consumes`: what was read is gone.
  TapeReader(TapeSet& tapes, const Tape& tape, bool consumes);

  bool is_at_end() const { return unread_ == 0; }
  uint64_t unread_bytes() const { return unread_; }
  // All of it; data_corrupted where the tape has less.
  Status read(void* bytes, size_t size);

 private:
  Status next_extent();

  TapeSet& tapes_;
  std::unique_ptr<std::byte[]> extent_;
  uint64_t unread_;
  uint64_t next_;
  uint64_t current_ = 0;
  const bool consumes_;
  bool has_extent_ = false;
  size_t used_ = 0;    // of the extent: what was read
  size_t filled_ = 0;  // what there is to be read
};

}  // namespace pgdata
