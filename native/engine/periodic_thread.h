// PeriodicThread: a thread that does something again and again, and rests in between.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "shmem/cluster_state.h"

namespace pgdata {

class PeriodicThread {
 public:
  // `round` returns for how many milliseconds to rest. A failed invariant in it poisons the cluster; once that is
  // poisoned, the thread ends.
  PeriodicThread(ClusterState& state, std::function<uint32_t()> round);
  ~PeriodicThread();  // waits for the round under way
  PeriodicThread(const PeriodicThread&) = delete;

 private:
  void run();

  ClusterState& state_;
  std::function<uint32_t()> round_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pgdata
