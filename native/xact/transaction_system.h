// TransactionSystem: the shared state of transactions: xid and OID counters, process array, commit log.
//
// Lives in the segment ("transactions", "clog"). Source: src/backend/access/transam/{varsup.c,clog.c,slru.c,subtrans.c,multixact.c},
// storage/ipc/procarray.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "shmem/segment.h"
#include "xact/snapshot.h"

namespace pgdata {

enum class TransactionStatus : uint8_t { in_progress = 0, committed = 1, aborted = 2, sub_committed = 3 };

struct TransactionSystemOptions {
  uint32_t max_backends = 128;
  uint32_t clog_buffers = 64;  // pages
  bool read_only = false;
};

// The counters that a checkpoint records and a start restores. Fields as in CheckPoint, src/include/catalog/pg_control.h.
struct TransactionCounters {
  FullTransactionId nextXid = 3;
  Oid nextOid = first_genbki_object_id;
  MultiXactId nextMulti = 1;
  uint32_t nextMultiOffset = 0;
  TransactionId oldestXid = first_normal_transaction_id;
  Oid oldestXidDB = 1;
  MultiXactId oldestMulti = 1;
  Oid oldestMultiDB = 1;
  TransactionId oldestCommitTsXid = invalid_transaction_id;
  TransactionId newestCommitTsXid = invalid_transaction_id;
  TransactionId oldestActiveXid = invalid_transaction_id;
};

class TransactionSystem {
 public:
  static void plan(SegmentPlan& plan, const TransactionSystemOptions& options);
  TransactionSystem(Segment& segment, StorageServices& services, TransactionSystemOptions options);
  ~TransactionSystem();
  TransactionSystem(const TransactionSystem&) = delete;

  // New cluster: creates the first page of pg_xact, pg_subtrans, pg_multixact/{offsets,members} and commits xid 1 and 2 (bootstrap, frozen) as PostgreSQL does.
  Status create(const TransactionCounters& counters);
  // Start after a clean shutdown.
  Status start(const TransactionCounters& counters);
  TransactionCounters counters() const;

  // The outcome of a transaction; permanent ids answer without a page. `*lsn` (may be null): its commit record,
  // which must be durable before hint bits may say so on disk.
  Status status_of(TransactionId xid, TransactionStatus* status, Lsn* lsn = nullptr);
  Status set_status(TransactionId xid, TransactionStatus status, Lsn commit_lsn);
  // Is it running in any backend of the cluster?
  bool is_in_progress(TransactionId xid) const;

  Status new_oid(Oid* oid);
  // Log XLOG_NEXTOID as needed; used at init for the OIDs up to first_normal_object_id.
  void take_snapshot(Snapshot* snapshot) const;
  // Oldest xid that any snapshot of any backend may still see as running: what is dead before it is removable.
  TransactionId oldest_xmin() const;

  // Checkpoint: write and sync the dirty pages of pg_xact and the others.
  Status write_all_dirty();

 private:
  friend class Backend;
  struct Shared;
  struct Local;
  std::unique_ptr<Local> local_;
};

}  // namespace pgdata
