// CreatedFiles: the files that open transactions have made, which go if the transaction does not commit.
//
// A Backend knows its own; these are in the segment for who has to clean up after a process that died.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/types.h"
#include "shmem/lwlock.h"
#include "shmem/segment.h"

namespace pgdata {

class CreatedFiles {
 public:
  static constexpr uint32_t files_max = 4096;

  static void plan(SegmentPlan& plan) { plan.reserve("created files", sizeof(Shared)); }
  explicit CreatedFiles(Segment& segment)
      : shared_(reinterpret_cast<Shared*>(segment.find("created files"))) {}

  void add(int slot, RelFileLocator relation);
  // The transaction of `slot` has ended.
  void forget(int slot);
  std::vector<RelFileLocator> of(int slot) const;
  // Has there ever been one more than there is room for? Then `of` may not be all.
  bool is_incomplete() const { return shared_->overflowed.load(std::memory_order_relaxed) != 0; }

 private:
  struct Entry {
    int32_t slot;
    RelFileLocator relation;
  };
  struct Shared {
    alignas(64) LwLock lock;
    std::atomic<uint32_t> overflowed;
    uint32_t count;
    Entry entries[files_max];
  };
  Shared* shared_;
};

}  // namespace pgdata
