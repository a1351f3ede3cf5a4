// WaitThread: the loop.
#include "lock/wait_thread.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/invariant.h"
#include "shmem/attachment.h"

namespace pgdata {

WaitThread::WaitThread(LockTable& table, ClusterState& state, Done done, uint32_t mailbox)
    : table_(table), state_(state), done_(std::move(done)), mailbox_(mailbox) {}

Status WaitThread::create(LockTable& table, ClusterState& state, Done done,
                          std::unique_ptr<WaitThread>* thread) {
  uint32_t mailbox = 0;
  RETURN_IF_ERROR(table.take_mailbox(&mailbox));
  thread->reset(new WaitThread(table, state, std::move(done), mailbox));
  return Status::ok;
}

WaitThread::~WaitThread() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stopping_ = true;
  }
  table_.ring(mailbox_);
  if (thread_.joinable()) thread_.join();
  table_.release_mailbox(mailbox_);
}

void WaitThread::watch(uint64_t ticket, int slot, uint32_t deadlock_timeout_ms,
                       uint32_t lock_timeout_ms) {
  const Clock::time_point now = Clock::now();
  Watched watched{slot,         now, now + std::chrono::milliseconds(deadlock_timeout_ms),
                  std::nullopt, {},  {}};
  if (lock_timeout_ms > 0) watched.timeout = now + std::chrono::milliseconds(lock_timeout_ms);
  add(ticket, std::move(watched));
}

void WaitThread::await(uint64_t ticket, std::function<bool()> ready) {
  add(ticket, {-1, Clock::now(), std::nullopt, std::nullopt, std::move(ready), {}});
}

void WaitThread::add(uint64_t ticket, Watched watched) {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    watched_.emplace(ticket, std::move(watched));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  table_.ring(mailbox_);
}

bool WaitThread::forget(uint64_t ticket) {
  const std::lock_guard<std::mutex> guard(mutex_);
  return watched_.erase(ticket) > 0;
}

bool WaitThread::look_at(Watched& watched, Clock::time_point now, Status* status) {
  try {
    if (watched.ready) {
      if (state_.is_poisoned()) *status = state_.check();
      return !status->is_ok() || watched.ready();
    }
    if (table_.wait_state(watched.slot) != LockTable::WaitState::waiting) return true;
    if (state_.is_poisoned()) {
      if (table_.cancel_wait(watched.slot)) *status = state_.check();
      return true;
    }
    if (watched.deadlock_check && now >= *watched.deadlock_check) {
      watched.deadlock_check.reset();
      *status = check_deadlock(watched, now);
      if (!status->is_ok()) return true;
    }
    if (watched.timeout && now >= *watched.timeout) {
      if (table_.cancel_wait(watched.slot))
        *status =
            Status::error(ErrorCode::lock_not_available, "canceling statement due to lock timeout");
      return true;
    }
  } catch (const InvariantFailure& failure) {
    state_.poison(failure.what());
    *status = Status::error(ErrorCode::internal_error, "%s", failure.what());
    return true;
  }
  return table_.wait_state(watched.slot) != LockTable::WaitState::waiting;
}

Status WaitThread::check_deadlock(Watched& watched, Clock::time_point now) {
  if (!tell_) return table_.check_deadlock(watched.slot);
  bool is_waiting = false;
  LongWait wait = LongWait::look(table_, watched.slot, &is_waiting);
  Status status = table_.check_deadlock(watched.slot);
  if (!is_waiting) return status;
  const Clock::duration after = now - watched.since;
  tell_(status.is_ok() ? wait.still_waiting(after) : wait.deadlocked(after));
  if (status.is_ok()) watched.told = std::move(wait);
  return status;
}

void WaitThread::run() {
  for (;;) {
    std::atomic<uint32_t>& bell = table_.bell(mailbox_);
    const uint32_t heard = bell.load(std::memory_order_acquire);
    std::optional<Clock::time_point> next;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      if (stopping_) return;
      const Attachment::Inside inside(&state_);
      const Clock::time_point now = Clock::now();
      for (auto at = watched_.begin(); at != watched_.end();) {
        Status status;
        if (look_at(at->second, now, &status)) {
          const uint64_t ticket = at->first;
          const Watched& ended = at->second;
          if (ended.told && status.is_ok() &&
              table_.wait_state(ended.slot) == LockTable::WaitState::granted)
            tell_(ended.told->acquired(now - ended.since));
          at = watched_.erase(at);
          done_(ticket, std::move(status));
          continue;
        }
        for (const auto& time : {at->second.deadlock_check, at->second.timeout}) {
          if (time && (!next || *time < *next)) next = time;
        }
        ++at;
      }
    }
    int timeout_ms = -1;
    if (next) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(*next - Clock::now()).count() + 1;
      timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
    }
    futex_wait(&bell, heard, timeout_ms);
  }
}

}  // namespace pgdata
