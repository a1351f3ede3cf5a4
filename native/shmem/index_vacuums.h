// IndexVacuums: which indexes are being vacuumed, and under which cycle number.
//
// A page split gives both halves the number of the vacuum that runs on the index, so that the vacuum, which goes
// through the file from start to end, recognises a right half that went to a block it had passed already.
// Source: src/backend/access/nbtree/nbtutils.c (_bt_start_vacuum), PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "shmem/lwlock.h"

namespace pgdata {

class IndexVacuums {
 public:
  // `*cycle` is not 0. object_in_use when the index is being vacuumed already.
  Status begin(RelFileLocator index, uint16_t* cycle);
  void end(RelFileLocator index);
  // 0 when the index is not being vacuumed.
  uint16_t cycle_of(RelFileLocator index);

 private:
  static constexpr uint32_t entries_max = 64;
  // Higher numbers mean other things in other index types' special space. Source: src/include/access/nbtree.h.
  static constexpr uint16_t cycle_max = 0xFF7F;
  struct Entry {
    RelFileLocator index;
    uint16_t cycle = 0;  // 0: free
  };

  LwLock lock_;
  std::atomic<uint32_t> count_{0};
  uint16_t last_cycle_ = 0;
  Entry entries_[entries_max];
};

}  // namespace pgdata
