// ProcessWatch: waiting for pidfds where there are any (Linux 5.3), else looking now and then.
#include "engine/process_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "base/invariant.h"
#include "engine/engine.h"

#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace pgdata {

namespace {
// How late a newcomer is watched, and what others removed is let go of.
constexpr int round_ms = 100;
}  // namespace

ProcessWatch::ProcessWatch(Engine& engine) : engine_(engine) {
  INVARIANT(pipe(wake_) == 0);
  for (const int descriptor : wake_) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  thread_ = std::thread([this] { run(); });
}

ProcessWatch::~ProcessWatch() {
  ::close(wake_[1]);
  thread_.join();
  ::close(wake_[0]);
  forget_all_but({});
}

int ProcessWatch::descriptor_of(const ProcessTable::Process& process) {
  const auto found = watched_.find(process.number);
  if (found != watched_.end() && found->second.pid == process.pid) return found->second.descriptor;
  int descriptor = -1;
#if defined(__linux__) && defined(SYS_pidfd_open)
  descriptor = static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0));
#endif
  watched_[process.number] = {process.pid, descriptor};
  return descriptor;
}

void ProcessWatch::forget_all_but(const std::vector<ProcessTable::Process>& others) {
  std::erase_if(watched_, [&](const auto& entry) {
    const bool is_there = std::any_of(others.begin(), others.end(), [&](const auto& other) {
      return other.number == entry.first && other.pid == entry.second.pid;
    });
    if (!is_there && entry.second.descriptor >= 0) ::close(entry.second.descriptor);
    return !is_there;
  });
}

std::vector<ProcessTable::Process> ProcessWatch::wait(
    const std::vector<ProcessTable::Process>& others) {
  forget_all_but(others);
  std::vector<pollfd> polled;
  polled.push_back({wake_[0], POLLIN, 0});
  for (const ProcessTable::Process& other : others) {
    const int descriptor = descriptor_of(other);
    if (descriptor >= 0) polled.push_back({descriptor, POLLIN, 0});
  }
  poll(polled.data(), static_cast<nfds_t>(polled.size()), round_ms);
  std::vector<ProcessTable::Process> ended;
  for (const ProcessTable::Process& other : others) {
    if (!is_process_alive(other.pid, other.start_time)) ended.push_back(other);
  }
  return ended;
}

void ProcessWatch::run() {
  for (;;) {
    std::vector<ProcessTable::Process> others = engine_.processes().list();
    // An attachment of this very process cannot outlive it.
    std::erase_if(others, [](const auto& process) { return process.pid == getpid(); });
    const std::vector<ProcessTable::Process> ended = wait(others);
    pollfd stop{wake_[0], POLLIN, 0};
    if (poll(&stop, 1, 0) > 0) return;
    const bool is_whole = engine_.state().contain([&] {
      for (const ProcessTable::Process& process : ended) engine_.process_ended(process);
      engine_.upkeep_of_processes();
    });
    if (!is_whole) return;
  }
}

}  // namespace pgdata
