// Commit and abort records: of a transaction, of a subtransaction that is rolled back, of a prepared transaction.
//
// Source: XactLogCommitRecord and XactLogAbortRecord in src/backend/access/transam/xact.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "layout/wal_transaction_records.h"
#include "wal/wal.h"

namespace pgdata {

struct OutcomeRecord {
  bool committed = false;
  TimestampTz time = 0;
  bool force_sync_commit = false;
  // Subtransactions that share the outcome, ascending.
  std::vector<TransactionId> subxacts;
  // Files that go: dropped ones for a commit, created ones for an abort.
  std::vector<RelFileLocator> files;
  // Statistics of objects that go, as a prepared transaction kept them.
  std::vector<xl_xact_stats_item> stats;
  // Of a prepared transaction: whose outcome it is, and its name.
  TransactionId prepared = invalid_transaction_id;
  std::string gid;

  // `xid`: the transaction that logs, none for the outcome of a prepared one.
  Status log(Wal& wal, TransactionId xid, Lsn* end) const;
};

// Removes the files that an outcome names. One that cannot be removed only wastes space, and the outcome is decided:
// its error is not reported.
void remove_relation_files(StorageServices& services, const std::vector<RelFileLocator>& relations,
                           bool at_once = false);

}  // namespace pgdata
