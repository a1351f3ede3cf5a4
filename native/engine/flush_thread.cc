// FlushThread: the loop that flushes for whoever waits.
#include "engine/flush_thread.h"

#include <algorithm>
#include <utility>

#include "base/invariant.h"

namespace pgdata {

FlushThread::FlushThread(Wal& wal, Done done) : wal_(wal), done_(std::move(done)) {
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

void FlushThread::run() {
  std::vector<Waiter> taken;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      taken.swap(waiting_);
    }
    Lsn upto = 0;
    for (const Waiter& waiter : taken) upto = std::max(upto, waiter.upto);
    Status status;
    try {
      status = wal_.flush(upto);
    } catch (const InvariantFailure& failure) {
      status = Status::error(ErrorCode::internal_error, "%s", failure.what());
    }
    done_(std::move(taken), std::move(status));
    taken = {};
  }
}

}  // namespace pgdata
