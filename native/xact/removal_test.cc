// RemovalTest: the part that looks at who runs.
#include "xact/removal_test.h"

namespace pgdata {

bool RemovalTest::is_removable_now(TransactionId deleter, bool shared, TransactionId recent_xmin) {
  const ProcessArray& processes = transactions_.processes();
  const uint64_t now = processes.completions();
  const bool is_fresh = is_valid(recent_xmin) ? recent_xmin == taken_with_xmin_ : now == taken_at_;
  if (is_valid(horizons_.database) && is_fresh) return false;
  horizons_ = processes.removal_horizons(database_);
  taken_with_xmin_ = recent_xmin;
  taken_at_ = now;
  return is_known(deleter, shared);
}

bool RemovalTest::is_recyclable(FullTransactionId next_xid, bool shared) {
  const FullTransactionId now = transactions_.next_full_xid();
  horizons_ = transactions_.processes().removal_horizons(database_);
  const TransactionId horizon = shared ? horizons_.shared : horizons_.database;
  // The horizon is at most half the circle behind the next id.
  const uint64_t behind = value_of(xid_of(now)) - value_of(horizon);
  return next_xid < now - static_cast<uint32_t>(behind);
}

}  // namespace pgdata
