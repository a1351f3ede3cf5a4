// Segment: the one region of memory that all who use a running cluster share.
//
// Whoever wants shared memory reserves a named, cache-line-aligned range in a
// SegmentPlan before the segment exists, and finds it by the same name after. All
// references inside the segment are offsets, since each process maps it elsewhere.
//
//   offset  size  field          meaning
//        0     8  magic          written last: the segment is complete
//        8     4  version        of this layout
//       12     4  range_count    number of directory entries
//       16     8  size_bytes     of the whole segment
//       24    40  (reserved)
//       64    56  directory[]    name[40], offset (8), size (8), range_count times
//     4096        the reserved ranges
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
  // at most 2 MiB). A name has at most 39 characters; there are at most 72 of them.
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
  uint64_t end_ = 4096;  // after the segment's own header and directory
};

class Segment {
 public:
  ~Segment();  // unmaps; the creator also removes the name
  Segment(const Segment&) = delete;

  // Creates the segment under `name` ("/pgdata.…", 0600, private to the user; at most 30
  // characters), zero-filled, all of its memory reserved, so that using it cannot fail later. A
  // left-over of the same name is replaced. Private memory of this process when `name` is empty.
  // out_of_memory when there is not enough.
  static Status create(const std::string& name, const SegmentPlan& plan,
                       std::unique_ptr<Segment>* segment);
  // undefined_object when there is none of that name; object_not_in_prerequisite_state when it is
  // not complete, or not of this version.
  static Status attach(const std::string& name, std::unique_ptr<Segment>* segment);

  const std::string& name() const { return name_; }
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
  std::string name_;
  bool owner_ = false;
};

}  // namespace pgdata
