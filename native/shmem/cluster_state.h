// ClusterState: the few words of the segment that say whether the cluster may be used.
//
// PANIC poisons: once `poison` was called by anybody, nothing more is written
// and every call fails with 57P02 until the cluster was reopened.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/status.h"

namespace pgdata {

class ClusterState {
 public:
  // Marks the cluster crashed; the first reason is kept.
  void poison(const char* reason);
  bool is_poisoned() const { return poisoned_.load(std::memory_order_acquire) != 0; }
  // ok, or crash_shutdown (57P02) with the reason as detail.
  Status check() const;

 private:
  std::atomic<uint32_t> poisoned_{0};
  std::atomic<uint32_t> reason_claimed_{0};
  char reason_[248] = {};
};

}  // namespace pgdata
