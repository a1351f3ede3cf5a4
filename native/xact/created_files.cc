// CreatedFiles: a list in no order.
#include "xact/created_files.h"

namespace pgdata {

void CreatedFiles::add(int slot, RelFileLocator relation) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  if (shared_->count == files_max)
    shared_->overflowed.store(1, std::memory_order_relaxed);
  else
    shared_->entries[shared_->count++] = {slot, relation};
}

void CreatedFiles::forget(int slot) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < shared_->count; i++) {
    if (shared_->entries[i].slot != slot) shared_->entries[kept++] = shared_->entries[i];
  }
  shared_->count = kept;
}

std::vector<RelFileLocator> CreatedFiles::of(int slot) const {
  const LwLockGuard guard(shared_->lock, LockMode::shared);
  std::vector<RelFileLocator> relations;
  for (uint32_t i = 0; i < shared_->count; i++) {
    if (shared_->entries[i].slot == slot) relations.push_back(shared_->entries[i].relation);
  }
  return relations;
}

}  // namespace pgdata
