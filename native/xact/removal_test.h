// RemovalTest: whether rows that a transaction deleted are gone for everybody, mostly without looking at who runs.
//
// A horizon stays right when it gets old, since horizons of the living never move back: so the last one known
// answers for all that precedes it, what the caller's own snapshot may still see is never removable, and only in between is the
// process array asked, once per snapshot.
// Source: GlobalVisState in src/backend/storage/ipc/procarray.c, PostgreSQL 18.
#pragma once

#include "base/types.h"
#include "xact/process_array.h"
#include "xact/transaction_system.h"

namespace pgdata {

class RemovalTest {
 public:
  RemovalTest(const TransactionSystem& transactions, Oid database)
      : transactions_(transactions), database_(database) {}

  // `deleter` has committed. `shared`: in a shared catalog. `recent_xmin`: of the caller's last snapshot;
  // invalid_transaction_id when it has none.
  bool is_removable(TransactionId deleter, bool shared, TransactionId recent_xmin) {
    if (is_known(deleter, shared)) return true;
    if (is_valid(recent_xmin) && !precedes(deleter, recent_xmin)) return false;
    return is_removable_now(deleter, shared, recent_xmin);
  }
  // Has everybody who ran when `next_xid` was the next transaction ended? Asks the array.
  bool is_recyclable(FullTransactionId next_xid, bool shared);

 private:
  bool is_known(TransactionId deleter, bool shared) const {
    const TransactionId horizon = shared ? horizons_.shared : horizons_.database;
    return is_valid(horizon) && precedes(deleter, horizon);
  }
  bool is_removable_now(TransactionId deleter, bool shared, TransactionId recent_xmin);

  const TransactionSystem& transactions_;
  Oid database_;
  RemovalHorizons horizons_;
  // When the horizons were taken: the snapshot's xmin and the array's count.
  TransactionId taken_with_xmin_ = invalid_transaction_id;
  uint64_t taken_at_ = 0;
};

}  // namespace pgdata
