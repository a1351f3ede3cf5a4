// Wraparound limits: how many more ids may be given out before the oldest that is still in use would seem to lie in the future.
//
//   oldest ── vacuum ───────────────── warn ──────── stop ── wrap
//             ids are due to be frozen  each new one   none    2^31 after the oldest
//                                       warns          any more
//
// Source: SetTransactionIdLimit in src/backend/access/transam/varsup.c, SetMultiXactIdLimit, SetOffsetVacuumLimit and
// MultiXactOffsetWouldWrap in src/backend/access/transam/multixact.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "base/types.h"

namespace pgdata {

struct XidLimits {
  TransactionId vacuum = invalid_transaction_id;
  TransactionId warn = invalid_transaction_id;
  TransactionId stop = invalid_transaction_id;
  TransactionId wrap = invalid_transaction_id;
};
XidLimits xid_limits(TransactionId oldest, uint32_t freeze_max_age);

struct MultiXactLimits {
  MultiXactId vacuum = 0;
  MultiXactId warn = 0;
  MultiXactId stop = 0;
  MultiXactId wrap = 0;
};
MultiXactLimits multixact_limits(MultiXactId oldest, uint32_t freeze_max_age);

// The first member that may not be used while the oldest one is at `oldest_offset`: a segment file of
// `members_per_segment` before the one that has that.
uint32_t member_stop_limit(uint32_t oldest_offset, uint32_t members_per_segment);
// Does the range of `count` members from `start` reach `boundary`?
bool members_reach(uint32_t boundary, uint32_t start, uint32_t count);

// A database by name, or by OID when the name is not known.
struct NamedDatabase {
  Oid oid = invalid_oid;
  std::string name;
};

Status xids_exhausted(const NamedDatabase& oldest);
Status multixacts_exhausted(const NamedDatabase& oldest);
Status members_exhausted(Oid oldest, uint32_t wanted, uint32_t left);
// Warnings, of code `warning`. The first is of an id that is assigned, the second of a limit that was set.
Status few_xids_left(const NamedDatabase& oldest, uint32_t left);
Status few_xids_left_at_limit(const NamedDatabase& oldest, uint32_t left);
Status few_multixacts_left(const NamedDatabase& oldest, uint32_t left);
Status few_members_left(Oid oldest, uint32_t left);

}  // namespace pgdata
