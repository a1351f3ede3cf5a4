// ProcessTable: joining, leaving, and looking whether a process lives.
#include "shmem/process_table.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/invariant.h"

namespace pgdata {

void ProcessTable::plan(SegmentPlan& plan) { plan.reserve("processes", sizeof(Shared)); }

ProcessTable::ProcessTable(Segment& segment)
    : shared_(reinterpret_cast<Shared*>(segment.find("processes"))) {}

Status ProcessTable::join(uint32_t* process) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  if (shared_->is_closing != 0)
    return Status::error(ErrorCode::cannot_connect_now, "the database system is shutting down");
  if (shared_->joining_forbidden != 0)
    return Status::error(ErrorCode::cannot_connect_now, "system catalogs are being written anew");
  for (uint32_t i = 0; i < processes_max; i++) {
    Entry& entry = shared_->entries[i];
    if (entry.pid.load(std::memory_order_relaxed) != 0) continue;
    entry.inside.store(0, std::memory_order_relaxed);
    entry.in_call.store(0, std::memory_order_relaxed);
    entry.is_leaving = 0;
    entry.memory_contexts_requested.store(0, std::memory_order_relaxed);
    entry.start_time.store(process_start_time(getpid()), std::memory_order_relaxed);
    entry.pid.store(getpid(), std::memory_order_release);
    // Before the first one joins nobody is the owner; zero bytes would say that process 0 is.
    if (shared_->count.fetch_add(1, std::memory_order_seq_cst) == 0)
      shared_->owner.store(none, std::memory_order_release);
    shared_->changes.fetch_add(1, std::memory_order_release);
    *process = i;
    return Status::ok;
  }
  return Status::error(ErrorCode::too_many_connections, "too many processes have the cluster open");
}

// Without the lock, which one may hold who died in the middle: the others must be able to leave all the same.
void ProcessTable::leave(uint32_t process) {
  Entry& entry = shared_->entries[process];
  INVARIANT(entry.pid.load(std::memory_order_relaxed) != 0);
  // Before the entry can be another one's.
  uint32_t expected = process;
  shared_->owner.compare_exchange_strong(expected, none, std::memory_order_acq_rel);
  entry.pid.store(0, std::memory_order_release);
  shared_->count.fetch_sub(1, std::memory_order_seq_cst);
  shared_->changes.fetch_add(1, std::memory_order_release);
}

bool ProcessTable::begin_leaving(uint32_t process) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  shared_->entries[process].is_leaving = 1;
  for (const Entry& entry : shared_->entries) {
    if (entry.pid.load(std::memory_order_relaxed) != 0 && entry.is_leaving == 0) return false;
  }
  shared_->is_closing = 1;
  return true;
}

bool ProcessTable::forbid_joining() {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  if (count() != 1 || shared_->is_closing != 0) return false;
  shared_->joining_forbidden++;
  return true;
}

void ProcessTable::allow_joining() {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  if (shared_->joining_forbidden > 0) shared_->joining_forbidden--;
}

void ProcessTable::set_owner(uint32_t process) {
  shared_->owner.store(process, std::memory_order_release);
  shared_->changes.fetch_add(1, std::memory_order_release);
}

bool ProcessTable::request_memory_contexts(int32_t pid) {
  const LwLockGuard guard(shared_->lock, LockMode::exclusive);
  bool is_known = false;
  for (Entry& entry : shared_->entries) {
    if (pid <= 0 || entry.pid.load(std::memory_order_relaxed) != pid) continue;
    entry.memory_contexts_requested.store(1, std::memory_order_release);
    is_known = true;
  }
  return is_known;
}

std::vector<ProcessTable::Process> ProcessTable::list() const {
  std::vector<Process> processes;
  for (uint32_t i = 0; i < processes_max; i++) {
    const Entry& entry = shared_->entries[i];
    const int32_t pid = entry.pid.load(std::memory_order_acquire);
    if (pid != 0) processes.push_back({i, pid, entry.start_time.load(std::memory_order_relaxed)});
  }
  return processes;
}

bool ProcessTable::is_listed(const Process& process) const {
  const Entry& entry = shared_->entries[process.number];
  return entry.pid.load(std::memory_order_acquire) == process.pid &&
         entry.start_time.load(std::memory_order_relaxed) == process.start_time;
}

uint64_t process_start_time(int32_t pid) {
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/%d/stat", static_cast<int>(pid));
  FILE* const file = std::fopen(path, "re");
  if (file == nullptr) return 0;
  char text[1024];
  const size_t size = std::fread(text, 1, sizeof(text) - 1, file);
  std::fclose(file);
  text[size] = '\0';
  // The name of the command is in parentheses, and may have some of its own.
  const char* at = std::strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 22; field++) {
    at = std::strchr(at, ' ');
    if (at != nullptr) at++;
    // One that has ended and was not waited for yet is as good as gone.
    if (field == 2 && at != nullptr && (*at == 'Z' || *at == 'X')) return 0;
  }
  return at == nullptr ? 0 : std::strtoull(at, nullptr, 10);
}

bool is_process_alive(int32_t pid, uint64_t start_time) {
  if (kill(pid, 0) != 0 && errno != EPERM) return false;
  return start_time == 0 || process_start_time(pid) == start_time;
}

}  // namespace pgdata
