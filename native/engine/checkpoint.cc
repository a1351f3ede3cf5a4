// Checkpoints: the sequence of PostgreSQL 18.
#include "engine/checkpoint.h"

#include <chrono>
#include <ctime>
#include <utility>

#include "base/stop_point.h"
#include "engine/control_file.h"
#include "layout/wal_xlog_records.h"
#include "shmem/wait_scope.h"
#include "statistics/counting.h"
#include "xact/prepared_table.h"

namespace pgdata {
namespace {

constexpr int32_t wal_level_replica = 1;

Status poison(StorageServices& services, Status status) {
  if (!status.is_ok()) services.state.poison(status.report().message.c_str());
  return status;
}

// Writes the record, makes it durable, and has pg_control name it.
Status conclude(FileSystem& files, const std::string& data_directory, StorageServices& services,
                CheckpointKind kind, const CheckPoint& checkpoint, ControlFile* control,
                Lsn* end_of_log) {
  const bool shutdown = kind == CheckpointKind::shutdown;
  WalRecord record;
  record.begin(RmgrId::xlog, shutdown ? XLOG_CHECKPOINT_SHUTDOWN : XLOG_CHECKPOINT_ONLINE,
               invalid_transaction_id);
  record.data(&checkpoint, sizeof(checkpoint));
  Lsn start = invalid_lsn;
  RETURN_IF_ERROR(services.wal.insert(record, end_of_log, &start));
  RETURN_IF_ERROR(services.wal.flush(*end_of_log));
  if (shutdown && start != checkpoint.redo)
    return Status::error(
        ErrorCode::internal_error,
        "concurrent write-ahead log activity while database system is shutting down");

  if (shutdown) control->state = DBState::DB_SHUTDOWNED;
  control->checkPoint = start;
  control->checkPointCopy = checkpoint;
  control->minRecoveryPoint = invalid_lsn;
  control->minRecoveryPointTLI = 0;
  return write_control_file(files, data_directory, *control);
}

CheckPoint begin_record(const WalOptions& options) {
  CheckPoint checkpoint;
  checkpoint.ThisTimeLineID = options.timeline;
  checkpoint.PrevTimeLineID = options.timeline;
  checkpoint.fullPageWrites = options.full_page_writes ? 1 : 0;
  checkpoint.wal_level = options.wal_level;
  checkpoint.time = static_cast<int64_t>(std::time(nullptr));
  return checkpoint;
}

int64_t milliseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

void count_checkpoint(StorageServices& services, CheckpointKind kind,
                      const CheckpointReport& report) {
  if (services.statistics == nullptr) return;
  if (SessionCounters* const counters = current_counters()) {
    const std::chrono::nanoseconds took = report.sync.total;
    counters->count_io(IoObject::relation, IoContext::normal, IoOp::fsync,
                       static_cast<int64_t>(report.sync.files), 0);
    if (counters->is_timed(IoObject::relation))
      counters->time_io(IoObject::relation, IoContext::normal, IoOp::fsync, took.count());
  }
  services.statistics->change_fixed([&](FixedStatistics& fixed) {
    if (kind == CheckpointKind::online) fixed.checkpointer.num_performed++;
    fixed.checkpointer.buffers_written += static_cast<int64_t>(report.buffers);
    fixed.checkpointer.slru_written += static_cast<int64_t>(report.slru_buffers);
    fixed.checkpointer.write_time += milliseconds(report.writing);
    fixed.checkpointer.sync_time += milliseconds(report.syncing);
  });
}

}  // namespace

Status write_first_checkpoint(FileSystem& files, const std::string& data_directory,
                              StorageServices& services, TransactionSystem& transactions,
                              ControlFile* control) {
  CheckPoint checkpoint = begin_record(services.wal.options());
  RETURN_IF_ERROR(services.wal.begin_checkpoint(true, &checkpoint.redo));
  set_counters(transactions.counters(CheckpointKind::shutdown), &checkpoint);
  control->wal_level = services.wal.options().wal_level;
  Lsn end_of_log = invalid_lsn;
  return conclude(files, data_directory, services, CheckpointKind::shutdown, checkpoint, control,
                  &end_of_log);
}

Status create_checkpoint(FileSystem& files, const std::string& data_directory,
                         StorageServices& services, TransactionSystem& transactions,
                         CheckpointKind kind, ControlFile* control, const WritePace& pace,
                         CheckpointReport* report) {
  using Clock = std::chrono::steady_clock;
  CheckpointReport unread;
  CheckpointReport& done = report != nullptr ? *report : unread;
  const auto began = Clock::now();
  const bool shutdown = kind == CheckpointKind::shutdown;
  RETURN_IF_ERROR(services.state.check());
  services.storage.begin_checkpoint();
  if (shutdown) {
    control->state = DBState::DB_SHUTDOWNING;
    RETURN_IF_ERROR(poison(services, write_control_file(files, data_directory, *control)));
  }

  CheckPoint checkpoint = begin_record(services.wal.options());
  // A standby starts with who runs, so the oldest of them is taken before the redo pointer is fixed: who begins
  // later logs everything after it.
  const bool for_standbys = !shutdown && services.wal.options().wal_level >= wal_level_replica;
  const TransactionId oldest_active =
      for_standbys ? transactions.counters(kind).oldestActiveXid : invalid_transaction_id;
  RETURN_IF_ERROR(services.wal.begin_checkpoint(shutdown, &checkpoint.redo));
  set_counters(transactions.counters(kind), &checkpoint);
  checkpoint.oldestActiveXid = oldest_active;

  // A commit is logged first and noted in pg_xact then; one logged before the redo pointer will not be replayed,
  // so its note must be among what is written now.
  RETURN_IF_ERROR(transactions.wait_for_commits_in_progress());
  RETURN_IF_ERROR(transactions.write_all_dirty(&done.slru_buffers));
  const auto writing_since = Clock::now();
  RETURN_IF_ERROR(services.pool.write_all_dirty(pace, &done.buffers));
  stop_point("checkpoint written");
  const auto syncing_since = Clock::now();
  done.writing = syncing_since - writing_since;
  // The kernel may have dropped what it failed to write: a second try would only seem to succeed.
  {
    const WaitScope waiting(WaitEvent::data_file_sync);
    RETURN_IF_ERROR(poison(services, services.storage.sync_pending(&done.sync)));
  }
  done.syncing = Clock::now() - syncing_since;
  count_checkpoint(services, kind, done);
  // As late as possible, since most are ended soon.
  RETURN_IF_ERROR(transactions.prepared().checkpoint(checkpoint.redo));
  RETURN_IF_ERROR(transactions.wait_for_commits_in_progress());

  if (for_standbys) RETURN_IF_ERROR(transactions.log_running_transactions());

  Lsn end_of_log = invalid_lsn;
  RETURN_IF_ERROR(poison(
      services, conclude(files, data_directory, services, kind, checkpoint, control, &end_of_log)));

  // The checkpoint stands; what is left is tidying up. What fails of it only wastes space, or a little time of whoever
  // needs the next segment, and the next checkpoint tries again: as in PostgreSQL, it is no failure of this one.
  static_cast<void>(services.storage.remove_unlinked().is_ok());
  static_cast<void>(transactions.truncate_subtransactions().is_ok());
  static_cast<void>(
      services.wal.remove_old_segments(checkpoint.redo, end_of_log, &done.segments).is_ok());
  if (!shutdown) static_cast<void>(services.wal.preallocate(&done.segments).is_ok());
  done.lsn = control->checkPoint;
  done.redo = checkpoint.redo;
  done.total = Clock::now() - began;
  return Status::ok;
}

bool needs_checkpoint(const StorageServices& services, const ControlFile& control) {
  return services.wal.last_important() != control.checkPoint;
}

}  // namespace pgdata
