// Engine: one open data directory: its segment, and the parts of the data plane put together over it.
//
// The first process that opens a directory is its owner; others `attach` to its segment. The owner takes the checkpoints,
// and cleans up after those that die. When it closes, or dies, one of the others takes its place.
//
// `open` takes a cluster however it was left, recovering it if need be (or just as it is, read-only); `init` makes the
// log and control file of a new one; both leave it in production. `close` writes the shutdown checkpoint. The directory itself is locked
// (flock) as long as a writing Engine lives, whatever happens to the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log_message.h"
#include "base/status.h"
#include "base/types.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"
#include "engine/archive_status.h"
#include "engine/background_writer.h"
#include "engine/checkpoint_requests.h"
#include "engine/checkpointer.h"
#include "engine/process_watch.h"
#include "engine/server_log.h"
#include "engine/wal_writer.h"
#include "file/file_system.h"
#include "file/storage.h"
#include "layout/control_file.h"
#include "lock/lock_table.h"
#include "notify/notify_queue.h"
#include "predicate/predicate_locks.h"
#include "recovery/recovery.h"
#include "shmem/activity_table.h"
#include "shmem/attachment.h"
#include "shmem/cluster_state.h"
#include "shmem/invalidation_queue.h"
#include "shmem/process_table.h"
#include "shmem/segment.h"
#include "shmem/storage_board.h"
#include "statistics/statistics.h"
#include "wal/wal.h"
#include "xact/transaction_system.h"

namespace pgdata {

struct EngineOptions {
  std::string data_directory;
  bool read_only = false;
  uint32_t shared_buffers = 16384;  // blocks
  uint32_t wal_buffers = 512;       // pages
  IoMode io_mode = IoMode::buffered;
  WalSyncMethod wal_sync_method = WalSyncMethod::adaptive;
  bool fsync = true;
  bool recovery_syncs_file_systems = true;  // recovery_init_sync_method is syncfs
  bool full_page_writes = true;
  std::string wal_consistency_checking;
  uint32_t max_backends = 128;
  uint32_t max_prepared_transactions = 0;
  uint32_t wal_writer_delay_ms = 200;
  uint64_t wal_writer_flush_after_bytes = 1ull << 20;
  bool track_counts = true;
  bool track_io_timing = false;
  bool track_wal_io_timing = false;
  uint32_t max_locks_per_transaction = 64;
  uint64_t min_wal_bytes = 80ull << 20;
  uint64_t max_wal_bytes = 1024ull << 20;
  uint32_t checkpoint_timeout_seconds = 300;
  double checkpoint_completion_target = 0.9;
  WriteAheadLimits background_writer;
  // archive_mode; complete segments are marked for an archiver.
  bool archiving = false;
  uint32_t archive_timeout_seconds = 0;  // 0: segments are switched when they are full
  // A file system that lives as long as the engine; none: the caller's outlives it.
  std::shared_ptr<FileSystem> watched_files;
  // Called now and then while the log is replayed, on the thread that opens; false gives up with query_canceled.
  std::function<bool(const RecoveryProgress&)> on_recovery_progress;
  // PostgreSQL's settings of these names.
  int32_t max_pred_locks_per_transaction = 64;
  int32_t max_pred_locks_per_relation = -2;
  int32_t max_pred_locks_per_page = 2;
  int32_t wal_level = 1;  // 0 minimal, 1 replica
  bool wal_log_hints = false;
  bool track_commit_timestamp = false;
  // These only concern a server that replays the log.
  int32_t max_worker_processes = 8;
  int32_t max_wal_senders = 10;
  // Other processes can attach.
  bool shared = false;
  // Where the messages of the server log go; none: nobody wants them.
  LogSink log;
  bool log_checkpoints = true;
  bool log_lock_waits = false;
};

// What a new cluster is made with.
struct InitParameters {
  uint32_t block_size = default_block_size;
  uint32_t wal_segment_bytes = 16u << 20;
  bool data_checksums = true;
  uint64_t system_identifier = 0;
  FullTransactionId next_xid = 3;
  Oid next_oid = first_unpinned_object_id;
  Oid oldest_xid_database = 1;
};

class Engine {
 public:
  // Has an engine the directory open for writing, in whatever process?
  static Status is_directory_locked(const std::string& data_directory, bool* is_locked);
  // lock_file_exists when another engine has the directory; what plan_recovery and recover fail with.
  static Status open(FileSystem& files, EngineOptions options, std::unique_ptr<Engine>* engine);
  // Joins those that have the directory open, by the number of their segment, whose settings count. undefined_object
  // when nobody is there any more, cannot_connect_now when they are just closing, crash_shutdown.
  static Status attach(FileSystem& files, EngineOptions options, int segment,
                       std::unique_ptr<Engine>* engine);
  // The directories exist; pg_control and the log do not.
  static Status init(FileSystem& files, EngineOptions options, const InitParameters& parameters,
                     std::unique_ptr<Engine>* engine);
  ~Engine();  // as `abandon`
  Engine(const Engine&) = delete;

  const EngineOptions& options() const { return options_; }
  const ControlFile& control() const { return control_; }
  FileSystem& files() const { return files_; }
  StorageServices& services() { return *services_; }
  TransactionSystem& transactions() { return *transactions_; }
  // Null when the directory is open for reading only.
  PredicateLocks* predicate_locks() { return predicate_locks_.get(); }
  LockTable& locks() { return *locks_; }
  // Not when the directory is open for reading only.
  NotifyQueue& notifications() { return *notifications_; }
  // Who does what; null when the directory is open for reading only.
  ActivityTable* activity() { return activity_.get(); }
  // For workers that are not threads of the engine: the owner has one of that kind, which waits for `event`. Nothing
  // happens where this process is not the owner.
  void report_worker(BackendType type, WaitEvent event);
  // Null when the directory is open for reading only.
  Statistics* statistics() { return statistics_.get(); }
  // To a copy of them: what is counted by the parts themselves until the cluster is closed.
  void add_running_statistics(FixedStatistics* fixed) const;
  void reset_statistics();
  ClusterState& state() { return *state_; }
  const ServerLog& log() const { return log_; }
  uint32_t block_size() const { return control_.blcksz; }
  // What recovery compared with the images of records that carry them for that.
  const std::vector<ComparedPages>& compared_pages() const { return compared_pages_; }

  // An online checkpoint. Waits for one that is running.
  Status checkpoint();
  // The same, unless nothing that matters was logged since the last one; not faster than `pace` allows. `reason` is for
  // the server log.
  Status checkpoint_if_needed(const char* reason, const WritePace& pace = nullptr);
  // Somebody waits for a checkpoint, or for the one that is running.
  bool is_checkpoint_wanted() const {
    uint32_t ticket = 0;
    return checkpoints_wanted_.load() > 0 || checkpoint_requests_->is_requested(&ticket);
  }

  // Archiving.
  bool is_archiving() const { return archive_status_ != nullptr; }
  // The next record begins a new segment; `*end` is then where the log ends. What is complete is marked.
  Status switch_segment(Lsn* end);
  Status mark_for_archive();

  // The shutdown checkpoint, when no other process is there; afterwards only destruction is allowed. No backend of this
  // process may be left. `*was_last` (may be null): nobody has the directory open any more.
  Status close(bool* was_last = nullptr);
  // Gives everything back without a checkpoint, as a crash would.
  void abandon();

  bool is_open() const { return processes_ != nullptr; }
  // `handler` is called, on another thread, when a process died so that all have to leave.
  void on_crash(std::function<void()> handler);
  // That having happened: gives everything back when no process is in the middle of something any more.
  // `*was_owner`: this one had the directory.
  void leave_crashed(bool* was_owner);

  // Others may use the cluster, or be about to.
  bool is_shared() const { return processes_->count() > 1; }
  int segment() const { return segment_->id(); }
  ProcessTable& processes() { return *processes_; }
  uint32_t process() const { return process_; }
  bool is_owner() const { return processes_->owner() == process_; }
  InvalidationQueue& invalidations() { return *invalidations_; }
  CheckpointRequests& checkpoint_requests() { return *checkpoint_requests_; }

  // For the Checkpointer: takes the checkpoint that another process asks for, if one does.
  void serve_checkpoint_request();
  // For ProcessWatch: another process has died; and what is to be done now and then.
  void process_ended(const ProcessTable::Process& process);
  void upkeep_of_processes();

 private:
  Engine(FileSystem& files, EngineOptions options);
  struct PartOptions;
  Status open_directory();
  Status lock_directory(bool* is_locked);
  Status refuse_locked() const;
  Status build(uint32_t timeline);
  Status join();
  void assemble(const PartOptions& parts);
  Status wait_until_known();
  void start_workers();
  Status shut_down();
  Status hand_over();
  void take_over(bool after_death);
  void clean_up_after(const ProcessTable::Process& process);
  void remove_temporary_files_of(const ProcessTable::Process& process);
  void end_those_who_died();
  bool wait_for_leavers();
  Status start(const RecoveryPlan& plan);
  Status replay(const RecoveryPlan& plan);
  Status enter_production();
  Status lock_for_prepared();
  Status contained_checkpoint(CheckpointKind kind, const char* reason,
                              const WritePace& pace = nullptr);
  Status locked_checkpoint(const char* reason, const WritePace& pace);
  Status logged_checkpoint(CheckpointKind kind, const char* reason, const WritePace& pace);
  void tell_crash();
  ActivityEntry& open_worker(BackendType type);
  void start_threads();
  void stop_threads();
  Status apply_settings();
  Status save_statistics();
  void release();

  FileSystem& files_;
  EngineOptions options_;
  ServerLog log_;
  ControlFile control_;
  std::vector<ComparedPages> compared_pages_;
  int directory_lock_ = -1;
  bool in_production_ = false;
  std::mutex checkpoint_mutex_;
  std::atomic<int> checkpoints_wanted_{0};
  std::unique_ptr<Segment> segment_;
  ClusterState* state_ = nullptr;  // in the segment
  std::unique_ptr<Statistics> statistics_;
  std::unique_ptr<ActivityTable> activity_;
  std::unique_ptr<ProcessTable> processes_;
  uint32_t process_ = ProcessTable::none;
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<InvalidationQueue> invalidations_;
  uint64_t files_position_ = 0;  // how far removals of files are known here
  std::unique_ptr<CheckpointRequests> checkpoint_requests_;
  std::unique_ptr<StorageBoard> storage_board_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Wal> wal_;
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<StorageServices> services_;
  std::unique_ptr<TransactionSystem> transactions_;
  std::unique_ptr<PredicateLocks> predicate_locks_;
  std::unique_ptr<LockTable> locks_;
  std::unique_ptr<ArchiveStatus> archive_status_;  // null unless archiving
  std::unique_ptr<NotifyQueue> notifications_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<BackgroundWriter> background_writer_;
  std::unique_ptr<WalWriter> wal_writer_;
  std::unique_ptr<ProcessWatch> process_watch_;
  std::mutex crash_mutex_;
  std::function<void()> crash_handler_;
};

}  // namespace pgdata
