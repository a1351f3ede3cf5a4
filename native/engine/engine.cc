// Engine: opening, initialising and closing a data directory.
#include "engine/engine.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <thread>
#include <utility>

#include "engine/changed_settings.h"
#include "engine/checkpoint.h"
#include "engine/control_file.h"
#include "engine/lock_file.h"
#include "engine/shared_settings.h"
#include "recovery/consistency_setting.h"
#include "recovery/leftover_files.h"
#include "statistics/counting.h"
#include "statistics/statistics_file.h"
#include "xact/created_files.h"
#include "xact/prepared_table.h"
#include "xact/process_array.h"
#include "xact/transaction_of_dead.h"

namespace pgdata {

namespace {

constexpr const char* state_range = "cluster state";
constexpr const char* settings_range = "shared settings";

// How often whoever leaves last looks for the others.
constexpr std::chrono::milliseconds leavers_interval{1};
constexpr std::chrono::seconds leavers_max{30};
// Who has left the table gives its lock on the directory back a moment later.
constexpr std::chrono::milliseconds left_lock_max{5000};

uint32_t log2_of(uint64_t value) {
  uint32_t bits = 0;
  while (value > 1) value >>= 1, bits++;
  return bits;
}

}  // namespace

Engine::Engine(FileSystem& files, EngineOptions options)
    : files_(files), options_(std::move(options)), log_(options_.log) {}

Engine::~Engine() { abandon(); }

Status Engine::open_directory() {
  directory_lock_ = ::open(options_.data_directory.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (directory_lock_ >= 0) return Status::ok;
  return Status::os_error(errno, "could not open directory \"%s\"",
                          options_.data_directory.c_str());
}

Status Engine::lock_directory(bool* is_locked) {
  *is_locked = ::flock(directory_lock_, LOCK_EX | LOCK_NB) == 0;
  if (*is_locked || errno == EWOULDBLOCK) return Status::ok;
  return Status::os_error(errno, "could not lock directory \"%s\"",
                          options_.data_directory.c_str());
}

Status Engine::is_directory_locked(const std::string& data_directory, bool* is_locked) {
  const int directory = ::open(data_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0)
    return Status::os_error(errno, "could not open directory \"%s\"", data_directory.c_str());
  // Shared: several may ask at once.
  *is_locked = ::flock(directory, LOCK_SH | LOCK_NB) != 0;
  ::close(directory);
  return Status::ok;
}

Status Engine::refuse_locked() const {
  return Status::error(ErrorCode::lock_file_exists, "data directory \"%s\" is in use",
                       options_.data_directory.c_str());
}

// What the parts of an engine are made with.
struct Engine::PartOptions {
  WalOptions wal;
  BufferPoolOptions pool;
  TransactionSystemOptions transactions;
  PredicateOptions predicates;
  LockTableOptions locks;
  NotifyOptions notifications;

  PartOptions(const EngineOptions& options, const ControlFile& control, uint32_t timeline,
              uint32_t consistency_checking);
  SegmentPlan plan(bool read_only) const;
};

Engine::PartOptions::PartOptions(const EngineOptions& options, const ControlFile& control,
                                 uint32_t timeline, uint32_t consistency_checking) {
  wal.directory = options.data_directory + "/pg_wal";
  wal.block_size = control.xlog_blcksz;
  wal.segment_bytes = control.xlog_seg_size;
  wal.buffer_pages = options.read_only ? 16 : options.wal_buffers;
  wal.timeline = timeline;
  wal.system_identifier = control.system_identifier;
  wal.sync_method = options.wal_sync_method;
  wal.fsync = options.fsync;
  wal.wal_level = options.wal_level;
  wal.full_page_writes = options.full_page_writes;
  wal.consistency_checking = consistency_checking;
  wal.min_wal_bytes = options.min_wal_bytes;
  wal.max_wal_bytes = options.max_wal_bytes;
  wal.archiving = options.archiving;

  pool.buffers = options.shared_buffers;
  pool.block_size = control.blcksz;
  pool.data_checksums = control.data_checksum_version != 0;
  pool.log_hints = pool.data_checksums || options.wal_log_hints;
  pool.read_only = options.read_only;

  transactions.block_size = control.blcksz;
  transactions.max_backends = options.max_backends;
  transactions.max_prepared_transactions = options.max_prepared_transactions;
  transactions.read_only = options.read_only;

  const uint32_t slots = options.max_backends + options.max_prepared_transactions;
  predicates.block_size = control.blcksz;
  predicates.max_backends = slots;
  predicates.max_pred_locks_per_transaction = options.max_pred_locks_per_transaction;
  predicates.max_pred_locks_per_relation = options.max_pred_locks_per_relation;
  predicates.max_pred_locks_per_page = options.max_pred_locks_per_page;
  locks.slots = slots;
  locks.max_locks_per_transaction = options.max_locks_per_transaction;
  notifications.listeners = 4 * options.max_backends;
}

SegmentPlan Engine::PartOptions::plan(bool read_only) const {
  SegmentPlan plan;
  plan.reserve(state_range, sizeof(ClusterState));
  plan.reserve(settings_range, sizeof(SharedSettings));
  ProcessTable::plan(plan);
  Wal::plan(plan, wal);
  BufferPool::plan(plan, pool);
  TransactionSystem::plan(plan, transactions);
  LockTable::plan(plan, locks);
  if (read_only) return plan;
  PredicateLocks::plan(plan, predicates);
  NotifyQueue::plan(plan, notifications, pool.block_size);
  InvalidationQueue::plan(plan);
  StorageBoard::plan(plan);
  CheckpointRequests::plan(plan);
  Statistics::plan(plan);
  ActivityTable::plan(plan, locks.slots);
  return plan;
}

// Makes the segment, and the parts over it.
Status Engine::build(uint32_t timeline) {
  uint32_t consistency_checking = 0;
  RETURN_IF_ERROR(
      parse_consistency_checking(options_.wal_consistency_checking, &consistency_checking));
  const PartOptions parts(options_, control_, timeline, consistency_checking);
  const SegmentPlan plan = parts.plan(options_.read_only);
  // Where the system has no shared memory to give, this process is alone.
  Status made = Status::error(ErrorCode::out_of_memory, "not asked for");
  if (options_.shared && !options_.read_only)
    made = Segment::create(options_.data_directory, plan, &segment_);
  if (made.code() == ErrorCode::out_of_memory) made = Segment::create("", plan, &segment_);
  RETURN_IF_ERROR(std::move(made));
  state_ = new (segment_->find(state_range)) ClusterState();
  new (segment_->find(settings_range))
      SharedSettings(shared_settings_of(options_, consistency_checking, timeline));
  RETURN_IF_ERROR(join());
  processes_->set_owner(process_);
  assemble(parts);
  return Status::ok;
}

Status Engine::join() {
  processes_ = std::make_unique<ProcessTable>(*segment_);
  RETURN_IF_ERROR(processes_->join(&process_));
  attachment_ = std::make_unique<Attachment>(*segment_, *state_, *processes_, process_);
  return Status::ok;
}

void Engine::assemble(const PartOptions& parts) {
  StorageOptions storage_options;
  storage_options.data_directory = options_.data_directory;
  storage_options.block_size = control_.blcksz;
  storage_options.segment_blocks = control_.relseg_size;
  storage_options.io_mode = options_.io_mode;
  storage_options.read_only = options_.read_only;
  storage_options.fsync = options_.fsync;
  storage_options.recovery_syncs_file_systems = options_.recovery_syncs_file_systems;
  storage_options.tablespace_version_directory = tablespace_version_directory(control_);
  storage_ = std::make_unique<Storage>(files_, storage_options);
  wal_ = std::make_unique<Wal>(files_, *segment_, *state_, parts.wal);
  pool_ = std::make_unique<BufferPool>(
      *segment_, *storage_, options_.read_only ? nullptr : wal_.get(), *state_, parts.pool);
  services_.reset(new StorageServices{*state_, *storage_, *wal_, *pool_});
  if (options_.log) services_->log = &options_.log;
  if (!options_.read_only) {
    statistics_ = std::make_unique<Statistics>(*segment_);
    activity_ = std::make_unique<ActivityTable>(*segment_, parts.locks.slots);
  }
  services_->statistics = statistics_.get();
  if (statistics_) {
    statistics_->track_counts(options_.track_counts);
    statistics_->io_timings().set(options_.track_io_timing, options_.track_wal_io_timing);
  }
  transactions_ = std::make_unique<TransactionSystem>(*segment_, *services_, parts.transactions);
  transactions_->processes().set_process(process_);
  locks_ = std::make_unique<LockTable>(*segment_, parts.locks);
  locks_->set_process(process_);
  if (options_.read_only) return;
  predicate_locks_ =
      std::make_unique<PredicateLocks>(*segment_, *services_, *transactions_, parts.predicates);
  services_->predicate_locks = predicate_locks_.get();
  transactions_->set_serializable_transactions(predicate_locks_.get());
  notifications_ =
      std::make_unique<NotifyQueue>(*segment_, *services_, *locks_, parts.notifications);
  invalidations_ = std::make_unique<InvalidationQueue>(*segment_);
  files_position_ = invalidations_->end();
  checkpoint_requests_ = std::make_unique<CheckpointRequests>(*segment_);
  storage_board_ =
      std::make_unique<StorageBoard>(*segment_, *state_, *processes_, process_, *invalidations_);
  storage_->share(storage_board_.get());
}

Status Engine::enter_production() {
  control_.state = DBState::DB_IN_PRODUCTION;
  RETURN_IF_ERROR(write_control_file(files_, options_.data_directory, control_));
  in_production_ = true;
  return Status::ok;
}

Status Engine::open(FileSystem& files, EngineOptions options, std::unique_ptr<Engine>* engine) {
  std::unique_ptr<Engine> opened(new Engine(files, std::move(options)));
  const bool read_only = opened->options_.read_only;
  if (!read_only) {
    bool is_locked = false;
    RETURN_IF_ERROR(opened->open_directory());
    RETURN_IF_ERROR(opened->lock_directory(&is_locked));
    if (!is_locked) return opened->refuse_locked();
  }
  RETURN_IF_ERROR(read_control_file(files, opened->options_.data_directory, &opened->control_));
  const ControlFile& control = opened->control_;
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
    opened->log_.tell_start(control, plan.needed);
    RETURN_IF_ERROR(opened->build(plan.timeline));
    RETURN_IF_ERROR(opened->start(plan));
    opened->start_workers();
    opened->log_.write("postmaster", "database system is ready to accept connections");
  }
  opened->options_.on_recovery_progress = nullptr;
  *engine = std::move(opened);
  return Status::ok;
}

Status Engine::attach(FileSystem& files, EngineOptions options, int segment,
                      std::unique_ptr<Engine>* engine) {
  std::unique_ptr<Engine> attached(new Engine(files, std::move(options)));
  RETURN_IF_ERROR(attached->open_directory());
  RETURN_IF_ERROR(Segment::attach(segment, attached->options_.data_directory, &attached->segment_));
  attached->state_ = reinterpret_cast<ClusterState*>(attached->segment_->find(state_range));
  RETURN_IF_ERROR(attached->state_->check());
  RETURN_IF_ERROR(attached->join());
  const auto settings =
      *reinterpret_cast<const SharedSettings*>(attached->segment_->find(settings_range));
  take_shared_settings(settings, &attached->options_);
  RETURN_IF_ERROR(read_control_file(files, attached->options_.data_directory, &attached->control_));
  attached->assemble(PartOptions(attached->options_, attached->control_, settings.timeline,
                                 settings.consistency_checking));
  RETURN_IF_ERROR(attached->wait_until_known());
  attached->in_production_ = true;
  attached->process_watch_ = std::make_unique<ProcessWatch>(*attached);
  *engine = std::move(attached);
  return Status::ok;
}

// Processes that were alone read without locks. Each learns of this one at its next call, so this one must not change
// anything before the calls that are under way have ended.
Status Engine::wait_until_known() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (const ProcessTable::Process& other : processes_->list()) {
    while (other.number != process_ && processes_->is_reading(other.number) &&
           is_process_alive(other.pid, other.start_time)) {
      RETURN_IF_ERROR(state_->check());
      if (std::chrono::steady_clock::now() > deadline)
        return Status::error(ErrorCode::cannot_connect_now,
                             "process %d has been reading for too long", other.pid);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return Status::ok;
}

void Engine::start_workers() {
  start_threads();
  process_watch_ = std::make_unique<ProcessWatch>(*this);
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
  RETURN_IF_ERROR(notifications_->start());
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
  recovery.on_first_record = [this](Lsn lsn) {
    log_.write("startup", "redo starts at %s", format_lsn(lsn).c_str());
  };
  RecoveryResult result;
  const ResourceUsage usage;
  RETURN_IF_ERROR(recover(plan, recovery, *services_, *transactions_, &control_, &result));
  if (!result.end_reason.empty()) log_.write("startup", "%s", result.end_reason.c_str());
  if (result.progress.records == 0)
    log_.write("startup", "redo is not required");
  else
    log_.write("startup", "redo done at %s system usage: %s",
               format_lsn(result.last_record).c_str(), usage.describe().c_str());
  compared_pages_ = std::move(result.compared);
  RETURN_IF_ERROR(
      wal_->continue_log(result.last_record, plan.checkpoint.redo, result.missing_contrecord));
  TransactionCounters counters = transactions_->counters();
  counters.oldestActiveXid = result.oldest_prepared;
  RETURN_IF_ERROR(transactions_->start(counters));
  if (result.missing_contrecord != invalid_lsn)
    RETURN_IF_ERROR(log_overwrite_contrecord(*services_, result.aborted_record));
  return logged_checkpoint(CheckpointKind::shutdown, "end-of-recovery immediate wait", nullptr);
}

Status Engine::init(FileSystem& files, EngineOptions options, const InitParameters& parameters,
                    std::unique_ptr<Engine>* engine) {
  std::unique_ptr<Engine> made(new Engine(files, std::move(options)));
  bool is_locked = false;
  RETURN_IF_ERROR(made->open_directory());
  RETURN_IF_ERROR(made->lock_directory(&is_locked));
  if (!is_locked) return made->refuse_locked();
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

void Engine::start_threads() {
  if (options_.archiving) {
    archive_status_ = std::make_unique<ArchiveStatus>(files_, wal_->options().directory,
                                                      wal_->options().segment_bytes);
  }
  checkpointer_ =
      std::make_unique<Checkpointer>(*this, open_worker(BackendType::checkpointer),
                                     options_.checkpoint_timeout_seconds, options_.max_wal_bytes);
  background_writer_ = std::make_unique<BackgroundWriter>(
      *services_, *transactions_, options_.background_writer, open_worker(BackendType::bg_writer));
  wal_writer_ = std::make_unique<WalWriter>(*wal_, *statistics_, options_.wal_writer_delay_ms,
                                            open_worker(BackendType::wal_writer));
}

void Engine::stop_threads() {
  checkpointer_.reset();
  background_writer_.reset();
  wal_writer_.reset();
}

ActivityEntry& Engine::open_worker(BackendType type) {
  ActivityEntry& entry = activity_->of_worker(type);
  entry.open(type, process_, invalid_oid, "");
  return entry;
}

void Engine::report_worker(BackendType type, WaitEvent event) {
  if (activity_ == nullptr || !is_owner()) return;
  ActivityEntry& entry = activity_->of_worker(type);
  if (!entry.is_open_in(process_)) open_worker(type);
  entry.set_wait(event);
}

Status Engine::switch_segment(Lsn* end) {
  RETURN_IF_ERROR(state_->check());
  RETURN_IF_ERROR(wal_->switch_segment(end));
  RETURN_IF_ERROR(wal_->flush(*end));
  return mark_for_archive();
}

Status Engine::mark_for_archive() {
  return archive_status_ ? archive_status_->mark_complete(wal_->flushed()) : Status();
}

Status Engine::checkpoint() {
  if (in_production_ && !is_owner()) return checkpoint_requests_->request_and_wait(*state_);
  checkpoints_wanted_++;
  const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
  checkpoints_wanted_--;
  if (statistics_) {
    statistics_->change_fixed([](FixedStatistics& fixed) { fixed.checkpointer.num_requested++; });
  }
  return locked_checkpoint("immediate force wait", nullptr);
}

Status Engine::locked_checkpoint(const char* reason, const WritePace& pace) {
  if (!in_production_)
    return Status::error(ErrorCode::connection_does_not_exist, "the cluster is closed");
  RETURN_IF_ERROR(state_->check());
  // What it finds complete and not archived must stay.
  RETURN_IF_ERROR(mark_for_archive());
  RETURN_IF_ERROR(contained_checkpoint(CheckpointKind::online, reason, pace));
  // What cannot be removed only takes room.
  static_cast<void>(predicate_locks_->truncate_serial_log().is_ok());
  return Status::ok;
}

void Engine::serve_checkpoint_request() {
  uint32_t ticket = 0;
  if (!checkpoint_requests_->is_requested(&ticket)) return;
  checkpoint_requests_->done(ticket, checkpoint().is_ok());
}

// Nobody else would catch what a failed invariant throws on a thread of our own, or at the end of the environment.
Status Engine::contained_checkpoint(CheckpointKind kind, const char* reason,
                                    const WritePace& pace) {
  Status status;
  const bool is_whole = state_->contain([&] { status = logged_checkpoint(kind, reason, pace); });
  return is_whole ? std::move(status) : state_->check();
}

Status Engine::logged_checkpoint(CheckpointKind kind, const char* reason, const WritePace& pace) {
  if (options_.log_checkpoints) log_.write("checkpointer", "checkpoint starting: %s", reason);
  CheckpointReport report;
  // Whoever asked for it, it is the checkpointer's.
  SessionCounters counters(*statistics_, BackendType::checkpointer, invalid_oid);
  const CountingScope counting(&counters);
  Status status = create_checkpoint(files_, options_.data_directory, *services_, *transactions_,
                                    kind, &control_, pace, &report);
  if (status.is_ok()) counters.flush();
  if (!status.is_ok())
    log_.write(LogSeverity::error, "checkpointer", status.report());
  else if (options_.log_checkpoints)
    log_.tell_checkpoint(report, options_.shared_buffers);
  return status;
}

Status Engine::checkpoint_if_needed(const char* reason, const WritePace& pace) {
  const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
  if (!in_production_ || !needs_checkpoint(*services_, control_)) return Status::ok;
  return locked_checkpoint(reason, pace);
}

Status Engine::close(bool* was_last) {
  process_watch_.reset();
  if (in_production_) end_those_who_died();
  stop_threads();
  const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
  bool is_last = true;
  Status status;
  if (in_production_) {
    state_->contain([&] { is_last = processes_->begin_leaving(process_) && wait_for_leavers(); });
    status = state_->check();
    if (status.is_ok()) status = is_last ? shut_down() : hand_over();
    if (state_->is_poisoned()) tell_crash();
    // The cluster is shut down cleanly, whatever becomes of its counters.
    if (status.is_ok() && is_last) static_cast<void>(save_statistics().is_ok());
  }
  if (was_last != nullptr) *was_last = is_last;
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

// Who began to leave before the last one did may be at its last checkpoint; or it dies meanwhile. False for one that stays,
// being stopped: then nobody shuts the cluster down, and the next open recovers.
bool Engine::wait_for_leavers() {
  const auto until = std::chrono::steady_clock::now() + leavers_max;
  while (processes_->count() > 1 && !state_->is_poisoned()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(leavers_interval);
    end_those_who_died();
  }
  return true;
}

Status Engine::shut_down() {
  // Its owner has left just now, and its lock on the directory with it.
  if (!is_owner()) {
    bool is_locked = false;
    for (std::chrono::milliseconds waited{0}; waited <= left_lock_max; waited += leavers_interval) {
      RETURN_IF_ERROR(lock_directory(&is_locked));
      if (is_locked) break;
      std::this_thread::sleep_for(leavers_interval);
    }
    if (!is_locked) return refuse_locked();
    take_over(true);
    stop_threads();
  }
  log_.write("checkpointer", "shutting down");
  RETURN_IF_ERROR(mark_for_archive());
  RETURN_IF_ERROR(contained_checkpoint(CheckpointKind::shutdown, "shutdown immediate"));
  log_.write("postmaster", "database system is shut down");
  return Status::ok;
}

// Others go on: what only this process knows is made good or told to them.
Status Engine::hand_over() {
  if (!is_owner()) return Status::ok;
  RETURN_IF_ERROR(contained_checkpoint(CheckpointKind::online, "immediate force wait"));
  return storage_->hand_over();
}

// The directory is locked by this process.
void Engine::take_over(bool after_death) {
  if (after_death) storage_->sync_everything_next();
  const Status read = read_control_file(files_, options_.data_directory, &control_);
  if (!read.is_ok()) return state_->poison(read.report().message.c_str());
  processes_->set_owner(process_);
  const Status written = take_over_lock_file(files_, options_.data_directory, segment_->id());
  if (!written.is_ok()) return state_->poison(written.report().message.c_str());
  start_threads();
  log_.write("postmaster", "the cluster has passed to this process");
}

// Of whom the watch has not told yet.
void Engine::end_those_who_died() {
  for (const ProcessTable::Process& other : processes_->list()) {
    if (other.number == process_ || is_process_alive(other.pid, other.start_time)) continue;
    state_->contain([&] { process_ended(other); });
  }
}

void Engine::process_ended(const ProcessTable::Process& process) {
  // One that closed in good order and then ended is no concern of anybody's, and its entry perhaps another one's.
  if (!processes_->is_listed(process)) return;
  if (processes_->is_inside(process.number) || transactions_->created_files().is_incomplete()) {
    const std::string reason =
        "Process " + std::to_string(process.pid) + " ended while it was changing shared memory.";
    state_->poison_after_death(reason.c_str(), process.pid);
    return tell_crash();
  }
  const bool was_owner = processes_->owner() == process.number;
  if (was_owner || processes_->owner() == ProcessTable::none) {
    bool is_locked = false;
    if (!lock_directory(&is_locked).is_ok() || !is_locked) return;
    take_over(true);
  }
  if (is_owner()) clean_up_after(process);
}

// Its transactions are rolled back; what it held and waited for is given back.
void Engine::clean_up_after(const ProcessTable::Process& process) {
  // Before others can take its slots.
  activity_->close_all_of(process.number);
  const std::vector<int> slots = transactions_->processes().slots_of(process.number);
  // What cannot be removed is when the directory is opened next.
  (void)remove_temporary_relations(*services_, slots);
  for (const int slot : slots) {
    const Status ended = end_transaction_of_dead(*services_, *transactions_, slot);
    if (!ended.is_ok()) return state_->poison(ended.report().message.c_str());
    predicate_locks_->end_transaction_of_dead(slot);
    locks_->cancel_wait(slot);
    locks_->release_all(slot);
    locks_->close_slot(slot);
    notifications_->unlisten_all(slot);
    transactions_->processes().release_slot(slot);
  }
  locks_->release_mailboxes_of(process.number);
  remove_temporary_files_of(process);
  processes_->leave(process.number);
  log_.tell_death(process.pid, slots.size());
}

// What cannot be removed is when the directory is opened next.
void Engine::remove_temporary_files_of(const ProcessTable::Process& process) {
  for (const ProcessTable::Process& other : processes_->list()) {
    const bool has_its_id = other.pid == process.pid && other.start_time != process.start_time;
    if (has_its_id) return;
  }
  (void)remove_temporary_files(*services_, process.pid);
}

void Engine::upkeep_of_processes() {
  if (state_->is_poisoned()) {
    tell_crash();
    const std::lock_guard<std::mutex> guard(crash_mutex_);
    if (state_->needs_restart() && crash_handler_) std::exchange(crash_handler_, nullptr)();
    return;
  }
  std::vector<Invalidation> messages;
  if (!invalidations_->read(&files_position_, &messages)) storage_->close_all();
  for (const Invalidation& message : messages) {
    if (message.kind != Invalidation::Kind::files) continue;
    if (message.relation.relNumber == invalid_oid)
      storage_->close_database_files(message.relation.dbOid);
    else
      storage_->close_relation(message.relation);
  }
  if (is_owner()) {
    storage_->take_handed_over();
  } else if (processes_->owner() == ProcessTable::none) {
    bool is_locked = false;
    if (lock_directory(&is_locked).is_ok() && is_locked) take_over(false);
  }
}

// Once, whichever process comes first.
void Engine::tell_crash() {
  if (!log_.is_wanted() || !state_->claim_report()) return;
  if (const int32_t pid = state_->dead_process(); pid != 0) {
    std::string running;
    for (const Activity& activity : activity_->list()) {
      if (activity.pid != static_cast<uint32_t>(pid) || activity.state != ActivityState::active)
        continue;
      running += (running.empty() ? "" : ", ") + activity.operation;
    }
    log_.tell_failed_process(pid, running);
  }
  log_.tell_crash(*state_);
}

void Engine::on_crash(std::function<void()> handler) {
  const std::lock_guard<std::mutex> guard(crash_mutex_);
  crash_handler_ = std::move(handler);
}

void Engine::leave_crashed(bool* was_owner) {
  tell_crash();
  process_watch_.reset();
  stop_threads();
  *was_owner = is_owner();
  // Nobody can enter any more. Those who are inside find out at their next lock or record, and until then might still write:
  // nobody may recover meanwhile, however long it takes.
  for (const ProcessTable::Process& other : processes_->list()) {
    while (other.number != process_ && processes_->is_inside(other.number) &&
           processes_->is_listed(other) && is_process_alive(other.pid, other.start_time))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
  release();
}

void Engine::abandon() {
  process_watch_.reset();
  stop_threads();
  const std::lock_guard<std::mutex> guard(checkpoint_mutex_);
  release();
}

void Engine::release() {
  in_production_ = false;
  archive_status_.reset();
  predicate_locks_.reset();
  notifications_.reset();
  locks_.reset();
  transactions_.reset();
  services_.reset();
  pool_.reset();
  wal_.reset();
  storage_.reset();
  statistics_.reset();
  if (activity_) activity_->close_all_of(process_);
  activity_.reset();
  storage_board_.reset();
  checkpoint_requests_.reset();
  invalidations_.reset();
  attachment_.reset();
  if (process_ != ProcessTable::none) processes_->leave(process_);
  process_ = ProcessTable::none;
  processes_.reset();
  state_ = nullptr;
  segment_.reset();
  if (directory_lock_ >= 0) ::close(directory_lock_);
  directory_lock_ = -1;
}

}  // namespace pgdata
