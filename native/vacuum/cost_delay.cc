// CostDelay: counting what was done, and resting.
#include "vacuum/cost_delay.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace pgdata {

Status UpkeepControl::check() const {
  if (!canceled.load(std::memory_order_relaxed) && (stopping == nullptr || !stopping->load()))
    return Status::ok;
  return Status::error(ErrorCode::query_canceled, "canceling statement due to user request");
}

Status CostDelay::pause(bool dirtied, bool hurried) {
  RETURN_IF_ERROR(state_.check());
  RETURN_IF_ERROR(control_.check());
  if (settings_.vacuum_cost_delay_ms <= 0 || hurried) return Status::ok;
  cost_ += settings_.vacuum_cost_page_miss + (dirtied ? settings_.vacuum_cost_page_dirty : 0);
  const uint32_t shared_limit = control_.cost_limit.load(std::memory_order_relaxed);
  const uint32_t limit = shared_limit != 0 ? shared_limit : settings_.vacuum_cost_limit;
  if (cost_ < limit) return Status::ok;
  const double share = static_cast<double>(cost_) / limit;
  const double delay_ms = settings_.vacuum_cost_delay_ms * std::min(share, 4.0);
  std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(delay_ms));
  cost_ = 0;
  return Status::ok;
}

}  // namespace pgdata
