// DeadlockDetector: the search.
#include "lock/deadlock_detector.h"

#include <algorithm>

#include "base/invariant.h"

namespace pgdata {

std::vector<int> DeadlockDetector::queue_of(uint32_t lock) const {
  std::vector<int> slots;
  for (uint32_t at = table_.lock_at(lock).first_waiter; at != LockTable::none;
       at = table_.slots_[at - 1].next_waiter)
    slots.push_back(static_cast<int>(at - 1));
  return slots;
}

bool DeadlockDetector::check(int slot) {
  constraints_.clear();
  if (is_stuck(slot)) {
    // Once more in the order that the queues really have, to tell it.
    orders_.clear();
    std::vector<Edge> edges;
    const bool found = find_cycle(slot, &edges);
    INVARIANT(found);
    tell_cycle();
    return true;
  }
  apply_orders();
  return false;
}

bool DeadlockDetector::is_stuck(int slot) {
  std::vector<Edge> edges;
  const int count = test_configuration(slot, &edges);
  if (count < 0) return true;
  if (count == 0) return false;
  // More constraints than backends cannot all be needed.
  if (constraints_.size() >= table_.slots_max_) return true;
  for (const Edge& edge : edges) {
    constraints_.push_back(edge);
    if (!is_stuck(slot)) return false;
    constraints_.pop_back();
  }
  return true;
}

int DeadlockDetector::test_configuration(int slot, std::vector<Edge>* soft_edges) {
  int found = 0;
  if (!expand_constraints()) return -1;
  // A constraint may have made a new cycle, of which the slot itself is no part.
  std::vector<int> starts;
  for (const Edge& constraint : constraints_) {
    starts.push_back(constraint.waiter);
    starts.push_back(constraint.blocker);
  }
  starts.push_back(slot);
  for (const int start : starts) {
    std::vector<Edge> edges;
    if (!find_cycle(start, &edges)) continue;
    if (edges.empty()) return -1;
    found = static_cast<int>(edges.size());
    *soft_edges = std::move(edges);
  }
  return found;
}

bool DeadlockDetector::find_cycle(int slot, std::vector<Edge>* soft_edges) {
  visited_.clear();
  cycle_.clear();
  soft_edges->clear();
  return find_cycle_from(slot, soft_edges);
}

bool DeadlockDetector::find_cycle_from(int slot, std::vector<Edge>* soft_edges) {
  const auto seen = std::find(visited_.begin(), visited_.end(), slot);
  // A cycle that does not lead back to where the search began is somebody else's.
  if (seen != visited_.end()) return seen == visited_.begin();
  visited_.push_back(slot);
  if (table_.wait_state(slot) != LockTable::WaitState::waiting) return false;
  return find_cycle_of_waiter(slot, soft_edges);
}

bool DeadlockDetector::find_cycle_of_waiter(int slot, std::vector<Edge>* soft_edges) {
  const LockTable::Slot& waiter = table_.slot_at(slot);
  const uint32_t lock = waiter.wait_lock.load(std::memory_order_relaxed);
  const uint16_t conflicts = conflicts_of(waiter.wait_level);
  const Step step{slot, lock, waiter.wait_level};
  for (uint32_t at = table_.lock_at(lock).first_holder; at != LockTable::none;
       at = table_.proclock_at(at).next_of_lock) {
    const LockTable::ProcLock& holder = table_.proclock_at(at);
    const int other = static_cast<int>(holder.slot);
    if (other == slot || (holder.held_mask & conflicts) == 0) continue;
    if (find_cycle_from(other, soft_edges)) {
      cycle_.push_back(step);
      return true;
    }
  }
  const auto planned = std::find_if(orders_.begin(), orders_.end(),
                                    [lock](const Order& order) { return order.lock == lock; });
  const std::vector<int> queue = planned != orders_.end() ? planned->slots : queue_of(lock);
  for (const int other : queue) {
    if (other == slot) break;
    if ((bit_of(table_.slot_at(other).wait_level) & conflicts) == 0) continue;
    if (find_cycle_from(other, soft_edges)) {
      cycle_.push_back(step);
      soft_edges->push_back({slot, other, lock});
      return true;
    }
  }
  return false;
}

// An order of each queue that has constraints; false when there is none.
bool DeadlockDetector::expand_constraints() {
  orders_.clear();
  for (size_t i = constraints_.size(); i > 0; --i) {
    const uint32_t lock = constraints_[i - 1].lock;
    const bool done = std::any_of(orders_.begin(), orders_.end(),
                                  [lock](const Order& order) { return order.lock == lock; });
    if (done) continue;
    Order order{lock, {}};
    if (!sort_queue(lock, i, &order.slots)) return false;
    orders_.push_back(std::move(order));
  }
  return true;
}

// Topological, from the end, as near to the order of arrival as the constraints allow.
bool DeadlockDetector::sort_queue(uint32_t lock, size_t constraint_count,
                                  std::vector<int>* order) const {
  std::vector<int> left = queue_of(lock);
  order->clear();
  while (!left.empty()) {
    size_t chosen = left.size();
    for (size_t i = left.size(); i > 0 && chosen == left.size(); --i) {
      const int candidate = left[i - 1];
      // Nobody that is still to be placed may have to come after it.
      bool free = true;
      for (size_t c = 0; c < constraint_count && free; ++c) {
        const Edge& constraint = constraints_[c];
        free = constraint.lock != lock || constraint.waiter != candidate ||
               std::find(left.begin(), left.end(), constraint.blocker) == left.end();
      }
      if (free) chosen = i - 1;
    }
    if (chosen == left.size()) return false;
    order->insert(order->begin(), left[chosen]);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
  return true;
}

void DeadlockDetector::apply_orders() {
  for (const Order& order : orders_) {
    LockTable::Lock& lock = table_.lock_at(order.lock);
    for (const int slot : order.slots) table_.dequeue(lock, slot);
    for (const int slot : order.slots) table_.enqueue_before(lock, LockTable::none, slot);
    table_.wake_waiters(lock);
  }
}

void DeadlockDetector::tell_cycle() {
  // The steps were noted on the way back.
  std::reverse(cycle_.begin(), cycle_.end());
  for (size_t i = 0; i < cycle_.size(); ++i) {
    const Step& step = cycle_[i];
    const Step& blocker = cycle_[(i + 1) % cycle_.size()];
    if (i > 0) lines_ += "\n";
    lines_ += "Process " + std::to_string(table_.slot_at(step.slot).number) + " waits for " +
              name_of(step.level) + " on " + table_.lock_at(step.lock).tag.describe() +
              "; blocked by process " + std::to_string(table_.slot_at(blocker.slot).number) + ".";
  }
}

Status LockTable::check_deadlock(int slot) {
  lock_all();
  Status status;
  if (wait_state(slot) == WaitState::waiting) {
    DeadlockDetector detector(*this);
    if (detector.check(slot)) {
      remove_from_queue(slot);
      status = deadlock_error(detector.lines());
    }
  }
  unlock_all();
  return status;
}

}  // namespace pgdata
