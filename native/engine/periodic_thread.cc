// PeriodicThread: the loop.
#include "engine/periodic_thread.h"

#include <chrono>
#include <utility>

#include "shmem/attachment.h"

namespace pgdata {

PeriodicThread::PeriodicThread(ClusterState& state, std::function<uint32_t()> round)
    : state_(state), round_(std::move(round)) {
  thread_ = std::thread([this] { run(); });
}

PeriodicThread::~PeriodicThread() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void PeriodicThread::run() {
  uint32_t rest_ms = 0;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (wake_.wait_for(lock, std::chrono::milliseconds(rest_ms), [this] { return stopping_; }))
        return;
    }
    if (state_.is_poisoned()) return;
    const Attachment::Inside inside(&state_);
    if (!state_.contain([&] { rest_ms = round_(); })) return;
  }
}

}  // namespace pgdata
