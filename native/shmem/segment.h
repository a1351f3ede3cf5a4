// Segment: the one region of memory that all who use a running cluster share.
//
// Whoever wants shared memory reserves a named, cache-line-aligned range in a
// SegmentPlan before the segment exists, and finds it by the same name after. All
// references inside the segment are offsets, since each process maps it elsewhere.
//
//   offset  size  field          meaning
//        0    56  (PGShmemHeader) by which stock PostgreSQL knows that its data directory is in use
//       64     8  magic          written last: the segment is complete
//       72     4  version        of this layout
//       76     4  range_count    number of directory entries
//       80     8  size_bytes     of the whole segment
//      128    56  directory[]    name[40], offset (8), size (8), range_count times
//     8192        the reserved ranges
//
// Shared memory is System V's: it is found by its number, which postmaster.pid has in the line for it, and is gone when
// its last process is, however that ended.
// Source for the header: src/include/storage/pg_shmem.h, src/backend/port/sysv_shmem.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace pgdata {

class SegmentPlan {
 public:
  // Reserves `bytes` (zero-filled at creation), aligned to `alignment` (a power of two, at least 64,
  // at most 2 MiB). A name has at most 39 characters; there are at most 144 of them.
  void reserve(const char* name, size_t bytes, size_t alignment = 64);
  size_t total_bytes() const;

 private:
  friend class Segment;
  struct Range {
    std::string name;
    uint64_t offset;
    uint64_t size;
  };
  std::vector<Range> ranges_;
  uint64_t end_ = 8192;  // after the segment's own header and directory
};

class Segment {
 public:
  ~Segment();  // unmaps
  Segment(const Segment&) = delete;

  // Zero-filled memory that other processes of the user can attach to as long as anybody is, marked as that of
  // `data_directory`; or, when that is empty, private memory of this process. out_of_memory when there is not enough,
  // also of what the system lends for sharing.
  static Status create(const std::string& data_directory, const SegmentPlan& plan,
                       std::unique_ptr<Segment>* segment);
  // undefined_object when there is none of that number (any more) or it is not `data_directory`'s;
  // object_not_in_prerequisite_state when it is not complete, or not of this version.
  static Status attach(int id, const std::string& data_directory,
                       std::unique_ptr<Segment>* segment);

  // By which others attach; negative when the memory is private.
  int id() const { return id_; }
  std::byte* base() const { return base_; }
  size_t size_bytes() const { return size_; }
  // Address in this process of a reserved range; INVARIANT that it exists.
  std::byte* find(const char* name, size_t* bytes = nullptr) const;

 private:
  Segment() = default;
  Status verify() const;
  void write_directory(const SegmentPlan& plan) const;

  std::byte* base_ = nullptr;
  size_t size_ = 0;
  int id_ = -1;
};

}  // namespace pgdata
