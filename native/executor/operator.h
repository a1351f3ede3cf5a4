// Operator: a node of a running plan, asked for one batch after the other.
//
// A call works for a bounded time: it may come back with nothing but `paused`, to be called again. Between calls nothing
// is pinned or locked.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/status.h"
#include "executor/batch.h"
#include "statistics/counting.h"
#include "table/table_read.h"
#include "temp/temporary_space.h"
#include "xact/snapshot.h"

namespace pgdata {

enum class Progress : uint8_t { rows, paused, ended };

struct ExecutionLimits {
  // What a sort may take.
  uint64_t work_mem_bytes = 4ull << 20;
  // What a table of hashes may take: work_mem times hash_mem_multiplier.
  uint64_t hash_mem_bytes = 8ull << 20;
};

// What the operators of a running plan share.
class Execution {
 public:
  // `space` is where temporary files go; it must outlive this, or be given to it.
  Execution(const ReadContext& read_context, const Snapshot& taken, const ExecutionLimits& limits,
            TemporarySpace& space, std::unique_ptr<TemporarySpace> own_space = nullptr)
      : context(read_context),
        snapshot(taken),
        limits_(limits),
        own_space_(std::move(own_space)),
        space_(space) {}

  const ReadContext context;
  const Snapshot snapshot;
  // What the operators hold; it may be asked when the execution is gone.
  const std::shared_ptr<MemoryAccount> account = std::make_shared<MemoryAccount>();
  MemoryAccount& memory = *account;

  uint64_t work_mem_bytes() const { return limits_.work_mem_bytes; }
  uint64_t hash_mem_bytes() const { return limits_.hash_mem_bytes; }
  // Blocks of an arena that has to stay within hash_mem_bytes.
  size_t block_bytes() const {
    return static_cast<size_t>(std::clamp<uint64_t>(
        limits_.hash_mem_bytes / 16, Arena::block_bytes_min, Arena::block_bytes_max));
  }
  TemporarySpace& temporary_space() { return space_; }

  // Until when the call may go on.
  void begin_call() {
    deadline_ = Clock::now() + turn;
    counters_ = current_counters();
  }
  bool is_out_of_time() const { return Clock::now() >= deadline_; }
  // Of the session so far.
  Usage usage() const { return counters_ == nullptr ? Usage{} : counters_->usage(); }

 private:
  using Clock = std::chrono::steady_clock;
  // Short beside what people notice, long beside a call across the boundary.
  static constexpr std::chrono::milliseconds turn{5};
  const ExecutionLimits limits_;
  std::unique_ptr<TemporarySpace> own_space_;
  TemporarySpace& space_;
  Clock::time_point deadline_;
  SessionCounters* counters_ = nullptr;  // during a call
};

// What an operator did, for EXPLAIN ANALYZE.
struct OperatorCounters {
  uint64_t rows = 0;
  uint64_t rows_removed = 0;  // by its filter
  uint64_t loops = 1;
  double startup_ms = 0;  // until its first row
  double total_ms = 0;
  Usage usage;  // with what is below
};

// Adds what is done while it lives to them.
class WorkTimer {
 public:
  WorkTimer(const Execution& execution, OperatorCounters& counters)
      : execution_(execution), counters_(counters), used_(execution.usage()) {}
  ~WorkTimer() {
    counters_.usage.add_difference(execution_.usage(), used_);
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - begun_;
    counters_.total_ms += taken.count();
  }
  WorkTimer(const WorkTimer&) = delete;

 private:
  const Execution& execution_;
  OperatorCounters& counters_;
  const Usage used_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

struct OperatorReport {
  OperatorCounters counters;
  const char* sort_method = nullptr;  // of a sort, as EXPLAIN has it
  uint64_t peak_bytes = 0;            // of what is limited
  uint64_t disk_bytes = 0;
  uint64_t index_searches = 0;
  uint64_t heap_fetches = 0;  // of an index-only scan
  // Of a bitmap: blocks of which it was known which rows are meant, and others, whose rows were tested again.
  uint64_t exact_blocks = 0;
  uint64_t lossy_blocks = 0;
  uint64_t rows_rechecked_away = 0;
  uint64_t conflicts = 0;  // of an insertion: rows that met another one's key
  uint32_t batches = 0;    // how many times rows were taken from files, and once for the child's
};

class Operator {
 public:
  using Children = std::vector<std::unique_ptr<Operator>>;

  explicit Operator(Execution& execution, Children children = {})
      : execution_(execution), memory_(&execution.memory), children_(std::move(children)) {}
  virtual ~Operator() = default;
  Operator(const Operator&) = delete;

  // With Progress::rows, `*batch` has at least one. Nothing but Progress::paused once the time is up.
  Status next(const Batch** batch, Progress* progress);
  // Lets go of pins; the next call takes them again.
  virtual void pause() {
    for (const auto& child : children_) child->pause();
  }

  // Whether it can begin anew, with its first row.
  virtual bool can_rewind() const { return false; }
  Status rewind() {
    counters_.loops++;
    return restart();
  }

  // Of this one, then of those below, from the left to the right.
  void report(std::vector<OperatorReport>* reports) const;

 protected:
  virtual Status produce(const Batch** batch, Progress* progress) = 0;
  // Of those that can be rewound.
  virtual Status restart() { return Status::ok; }
  // What not all operators have.
  virtual void describe(OperatorReport*) const {}

  Execution& execution() { return execution_; }
  MemoryAccount& account() { return memory_; }
  Operator& child(size_t i = 0) { return *children_[i]; }
  size_t child_count() const { return children_.size(); }
  OperatorCounters& counted() { return counters_; }

 private:
  Execution& execution_;
  MemoryAccount memory_;
  Children children_;
  OperatorCounters counters_;
};
using OperatorPointer = std::unique_ptr<Operator>;

// The children of an operator that has one.
inline Operator::Children only(OperatorPointer child) {
  Operator::Children children;
  children.push_back(std::move(child));
  return children;
}

}  // namespace pgdata
