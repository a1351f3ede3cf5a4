// TransactionSystem: the shared state of transactions: xid and OID counters, process array, commit log.
//
// Everything shared lives in the segment; a TransactionSystem is one process's door to it, used by all of
// its threads. Source: src/backend/access/transam/{varsup.c,clog.c,slru.c,subtrans.c,multixact.c},
// storage/ipc/procarray.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "layout/wal_transaction_records.h"
#include "shmem/segment.h"
#include "xact/snapshot.h"
#include "xact/wraparound_limits.h"

namespace pgdata {

class CommitLog;
class CommitTimestampLog;
class CreatedFiles;
class MultiXactLog;
class PreparedTable;
class ProcessArray;
class SerializableTransactions;

enum class TransactionStatus : uint8_t {
  in_progress = 0,
  committed = 1,
  aborted = 2,
  sub_committed = 3
};

struct TransactionSystemOptions {
  uint32_t block_size = 8192;
  uint32_t max_backends = 128;
  uint32_t max_prepared_transactions = 0;
  uint32_t clog_buffers = 64;  // pages
  bool read_only = false;
  // Ids of that age are due to be frozen.
  uint32_t autovacuum_freeze_max_age = 200'000'000;
  uint32_t autovacuum_multixact_freeze_max_age = 400'000'000;
};

// The oldest ids that any database may still hold unfrozen, and the databases that do.
struct OldestIds {
  TransactionId xid = invalid_transaction_id;
  NamedDatabase xid_database;
  MultiXactId multi = 0;
  NamedDatabase multi_database;
};

// The counters that a checkpoint records and a start restores. Fields as in CheckPoint,
// src/include/catalog/pg_control.h.
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
  TransactionId oldestActiveXid = invalid_transaction_id;  // online checkpoints only
};

enum class CheckpointKind : uint8_t { shutdown, online };

class TransactionSystem {
 public:
  static void plan(SegmentPlan& plan, const TransactionSystemOptions& options);
  TransactionSystem(Segment& segment, StorageServices& services, TransactionSystemOptions options);
  ~TransactionSystem();
  TransactionSystem(const TransactionSystem&) = delete;

  ClusterState& state() const;

  // New cluster: makes and syncs the first page of pg_xact, pg_subtrans, pg_multixact/{offsets,members}. The
  // directories exist. OIDs below first_normal_object_id are given out until the next start.
  Status create(const TransactionCounters& counters);
  // Start after a clean shutdown or at the end of recovery. Transactions whose files are in pg_twophase are prepared.
  Status start(const TransactionCounters& counters);
  // What a checkpoint records. An online one counts the OIDs that are logged for use as used.
  TransactionCounters counters(CheckpointKind kind = CheckpointKind::shutdown) const;
  FullTransactionId next_full_xid() const;
  // With its epoch; `xid` is not one still to come.
  FullTransactionId full_xid_of(TransactionId xid) const;

  // The outcome of a transaction; permanent ids answer without a page. `*lsn` (may be null): its commit record,
  // which must be durable before hint bits may say so on disk; invalid_lsn when it is durable. A transaction
  // that never ended (a crash) reads as in_progress: ask is_in_progress first.
  Status status_of(TransactionId xid, TransactionStatus* status, Lsn* lsn = nullptr);
  Status set_status(TransactionId xid, TransactionStatus status, Lsn commit_lsn);
  // Of a transaction with its subtransactions `children`, ascending: all at once for whoever asks.
  Status set_tree(TransactionId xid, const std::vector<TransactionId>& children,
                  TransactionStatus status, Lsn commit_lsn);
  // Is it running in any backend of the cluster, or prepared; or a subtransaction of one that is, not rolled back?
  Status is_in_progress(TransactionId xid, bool* running);
  // The process-array slot that runs it, or the transaction it is a subtransaction of; negative when it has ended.
  Status slot_of(TransactionId xid, int* slot);
  // Was `xid` still running for `snapshot`, so that its effects are not visible?
  Status in_snapshot(const Snapshot& snapshot, TransactionId xid, bool* running) {
    if (!snapshot.suboverflowed) {
      *running = snapshot.contains(xid);
      return Status::ok;
    }
    return in_overflowed_snapshot(snapshot, xid, running);
  }
  // The transaction that `xid`, which runs, is a subtransaction of; itself when it is none.
  Status topmost_of(TransactionId xid, TransactionId* topmost);

  // At start, when the log can be written again, and when replay meets a change of track_commit_timestamp: whether times
  // of commits are kept from the next transaction on. No: those that are there are forgotten.
  Status track_commit_timestamps(bool track);

  // Members of a multixact found in a row's xmax; ids out of range are data_corrupted.
  Status multixact_members(MultiXactId multi, std::vector<MultiXactMember>* members);
  // A new multixact, of at most one member that updates; logged. Whoever puts it into a row was announced by
  // `announce_multixact_member`, and
  // delays checkpoints; `xid` is its own. A failure after its number was taken poisons the cluster.
  Status create_multixact(TransactionId xid, std::span<const MultiXactMember> members,
                          MultiXactId* multi);
  // The transaction of `slot` may from now on become a member of new multixacts, or look older ones up (once each
  // per transaction); until its end.
  void announce_multixact_member(int slot);
  void announce_multixact_reader(int slot);
  void end_multixact_use(int slot);
  // PREPARE TRANSACTION: what `from` announced goes on for `to`.
  void hand_over_multixact_use(int from, int to);
  // What `announce_multixact_member` noted for the slot's transaction, 0 if nothing; and that of a transaction that was
  // prepared before the start.
  MultiXactId oldest_member_of(int slot) const;
  void announce_oldest_member(int slot, MultiXactId oldest);
  // No transaction that runs is a member of an older multixact, or looks one up.
  MultiXactId oldest_multixact() const;

  // The next OID of the counter; the caller checks that it is not in use. Logs XLOG_NEXTOID ahead of need.
  Status new_oid(Oid* oid);

  void take_snapshot(Snapshot* snapshot) const;
  // Oldest xid that any snapshot of any backend may still see as running: what is dead before it is removable.
  TransactionId oldest_xmin() const;

  // The oldest xid that any table may still hold unfrozen, and the database that does: sets how far xids may go.
  void set_oldest_xid(TransactionId oldest, Oid database);
  // Nothing older is needed any more: truncates pg_xact, pg_commit_ts and pg_multixact, logged, and moves the limits on. What
  // is not newer than the oldest ids so far changes nothing. `slot` is the caller's, which delays checkpoints meanwhile.
  // Source: vac_truncate_clog in src/backend/commands/vacuum.c.
  Status truncate_logs(const OldestIds& oldest, int slot);
  // Are ids due to be frozen, or is the database of the oldest one unknown? Then the limits are looked at after each vacuum.
  bool is_vacuum_due() const;
  // The databases of the oldest ids.
  void oldest_databases(Oid* of_xid, Oid* of_multi) const;
  // Their names, for messages; warns of limits that have been reached.
  void name_oldest_databases(const NamedDatabase& of_xid, const NamedDatabase& of_multi);
  // Who gets warnings, on any thread and under no lock. Set while nobody else uses this.
  void on_notice(std::function<void(Status)> handler);
  // Checkpoint: pg_subtrans is not needed before the oldest snapshot.
  Status truncate_subtransactions();

  // Checkpoint: after its redo pointer is fixed and before it writes pages, and again before it writes its
  // record, waits for those that logged something and have not yet done it (commits, truncations).
  Status wait_for_commits_in_progress() const;
  // Checkpoint: write and sync the dirty pages of pg_xact and the others. A failed sync poisons the cluster.
  // Files for prepared transactions are PreparedTable::checkpoint's.
  Status write_all_dirty(uint64_t* written = nullptr);
  // Online checkpoint, before its record: logs XLOG_RUNNING_XACTS, from which a standby learns who runs.
  Status log_running_transactions();

  // Replay of the log (recovery/), by one thread while nobody else uses the cluster: begin_recovery in place of
  // `start`, then what the records say, then `start` with what `counters` says.
  void begin_recovery(const TransactionCounters& counters);
  // The next xid is later than `xid`, whose epoch is the one that makes it near the next xid.
  void advance_next_xid_past(TransactionId xid);
  void set_next_xid(FullTransactionId next_xid);
  void set_next_oid(Oid next_oid);
  void set_next_multixact(MultiXactId next, uint32_t next_offset);
  void advance_next_multixact(MultiXactId next, uint32_t next_offset);
  void advance_oldest_multixact(MultiXactId oldest, Oid database);
  CommitLog& commit_log() const;
  CommitTimestampLog& commit_timestamps() const;
  MultiXactLog& multixacts() const;

  // For Backend: the next xid, entered for `slot` of the process array; with a `parent`, as its subtransaction.
  Status assign_xid(int slot, TransactionId parent, TransactionId* xid);
  // For PreparedTable: `parent` is the transaction that `xid` belongs to.
  Status set_parent(TransactionId xid, TransactionId parent);
  ProcessArray& processes() const;
  // Where Backends get what their serializable transactions need; null: serializable is refused.
  SerializableTransactions* serializable_transactions() const { return serializable_; }
  void set_serializable_transactions(SerializableTransactions* transactions) {
    serializable_ = transactions;
  }
  PreparedTable& prepared() const;
  CreatedFiles& created_files() const;

 private:
  struct Shared;
  struct Local;
  Status in_overflowed_snapshot(const Snapshot& snapshot, TransactionId xid, bool* running);
  NamedDatabase named(Oid database, bool of_xid) const;
  void notify(Status notice) const;
  void set_oldest_multixact(MultiXactId oldest, Oid database);
  Status find_member_limit();
  Status truncate_multixacts(MultiXactId oldest, Oid database, int slot);
  void warn_of_limits() const;
  void load_counters(const TransactionCounters& counters, bool initializing);
  std::unique_ptr<Local> local_;
  SerializableTransactions* serializable_ = nullptr;
};

}  // namespace pgdata
