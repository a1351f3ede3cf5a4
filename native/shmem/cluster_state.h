// ClusterState: the few words of the segment that say whether the cluster may be used, and which indexes are
// being vacuumed.
//
// PANIC poisons: once `poison` was called by anybody, nothing more is written
// and every call fails with 57P02 until the cluster was reopened.
// While the log is replayed the cluster is recovering: nothing is logged, and what a page's LSN asks to be
// durable is so already.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>

#include "base/status.h"
#include "shmem/attachment.h"
#include "shmem/index_vacuums.h"

namespace pgdata {

class ClusterState {
 public:
  // Marks the cluster crashed; the first reason is kept.
  void poison(const char* reason) { poison(reason, false, 0); }
  // The same, because a process died in the middle of something: nothing is wrong with the machine, so those that are left
  // may open the cluster again on their own.
  void poison_after_death(const char* reason, int32_t pid) { poison(reason, true, pid); }
  bool needs_restart() const {
    return is_poisoned() && after_death_.load(std::memory_order_acquire) != 0;
  }
  // Whose death it was; 0: nobody's.
  int32_t dead_process() const { return dead_process_.load(std::memory_order_acquire); }
  // True for the first who asks: it tells the log why the cluster went down.
  bool claim_report() { return reported_.exchange(1, std::memory_order_acq_rel) == 0; }
  bool is_poisoned() const { return phase_.load(std::memory_order_acquire) != healthy; }
  // ok, or crash_shutdown (57P02) with the reason as detail.
  Status check() const {
    if (!is_poisoned()) [[likely]]
      return Status::ok;
    return crashed();
  }

  // Runs `body` where an exception would end the process: in a destructor, on a thread of our own, at the end of the
  // environment. Meanwhile the thread is inside the engine (ProcessTable). False if an invariant failed in it, which poisons.
  template <typename Body>
  bool contain(Body&& body) noexcept {
    const Attachment::Inside inside(this);
    try {
      body();
      return true;
    } catch (const std::exception& failure) {
      poison(failure.what());
      return false;
    }
  }

  void set_recovering(bool recovering) {
    recovering_.store(recovering ? 1 : 0, std::memory_order_release);
  }
  bool is_recovering() const { return recovering_.load(std::memory_order_acquire) != 0; }
  IndexVacuums& index_vacuums() { return index_vacuums_; }

 private:
  static constexpr uint32_t healthy = 0;
  static constexpr uint32_t poisoned = 1;
  static constexpr uint32_t reason_written = 2;

  Status crashed() const;
  void poison(const char* reason, bool after_death, int32_t pid);

  std::atomic<uint32_t> phase_{healthy};
  std::atomic<uint32_t> after_death_{0};
  std::atomic<int32_t> dead_process_{0};
  std::atomic<uint32_t> recovering_{0};
  std::atomic<uint32_t> reported_{0};
  char reason_[248] = {};
  IndexVacuums index_vacuums_;
};

}  // namespace pgdata
