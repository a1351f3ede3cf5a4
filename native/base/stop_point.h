// stop_point: a place in the middle of something, where a test can have a thread stop for good, so that the process is
// killed exactly there.
//
// Nothing stops unless `stop_at` was called, which the addon has for tests alone. Until then to pass one costs the load of
// a word that nobody writes.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace pgdata {

inline std::atomic<bool> stop_points_armed{false};

// The thread that passes `name` next, or after `skipped` others did, makes the file `report` there and never goes on. What
// was asked for before is forgotten.
void stop_at(std::string name, uint32_t skipped, std::string report);

[[gnu::cold]] void pass_armed_stop_point(const char* name);

inline void stop_point(const char* name) {
  if (stop_points_armed.load(std::memory_order_relaxed)) [[unlikely]]
    pass_armed_stop_point(name);
}

}  // namespace pgdata
