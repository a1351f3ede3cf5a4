// DeadlockDetector: finds cycles of waits, and orders of the queues that break them.
//
// A waiter waits for whoever holds a level that excludes its own (a hard edge), and for whoever stands before it in
// the queue with such a request (a soft edge). A cycle with a soft edge can be broken by turning the two around,
// which adds a constraint to the order of that queue; all combinations are tried. A cycle of hard edges is a deadlock.
// Source: src/backend/storage/lmgr/{deadlock.c,README}, PostgreSQL 18. Different: no lock groups, no autovacuum.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lock/lock_table.h"

namespace pgdata {

class DeadlockDetector {
 public:
  // All partitions are locked by the caller as long as this lives.
  explicit DeadlockDetector(LockTable& table) : table_(table) {}

  // True if `slot` is part of a cycle that no order of queues breaks; `lines` then tells it. Otherwise queues
  // are put into the order found, and whoever can go on is woken.
  bool check(int slot);
  const std::string& lines() const { return lines_; }

 private:
  struct Edge {
    int waiter;
    int blocker;
    uint32_t lock;
  };
  struct Order {
    uint32_t lock;
    std::vector<int> slots;
  };
  struct Step {
    int slot;
    uint32_t lock;
    LockLevel level;
  };

  bool is_stuck(int slot);
  // Number of soft edges of a cycle found, 0 for no cycle, -1 for one that cannot be broken; the edges.
  int test_configuration(int slot, std::vector<Edge>* soft_edges);
  bool find_cycle(int slot, std::vector<Edge>* soft_edges);
  bool find_cycle_from(int slot, std::vector<Edge>* soft_edges);
  bool find_cycle_of_waiter(int slot, std::vector<Edge>* soft_edges);
  bool expand_constraints();
  bool sort_queue(uint32_t lock, size_t constraint_count, std::vector<int>* order) const;
  std::vector<int> queue_of(uint32_t lock) const;
  void apply_orders();
  void tell_cycle();

  LockTable& table_;
  std::vector<Edge> constraints_;  // that the orders must meet: the waiter before the blocker
  std::vector<Order> orders_;
  std::vector<int> visited_;
  std::vector<Step> cycle_;
  std::string lines_;
};

}  // namespace pgdata
