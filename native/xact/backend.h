// Backend: one session's place in the cluster, and its current transaction.
//
// A Backend is used by one thread at a time. Its process-array slot, and with it
// the transaction id others see, lives in the shared segment. Errors leave the
// transaction in progress; the caller decides to abort.
// Source: src/backend/access/transam/xact.c, storage/ipc/procarray.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "xact/snapshot.h"
#include "xact/transaction_system.h"

namespace pgdata {

enum class IsolationLevel : uint8_t { read_committed, repeatable_read, serializable };

class Backend {
 public:
  // Takes a free slot of the process array; too_many_connections when there is none.
  static Status create(StorageServices& services, TransactionSystem& transactions, Oid database,
                       std::unique_ptr<Backend>* backend);
  ~Backend();  // aborts an open transaction, gives the slot back
  Backend(const Backend&) = delete;

  StorageServices& services() const { return services_; }
  BufferPool& pool() const { return services_.pool; }
  TransactionSystem& transactions() const { return transactions_; }
  Oid database() const { return database_; }

  bool in_transaction() const { return in_transaction_; }
  Status begin(IsolationLevel level, bool read_only);
  // Writes the commit record if the transaction wrote anything. With `wait_for_flush` returns when it is durable.
  // Otherwise `*flush_upto` is the log position that must be durable before the commit may be acknowledged (0: none);
  // the transaction is visible to others at once, as with PostgreSQL's asynchronous commit, so an acknowledgement
  // must wait for the flush.
  Status commit(bool wait_for_flush, Lsn* flush_upto);
  // Never fails short of poisoning the cluster.
  void abort();

  // The transaction's id, assigned at first need. read_only_sql_transaction in a read-only transaction.
  Status assign_xid(TransactionId* xid);
  TransactionId xid() const { return xid_; }  // invalid when none is assigned
  // Is `xid` this transaction (or, later, one of its live subtransactions)?
  bool is_current(TransactionId xid) const { return is_valid(xid) && xid == xid_; }

  // Command counter: rows written by earlier commands are seen by later ones.
  CommandId current_command() const { return command_; }
  void use_command() { command_used_ = true; }
  Status advance_command();

  // The snapshot for the next command: taken anew under read committed, once otherwise.
  Status statement_snapshot(const Snapshot** snapshot);
  // A fresh snapshot for reading catalogs, whatever the isolation level.
  Status catalog_snapshot(const Snapshot** snapshot);
  // Sees every committed row and this transaction's own, at this moment (SnapshotSelf-like), for unique checks: dirty.

  // Files: created ones vanish on abort, dropped ones on commit (as the commit or abort record also says).
  Status create_storage(RelFileLocator relation, bool logged);  // logs XLOG_SMGR_CREATE and creates the main fork
  void drop_storage_at_commit(RelFileLocator relation);

 private:
  Backend(StorageServices& services, TransactionSystem& transactions, Oid database);
  StorageServices& services_;
  TransactionSystem& transactions_;
  Oid database_;
  int slot_ = -1;
  bool in_transaction_ = false;
  bool read_only_ = false;
  bool command_used_ = false;
  IsolationLevel isolation_ = IsolationLevel::read_committed;
  TransactionId xid_ = invalid_transaction_id;
  CommandId command_ = first_command_id;
  Snapshot snapshot_;
  Snapshot catalog_snapshot_;
  bool snapshot_valid_ = false;
  struct PendingDelete {
    RelFileLocator relation;
    bool at_commit;
  };
  std::vector<PendingDelete> pending_deletes_;
};

}  // namespace pgdata
