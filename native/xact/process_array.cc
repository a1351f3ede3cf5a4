// ProcessArray: slots, snapshots and horizons.
#include "xact/process_array.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/invariant.h"
#include "shmem/lwlock.h"

namespace pgdata {

struct ProcessArray::Shared {
  alignas(64) LwLock lock;
  alignas(64) std::atomic<uint64_t> completions;  // how many transactions ended, from 1
  std::atomic<TransactionId> latest_completed;
  std::atomic<uint32_t> slots_end;  // no slot from here on is taken
};

struct ProcessArray::Slot {
  alignas(64) std::atomic<uint32_t> pid;  // 0: free
  Oid database;
  std::atomic<uint32_t> delay_sequence;  // odd while the backend delays checkpoints
};

namespace {

constexpr size_t line_align(size_t size) { return align_up(size, 64); }

}  // namespace

void ProcessArray::plan(SegmentPlan& plan, uint32_t backends_max) {
  plan.reserve("process array", sizeof(Shared) + backends_max * sizeof(Slot) +
                                    2 * line_align(backends_max * sizeof(TransactionId)));
}

ProcessArray::ProcessArray(Segment& segment, uint32_t backends_max) : slots_max_(backends_max) {
  static_assert(sizeof(std::atomic<TransactionId>) == sizeof(TransactionId));
  std::byte* at = segment.find("process array");
  shared_ = reinterpret_cast<Shared*>(at);
  at += sizeof(Shared);
  slots_ = reinterpret_cast<Slot*>(at);
  at += backends_max * sizeof(Slot);
  xids_ = reinterpret_cast<std::atomic<TransactionId>*>(at);
  at += line_align(backends_max * sizeof(TransactionId));
  xmins_ = reinterpret_cast<std::atomic<TransactionId>*>(at);
}

void ProcessArray::initialize(TransactionId latest_completed) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  shared_->latest_completed.store(latest_completed, std::memory_order_relaxed);
  shared_->completions.store(1, std::memory_order_relaxed);
}

Status ProcessArray::take_slot(Oid database, int* slot) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  for (uint32_t i = 0; i < slots_max_; ++i) {
    if (slots_[i].pid.load(std::memory_order_relaxed) != 0) continue;
    slots_[i].database = database;
    xids_[i].store(invalid_transaction_id, std::memory_order_relaxed);
    xmins_[i].store(invalid_transaction_id, std::memory_order_relaxed);
    slots_[i].pid.store(static_cast<uint32_t>(getpid()), std::memory_order_release);
    if (i >= shared_->slots_end.load(std::memory_order_relaxed)) {
      shared_->slots_end.store(i + 1, std::memory_order_relaxed);
    }
    *slot = static_cast<int>(i);
    return Status::ok;
  }
  return Status::error(ErrorCode::too_many_connections, "sorry, too many clients already");
}

void ProcessArray::release_slot(int slot) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  INVARIANT(!is_valid(xids_[slot].load(std::memory_order_relaxed)));
  xmins_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  slots_[slot].pid.store(0, std::memory_order_release);
  uint32_t end = shared_->slots_end.load(std::memory_order_relaxed);
  while (end > 0 && slots_[end - 1].pid.load(std::memory_order_relaxed) == 0) --end;
  shared_->slots_end.store(end, std::memory_order_relaxed);
}

void ProcessArray::set_xid(int slot, TransactionId xid) {
  INVARIANT(!is_valid(xids_[slot].load(std::memory_order_relaxed)));
  xids_[slot].store(xid, std::memory_order_release);
}

void ProcessArray::end_transaction(int slot, TransactionId xid) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  INVARIANT(xids_[slot].load(std::memory_order_relaxed) == xid);
  xids_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  xmins_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  if (precedes(shared_->latest_completed.load(std::memory_order_relaxed), xid)) {
    shared_->latest_completed.store(xid, std::memory_order_relaxed);
  }
  shared_->completions.fetch_add(1, std::memory_order_relaxed);
}

void ProcessArray::clear_xmin(int slot) {
  xmins_[slot].store(invalid_transaction_id, std::memory_order_release);
}

void ProcessArray::take_snapshot(int slot, Snapshot* snapshot, uint64_t* completions) const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  const uint64_t now = shared_->completions.load(std::memory_order_relaxed);
  if (completions == nullptr || *completions != now) {
    snapshot->xip.clear();
    snapshot->xmax = next(shared_->latest_completed.load(std::memory_order_relaxed));
    snapshot->xmin = snapshot->xmax;
    const uint32_t end = shared_->slots_end.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < end; ++i) {
      const TransactionId xid = xids_[i].load(std::memory_order_acquire);
      if (!is_valid(xid) || !precedes(xid, snapshot->xmax)) continue;
      if (precedes(xid, snapshot->xmin)) snapshot->xmin = xid;
      // The own xid is always looked at before a snapshot is.
      if (static_cast<int>(i) != slot) snapshot->xip.push_back(xid);
    }
    std::sort(snapshot->xip.begin(), snapshot->xip.end());
    ended_before_.store(snapshot->xmin, std::memory_order_relaxed);
    if (completions != nullptr) *completions = now;
  }
  if (slot >= 0 && !is_valid(xmins_[slot].load(std::memory_order_relaxed))) {
    xmins_[slot].store(snapshot->xmin, std::memory_order_release);
  }
}

bool ProcessArray::is_in_progress(TransactionId xid) const {
  if (!is_normal(xid)) return false;
  const TransactionId ended_before = ended_before_.load(std::memory_order_relaxed);
  if (is_valid(ended_before) && precedes(xid, ended_before)) return false;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  if (precedes(shared_->latest_completed.load(std::memory_order_relaxed), xid)) return true;
  const uint32_t end = shared_->slots_end.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < end; ++i) {
    if (xids_[i].load(std::memory_order_acquire) == xid) return true;
  }
  return false;
}

int ProcessArray::slot_of(TransactionId xid) const {
  if (!is_normal(xid)) return -1;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  const uint32_t end = shared_->slots_end.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < end; ++i) {
    if (xids_[i].load(std::memory_order_acquire) == xid) return static_cast<int>(i);
  }
  return -1;
}

TransactionId ProcessArray::oldest_running_locked() const {
  TransactionId oldest = next(shared_->latest_completed.load(std::memory_order_relaxed));
  const uint32_t end = shared_->slots_end.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < end; ++i) {
    const TransactionId xid = xids_[i].load(std::memory_order_acquire);
    if (is_valid(xid) && precedes(xid, oldest)) oldest = xid;
  }
  return oldest;
}

TransactionId ProcessArray::oldest_running() const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  return oldest_running_locked();
}

TransactionId ProcessArray::oldest_xmin() const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  TransactionId oldest = oldest_running_locked();
  const uint32_t end = shared_->slots_end.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < end; ++i) {
    const TransactionId xmin = xmins_[i].load(std::memory_order_acquire);
    if (is_valid(xmin) && precedes(xmin, oldest)) oldest = xmin;
  }
  return oldest;
}

TransactionId ProcessArray::latest_completed() const {
  return shared_->latest_completed.load(std::memory_order_relaxed);
}

void ProcessArray::running(std::vector<TransactionId>* xids,
                           TransactionId* latest_completed) const {
  xids->clear();
  LwLockGuard guard(shared_->lock, LockMode::shared);
  const uint32_t end = shared_->slots_end.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < end; ++i) {
    const TransactionId xid = xids_[i].load(std::memory_order_acquire);
    if (is_valid(xid)) xids->push_back(xid);
  }
  *latest_completed = shared_->latest_completed.load(std::memory_order_relaxed);
}

void ProcessArray::begin_checkpoint_delay(int slot) {
  const uint32_t before = slots_[slot].delay_sequence.fetch_add(1, std::memory_order_acq_rel);
  INVARIANT(before % 2 == 0);
}

void ProcessArray::end_checkpoint_delay(int slot) {
  const uint32_t before = slots_[slot].delay_sequence.fetch_add(1, std::memory_order_acq_rel);
  INVARIANT(before % 2 == 1);
}

Status ProcessArray::wait_for_checkpoint_delays(const ClusterState& state) const {
  for (uint32_t i = 0; i < slots_max_; ++i) {
    const uint32_t seen = slots_[i].delay_sequence.load(std::memory_order_acquire);
    if (seen % 2 == 0) continue;
    while (slots_[i].delay_sequence.load(std::memory_order_acquire) == seen) {
      RETURN_IF_ERROR(state.check());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return Status::ok;
}

}  // namespace pgdata
