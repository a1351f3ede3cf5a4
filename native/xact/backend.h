// Backend: one session's place in the cluster, and its current transaction.
//
// A Backend is used by one thread at a time. Its process-array slot, and with it
// the transaction id others see, lives in the shared segment. Errors leave the
// transaction in progress; the caller decides to abort.
// Source: src/backend/access/transam/xact.c, storage/ipc/procarray.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "statistics/session_counters.h"
#include "temp/temporary_space.h"
#include "xact/combo_commands.h"
#include "xact/prepared_table.h"
#include "xact/removal_test.h"
#include "xact/serializable.h"
#include "xact/snapshot.h"
#include "xact/temporary_relations.h"
#include "xact/transaction_system.h"

namespace pgdata {

// What Backend::prepare is given.
struct PrepareRequest {
  std::string gid;
  Oid owner = 0;
  // Sent to all when it commits, if it changed catalogs.
  std::vector<SharedInvalidationMessage> invalidations;
  // What stays locked until it ends, other than its transaction ids.
  std::vector<TwoPhaseLockRecord> locks;
};

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
  // Where a relation's pages are: those of a temporary one are the session's own.
  StorageServices& services_of(bool temporary) {
    return temporary ? temporary_services() : services_;
  }
  BufferPool& pool_of(bool temporary) { return services_of(temporary).pool; }
  // Makes room for temporary relations, of so many blocks, if there is none yet. out_of_memory.
  Status begin_temporary_relations(uint32_t buffers);
  bool has_temporary_relations() const { return temporary_relations_ != nullptr; }
  // For a backend that works on them beside the session, whose they stay.
  const std::shared_ptr<TemporaryRelations>& temporary_relations() const {
    return temporary_relations_;
  }
  void use_temporary_relations(std::shared_ptr<TemporaryRelations> relations) {
    temporary_relations_ = std::move(relations);
  }
  TransactionSystem& transactions() const { return transactions_; }
  Oid database() const { return database_; }
  // Of the process array; also of the lock table.
  int slot() const { return slot_; }
  // What it has done; null where nobody counts.
  SessionCounters* counters() const { return counters_.get(); }
  // Where its operations put what they have no memory for.
  TemporarySpace& temporary_files() const { return *temporary_files_; }

  bool in_transaction() const { return in_transaction_; }
  bool read_only() const { return read_only_; }
  IsolationLevel isolation() const { return isolation_; }
  // feature_not_supported for serializable where nobody watches over it (no predicate locks). `deferrable`: a
  // serializable read-only transaction that `safe_snapshot` lets begin to read.
  Status begin(IsolationLevel level, bool read_only, bool deferrable = false);
  // Of a deferrable transaction: has it a snapshot that no serializable transaction can make part of an anomaly? If
  // not, it waits for others to end: ask again, before anything is read. True for all other transactions.
  Status safe_snapshot(bool* is_safe);
  // The transaction's part in predicate locking while it matters what it writes; else null.
  SerializableTransaction* serializable() const {
    return is_watched_ && serializable_->is_tracked() ? serializable_.get() : nullptr;
  }
  // Writes the commit record if the transaction has an xid. With `wait_for_flush` returns when it is durable.
  // Otherwise `*flush_upto` is the log position that must be durable before the commit may be acknowledged
  // (0: none); the transaction is visible to others at once, as with PostgreSQL's asynchronous commit, so an
  // acknowledgement must wait for the flush. A commit that drops files, or was asked to, waits in any case.
  // An error before the commit record leaves the transaction in progress; one after it poisons the cluster.
  Status commit(bool wait_for_flush, Lsn* flush_upto);
  // Never fails short of poisoning the cluster.
  void abort();
  // PREPARE TRANSACTION: the transaction goes on without this backend, durably, until PreparedTable::finish. An error
  // before its record (see PreparedTable::reserve) leaves it in progress here; one after it poisons the cluster.
  // `*flush_upto`: the log position that must be durable before it may be said to be prepared.
  Status prepare(const PrepareRequest& request, Lsn* flush_upto);
  // This transaction does what cannot be undone (files of a database): its commit is flushed, here and on standbys.
  void force_sync_commit() { force_sync_commit_ = true; }

  // Something to be done right before the commit record, which an abort cannot undo: replacing a relation map. A failure
  // poisons the cluster. A transaction with such a thing cannot be prepared.
  void before_commit_record(std::function<Status()> action) {
    before_commit_record_.push_back(std::move(action));
  }

  // Subtransactions. A level number is 1 for the transaction itself.
  uint32_t level() const { return static_cast<uint32_t>(levels_.size()); }
  // Begins a subtransaction of the current level; `read_only` lasts until it ends.
  Status begin_subtransaction(bool read_only);
  // Its effects become those of the level around it.
  Status commit_subtransaction();
  // Undoes the current level, which must not be the first. Never fails short of poisoning the cluster.
  void abort_subtransaction();

  // The id of the current level, assigned at first need. read_only_sql_transaction in a read-only transaction, which may
  // write temporary relations only.
  Status assign_xid(TransactionId* xid, bool temporary = false);
  TransactionId xid() const { return xid_; }  // invalid when none is assigned
  // The id of the whole transaction; invalid when none is assigned.
  TransactionId top_xid() const { return top_xid_; }
  // Is `xid` this transaction or one of its subtransactions that was not rolled back?
  bool is_current(TransactionId xid) const {
    if (!is_valid(top_xid_)) return false;
    if (xid == xid_ || xid == top_xid_) return is_valid(xid);
    return has_subxids_ && is_current_subtransaction(xid);
  }

  // Command counter: rows written by earlier commands are seen by later ones.
  CommandId current_command() const { return command_; }
  void use_command() { command_used_ = true; }
  Status advance_command();
  // Before it locks a row, so that others may make it a member of a multixact.
  void announce_multixact_member() {
    if (std::exchange(multixact_member_, true)) return;
    transactions_.announce_multixact_member(slot_);
  }
  // Before it looks up the members of one.
  void announce_multixact_reader() {
    if (std::exchange(multixact_reader_, true)) return;
    transactions_.announce_multixact_reader(slot_);
  }
  // A multixact of these members: one that this transaction made before, or a new one.
  Status multixact_of(std::vector<MultiXactMember> members, MultiXactId* multi);
  // For rows that this transaction wrote and deleted.
  ComboCommands& combo_commands() { return combo_commands_; }

  // The snapshot for the next command: taken anew under read committed, once otherwise. Valid until the next
  // call: a scan that outlives its command copies it. What it may see is kept until `end_statement`.
  Status statement_snapshot(const Snapshot** snapshot);
  // No scan is open and no command goes on: a read-only transaction under read committed needs nothing any more of what
  // it has seen. (Others may come back to a row by its address, which must not be another row's meanwhile.)
  void end_statement();
  // A fresh snapshot for reading catalogs, whatever the isolation level; valid until the next call.
  Status catalog_snapshot(const Snapshot** snapshot);

  // Are rows that `deleter`, which has committed, deleted gone for everybody? `shared`: in a shared catalog.
  bool is_removable(TransactionId deleter, bool shared) {
    return removal_test_.is_removable(deleter, shared,
                                      snapshot_taken_ ? snapshot_.xmin : invalid_transaction_id);
  }

  // See RemovalTest::is_recyclable.
  bool is_recyclable(FullTransactionId next_xid, bool shared) {
    return removal_test_.is_recyclable(next_xid, shared);
  }

  // Files: created ones vanish when their level is rolled back, dropped ones on commit (as the commit or abort record
  // also says).
  // Creates the main fork; `logged` with XLOG_SMGR_CREATE.
  Status create_storage(RelFileLocator relation, bool logged);
  // Of a temporary relation: nobody else, and no record, ever knows of its files.
  Status create_temporary_storage(RelFileLocator relation);
  // The init fork of a relation whose main fork was created in this transaction and is not logged: what the relation is
  // made anew from after a crash. Logged, and goes with the main fork.
  Status create_init_fork(RelFileLocator relation);
  void drop_storage_at_commit(RelFileLocator relation, bool temporary = false);

 private:
  friend class CheckpointDelay;
  struct PendingDelete {
    RelFileLocator relation;
    bool at_commit;
    uint32_t level;
    bool temporary = false;
  };
  struct Level {
    TransactionId xid = invalid_transaction_id;
    // Subtransactions committed into this one, with theirs, ascending.
    std::vector<TransactionId> children;
    bool read_only = false;
  };

  Backend(StorageServices& services, TransactionSystem& transactions, Oid database);
  bool is_current_subtransaction(TransactionId xid) const;
  Status assign_level_xids();
  Status log_assignment();
  // Those of the current level and of levels inside it.
  std::vector<RelFileLocator> pending_files(bool at_commit, bool temporary = false) const;
  void remove_temporary_files(const std::vector<RelFileLocator>& relations);
  StorageServices& temporary_services();
  // The outcome of the current level, with its children, is "aborted".
  void record_abort();
  void leave_level();
  void abandon();
  void forget_transaction();
  Status serializable_snapshot();

  StorageServices& services_;
  TransactionSystem& transactions_;
  Oid database_;
  std::unique_ptr<SessionCounters> counters_;
  std::unique_ptr<TemporarySpace> temporary_files_;
  std::shared_ptr<TemporaryRelations> temporary_relations_;  // null until there are some
  int slot_ = -1;
  bool in_transaction_ = false;
  bool read_only_ = false;
  bool has_subxids_ = false;
  bool command_used_ = false;
  bool force_sync_commit_ = false;
  bool temporary_used_ = false;  // the transaction has operated on temporary relations
  bool snapshot_taken_ = false;
  bool deferrable_ = false;
  bool is_watched_ = false;                                // serializable, and its snapshot taken
  std::unique_ptr<SerializableTransaction> serializable_;  // null where serializable is refused
  bool multixact_member_ = false;
  bool multixact_reader_ = false;
  IsolationLevel isolation_ = IsolationLevel::read_committed;
  TransactionId xid_ = invalid_transaction_id;      // of the current level
  TransactionId top_xid_ = invalid_transaction_id;  // of the first
  std::vector<Level> levels_;  // the transaction itself first; empty outside one
  // Subtransactions whose transaction no record has told yet (unreportedXids).
  std::vector<TransactionId> unreported_subxids_;
  CommandId command_ = first_command_id;
  ComboCommands combo_commands_;
  Snapshot snapshot_;
  uint64_t snapshot_completions_ = 0;  // ProcessArray's mark of the moment snapshot_ was taken
  Snapshot catalog_snapshot_;
  uint64_t catalog_snapshot_completions_ = 0;
  RemovalTest removal_test_;
  std::vector<PendingDelete> pending_deletes_;
  std::vector<std::function<Status()>> before_commit_record_;
  struct KnownMultiXact {
    MultiXactId multi;
    std::vector<MultiXactMember> members;  // by xid, then status
  };
  std::vector<KnownMultiXact> multixacts_;  // the latest ones last
};

// While it lives, no checkpoint completes that began before and none begins whose pages are written: what was
// logged inside is also done inside. Not to be held across a wait for another transaction.
class CheckpointDelay {
 public:
  explicit CheckpointDelay(Backend& backend);
  ~CheckpointDelay();
  CheckpointDelay(const CheckpointDelay&) = delete;

 private:
  Backend& backend_;
};

}  // namespace pgdata
