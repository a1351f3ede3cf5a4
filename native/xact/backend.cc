// Backend: begin, commit, abort, snapshots and pending files of one session.
#include "xact/backend.h"

#include <cstring>

#include "base/invariant.h"
#include "layout/wal_record.h"
#include "layout/wal_storage_records.h"
#include "layout/wal_transaction_records.h"
#include "xact/process_array.h"

namespace pgdata {

CheckpointDelay::CheckpointDelay(Backend& backend) : backend_(backend) {
  backend_.transactions_.processes().begin_checkpoint_delay(backend_.slot_);
}

CheckpointDelay::~CheckpointDelay() {
  backend_.transactions_.processes().end_checkpoint_delay(backend_.slot_);
}

Backend::Backend(StorageServices& services, TransactionSystem& transactions, Oid database)
    : services_(services), transactions_(transactions), database_(database) {}

Status Backend::create(StorageServices& services, TransactionSystem& transactions, Oid database,
                       std::unique_ptr<Backend>* backend) {
  std::unique_ptr<Backend> made(new Backend(services, transactions, database));
  RETURN_IF_ERROR(transactions.processes().take_slot(database, &made->slot_));
  *backend = std::move(made);
  return Status::ok;
}

Backend::~Backend() {
  if (slot_ < 0) return;
  if (in_transaction_) abort();
  transactions_.processes().release_slot(slot_);
}

Status Backend::begin(IsolationLevel level, bool read_only) {
  INVARIANT(!in_transaction_);
  if (level == IsolationLevel::serializable) {
    return Status::error(ErrorCode::feature_not_supported,
                         "isolation level serializable is not supported")
        .with_hint("Use repeatable read.");
  }
  RETURN_IF_ERROR(services_.state.check());
  in_transaction_ = true;
  read_only_ = read_only;
  isolation_ = level;
  command_ = first_command_id;
  command_used_ = false;
  force_sync_commit_ = false;
  snapshot_taken_ = false;
  INVARIANT(!is_valid(xid_));
  INVARIANT(pending_deletes_.empty());
  return Status::ok;
}

Status Backend::assign_xid(TransactionId* xid) {
  INVARIANT(in_transaction_);
  if (!is_valid(xid_)) {
    if (read_only_) {
      return Status::error(ErrorCode::read_only_sql_transaction,
                           "cannot write in a read-only transaction");
    }
    RETURN_IF_ERROR(transactions_.assign_xid(slot_, &xid_));
  }
  *xid = xid_;
  return Status::ok;
}

Status Backend::advance_command() {
  INVARIANT(in_transaction_);
  if (!command_used_) return Status::ok;
  if (command_ + 1 == invalid_command_id) {
    return Status::error(ErrorCode::program_limit_exceeded,
                         "cannot have more than 2^32-2 commands in a transaction");
  }
  ++command_;
  command_used_ = false;
  return Status::ok;
}

Status Backend::statement_snapshot(const Snapshot** snapshot) {
  INVARIANT(in_transaction_);
  RETURN_IF_ERROR(services_.state.check());
  if (!snapshot_taken_ || isolation_ == IsolationLevel::read_committed) {
    transactions_.processes().take_snapshot(slot_, &snapshot_, &snapshot_completions_);
    snapshot_taken_ = true;
  }
  snapshot_.curcid = command_;
  *snapshot = &snapshot_;
  return Status::ok;
}

Status Backend::catalog_snapshot(const Snapshot** snapshot) {
  INVARIANT(in_transaction_);
  RETURN_IF_ERROR(services_.state.check());
  transactions_.processes().take_snapshot(slot_, &catalog_snapshot_,
                                          &catalog_snapshot_completions_);
  catalog_snapshot_.curcid = command_;
  *snapshot = &catalog_snapshot_;
  return Status::ok;
}

Status Backend::create_storage(RelFileLocator relation, bool logged) {
  INVARIANT(in_transaction_);
  RETURN_IF_ERROR(services_.state.check());
  RETURN_IF_ERROR(services_.storage.create(relation, ForkNumber::main));
  pending_deletes_.push_back({relation, false});
  if (!logged) return Status::ok;
  const xl_smgr_create header{relation, static_cast<int32_t>(ForkNumber::main)};
  WalRecord record;
  record.begin(RmgrId::storage, XLOG_SMGR_CREATE | XLR_SPECIAL_REL_UPDATE, xid_);
  record.data(&header, sizeof(header));
  return services_.wal.insert(record, nullptr);
}

void Backend::drop_storage_at_commit(RelFileLocator relation) {
  INVARIANT(in_transaction_);
  pending_deletes_.push_back({relation, true});
}

std::vector<RelFileLocator> Backend::pending_files(bool at_commit) const {
  std::vector<RelFileLocator> relations;
  for (const PendingDelete& pending : pending_deletes_) {
    if (pending.at_commit == at_commit) relations.push_back(pending.relation);
  }
  return relations;
}

// A file that cannot be removed only wastes space, and the outcome is decided: its error is not reported.
void Backend::delete_files(const std::vector<RelFileLocator>& relations) {
  for (const RelFileLocator& relation : relations) {
    services_.pool.drop_relation(relation);
    static_cast<void>(services_.storage.unlink(relation, false).is_ok());
  }
}

// The commit or abort record of this transaction.
Status Backend::log_outcome(bool commit, const std::vector<RelFileLocator>& dropped, Lsn* end) {
  const TimestampTz xact_time = current_timestamp();
  const auto nrels = static_cast<int32_t>(dropped.size());
  uint32_t xinfo = 0;
  uint8_t info = commit ? XLOG_XACT_COMMIT : XLOG_XACT_ABORT;
  if (commit && force_sync_commit_) xinfo |= XACT_COMPLETION_FORCE_SYNC_COMMIT;
  if (nrels > 0) {
    xinfo |= XACT_XINFO_HAS_RELFILELOCATORS;
    info |= XLR_SPECIAL_REL_UPDATE;
  }
  if (xinfo != 0) info |= XLOG_XACT_HAS_INFO;

  WalRecord record;
  record.begin(RmgrId::transaction, info, xid_);
  record.data(&xact_time, sizeof(xact_time));
  if (xinfo != 0) record.data(&xinfo, sizeof(xinfo));
  if (nrels > 0) {
    record.data(&nrels, sizeof(nrels));
    record.data(dropped.data(), dropped.size() * sizeof(RelFileLocator));
  }
  record.set_flags(XLOG_INCLUDE_ORIGIN);
  return services_.wal.insert(record, end);
}

// Order: commit record; flush, when this commit waits; commit log; process array; files. With the record
// flushed later, the commit log keeps its position, so that neither its page nor a hint bit reaches the disk first.
Status Backend::commit(bool wait_for_flush, Lsn* flush_upto) {
  INVARIANT(in_transaction_);
  if (flush_upto != nullptr) *flush_upto = invalid_lsn;
  RETURN_IF_ERROR(services_.state.check());
  const std::vector<RelFileLocator> dropped = pending_files(true);
  if (!is_valid(xid_)) {
    if (!dropped.empty()) {
      return Status::error(ErrorCode::internal_error,
                           "cannot commit a transaction that deleted files but has no xid");
    }
    transactions_.processes().clear_xmin(slot_);
    forget_transaction();
    return Status::ok;
  }

  const bool flush = wait_for_flush || force_sync_commit_ || !dropped.empty();
  INVARIANT(flush || flush_upto != nullptr);
  Lsn end = invalid_lsn;
  {
    CheckpointDelay delay(*this);
    Status status = log_outcome(true, dropped, &end);
    if (status.is_ok() && flush) status = services_.wal.flush(end);
    if (status.is_ok()) {
      status =
          transactions_.set_status(xid_, TransactionStatus::committed, flush ? invalid_lsn : end);
    }
    if (!status.is_ok()) {
      // Nobody can tell any more whether this transaction is committed but recovery.
      services_.state.poison("a transaction could not be committed");
      return status;
    }
  }
  transactions_.processes().end_transaction(slot_, xid_);
  if (!flush) *flush_upto = end;
  delete_files(dropped);
  forget_transaction();
  return Status::ok;
}

void Backend::abort() {
  INVARIANT(in_transaction_);
  if (is_valid(xid_)) {
    const std::vector<RelFileLocator> created = pending_files(false);
    if (!services_.state.is_poisoned()) {
      Status status = log_outcome(false, created, nullptr);
      if (status.is_ok())
        status = transactions_.set_status(xid_, TransactionStatus::aborted, invalid_lsn);
      if (!status.is_ok()) services_.state.poison("a transaction could not be aborted");
    }
    transactions_.processes().end_transaction(slot_, xid_);
  } else {
    transactions_.processes().clear_xmin(slot_);
  }
  if (!services_.state.is_poisoned()) delete_files(pending_files(false));
  forget_transaction();
}

void Backend::forget_transaction() {
  combo_commands_.clear();
  in_transaction_ = false;
  xid_ = invalid_transaction_id;
  snapshot_taken_ = false;
  pending_deletes_.clear();
}

}  // namespace pgdata
