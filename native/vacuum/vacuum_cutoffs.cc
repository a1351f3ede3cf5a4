// Vacuum cutoffs: arithmetic on ids that wrap.
#include "vacuum/vacuum_cutoffs.h"

#include <algorithm>

#include "xact/process_array.h"

namespace pgdata {

namespace {

// The id that is `age` before `next`.
TransactionId xid_before(TransactionId next, uint32_t age) {
  const TransactionId xid{value_of(next) - age};
  return is_normal(xid) ? xid : first_normal_transaction_id;
}
MultiXactId multi_before(MultiXactId next, uint32_t age) {
  const MultiXactId multi = next - age;
  return multi == 0 ? 1 : multi;
}

}  // namespace

VacuumCutoffs vacuum_cutoffs(const TransactionSystem& transactions, Oid database, bool shared,
                             const FreezeSettings& settings, TransactionId relfrozenxid,
                             MultiXactId relminmxid, bool* aggressive) {
  const RemovalHorizons horizons = transactions.processes().removal_horizons(database);
  const TransactionId next_xid = xid_of(transactions.next_full_xid());
  const MultiXactId next_multi = transactions.counters().nextMulti;
  VacuumCutoffs cutoffs;
  cutoffs.relfrozenxid = relfrozenxid;
  cutoffs.relminmxid = relminmxid;
  cutoffs.OldestXmin = shared ? horizons.shared : horizons.database;
  cutoffs.OldestMxact = transactions.oldest_multixact();

  const uint32_t min_age =
      std::min(settings.vacuum_freeze_min_age, settings.autovacuum_freeze_max_age / 2);
  cutoffs.FreezeLimit = xid_before(next_xid, min_age);
  if (precedes(cutoffs.OldestXmin, cutoffs.FreezeLimit)) cutoffs.FreezeLimit = cutoffs.OldestXmin;
  const uint32_t multi_min_age = std::min(settings.vacuum_multixact_freeze_min_age,
                                          settings.autovacuum_multixact_freeze_max_age / 2);
  cutoffs.MultiXactCutoff = multi_before(next_multi, multi_min_age);
  if (multixact_precedes(cutoffs.OldestMxact, cutoffs.MultiXactCutoff))
    cutoffs.MultiXactCutoff = cutoffs.OldestMxact;

  const auto below = [](uint32_t age, uint32_t limit) {
    return std::min(age, static_cast<uint32_t>(limit * 0.95));
  };
  const TransactionId table_limit = xid_before(
      next_xid, below(settings.vacuum_freeze_table_age, settings.autovacuum_freeze_max_age));
  const MultiXactId multi_table_limit =
      multi_before(next_multi, below(settings.vacuum_multixact_freeze_table_age,
                                     settings.autovacuum_multixact_freeze_max_age));
  *aggressive = precedes_or_equals(relfrozenxid, table_limit) ||
                !multixact_precedes(multi_table_limit, relminmxid);
  return cutoffs;
}

bool needs_failsafe(const TransactionSystem& transactions, const FreezeSettings& settings,
                    const VacuumCutoffs& cutoffs) {
  const auto above = [](uint32_t age, uint32_t limit) {
    return std::max(age, static_cast<uint32_t>(limit * 1.05));
  };
  const TransactionId limit =
      xid_before(xid_of(transactions.next_full_xid()),
                 above(settings.vacuum_failsafe_age, settings.autovacuum_freeze_max_age));
  if (precedes(cutoffs.relfrozenxid, limit)) return true;
  const MultiXactId multi_limit = multi_before(
      transactions.counters().nextMulti,
      above(settings.vacuum_multixact_failsafe_age, settings.autovacuum_multixact_freeze_max_age));
  return multixact_precedes(cutoffs.relminmxid, multi_limit);
}

}  // namespace pgdata
