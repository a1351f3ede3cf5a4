// The abort of Backend, from what the segment knows.
#include "xact/transaction_of_dead.h"

#include <vector>

#include "base/types.h"
#include "xact/created_files.h"
#include "xact/outcome_record.h"
#include "xact/process_array.h"

namespace pgdata {

Status end_transaction_of_dead(StorageServices& services, TransactionSystem& transactions,
                               int slot) {
  ProcessArray& processes = transactions.processes();
  CreatedFiles& created_files = transactions.created_files();
  const TransactionId xid = processes.xid_of(slot);
  OutcomeRecord outcome;
  outcome.files = created_files.of(slot);
  if (is_valid(xid)) {
    outcome.time = current_timestamp();
    // Others, which the slot does not list, read as running in no process and not committed: as aborted.
    outcome.subxacts = processes.subxids_of(slot);
    RETURN_IF_ERROR(outcome.log(services.wal, xid, nullptr));
    RETURN_IF_ERROR(
        transactions.set_tree(xid, outcome.subxacts, TransactionStatus::aborted, invalid_lsn));
    processes.end_transaction(slot, xid, outcome.subxacts.empty() ? xid : outcome.subxacts.back());
  } else {
    processes.clear_xmin(slot);
  }
  transactions.end_multixact_use(slot);
  remove_relation_files(services, outcome.files);
  created_files.forget(slot);
  return Status::ok;
}

}  // namespace pgdata
