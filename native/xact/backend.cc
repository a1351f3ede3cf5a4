// Backend: begin, commit, abort, snapshots and pending files of one session.
#include "xact/backend.h"

#include <algorithm>
#include <utility>

#include "base/invariant.h"
#include "base/stop_point.h"
#include "layout/wal_record.h"
#include "layout/wal_storage_records.h"
#include "layout/wal_transaction_records.h"
#include "xact/commit_timestamps.h"
#include "xact/created_files.h"
#include "xact/outcome_record.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

constexpr int32_t wal_level_replica = 1;
// As many as PostgreSQL's cache of multixacts has (MAX_CACHE_ENTRIES).
constexpr size_t multixacts_known_max = 256;

}  // namespace

CheckpointDelay::CheckpointDelay(Backend& backend) : backend_(backend) {
  backend_.transactions_.processes().begin_checkpoint_delay(backend_.slot_);
}

CheckpointDelay::~CheckpointDelay() {
  backend_.services_.state.contain(
      [this] { backend_.transactions_.processes().end_checkpoint_delay(backend_.slot_); });
}

Backend::Backend(StorageServices& services, TransactionSystem& transactions, Oid database)
    : services_(services),
      transactions_(transactions),
      database_(database),
      removal_test_(transactions, database) {}

Status Backend::create(StorageServices& services, TransactionSystem& transactions, Oid database,
                       std::unique_ptr<Backend>* backend) {
  std::unique_ptr<Backend> made(new Backend(services, transactions, database));
  if (services.statistics != nullptr)
    made->counters_ =
        std::make_unique<SessionCounters>(*services.statistics, BackendType::backend, database);
  made->temporary_files_ = std::make_unique<TemporarySpace>(services.storage, services.state,
                                                            made->counters_.get(), services.log);
  RETURN_IF_ERROR(transactions.processes().take_slot(database, &made->slot_));
  if (transactions.serializable_transactions() != nullptr)
    made->serializable_ = transactions.serializable_transactions()->make_session(made->slot_);
  *backend = std::move(made);
  return Status::ok;
}

Backend::~Backend() {
  if (slot_ < 0) return;
  ClusterState& state = services_.state;
  if (in_transaction_) state.contain([this] { abort(); });
  serializable_.reset();
  temporary_files_.reset();
  temporary_relations_.reset();
  if (counters_) state.contain([this] { counters_->finish(); });
  // Of an abort that an invariant cut short the slot may still have the id; then the cluster is poisoned.
  if (state.is_poisoned()) transactions_.processes().abandon_transaction(slot_);
  state.contain([this] { transactions_.processes().release_slot(slot_); });
}

Status Backend::begin(IsolationLevel level, bool read_only, bool deferrable) {
  INVARIANT(!in_transaction_);
  if (level == IsolationLevel::serializable && !serializable_) {
    return Status::error(ErrorCode::feature_not_supported,
                         "isolation level serializable is not supported")
        .with_hint("Use repeatable read.");
  }
  RETURN_IF_ERROR(services_.state.check());
  in_transaction_ = true;
  read_only_ = read_only;
  isolation_ = level;
  deferrable_ = deferrable && read_only && level == IsolationLevel::serializable;
  command_ = first_command_id;
  command_used_ = false;
  force_sync_commit_ = false;
  temporary_used_ = false;
  snapshot_taken_ = false;
  INVARIANT(!is_valid(xid_));
  INVARIANT(levels_.empty());
  INVARIANT(pending_deletes_.empty());
  levels_.emplace_back();
  levels_.back().read_only = read_only;
  if (level == IsolationLevel::serializable) serializable_->enter_level(1);
  if (counters_) counters_->begin();
  return Status::ok;
}

Status Backend::begin_subtransaction(bool read_only) {
  INVARIANT(in_transaction_);
  RETURN_IF_ERROR(services_.state.check());
  levels_.emplace_back();
  read_only_ = read_only_ || read_only;
  levels_.back().read_only = read_only_;
  xid_ = invalid_transaction_id;
  if (isolation_ == IsolationLevel::serializable) serializable_->enter_level(level());
  temporary_files_->begin_level();
  if (counters_) counters_->begin_level();
  return Status::ok;
}

Status Backend::commit_subtransaction() {
  INVARIANT(levels_.size() > 1);
  RETURN_IF_ERROR(advance_command());
  // Ids are given out in order, so what follows in time follows in value.
  Level ended = std::move(levels_.back());
  Level& around = levels_[levels_.size() - 2];
  if (is_valid(ended.xid)) {
    around.children.push_back(ended.xid);
    around.children.insert(around.children.end(), ended.children.begin(), ended.children.end());
  } else {
    INVARIANT(ended.children.empty());
  }
  const uint32_t inner = level();
  leave_level();
  temporary_files_->end_level(true);
  if (counters_) counters_->end_level(true);
  if (isolation_ == IsolationLevel::serializable) serializable_->end_level(inner, false);
  for (PendingDelete& pending : pending_deletes_)
    pending.level = std::min(pending.level, inner - 1);
  return Status::ok;
}

void Backend::abort_subtransaction() {
  INVARIANT(levels_.size() > 1);
  const std::vector<RelFileLocator> created = pending_files(false);
  const std::vector<RelFileLocator> temporary = pending_files(false, true);
  if (is_valid(xid_)) {
    record_abort();
    const std::vector<TransactionId>& children = levels_.back().children;
    transactions_.processes().remove_subxids(slot_, xid_, children,
                                             children.empty() ? xid_ : children.back());
  }
  if (!services_.state.is_poisoned()) remove_relation_files(services_, created);
  remove_temporary_files(temporary);
  std::erase_if(pending_deletes_,
                [&](const PendingDelete& pending) { return pending.level >= level(); });
  if (isolation_ == IsolationLevel::serializable) serializable_->end_level(level(), true);
  temporary_files_->end_level(false);
  if (counters_) counters_->end_level(false);
  leave_level();
}

void Backend::leave_level() {
  levels_.pop_back();
  xid_ = levels_.back().xid;
  read_only_ = levels_.back().read_only;
}

bool Backend::is_current_subtransaction(TransactionId xid) const {
  if (precedes(xid, top_xid_)) return false;
  for (size_t i = levels_.size(); i-- > 0;) {
    const Level& level = levels_[i];
    if (level.xid == xid) return true;
    const auto place =
        std::lower_bound(level.children.begin(), level.children.end(), xid,
                         [](TransactionId a, TransactionId b) { return precedes(a, b); });
    if (place != level.children.end() && *place == xid) return true;
  }
  return false;
}

Status Backend::assign_xid(TransactionId* xid, bool temporary) {
  INVARIANT(in_transaction_);
  if (read_only_ && !temporary)
    return Status::error(ErrorCode::read_only_sql_transaction,
                         "cannot write in a read-only transaction");
  if (!is_valid(xid_)) {
    // Whoever meets the xid in a row must be able to find the transaction.
    if (isolation_ == IsolationLevel::serializable && !snapshot_taken_)
      RETURN_IF_ERROR(serializable_snapshot());
    const bool is_first = !is_valid(top_xid_);
    Status status = assign_level_xids();
    if (is_first && is_valid(top_xid_) && is_watched_) serializable_->assigned_xid(top_xid_);
    RETURN_IF_ERROR(std::move(status));
  }
  *xid = xid_;
  return Status::ok;
}

// From the outermost level on, since a parent's id must be the older one.
Status Backend::assign_level_xids() {
  TransactionId parent = invalid_transaction_id;
  for (Level& level : levels_) {
    if (!is_valid(level.xid)) {
      Status status = transactions_.assign_xid(slot_, parent, &level.xid);
      // Even if its parent could not be noted the id runs, and will be ended with its level.
      xid_ = levels_.back().xid;
      top_xid_ = levels_.front().xid;
      if (is_valid(parent) && is_valid(level.xid)) has_subxids_ = true;
      RETURN_IF_ERROR(std::move(status));
      if (is_valid(parent) && services_.wal.options().wal_level >= wal_level_replica) {
        unreported_subxids_.push_back(level.xid);
        if (unreported_subxids_.size() >= ProcessArray::subxids_max)
          RETURN_IF_ERROR(log_assignment());
      }
    }
    parent = level.xid;
  }
  return Status::ok;
}

// Tells standbys whom the newest subtransactions belong to, before they could lose track of them.
Status Backend::log_assignment() {
  const xl_xact_assignment header{top_xid_, static_cast<int32_t>(unreported_subxids_.size())};
  WalRecord record;
  record.begin(RmgrId::transaction, XLOG_XACT_ASSIGNMENT, xid_);
  record.data(&header, sizeof(header));
  record.data(unreported_subxids_.data(), unreported_subxids_.size() * sizeof(TransactionId));
  RETURN_IF_ERROR(services_.wal.insert(record, nullptr));
  unreported_subxids_.clear();
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
  if (isolation_ == IsolationLevel::serializable) {
    if (!snapshot_taken_) RETURN_IF_ERROR(serializable_snapshot());
  } else if (!snapshot_taken_ || isolation_ == IsolationLevel::read_committed) {
    transactions_.processes().take_snapshot(slot_, &snapshot_, &snapshot_completions_);
    snapshot_taken_ = true;
  }
  snapshot_.curcid = command_;
  *snapshot = &snapshot_;
  return Status::ok;
}

void Backend::end_statement() {
  if (!snapshot_taken_ || isolation_ != IsolationLevel::read_committed) return;
  if (!levels_.front().read_only) return;
  transactions_.processes().clear_xmin(slot_);
  snapshot_taken_ = false;
}

Status Backend::serializable_snapshot() {
  if (deferrable_)
    return Status::error(ErrorCode::object_not_in_prerequisite_state,
                         "the deferrable transaction is still waiting for a safe snapshot");
  RETURN_IF_ERROR(serializable_->begin(read_only_, &snapshot_));
  snapshot_completions_ = 0;
  snapshot_taken_ = true;
  is_watched_ = true;
  snapshot_.serializable = serializable_->is_tracked() ? serializable_.get() : nullptr;
  return Status::ok;
}

Status Backend::safe_snapshot(bool* is_safe) {
  INVARIANT(in_transaction_);
  RETURN_IF_ERROR(services_.state.check());
  *is_safe = true;
  if (!deferrable_) return Status::ok;
  if (!is_watched_) {
    RETURN_IF_ERROR(serializable_->begin(true, &snapshot_));
    snapshot_completions_ = 0;
    is_watched_ = true;
  }
  SerializableTransaction::SnapshotVerdict verdict;
  serializable_->check_snapshot(&verdict);
  *is_safe = verdict == SerializableTransaction::SnapshotVerdict::safe;
  if (*is_safe) {
    deferrable_ = false;
    snapshot_taken_ = true;
  } else if (verdict == SerializableTransaction::SnapshotVerdict::unsafe) {
    // Begins anew with a later snapshot.
    is_watched_ = false;
    transactions_.processes().clear_xmin(slot_);
  }
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
  transactions_.created_files().add(slot_, relation);
  RETURN_IF_ERROR(services_.storage.create(relation, ForkNumber::main));
  pending_deletes_.push_back({relation, false, level()});
  if (!logged) return Status::ok;
  const xl_smgr_create header{relation, static_cast<int32_t>(ForkNumber::main)};
  WalRecord record;
  record.begin(RmgrId::storage, XLOG_SMGR_CREATE | XLR_SPECIAL_REL_UPDATE, xid_);
  record.data(&header, sizeof(header));
  return services_.wal.insert(record, nullptr);
}

Status Backend::create_init_fork(RelFileLocator relation) {
  INVARIANT(in_transaction_);
  RETURN_IF_ERROR(services_.storage.create(relation, ForkNumber::init));
  const xl_smgr_create header{relation, static_cast<int32_t>(ForkNumber::init)};
  WalRecord record;
  record.begin(RmgrId::storage, XLOG_SMGR_CREATE | XLR_SPECIAL_REL_UPDATE, xid_);
  record.data(&header, sizeof(header));
  return services_.wal.insert(record, nullptr);
}

Status Backend::begin_temporary_relations(uint32_t buffers) {
  RETURN_IF_ERROR(services_.state.check());
  if (temporary_relations_) return Status::ok;
  std::unique_ptr<TemporaryRelations> made;
  RETURN_IF_ERROR(TemporaryRelations::create(services_, slot_, buffers, &made));
  temporary_relations_ = std::move(made);
  return Status::ok;
}

StorageServices& Backend::temporary_services() {
  INVARIANT(temporary_relations_ != nullptr);
  temporary_used_ = true;
  return temporary_relations_->services();
}

Status Backend::create_temporary_storage(RelFileLocator relation) {
  INVARIANT(in_transaction_);
  RETURN_IF_ERROR(services_.state.check());
  RETURN_IF_ERROR(temporary_services().storage.create(relation, ForkNumber::main));
  pending_deletes_.push_back({relation, false, level(), true});
  return Status::ok;
}

void Backend::drop_storage_at_commit(RelFileLocator relation, bool temporary) {
  INVARIANT(in_transaction_);
  pending_deletes_.push_back({relation, true, level(), temporary});
}

void Backend::remove_temporary_files(const std::vector<RelFileLocator>& relations) {
  if (!relations.empty()) remove_relation_files(temporary_services(), relations, true);
}

std::vector<RelFileLocator> Backend::pending_files(bool at_commit, bool temporary) const {
  std::vector<RelFileLocator> relations;
  for (const PendingDelete& pending : pending_deletes_) {
    if (pending.at_commit == at_commit && pending.temporary == temporary &&
        pending.level >= level())
      relations.push_back(pending.relation);
  }
  return relations;
}

// Order: commit record; flush, when this commit waits; commit log; process array; files. With the record
// flushed later, the commit log keeps its position, so that neither its page nor a hint bit reaches the disk first.
Status Backend::commit(bool wait_for_flush, Lsn* flush_upto) {
  INVARIANT(in_transaction_);
  INVARIANT(levels_.size() == 1);
  if (flush_upto != nullptr) *flush_upto = invalid_lsn;
  RETURN_IF_ERROR(services_.state.check());
  if (is_watched_) RETURN_IF_ERROR(serializable_->before_commit());
  const std::vector<RelFileLocator> dropped = pending_files(true);
  if (!is_valid(xid_)) {
    if (!dropped.empty()) {
      return Status::error(ErrorCode::internal_error,
                           "cannot commit a transaction that deleted files but has no xid");
    }
    transactions_.processes().clear_xmin(slot_);
    if (is_watched_) serializable_->end(true);
    if (counters_) counters_->end(true);
    forget_transaction();
    return Status::ok;
  }

  const bool flush = wait_for_flush || force_sync_commit_ || !dropped.empty();
  INVARIANT(flush || flush_upto != nullptr);
  OutcomeRecord outcome;
  outcome.committed = true;
  outcome.time = current_timestamp();
  outcome.force_sync_commit = force_sync_commit_;
  outcome.subxacts = std::move(levels_.front().children);
  outcome.files = dropped;
  if (counters_) outcome.stats = counters_->drops(true);
  const std::vector<TransactionId>& children = outcome.subxacts;
  Lsn end = invalid_lsn;
  {
    CheckpointDelay delay(*this);
    Status status;
    for (size_t i = 0; status.is_ok() && i < before_commit_record_.size(); i++)
      status = before_commit_record_[i]();
    if (status.is_ok()) status = outcome.log(services_.wal, xid_, &end);
    if (status.is_ok())
      status = transactions_.commit_timestamps().set_tree(xid_, children, outcome.time, 0);
    stop_point("commit logged");
    if (status.is_ok() && flush) {
      status = services_.wal.flush(end);
      stop_point("commit flushed");
    }
    if (status.is_ok()) {
      status = transactions_.set_tree(xid_, children, TransactionStatus::committed,
                                      flush ? invalid_lsn : end);
    }
    if (!status.is_ok()) {
      // Nobody can tell any more whether this transaction is committed but recovery.
      services_.state.poison("a transaction could not be committed");
      return status;
    }
  }
  stop_point("commit noted");
  transactions_.processes().end_transaction(slot_, xid_, children.empty() ? xid_ : children.back());
  if (is_watched_) serializable_->end(true);
  if (counters_) counters_->end(true);
  if (!flush) *flush_upto = end;
  remove_relation_files(services_, dropped);
  remove_temporary_files(pending_files(true, true));
  forget_transaction();
  return Status::ok;
}

Status Backend::prepare(const PrepareRequest& request, Lsn* flush_upto) {
  INVARIANT(in_transaction_);
  INVARIANT(levels_.size() == 1);
  RETURN_IF_ERROR(services_.state.check());
  if (!before_commit_record_.empty())
    return Status::error(ErrorCode::feature_not_supported,
                         "cannot PREPARE a transaction that modified relation mapping");
  if (temporary_used_)
    return Status::error(ErrorCode::feature_not_supported,
                         "cannot PREPARE a transaction that has operated on temporary objects");
  PreparedTable& prepared = transactions_.prepared();
  // Whoever prepares has an id, even one who wrote nothing.
  const bool is_first = !is_valid(top_xid_);
  RETURN_IF_ERROR(assign_level_xids());
  if (is_watched_) {
    if (is_first) serializable_->assigned_xid(top_xid_);
    // From here on it can always be committed.
    RETURN_IF_ERROR(serializable_->before_commit());
  }
  TwoPhaseState state;
  state.xid = xid_;
  state.database = database_;
  state.owner = request.owner;
  state.prepared_at = current_timestamp();
  state.gid = request.gid;
  state.subxacts = levels_.front().children;
  state.commit_files = pending_files(true);
  state.abort_files = pending_files(false);
  state.invalidations = request.invalidations;
  for (const TwoPhaseLockRecord& lock : request.locks) state.add_lock(lock);
  // As PostgreSQL, which locks each id for those who wait for its end.
  state.add_transaction_lock(state.xid);
  for (const TransactionId subxact : state.subxacts) state.add_transaction_lock(subxact);
  if (is_watched_) serializable_->add_prepare_records(&state);
  if (counters_) {
    for (const TwoPhasePgStatRecord& changes : counters_->changes()) state.add_changes(changes);
    state.commit_stats = counters_->drops(true);
    state.abort_stats = counters_->drops(false);
  }
  if (multixact_member_) state.add_oldest_multixact(transactions_.oldest_member_of(slot_));
  uint32_t entry = 0;
  RETURN_IF_ERROR(prepared.reserve(state, transactions_.full_xid_of(xid_), &entry));
  {
    // A checkpoint must make a file of it, or leave its record to be replayed.
    CheckpointDelay delay(*this);
    const std::string data = state.format();
    WalRecord record;
    record.begin(RmgrId::transaction, XLOG_XACT_PREPARE, xid_);
    record.data(data.data(), data.size());
    record.set_flags(XLOG_INCLUDE_ORIGIN);
    Lsn start = invalid_lsn;
    Lsn end = invalid_lsn;
    const Status status = services_.wal.insert(record, &end, &start);
    if (!status.is_ok()) {
      prepared.give_up(entry);
      services_.state.poison("a transaction could not be prepared");
      return services_.state.check();
    }
    prepared.publish(entry, state, start, end);
    *flush_upto = end;
  }
  // Never in between is it in no slot.
  transactions_.processes().hand_over_to_prepared(slot_);
  transactions_.hand_over_multixact_use(slot_, prepared.slot_of(entry));
  if (is_watched_) serializable_->handed_over();
  if (counters_) counters_->handed_over();
  forget_transaction();
  return Status::ok;
}

void Backend::record_abort() {
  if (services_.state.is_poisoned()) return;
  OutcomeRecord outcome;
  outcome.time = current_timestamp();
  outcome.subxacts = levels_.back().children;
  outcome.files = pending_files(false);
  if (counters_) outcome.stats = counters_->drops(false);
  Status status = outcome.log(services_.wal, xid_, nullptr);
  if (status.is_ok()) {
    status =
        transactions_.set_tree(xid_, outcome.subxacts, TransactionStatus::aborted, invalid_lsn);
  }
  if (!status.is_ok()) services_.state.poison("a transaction could not be aborted");
}

void Backend::abort() {
  INVARIANT(in_transaction_);
  if (services_.state.is_poisoned()) return abandon();
  while (levels_.size() > 1) abort_subtransaction();
  if (is_valid(xid_)) {
    record_abort();
    const std::vector<TransactionId>& children = levels_.front().children;
    transactions_.processes().end_transaction(slot_, xid_,
                                              children.empty() ? xid_ : children.back());
  } else {
    transactions_.processes().clear_xmin(slot_);
  }
  if (is_watched_) serializable_->end(false);
  if (counters_) counters_->end(false);
  if (!services_.state.is_poisoned()) {
    remove_relation_files(services_, pending_files(false));
    remove_temporary_files(pending_files(false, true));
  }
  forget_transaction();
}

// What was done before the cluster was poisoned, perhaps half of a commit, recovery decides about. Here the transaction
// is only forgotten.
void Backend::abandon() {
  transactions_.processes().abandon_transaction(slot_);
  if (is_watched_) services_.state.contain([this] { serializable_->end(false); });
  if (counters_) counters_->end(false);
  forget_transaction();
}

Status Backend::multixact_of(std::vector<MultiXactMember> members, MultiXactId* multi) {
  INVARIANT(multixact_member_);
  std::sort(members.begin(), members.end(), [](const MultiXactMember& a, const MultiXactMember& b) {
    return a.xid != b.xid ? value_of(a.xid) < value_of(b.xid) : a.status < b.status;
  });
  for (const KnownMultiXact& known : multixacts_) {
    const bool same = std::equal(
        known.members.begin(), known.members.end(), members.begin(), members.end(),
        [](const auto& a, const auto& b) { return a.xid == b.xid && a.status == b.status; });
    if (!same) continue;
    *multi = known.multi;
    return Status::ok;
  }
  const CheckpointDelay delay(*this);
  RETURN_IF_ERROR(transactions_.create_multixact(xid_, members, multi));
  if (multixacts_.size() == multixacts_known_max) multixacts_.erase(multixacts_.begin());
  multixacts_.push_back({*multi, std::move(members)});
  return Status::ok;
}

void Backend::forget_transaction() {
  if (multixact_member_ || multixact_reader_) transactions_.end_multixact_use(slot_);
  if (!pending_deletes_.empty()) transactions_.created_files().forget(slot_);
  temporary_files_->end_transaction();
  multixact_member_ = false;
  multixact_reader_ = false;
  multixacts_.clear();
  combo_commands_.clear();
  in_transaction_ = false;
  has_subxids_ = false;
  xid_ = invalid_transaction_id;
  top_xid_ = invalid_transaction_id;
  levels_.clear();
  unreported_subxids_.clear();
  snapshot_taken_ = false;
  is_watched_ = false;
  snapshot_.serializable = nullptr;
  pending_deletes_.clear();
  before_commit_record_.clear();
}

}  // namespace pgdata
