// IndexVacuums: a short list under a lock; splits look at its length first.
#include "shmem/index_vacuums.h"

#include "base/invariant.h"

namespace pgdata {

Status IndexVacuums::begin(RelFileLocator index, uint16_t* cycle) {
  LwLockGuard guard(lock_, LockMode::exclusive);
  Entry* free = nullptr;
  for (Entry& entry : entries_) {
    if (entry.cycle == 0) {
      if (free == nullptr) free = &entry;
    } else if (entry.index == index) {
      return Status::error(ErrorCode::object_in_use, "index %u is being vacuumed already",
                           index.relNumber);
    }
  }
  if (free == nullptr)
    return Status::error(ErrorCode::configuration_limit_exceeded,
                         "cannot vacuum more than %u indexes at a time", entries_max);
  last_cycle_ = last_cycle_ >= cycle_max ? uint16_t{1} : static_cast<uint16_t>(last_cycle_ + 1);
  *free = {index, last_cycle_};
  count_.fetch_add(1, std::memory_order_release);
  *cycle = last_cycle_;
  return Status::ok;
}

void IndexVacuums::end(RelFileLocator index) {
  LwLockGuard guard(lock_, LockMode::exclusive);
  for (Entry& entry : entries_) {
    if (entry.cycle == 0 || entry.index != index) continue;
    entry.cycle = 0;
    count_.fetch_sub(1, std::memory_order_release);
  }
}

uint16_t IndexVacuums::cycle_of(RelFileLocator index) {
  if (count_.load(std::memory_order_acquire) == 0) return 0;
  LwLockGuard guard(lock_, LockMode::shared);
  for (const Entry& entry : entries_)
    if (entry.cycle != 0 && entry.index == index) return entry.cycle;
  return 0;
}

}  // namespace pgdata
