// CheckpointRequests: numbers of requests, and of those that were served.
#include "engine/checkpoint_requests.h"

#include <climits>

#include "shmem/lwlock.h"

namespace pgdata {

namespace {
constexpr int poison_check_ms = 100;
}

Status CheckpointRequests::request_and_wait(const ClusterState& state) {
  const uint32_t failed_before = shared_->failed.load();
  const uint32_t mine = shared_->requested.fetch_add(1) + 1;
  for (;;) {
    const uint32_t served = shared_->served.load();
    if (static_cast<int32_t>(served - mine) >= 0) break;
    RETURN_IF_ERROR(state.check());
    futex_wait(&shared_->served, served, poison_check_ms);
  }
  RETURN_IF_ERROR(state.check());
  if (shared_->failed.load() == failed_before) return Status::ok;
  return Status::error(ErrorCode::object_not_in_prerequisite_state, "checkpoint request failed")
      .with_hint("The process that takes the checkpoints has the reason.");
}

bool CheckpointRequests::is_requested(uint32_t* ticket) const {
  *ticket = shared_->requested.load();
  return *ticket != shared_->served.load();
}

void CheckpointRequests::done(uint32_t ticket, bool succeeded) {
  if (!succeeded) shared_->failed.fetch_add(1);
  shared_->served.store(ticket);
  futex_wake(&shared_->served, INT_MAX);
}

}  // namespace pgdata
