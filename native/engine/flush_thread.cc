// FlushThread: the loop that flushes for whoever waits.
#include "engine/flush_thread.h"

#include "base/stop_point.h"

#include <algorithm>
#include <utility>

namespace pgdata {

FlushThread::FlushThread(Wal& wal, Done done, uint32_t delay_ms, uint64_t flush_after_bytes)
    : wal_(wal),
      done_(std::move(done)),
      delay_ms_(delay_ms),
      flush_after_bytes_(flush_after_bytes) {
  thread_ = std::thread([this] { run(); });
}

FlushThread::~FlushThread() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void FlushThread::request(Waiter waiter) {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    waiting_.push_back(waiter);
  }
  wake_.notify_one();
}

void FlushThread::request_later(Lsn upto) {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (later_ == invalid_lsn) later_due_ = now + std::chrono::milliseconds(delay_ms_);
    later_ = std::max(later_, upto);
    if (is_enough(upto)) later_due_ = now;
  }
  wake_.notify_one();
}

// XLogSetAsyncXactLSN.
bool FlushThread::is_enough(Lsn upto) const {
  const uint64_t page = wal_.options().block_size;
  return upto / page - std::min(upto, wal_.flushed()) / page >= flush_after_bytes_ / page;
}

void FlushThread::run() {
  std::vector<Waiter> taken;
  for (;;) {
    Lsn upto = invalid_lsn;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      const auto has_work = [this] { return stopping_ || !waiting_.empty(); };
      while (!has_work()) {
        if (later_ == invalid_lsn)
          wake_.wait(lock);
        else if (wake_.wait_until(lock, later_due_) == std::cv_status::timeout)
          break;
      }
      if (waiting_.empty() && later_ == invalid_lsn) return;
      taken.swap(waiting_);
      upto = later_;
      later_ = invalid_lsn;
    }
    for (const Waiter& waiter : taken) upto = std::max(upto, waiter.upto);
    Status status;
    // What a failed invariant leaves locked nobody may wait for.
    if (!wal_.state().contain([&] { status = wal_.flush(upto); })) status = wal_.state().check();
    stop_point("commits flushed");
    if (!taken.empty()) done_(std::move(taken), std::move(status));
    taken = {};
  }
}

}  // namespace pgdata
