// Engine: opening, initialising and closing a data directory.
#include "engine/engine.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "engine/changed_settings.h"
#include "engine/checkpoint.h"
#include "engine/control_file.h"
#include "recovery/consistency_setting.h"
#include "recovery/leftover_files.h"
#include "statistics/statistics_file.h"
#include "xact/prepared_table.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

constexpr const char* state_range = "cluster state";

uint32_t log2_of(uint64_t value) {
  uint32_t bits = 0;
  while (value > 1) value >>= 1, bits++;
  return bits;
}

}  // namespace

Engine::Engine(FileSystem& files, EngineOptions options)
    : files_(files), options_(std::move(options)) {}

Engine::~Engine() { abandon(); }

Status Engine::lock_directory() {
  if (options_.read_only) return Status::ok;
  directory_lock_ = ::open(options_.data_directory.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (directory_lock_ < 0)
    return Status::os_error(errno, "could not open directory \"%s\"",
                            options_.data_directory.c_str());
  if (::flock(directory_lock_, LOCK_EX | LOCK_NB) == 0) return Status::ok;
  if (errno != EWOULDBLOCK)
    return Status::os_error(errno, "could not lock directory \"%s\"",
                            options_.data_directory.c_str());
  return Status::error(ErrorCode::lock_file_exists, "data directory \"%s\" is in use",
                       options_.data_directory.c_str());
}

Status Engine::build(uint32_t timeline) {
  const uint32_t block_size = control_.blcksz;
  WalOptions wal_options;
  wal_options.directory = options_.data_directory + "/pg_wal";
  wal_options.block_size = control_.xlog_blcksz;
  wal_options.segment_bytes = control_.xlog_seg_size;
  wal_options.buffer_pages = options_.read_only ? 16 : options_.wal_buffers;
  wal_options.timeline = timeline;
  wal_options.system_identifier = control_.system_identifier;
  wal_options.sync_method = options_.wal_sync_method;
  wal_options.fsync = options_.fsync;
  wal_options.wal_level = options_.wal_level;
  wal_options.full_page_writes = options_.full_page_writes;
  RETURN_IF_ERROR(parse_consistency_checking(options_.wal_consistency_checking,
                                             &wal_options.consistency_checking));
  wal_options.min_wal_bytes = options_.min_wal_bytes;
  wal_options.max_wal_bytes = options_.max_wal_bytes;

  BufferPoolOptions pool_options;
  pool_options.buffers = options_.shared_buffers;
  pool_options.block_size = block_size;
  pool_options.data_checksums = control_.data_checksum_version != 0;
  pool_options.log_hints = pool_options.data_checksums || options_.wal_log_hints;
  pool_options.read_only = options_.read_only;

  TransactionSystemOptions transaction_options;
  transaction_options.block_size = block_size;
  transaction_options.max_backends = options_.max_backends;
  transaction_options.max_prepared_transactions = options_.max_prepared_transactions;
  transaction_options.read_only = options_.read_only;

  PredicateOptions predicate_options;
  predicate_options.block_size = block_size;
  predicate_options.max_backends = options_.max_backends + options_.max_prepared_transactions;
  predicate_options.max_pred_locks_per_transaction = options_.max_pred_locks_per_transaction;
  predicate_options.max_pred_locks_per_relation = options_.max_pred_locks_per_relation;
  predicate_options.max_pred_locks_per_page = options_.max_pred_locks_per_page;
  LockTableOptions lock_options;
  lock_options.slots =
      transaction_options.max_backends + transaction_options.max_prepared_transactions;
  lock_options.max_locks_per_transaction = options_.max_locks_per_transaction;

  SegmentPlan plan;
  plan.reserve(state_range, sizeof(ClusterState));
  Wal::plan(plan, wal_options);
  BufferPool::plan(plan, pool_options);
  TransactionSystem::plan(plan, transaction_options);
  if (!options_.read_only) PredicateLocks::plan(plan, predicate_options);
  LockTable::plan(plan, lock_options);
  if (!options_.read_only) Statistics::plan(plan);
  // Until other processes can attach, the segment needs no name, and so can never be left behind.
  RETURN_IF_ERROR(Segment::create("", plan, &segment_));
  state_ = new (segment_->find(state_range)) ClusterState();

  StorageOptions storage_options;
  storage_options.data_directory = options_.data_directory;
  storage_options.block_size = block_size;
  storage_options.segment_blocks = control_.relseg_size;
  storage_options.io_mode = options_.io_mode;
  storage_options.read_only = options_.read_only;
  storage_options.fsync = options_.fsync;
  storage_options.tablespace_version_directory = tablespace_version_directory(control_);
  storage_ = std::make_unique<Storage>(files_, storage_options);
  wal_ = std::make_unique<Wal>(files_, *segment_, *state_, wal_options);
  pool_ = std::make_unique<BufferPool>(
      *segment_, *storage_, options_.read_only ? nullptr : wal_.get(), *state_, pool_options);
  services_.reset(new StorageServices{*state_, *storage_, *wal_, *pool_});
  if (!options_.read_only) statistics_ = std::make_unique<Statistics>(*segment_);
  services_->statistics = statistics_.get();
  transactions_ = std::make_unique<TransactionSystem>(*segment_, *services_, transaction_options);
  if (!options_.read_only) {
    predicate_locks_ =
        std::make_unique<PredicateLocks>(*segment_, *services_, *transactions_, predicate_options);
    services_->predicate_locks = predicate_locks_.get();
    transactions_->set_serializable_transactions(predicate_locks_.get());
  }
  locks_ = std::make_unique<LockTable>(*segment_, lock_options);
  return Status::ok;
}

Status Engine::enter_production() {
  control_.state = DBState::DB_IN_PRODUCTION;
  RETURN_IF_ERROR(write_control_file(files_, options_.data_directory, control_));
  in_production_ = true;
  return Status::ok;
}

Status Engine::open(FileSystem& files, EngineOptions options, std::unique_ptr<Engine>* engine) {
  std::unique_ptr<Engine> opened(new Engine(files, std::move(options)));
  RETURN_IF_ERROR(opened->lock_directory());
  RETURN_IF_ERROR(read_control_file(files, opened->options_.data_directory, &opened->control_));
  const ControlFile& control = opened->control_;
  const bool read_only = opened->options_.read_only;
  if (!read_only && control.pg_control_version != 1800)
    return Status::error(ErrorCode::feature_not_supported,
                         "the cluster was made by another release of PostgreSQL than 18")
        .with_hint("It can be opened read-only.");
  if (read_only) {
    RETURN_IF_ERROR(opened->build(control.checkPointCopy.ThisTimeLineID));
    RETURN_IF_ERROR(opened->transactions_->start(counters_of(control.checkPointCopy)));
    if (control.track_commit_timestamp != 0)
      RETURN_IF_ERROR(opened->transactions_->track_commit_timestamps(true));
  } else {
    RecoveryPlan plan;
    RETURN_IF_ERROR(plan_recovery(files, opened->options_.data_directory, control, &plan));
    RETURN_IF_ERROR(opened->build(plan.timeline));
    RETURN_IF_ERROR(opened->start(plan));
    opened->checkpointer_ = std::make_unique<Checkpointer>(
        *opened, opened->options_.checkpoint_timeout_seconds, opened->options_.max_wal_bytes);
  }
  opened->options_.on_recovery_progress = nullptr;
  *engine = std::move(opened);
  return Status::ok;
}

Status Engine::start(const RecoveryPlan& plan) {
  RETURN_IF_ERROR(remove_temporary_files(*services_));
  if (plan.needed) {
    RETURN_IF_ERROR(discard_statistics(files_, options_.data_directory, *statistics_));
    RETURN_IF_ERROR(replay(plan));
  } else {
    RETURN_IF_ERROR(restore_statistics(files_, options_.data_directory, *statistics_));
    RETURN_IF_ERROR(wal_->continue_log(control_.checkPoint, control_.checkPointCopy.redo));
    RETURN_IF_ERROR(transactions_->start(counters_of(control_.checkPointCopy)));
  }
  RETURN_IF_ERROR(lock_for_prepared());
  RETURN_IF_ERROR(apply_settings());
  return enter_production();
}

// What replay of the log from here on needs to know is in it before anything else is.
Status Engine::apply_settings() {
  ReplayedSettings settings;
  settings.max_connections = static_cast<int32_t>(options_.max_backends);
  settings.max_worker_processes = options_.max_worker_processes;
  settings.max_wal_senders = options_.max_wal_senders;
  settings.max_prepared_transactions = static_cast<int32_t>(options_.max_prepared_transactions);
  settings.max_locks_per_transaction = static_cast<int32_t>(options_.max_locks_per_transaction);
  settings.wal_level = options_.wal_level;
  settings.wal_log_hints = options_.wal_log_hints;
  settings.track_commit_timestamp = options_.track_commit_timestamp;
  RETURN_IF_ERROR(
      log_changed_settings(files_, options_.data_directory, *services_, settings, &control_));
  return transactions_->track_commit_timestamps(options_.track_commit_timestamp);
}

// What prepared transactions had locked when the cluster was last open stays locked.
Status Engine::lock_for_prepared() {
  const PreparedTable& prepared = transactions_->prepared();
  for (const PreparedTransaction& transaction : prepared.list()) {
    const int slot = transactions_->processes().slot_of(transaction.xid);
    INVARIANT(slot >= 0);
    locks_->open_slot(slot, 0, 0);
    for (const auto& [gid, lock] : prepared.locks_at_start()) {
      if (gid != transaction.gid) continue;
      if (lock.lockmode <= 0 || lock.lockmode >= static_cast<int32_t>(lock_levels_end)) continue;
      uint32_t proclock = LockTable::none;
      LockOutcome outcome = LockOutcome::granted;
      RETURN_IF_ERROR(locks_->acquire(slot, LockTag::from_record(lock),
                                      static_cast<LockLevel>(lock.lockmode), false, &proclock,
                                      &outcome));
    }
  }
  return Status::ok;
}

// Replays the log, then continues it with a checkpoint, so that this need not be done again.
Status Engine::replay(const RecoveryPlan& plan) {
  RecoveryOptions recovery;
  recovery.data_directory = options_.data_directory;
  recovery.restart_point_bytes = options_.max_wal_bytes;
  recovery.write_control = [this](ControlFile& control) {
    return write_control_file(files_, options_.data_directory, control);
  };
  recovery.on_progress = options_.on_recovery_progress;
  RecoveryResult result;
  RETURN_IF_ERROR(recover(plan, recovery, *services_, *transactions_, &control_, &result));
  compared_pages_ = std::move(result.compared);
  RETURN_IF_ERROR(
      wal_->continue_log(result.last_record, plan.checkpoint.redo, result.missing_contrecord));
  TransactionCounters counters = transactions_->counters();
  counters.oldestActiveXid = result.oldest_prepared;
  RETURN_IF_ERROR(transactions_->start(counters));
  if (result.missing_contrecord != invalid_lsn)
    RETURN_IF_ERROR(log_overwrite_contrecord(*services_, result.aborted_record));
  return create_checkpoint(files_, options_.data_directory, *services_, *transactions_,
                           CheckpointKind::shutdown, &control_);
}

Status Engine::init(FileSystem& files, EngineOptions options, const InitParameters& parameters,
                    std::unique_ptr<Engine>* engine) {
  std::unique_ptr<Engine> made(new Engine(files, std::move(options)));
  RETURN_IF_ERROR(made->lock_directory());
  ControlFile& control = made->control_;
  control = new_control_file(parameters.system_identifier);
  control.blcksz = parameters.block_size;
  control.xlog_blcksz = parameters.block_size;
  control.xlog_seg_size = parameters.wal_segment_bytes;
  // Segment files of 1 GiB, whatever the block size.
  control.relseg_size = 1u << (30 - log2_of(parameters.block_size));
  control.data_checksum_version = parameters.data_checksums ? 1 : 0;
  TransactionCounters counters;
  counters.nextXid = parameters.next_xid;
  counters.nextOid = parameters.next_oid;
  counters.oldestXidDB = parameters.oldest_xid_database;
  counters.oldestMultiDB = parameters.oldest_xid_database;
  RETURN_IF_ERROR(made->build(made->control_.checkPointCopy.ThisTimeLineID));
  RETURN_IF_ERROR(made->wal_->create_log());
  RETURN_IF_ERROR(made->transactions_->create(counters));
  RETURN_IF_ERROR(write_first_checkpoint(files, made->options_.data_directory, *made->services_,
                                         *made->transactions_, &control));
  RETURN_IF_ERROR(made->enter_production());
  *engine = std::move(made);
  return Status::ok;
}

Status Engine::checkpoint() {
  const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
  if (!in_production_)
    return Status::error(ErrorCode::connection_does_not_exist, "the cluster is closed");
  RETURN_IF_ERROR(state_->check());
  RETURN_IF_ERROR(contained_checkpoint(CheckpointKind::online));
  // What cannot be removed only takes room.
  static_cast<void>(predicate_locks_->truncate_serial_log().is_ok());
  return Status::ok;
}

// Nobody else would catch what a failed invariant throws on a thread of our own, or at the end of the environment.
Status Engine::contained_checkpoint(CheckpointKind kind) {
  Status status;
  const bool is_whole = state_->contain([&] {
    status = create_checkpoint(files_, options_.data_directory, *services_, *transactions_, kind,
                               &control_);
  });
  return is_whole ? std::move(status) : state_->check();
}

Status Engine::checkpoint_if_needed() {
  {
    const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
    if (!in_production_ || !needs_checkpoint(*services_, control_)) return Status::ok;
  }
  return checkpoint();
}

Status Engine::close() {
  checkpointer_.reset();
  const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
  Status status;
  if (in_production_) {
    status = state_->check();
    if (status.is_ok()) status = contained_checkpoint(CheckpointKind::shutdown);
    // The cluster is shut down cleanly, whatever becomes of its counters.
    if (status.is_ok()) static_cast<void>(save_statistics().is_ok());
  }
  release();
  return status;
}

void Engine::add_running_statistics(FixedStatistics* fixed) const {
  const WalStatistics wal = wal_->statistics();
  fixed->wal.wal_records += static_cast<int64_t>(wal.records);
  fixed->wal.wal_fpi += static_cast<int64_t>(wal.full_page_images);
  fixed->wal.wal_bytes += static_cast<int64_t>(wal.bytes);
  fixed->bgwriter.buf_alloc += static_cast<int64_t>(pool_->statistics().allocations);
}

void Engine::reset_statistics() {
  statistics_->reset();
  // What the parts count on is taken off.
  FixedStatistics running{};
  add_running_statistics(&running);
  statistics_->change_fixed([&](FixedStatistics& fixed) {
    fixed.wal.wal_records -= running.wal.wal_records;
    fixed.wal.wal_fpi -= running.wal.wal_fpi;
    fixed.wal.wal_bytes -= running.wal.wal_bytes;
    fixed.bgwriter.buf_alloc -= running.bgwriter.buf_alloc;
  });
}

Status Engine::save_statistics() {
  statistics_->change_fixed([&](FixedStatistics& fixed) { add_running_statistics(&fixed); });
  return write_statistics(files_, options_.data_directory, *statistics_);
}

void Engine::abandon() {
  checkpointer_.reset();
  const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
  release();
}

void Engine::release() {
  in_production_ = false;
  predicate_locks_.reset();
  locks_.reset();
  transactions_.reset();
  services_.reset();
  pool_.reset();
  wal_.reset();
  storage_.reset();
  statistics_.reset();
  state_ = nullptr;
  segment_.reset();
  if (directory_lock_ >= 0) ::close(directory_lock_);
  directory_lock_ = -1;
}

}  // namespace pgdata
