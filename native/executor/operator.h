// Operator: a node of a running plan, asked for one batch after the other.
//
// A call works for a bounded time: it may come back with nothing but `paused`, to be called again. Between calls nothing
// is pinned or locked.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "executor/batch.h"
#include "table/table_read.h"
#include "xact/snapshot.h"

namespace pgdata {

enum class Progress : uint8_t { rows, paused, ended };

// What the operators of a running plan share.
class Execution {
 public:
  Execution(const ReadContext& read_context, const Snapshot& taken)
      : context(read_context), snapshot(taken) {}

  const ReadContext context;
  const Snapshot snapshot;
  MemoryAccount memory;

  // Until when the call may go on.
  void begin_call() { deadline_ = Clock::now() + turn; }
  bool is_out_of_time() const { return Clock::now() >= deadline_; }

 private:
  using Clock = std::chrono::steady_clock;
  // Short beside what people notice, long beside a call across the boundary.
  static constexpr std::chrono::milliseconds turn{5};
  Clock::time_point deadline_;
};

// What an operator did, for EXPLAIN ANALYZE.
struct OperatorCounters {
  uint64_t rows = 0;
  uint64_t rows_removed = 0;  // by its filter
  uint64_t loops = 1;
  double startup_ms = 0;  // until its first row
  double total_ms = 0;
};

class Operator {
 public:
  using Children = std::vector<std::unique_ptr<Operator>>;

  explicit Operator(Execution& execution, Children children = {})
      : execution_(execution), memory_(&execution.memory), children_(std::move(children)) {}
  virtual ~Operator() = default;
  Operator(const Operator&) = delete;

  // With Progress::rows, `*batch` has at least one.
  Status next(const Batch** batch, Progress* progress);
  // Lets go of pins; the next call takes them again.
  virtual void pause() {
    for (const auto& child : children_) child->pause();
  }

  const OperatorCounters& counters() const { return counters_; }
  const MemoryAccount& memory() const { return memory_; }
  const Children& children() const { return children_; }

 protected:
  virtual Status produce(const Batch** batch, Progress* progress) = 0;

  Execution& execution() { return execution_; }
  MemoryAccount& account() { return memory_; }
  Operator& child(size_t i = 0) { return *children_[i]; }
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
