// FlushThread: the loop that flushes for whoever waits.
#include "engine/flush_thread.h"

#include <algorithm>
#include <utility>

#include "base/stop_point.h"
#include "statistics/counting.h"

namespace pgdata {

FlushThread::FlushThread(Wal& wal, Statistics& statistics, Done done, uint32_t delay_ms,
                         uint64_t flush_after_bytes)
    : wal_(wal),
      done_(std::move(done)),
      of_sessions_(statistics, BackendType::backend, invalid_oid),
      of_nobody_(statistics, BackendType::wal_writer, invalid_oid),
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
    SessionCounters& counters = taken.empty() ? of_nobody_ : of_sessions_;
    bool is_timed = false;
    for (const Waiter& waiter : taken) {
      upto = std::max(upto, waiter.upto);
      is_timed = is_timed || waiter.is_timed;
    }
    if (!taken.empty()) of_sessions_.set_io_timings(false, is_timed);
    const CountingScope counting(&counters);
    Status status;
    // What a failed invariant leaves locked nobody may wait for.
    const bool is_whole = wal_.state().contain([&] {
      status = wal_.flush(upto);
      // Before whoever waits can look.
      counters.flush();
    });
    if (!is_whole) status = wal_.state().check();
    stop_point("commits flushed");
    if (!taken.empty()) done_(std::move(taken), std::move(status));
    taken = {};
  }
}

}  // namespace pgdata
