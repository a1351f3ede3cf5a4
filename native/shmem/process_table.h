// ProcessTable: who is attached to the segment, which of them is the owner, and who was inside native code.
//
// An entry is an attachment, of which one process may have several (worker threads). The owner takes the checkpoints and
// cleans up after others; its lock on the data directory (flock) decides who that is, this table tells the others.
//
// `Inside` marks the time in which a thread of an attachment may hold locks of the segment or be in the middle of a change.
// Whoever finds a dead process that was inside can trust nothing in the segment; what was outside left whole transactions.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "shmem/lwlock.h"
#include "shmem/segment.h"

namespace pgdata {

class ProcessTable {
 public:
  static constexpr uint32_t processes_max = 64;
  static constexpr uint32_t none = processes_max;

  static void plan(SegmentPlan& plan);
  explicit ProcessTable(Segment& segment);

  // Takes an entry for this process. too_many_connections; cannot_connect_now after the last has begun to leave, and
  // while joining is forbidden.
  Status join(uint32_t* process);
  void leave(uint32_t process);
  // Is it the last, so that all others are leaving, too? Then nobody can join any more.
  bool begin_leaving(uint32_t process);
  // Nobody can join until as many calls of `allow_joining`; false if the caller is not the only one.
  bool forbid_joining();
  void allow_joining();

  uint32_t count() const { return shared_->count.load(std::memory_order_seq_cst); }
  // `none` between two owners.
  uint32_t owner() const { return shared_->owner.load(std::memory_order_acquire); }
  void set_owner(uint32_t process);
  // Changes whenever somebody joins, leaves or becomes owner.
  std::atomic<uint32_t>& changes() { return shared_->changes; }

  // Asks all attachments of a process for a list of their memory contexts; false when it has none.
  bool request_memory_contexts(int32_t pid);
  // Was that attachment asked for one since the last call?
  bool take_memory_context_request(uint32_t process) {
    std::atomic<uint32_t>& requested = shared_->entries[process].memory_contexts_requested;
    return requested.load(std::memory_order_relaxed) != 0 &&
           requested.exchange(0, std::memory_order_acquire) != 0;
  }

  struct Process {
    uint32_t number;
    int32_t pid;
    uint64_t start_time;
  };
  std::vector<Process> list() const;
  // Is that one still in its entry? It may have left since it was listed, and another one have come.
  bool is_listed(const Process& process) const;
  // Is its JavaScript thread in a call? Who is alone reads without locks there.
  bool is_reading(uint32_t process) const {
    return shared_->entries[process].in_call.load(std::memory_order_seq_cst) != 0;
  }
  bool is_inside(uint32_t process) const {
    return shared_->entries[process].inside.load(std::memory_order_seq_cst) != 0 ||
           is_reading(process);
  }
  // By that thread alone; calls may be nested.
  void begin_call(uint32_t process) {
    std::atomic<uint32_t>& depth = shared_->entries[process].in_call;
    depth.store(depth.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
  }
  void end_call(uint32_t process) {
    std::atomic<uint32_t>& depth = shared_->entries[process].in_call;
    depth.store(depth.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  }
  void enter(uint32_t process) {
    shared_->entries[process].inside.fetch_add(1, std::memory_order_seq_cst);
  }
  void exit(uint32_t process) {
    shared_->entries[process].inside.fetch_sub(1, std::memory_order_release);
  }

 private:
  struct Entry {
    alignas(64) std::atomic<uint32_t> inside;  // threads
    std::atomic<uint32_t> in_call;
    uint32_t is_leaving;
    std::atomic<int32_t> pid;  // 0: free
    std::atomic<uint32_t> memory_contexts_requested;
    std::atomic<uint64_t> start_time;
  };
  struct Shared {
    alignas(64) LwLock lock;
    std::atomic<uint32_t> count;
    std::atomic<uint32_t> owner;
    std::atomic<uint32_t> changes;
    uint32_t is_closing;
    uint32_t joining_forbidden;  // how often
    Entry entries[processes_max];
  };
  Shared* shared_;
};

class Inside {
 public:
  Inside(ProcessTable& processes, uint32_t process) : processes_(processes), process_(process) {
    processes_.enter(process_);
  }
  ~Inside() { processes_.exit(process_); }
  Inside(const Inside&) = delete;

 private:
  ProcessTable& processes_;
  uint32_t process_;
};

// When a process started, in clock ticks since boot (field 22 of /proc/PID/stat); 0 when that is not to be had, or
// it has ended.
uint64_t process_start_time(int32_t pid);
// Does the process with this pid and start time still run? A start time of 0 fits any.
bool is_process_alive(int32_t pid, uint64_t start_time);

}  // namespace pgdata
