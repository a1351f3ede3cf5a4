// Segment: the one MAP_SHARED region of a running cluster.
//
// Whoever wants shared memory reserves a named, cache-line-aligned range in a
// SegmentPlan before the segment exists, and finds it by the same name after. All
// references inside the segment are offsets, since each process maps it elsewhere.
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
  // Reserves `bytes` (zero-filled at creation), aligned to `alignment` (a power of two, at least 64).
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

  // Creates the segment under `name` (0600, private to the user), zero-filled. A
  // left-over of the same name is replaced. Anonymous (this process only) when `name` is empty.
  static Status create(const std::string& name, const SegmentPlan& plan, std::unique_ptr<Segment>* segment);
  static Status attach(const std::string& name, std::unique_ptr<Segment>* segment);

  std::byte* base() const { return base_; }
  size_t size_bytes() const { return size_; }
  // Address in this process of a reserved range; INVARIANT that it exists.
  std::byte* find(const char* name, size_t* bytes = nullptr) const;

 private:
  Segment() = default;
  std::byte* base_ = nullptr;
  size_t size_ = 0;
  std::string name_;
  bool owner_ = false;
};

}  // namespace pgdata
