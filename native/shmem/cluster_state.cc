// ClusterState: poisoning, and the error that follows from it.
#include "shmem/cluster_state.h"

#include <cstdio>

namespace pgdata {

void ClusterState::poison(const char* reason, bool after_death, int32_t pid) {
  uint32_t expected = healthy;
  if (!phase_.compare_exchange_strong(expected, poisoned, std::memory_order_acq_rel)) return;
  dead_process_.store(pid, std::memory_order_release);
  after_death_.store(after_death ? 1 : 0, std::memory_order_release);
  std::snprintf(reason_, sizeof(reason_), "%s", reason);
  phase_.store(reason_written, std::memory_order_release);
}

Status ClusterState::crashed() const {
  Status status = Status::error(ErrorCode::crash_shutdown, "the cluster has crashed");
  if (phase_.load(std::memory_order_acquire) == reason_written)
    status = std::move(status).with_detail(reason_);
  if (needs_restart())
    return std::move(status).with_hint(
        "Connect again in a moment, when the cluster has recovered.");
  return std::move(status).with_hint(
      "Close the cluster and open it again; it recovers from its write-ahead log.");
}

}  // namespace pgdata
