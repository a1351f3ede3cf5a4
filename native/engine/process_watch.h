// ProcessWatch: the thread that sees other processes of the cluster end, and does what has to be done then.
//
// It also closes files that others removed, takes what others hand to the owner, and takes the cluster over when it has
// no owner any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <unordered_map>
#include <vector>

#include "shmem/process_table.h"

namespace pgdata {

class Engine;

class ProcessWatch {
 public:
  explicit ProcessWatch(Engine& engine);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;

 private:
  void run();
  // Waits until one of `others` has ended, or a while; gives those that have.
  std::vector<ProcessTable::Process> wait(const std::vector<ProcessTable::Process>& others);
  int descriptor_of(const ProcessTable::Process& process);
  void forget_all_but(const std::vector<ProcessTable::Process>& others);

  Engine& engine_;
  // pidfds, by the number of the process.
  struct Watched {
    int32_t pid;
    int descriptor;
  };
  std::unordered_map<uint32_t, Watched> watched_;
  int wake_[2] = {-1, -1};  // a pipe: the writing end is closed to stop
  std::thread thread_;
};

}  // namespace pgdata
