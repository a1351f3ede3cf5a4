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
  std::atomic<uint32_t> backends_used;  // no slot of a backend from here on is taken
  std::atomic<uint32_t>
      prepared_used;  // likewise of those after the backends', counted from the first of them
};

struct ProcessArray::Slot {
  alignas(64) std::atomic<uint32_t> pid;  // 0: free
  Oid database;
  uint32_t process;
  std::atomic<uint32_t> delay_sequence;  // odd while the backend delays checkpoints
};

namespace {

constexpr uint32_t slots_per_line = 64 / sizeof(TransactionId);
constexpr size_t line_align(size_t size) { return align_up(size, 64); }

constexpr uint32_t overflowed_bit = 1u << 31;
constexpr uint32_t count_of(uint32_t sub_state) { return sub_state & ~overflowed_bit; }
constexpr bool is_overflowed(uint32_t sub_state) { return (sub_state & overflowed_bit) != 0; }

}  // namespace

void ProcessArray::plan(SegmentPlan& plan, uint32_t backends_max, uint32_t prepared_max) {
  const size_t slots = size_t{backends_max} + prepared_max;
  plan.reserve("process array", sizeof(Shared) + slots * sizeof(Slot) +
                                    3 * line_align(slots * sizeof(TransactionId)) +
                                    slots * subxids_max * sizeof(TransactionId));
}

ProcessArray::ProcessArray(Segment& segment, uint32_t backends_max, uint32_t prepared_max)
    : backends_max_(backends_max), slots_max_(backends_max + prepared_max) {
  static_assert(sizeof(std::atomic<TransactionId>) == sizeof(TransactionId));
  std::byte* at = segment.find("process array");
  shared_ = reinterpret_cast<Shared*>(at);
  at += sizeof(Shared);
  slots_ = reinterpret_cast<Slot*>(at);
  at += slots_max_ * sizeof(Slot);
  xids_ = reinterpret_cast<std::atomic<TransactionId>*>(at);
  at += line_align(slots_max_ * sizeof(TransactionId));
  xmins_ = reinterpret_cast<std::atomic<TransactionId>*>(at);
  at += line_align(slots_max_ * sizeof(TransactionId));
  sub_states_ = reinterpret_cast<std::atomic<uint32_t>*>(at);
  at += line_align(slots_max_ * sizeof(uint32_t));
  subxids_ = reinterpret_cast<std::atomic<TransactionId>*>(at);
}

template <typename Visit>
void ProcessArray::each_slot(Visit&& visit) const {
  const uint32_t backends = shared_->backends_used.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < backends; ++i) visit(i);
  const uint32_t prepared = shared_->prepared_used.load(std::memory_order_relaxed);
  for (uint32_t i = backends_max_; i < backends_max_ + prepared; ++i) visit(i);
}

void ProcessArray::initialize(TransactionId latest_completed) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  shared_->latest_completed.store(latest_completed, std::memory_order_relaxed);
  shared_->completions.store(1, std::memory_order_relaxed);
}

bool ProcessArray::take_slot_between(uint32_t first, uint32_t end, uint32_t preferred, Oid database,
                                     std::atomic<uint32_t>* used, int* slot) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  for (uint32_t tried = 0; tried < end - first; ++tried) {
    const uint32_t i = first + (preferred + tried) % (end - first);
    if (slots_[i].pid.load(std::memory_order_relaxed) != 0) continue;
    slots_[i].database = database;
    slots_[i].process = process_;
    xids_[i].store(invalid_transaction_id, std::memory_order_relaxed);
    xmins_[i].store(invalid_transaction_id, std::memory_order_relaxed);
    sub_states_[i].store(0, std::memory_order_relaxed);
    slots_[i].pid.store(static_cast<uint32_t>(getpid()), std::memory_order_release);
    if (i - first >= used->load(std::memory_order_relaxed)) {
      used->store(i - first + 1, std::memory_order_relaxed);
    }
    *slot = static_cast<int>(i);
    return true;
  }
  return false;
}

void ProcessArray::release_slot_between(uint32_t first, std::atomic<uint32_t>* used, int slot) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  INVARIANT(!is_valid(xids_[slot].load(std::memory_order_relaxed)));
  xmins_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  slots_[slot].pid.store(0, std::memory_order_release);
  uint32_t end = used->load(std::memory_order_relaxed);
  while (end > 0 && slots_[first + end - 1].pid.load(std::memory_order_relaxed) == 0) --end;
  used->store(end, std::memory_order_relaxed);
}

std::vector<int> ProcessArray::slots_of(uint32_t process) const {
  std::vector<int> slots;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  for (uint32_t i = 0; i < backends_max_; ++i) {
    if (slots_[i].pid.load(std::memory_order_relaxed) != 0 && slots_[i].process == process)
      slots.push_back(static_cast<int>(i));
  }
  return slots;
}

uint32_t ProcessArray::backends_on(Oid database) const {
  uint32_t count = 0;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  for (uint32_t i = 0; i < backends_max_; ++i) {
    if (slots_[i].pid.load(std::memory_order_relaxed) != 0 && slots_[i].database == database)
      ++count;
  }
  return count;
}

std::vector<TransactionId> ProcessArray::subxids_of(int slot) const {
  std::vector<TransactionId> subxids;
  const uint32_t count = count_of(sub_states_[slot].load(std::memory_order_acquire));
  for (uint32_t i = 0; i < count; ++i) {
    subxids.push_back(
        subxids_[static_cast<uint32_t>(slot) * subxids_max + i].load(std::memory_order_relaxed));
  }
  std::sort(subxids.begin(), subxids.end(),
            [](TransactionId a, TransactionId b) { return precedes(a, b); });
  return subxids;
}

Status ProcessArray::take_slot(Oid database, int* slot) {
  // What processes publish all the time lies in different cache lines.
  const uint32_t preferred = process_ * slots_per_line % backends_max_;
  if (take_slot_between(0, backends_max_, preferred, database, &shared_->backends_used, slot))
    return Status::ok;
  return Status::error(ErrorCode::too_many_connections, "sorry, too many clients already");
}

bool ProcessArray::take_prepared_slot(Oid database, int* slot) {
  return take_slot_between(backends_max_, slots_max_, 0, database, &shared_->prepared_used, slot);
}

void ProcessArray::release_slot(int slot) {
  if (static_cast<uint32_t>(slot) < backends_max_)
    release_slot_between(0, &shared_->backends_used, slot);
  else
    release_slot_between(backends_max_, &shared_->prepared_used, slot);
}

void ProcessArray::enter_prepared(int slot, TransactionId xid,
                                  const std::vector<TransactionId>& subxids) {
  INVARIANT(static_cast<uint32_t>(slot) >= backends_max_);
  // Under the lock, so that no snapshot sees the transaction without its subtransactions.
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  set_xid(slot, xid);
  for (const TransactionId subxid : subxids) add_subxid(slot, subxid);
}

void ProcessArray::hand_over_to_prepared(int slot) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  xids_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  xmins_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  sub_states_[slot].store(0, std::memory_order_relaxed);
  // Nothing completed, but a snapshot of this backend left out its own transaction, which now is another's.
  shared_->completions.fetch_add(1, std::memory_order_seq_cst);
}

void ProcessArray::set_xid(int slot, TransactionId xid) {
  INVARIANT(!is_valid(xids_[slot].load(std::memory_order_relaxed)));
  INVARIANT(sub_states_[slot].load(std::memory_order_relaxed) == 0);
  xids_[slot].store(xid, std::memory_order_release);
}

void ProcessArray::add_subxid(int slot, TransactionId xid) {
  INVARIANT(is_valid(xids_[slot].load(std::memory_order_relaxed)));
  const uint32_t state = sub_states_[slot].load(std::memory_order_relaxed);
  const uint32_t count = count_of(state);
  if (count == subxids_max) {
    sub_states_[slot].store(state | overflowed_bit, std::memory_order_release);
    return;
  }
  subxids_[static_cast<uint32_t>(slot) * subxids_max + count].store(xid, std::memory_order_relaxed);
  sub_states_[slot].store(state + 1, std::memory_order_release);
}

void ProcessArray::note_completed(TransactionId latest) {
  if (precedes(shared_->latest_completed.load(std::memory_order_relaxed), latest)) {
    shared_->latest_completed.store(latest, std::memory_order_relaxed);
  }
  shared_->completions.fetch_add(1, std::memory_order_seq_cst);
}

void ProcessArray::remove_subxids(int slot, TransactionId xid,
                                  const std::vector<TransactionId>& children,
                                  TransactionId latest) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  std::atomic<TransactionId>* listed = subxids_ + static_cast<uint32_t>(slot) * subxids_max;
  uint32_t state = sub_states_[slot].load(std::memory_order_relaxed);
  // From the newest on: those are last in the list. Not all are in it when there were too many.
  const auto remove = [&](TransactionId gone) {
    for (uint32_t i = count_of(state); i-- > 0;) {
      if (listed[i].load(std::memory_order_relaxed) != gone) continue;
      listed[i].store(listed[count_of(state) - 1].load(std::memory_order_relaxed),
                      std::memory_order_relaxed);
      --state;
      return;
    }
    INVARIANT(is_overflowed(state));
  };
  for (size_t i = children.size(); i-- > 0;) remove(children[i]);
  remove(xid);
  sub_states_[slot].store(state, std::memory_order_relaxed);
  note_completed(latest);
}

void ProcessArray::end_transaction(int slot, TransactionId xid, TransactionId latest) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  INVARIANT(xids_[slot].load(std::memory_order_relaxed) == xid);
  INVARIANT(precedes_or_equals(xid, latest));
  xids_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  xmins_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  sub_states_[slot].store(0, std::memory_order_relaxed);
  note_completed(latest);
}

void ProcessArray::abandon_transaction(int slot) {
  LwLockGuard guard(shared_->lock, LockMode::exclusive);
  xids_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  xmins_[slot].store(invalid_transaction_id, std::memory_order_relaxed);
  sub_states_[slot].store(0, std::memory_order_relaxed);
}

void ProcessArray::clear_xmin(int slot) {
  xmins_[slot].store(invalid_transaction_id, std::memory_order_release);
}

// The last snapshot serves again if no transaction has ended since, as told by a look before and after its xmin is
// published: who computes a horizon after the first that ends from here on sees that xmin, and until then no horizon can be
// beyond it.
bool ProcessArray::reuse_snapshot(int slot, const Snapshot& snapshot, uint64_t completions) const {
  if (shared_->completions.load(std::memory_order_seq_cst) != completions) return false;
  if (is_valid(xmins_[slot].load(std::memory_order_relaxed))) return true;
  xmins_[slot].store(snapshot.xmin, std::memory_order_seq_cst);
  if (shared_->completions.load(std::memory_order_seq_cst) == completions) return true;
  xmins_[slot].store(invalid_transaction_id, std::memory_order_release);
  return false;
}

void ProcessArray::take_snapshot(int slot, Snapshot* snapshot, uint64_t* completions) const {
  if (slot >= 0 && completions != nullptr && reuse_snapshot(slot, *snapshot, *completions)) return;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  const uint64_t now = shared_->completions.load(std::memory_order_relaxed);
  if (completions == nullptr || *completions != now) {
    snapshot->xip.clear();
    snapshot->subxip.clear();
    snapshot->suboverflowed = false;
    snapshot->xmax = next(shared_->latest_completed.load(std::memory_order_relaxed));
    snapshot->xmin = snapshot->xmax;
    each_slot([&](uint32_t i) {
      const TransactionId xid = xids_[i].load(std::memory_order_acquire);
      if (!is_valid(xid) || !precedes(xid, snapshot->xmax)) return;
      if (precedes(xid, snapshot->xmin)) snapshot->xmin = xid;
      // The own xids are always looked at before a snapshot is.
      if (static_cast<int>(i) == slot) return;
      snapshot->xip.push_back(xid);
      const uint32_t state = sub_states_[i].load(std::memory_order_acquire);
      if (state == 0) return;
      if (is_overflowed(state)) snapshot->suboverflowed = true;
      if (snapshot->suboverflowed) return;
      const std::atomic<TransactionId>* listed = subxids_ + i * subxids_max;
      for (uint32_t k = 0; k < count_of(state); ++k)
        snapshot->subxip.push_back(listed[k].load(std::memory_order_relaxed));
    });
    if (snapshot->suboverflowed) snapshot->subxip.clear();
    std::sort(snapshot->xip.begin(), snapshot->xip.end());
    std::sort(snapshot->subxip.begin(), snapshot->subxip.end());
    ended_before_.store(snapshot->xmin, std::memory_order_relaxed);
    if (completions != nullptr) *completions = now;
  }
  if (slot >= 0 && !is_valid(xmins_[slot].load(std::memory_order_relaxed))) {
    xmins_[slot].store(snapshot->xmin, std::memory_order_release);
  }
}

Running ProcessArray::is_running(TransactionId xid, TransactionId* oldest) const {
  *oldest = invalid_transaction_id;
  if (!is_normal(xid)) return Running::no;
  const TransactionId ended_before = ended_before_.load(std::memory_order_relaxed);
  if (is_valid(ended_before) && precedes(xid, ended_before)) return Running::no;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  const TransactionId latest = shared_->latest_completed.load(std::memory_order_relaxed);
  if (precedes(latest, xid)) return Running::yes;
  *oldest = next(latest);
  bool found = false;
  bool overflowed = false;
  each_slot([&](uint32_t i) {
    const TransactionId running = xids_[i].load(std::memory_order_acquire);
    if (!is_valid(running)) return;
    if (precedes(running, *oldest)) *oldest = running;
    if (running == xid) found = true;
    // A subtransaction is younger than its transaction.
    if (found || precedes(xid, running)) return;
    const uint32_t state = sub_states_[i].load(std::memory_order_acquire);
    if (is_overflowed(state)) overflowed = true;
    const std::atomic<TransactionId>* listed = subxids_ + i * subxids_max;
    for (uint32_t k = count_of(state); k-- > 0;) {
      if (listed[k].load(std::memory_order_relaxed) == xid) found = true;
    }
  });
  if (found) return Running::yes;
  return overflowed ? Running::maybe : Running::no;
}

int ProcessArray::slot_of(TransactionId xid) const {
  if (!is_normal(xid)) return -1;
  int slot = -1;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  each_slot([&](uint32_t i) {
    const TransactionId running = xids_[i].load(std::memory_order_acquire);
    if (!is_valid(running) || precedes(xid, running)) return;
    bool found = running == xid;
    const std::atomic<TransactionId>* listed = subxids_ + i * subxids_max;
    for (uint32_t k = count_of(sub_states_[i].load(std::memory_order_acquire)); k-- > 0;) {
      if (listed[k].load(std::memory_order_relaxed) == xid) found = true;
    }
    if (found) slot = static_cast<int>(i);
  });
  return slot;
}

TransactionId ProcessArray::oldest_running_locked() const {
  TransactionId oldest = next(shared_->latest_completed.load(std::memory_order_relaxed));
  each_slot([&](uint32_t i) {
    const TransactionId xid = xids_[i].load(std::memory_order_acquire);
    if (is_valid(xid) && precedes(xid, oldest)) oldest = xid;
  });
  return oldest;
}

TransactionId ProcessArray::oldest_running() const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  return oldest_running_locked();
}

TransactionId ProcessArray::oldest_xmin() const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  TransactionId oldest = oldest_running_locked();
  each_slot([&](uint32_t i) {
    const TransactionId xmin = xmins_[i].load(std::memory_order_seq_cst);
    if (is_valid(xmin) && precedes(xmin, oldest)) oldest = xmin;
  });
  return oldest;
}

RemovalHorizons ProcessArray::removal_horizons(Oid database) const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  const TransactionId limit = next(shared_->latest_completed.load(std::memory_order_relaxed));
  RemovalHorizons horizons{limit, limit};
  const auto lower = [](TransactionId xid, TransactionId* horizon) {
    if (is_valid(xid) && precedes(xid, *horizon)) *horizon = xid;
  };
  each_slot([&](uint32_t i) {
    for (const auto* ids : {xids_, xmins_}) {
      const TransactionId xid = ids[i].load(std::memory_order_seq_cst);
      lower(xid, &horizons.shared);
      if (slots_[i].database == database || slots_[i].database == invalid_oid ||
          database == invalid_oid)
        lower(xid, &horizons.database);
    }
  });
  return horizons;
}

bool ProcessArray::anybody_has_snapshot() const {
  LwLockGuard guard(shared_->lock, LockMode::shared);
  bool found = false;
  each_slot([&](uint32_t i) {
    if (is_valid(xmins_[i].load(std::memory_order_seq_cst))) found = true;
  });
  return found;
}

uint64_t ProcessArray::completions() const {
  return shared_->completions.load(std::memory_order_relaxed);
}

TransactionId ProcessArray::latest_completed() const {
  return shared_->latest_completed.load(std::memory_order_relaxed);
}

RunningTransactions ProcessArray::running() const {
  RunningTransactions running;
  LwLockGuard guard(shared_->lock, LockMode::shared);
  each_slot([&](uint32_t i) {
    const TransactionId xid = xids_[i].load(std::memory_order_acquire);
    if (!is_valid(xid)) return;
    running.xids.push_back(xid);
    const uint32_t state = sub_states_[i].load(std::memory_order_acquire);
    if (is_overflowed(state)) running.suboverflowed = true;
    const std::atomic<TransactionId>* listed = subxids_ + i * subxids_max;
    for (uint32_t k = 0; k < count_of(state); ++k)
      running.subxids.push_back(listed[k].load(std::memory_order_relaxed));
  });
  if (running.suboverflowed) running.subxids.clear();
  running.latest_completed = shared_->latest_completed.load(std::memory_order_relaxed);
  return running;
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
