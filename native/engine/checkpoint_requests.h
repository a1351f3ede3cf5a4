// CheckpointRequests: asking the process that takes the checkpoints for one, and waiting for it.
//
// Source for the protocol: RequestCheckpoint in src/backend/postmaster/checkpointer.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/status.h"
#include "shmem/cluster_state.h"
#include "shmem/segment.h"

namespace pgdata {

class CheckpointRequests {
 public:
  static void plan(SegmentPlan& plan) { plan.reserve("checkpoint requests", sizeof(Shared)); }
  explicit CheckpointRequests(Segment& segment)
      : shared_(reinterpret_cast<Shared*>(segment.find("checkpoint requests"))) {}

  // Returns when a checkpoint that began after the call is there, whoever took it; its failure is
  // object_not_in_prerequisite_state.
  Status request_and_wait(const ClusterState& state);

  // For who takes them: is one asked for? `*ticket` is for `done`.
  bool is_requested(uint32_t* ticket) const;
  void done(uint32_t ticket, bool succeeded);

 private:
  struct Shared {
    alignas(64) std::atomic<uint32_t> requested;
    std::atomic<uint32_t> served;
    std::atomic<uint32_t> failed;
  };
  Shared* shared_;
};

}  // namespace pgdata
