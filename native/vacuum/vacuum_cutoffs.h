// Vacuum cutoffs: how old transaction ids may be that a vacuum leaves behind.
// Source: vacuum_get_cutoffs, vacuum_xid_failsafe_check in src/backend/commands/vacuum.c, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "heap/freeze.h"
#include "xact/transaction_system.h"

namespace pgdata {

// PostgreSQL's settings, with its defaults.
struct FreezeSettings {
  uint32_t vacuum_freeze_min_age = 50'000'000;
  uint32_t vacuum_freeze_table_age = 150'000'000;
  uint32_t vacuum_multixact_freeze_min_age = 5'000'000;
  uint32_t vacuum_multixact_freeze_table_age = 150'000'000;
  uint32_t vacuum_failsafe_age = 1'600'000'000;
  uint32_t vacuum_multixact_failsafe_age = 1'600'000'000;
  uint32_t autovacuum_freeze_max_age = 200'000'000;
  uint32_t autovacuum_multixact_freeze_max_age = 400'000'000;
};

// `relfrozenxid` and `relminmxid` are pg_class's. `*aggressive`: they are so old that no page may be left out that
// could hold older ids than the limits.
VacuumCutoffs vacuum_cutoffs(const TransactionSystem& transactions, Oid database, bool shared,
                             const FreezeSettings& settings, TransactionId relfrozenxid,
                             MultiXactId relminmxid, bool* aggressive);

// Whether ids are so near their end that only freezing counts.
bool needs_failsafe(const TransactionSystem& transactions, const FreezeSettings& settings,
                    const VacuumCutoffs& cutoffs);

}  // namespace pgdata
