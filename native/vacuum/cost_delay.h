// CostDelay: how a vacuum or an analyze takes its time, and how it is told to end.
//
// Source: vacuum_delay_point in src/backend/commands/vacuum.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/status.h"
#include "shmem/cluster_state.h"

namespace pgdata {

// Written by anybody, read by the thread that works.
struct UpkeepControl {
  std::atomic<bool> canceled{false};
  // In place of the setting vacuum_cost_limit while it is not 0: autovacuum workers share one.
  std::atomic<uint32_t> cost_limit{0};
  // Of whoever closes the cluster; may be null.
  const std::atomic<bool>* stopping = nullptr;

  // query_canceled once the work is to end.
  Status check() const;
};

// Sleeps so long whenever so much was done; 0: never.
struct CostSettings {
  double vacuum_cost_delay_ms = 0;
  uint32_t vacuum_cost_limit = 200;
  uint32_t vacuum_cost_page_miss = 2;
  uint32_t vacuum_cost_page_dirty = 20;
};

class CostDelay {
 public:
  // All of them must outlive this.
  CostDelay(const ClusterState& state, const CostSettings& settings, const UpkeepControl& control)
      : state_(state), settings_(settings), control_(control) {}

  // To be called with nothing locked. An error: the work is to end. `hurried`: without sleeping.
  Status pause(bool dirtied, bool hurried = false);

 private:
  const ClusterState& state_;
  const CostSettings& settings_;
  const UpkeepControl& control_;
  uint64_t cost_ = 0;
};

}  // namespace pgdata
