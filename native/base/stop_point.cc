// stop_point: what is armed, and the stop.
#include "base/stop_point.h"

#include <fcntl.h>
#include <unistd.h>

#include <mutex>
#include <utility>

namespace pgdata {

namespace {

std::mutex mutex;
std::string awaited;
uint32_t passages_left;
std::string report_path;

}  // namespace

void stop_at(std::string name, uint32_t skipped, std::string report) {
  const std::lock_guard<std::mutex> guard(mutex);
  awaited = std::move(name);
  passages_left = skipped;
  report_path = std::move(report);
  stop_points_armed.store(true, std::memory_order_relaxed);
}

void pass_armed_stop_point(const char* name) {
  {
    const std::lock_guard<std::mutex> guard(mutex);
    if (!stop_points_armed.load(std::memory_order_relaxed) || awaited != name) return;
    if (passages_left-- > 0) return;
    stop_points_armed.store(false, std::memory_order_relaxed);
    const int file = ::open(report_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) ::close(file);
  }
  for (;;) ::pause();
}

}  // namespace pgdata
