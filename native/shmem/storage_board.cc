// StorageBoard: handing requests over.
#include "shmem/storage_board.h"

#include <chrono>
#include <cstring>
#include <thread>

#include "base/invariant.h"

namespace pgdata {

void StorageBoard::plan(SegmentPlan& plan) { plan.reserve("storage board", sizeof(Shared)); }

StorageBoard::StorageBoard(Segment& segment, const ClusterState& state, ProcessTable& processes,
                           uint32_t process, InvalidationQueue& invalidations)
    : shared_(reinterpret_cast<Shared*>(segment.find("storage board"))),
      state_(state),
      processes_(processes),
      process_(process),
      invalidations_(invalidations) {}

void StorageBoard::push(const SyncRequest& request) {
  INVARIANT(request.path.size() <= path_max);
  while (!push_if_room(request)) {
    if (state_.is_poisoned()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

bool StorageBoard::push_if_room(const SyncRequest& request) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  if (shared_->request_count == requests_max) return false;
  Request& place = shared_->requests[shared_->request_count++];
  place.kind = request.kind;
  place.relation = request.relation;
  place.fork = request.fork;
  place.segment = request.segment;
  std::memcpy(place.path, request.path.c_str(), request.path.size() + 1);
  return true;
}

void StorageBoard::take(std::vector<SyncRequest>* requests) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  for (uint32_t i = 0; i < shared_->request_count; i++) {
    const Request& request = shared_->requests[i];
    requests->push_back(
        {request.kind, request.relation, request.fork, request.segment, request.path});
  }
  shared_->request_count = 0;
}

bool StorageBoard::add_unlink(RelFileLocator relation) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  if (shared_->unlink_count == unlinks_max) return false;
  shared_->unlinks[shared_->unlink_count++] = {relation, cycle()};
  return true;
}

void StorageBoard::take_unlinks(std::vector<RelFileLocator>* relations) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  const uint64_t now = cycle();
  uint32_t kept = 0;
  for (uint32_t i = 0; i < shared_->unlink_count; i++) {
    if (shared_->unlinks[i].cycle == now)
      shared_->unlinks[kept++] = shared_->unlinks[i];
    else
      relations->push_back(shared_->unlinks[i].relation);
  }
  shared_->unlink_count = kept;
}

void StorageBoard::forget_unlinks(Oid dbOid) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < shared_->unlink_count; i++) {
    if (shared_->unlinks[i].relation.dbOid != dbOid) shared_->unlinks[kept++] = shared_->unlinks[i];
  }
  shared_->unlink_count = kept;
}

void StorageBoard::announce_removal(RelFileLocator relation) {
  if (processes_.count() < 2) return;
  invalidations_.send({Invalidation::Kind::files, relation, invalid_oid});
}

}  // namespace pgdata
