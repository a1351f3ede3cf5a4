// StorageBoard: StorageSharing in the segment.
//
// Requests to sync wait in an array until the owner takes them; files to be unlinked stay in another one until they are
// gone, so that they are not lost with an owner that dies.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "file/storage_sharing.h"
#include "shmem/cluster_state.h"
#include "shmem/invalidation_queue.h"
#include "shmem/lwlock.h"
#include "shmem/process_table.h"
#include "shmem/segment.h"

namespace pgdata {

class StorageBoard final : public StorageSharing {
 public:
  static constexpr uint32_t requests_max = 16384;
  static constexpr uint32_t unlinks_max = 4096;
  static constexpr uint32_t path_max = 63;

  static void plan(SegmentPlan& plan);
  // `process`: this one's number.
  StorageBoard(Segment& segment, const ClusterState& state, ProcessTable& processes,
               uint32_t process, InvalidationQueue& invalidations);

  bool is_owner() const override { return processes_.owner() == process_; }
  uint64_t cycle() const override { return shared_->cycle.load(std::memory_order_seq_cst); }
  void begin_cycle() override { shared_->cycle.fetch_add(1, std::memory_order_seq_cst); }
  void push(const SyncRequest& request) override;
  bool push_if_room(const SyncRequest& request) override;
  void take(std::vector<SyncRequest>* requests) override;
  bool add_unlink(RelFileLocator relation) override;
  void take_unlinks(std::vector<RelFileLocator>* relations) override;
  void forget_unlinks(Oid dbOid) override;
  void announce_removal(RelFileLocator relation) override;

 private:
  struct Request {
    SyncRequest::Kind kind;
    RelFileLocator relation;
    ForkNumber fork;
    uint32_t segment;
    char path[path_max + 1];
  };
  struct Unlink {
    RelFileLocator relation;
    uint64_t cycle;
  };
  struct Shared {
    alignas(64) LwLock lock;
    std::atomic<uint64_t> cycle;
    uint32_t request_count;
    uint32_t unlink_count;
    Unlink unlinks[unlinks_max];
    Request requests[requests_max];
  };

  Shared* shared_;
  const ClusterState& state_;
  ProcessTable& processes_;
  uint32_t process_;
  InvalidationQueue& invalidations_;
};

}  // namespace pgdata
