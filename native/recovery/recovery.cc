// Recovery: from the checkpoint to the end of the log.
#include "recovery/recovery.h"

#include <algorithm>
#include <memory>

#include "layout/wal_xlog_records.h"
#include "recovery/leftover_files.h"
#include "recovery/read_ahead.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"
#include "wal/wal.h"
#include "wal/wal_geometry.h"
#include "xact/checkpoint_counters.h"

namespace pgdata {

namespace {

// Between two calls of on_progress.
constexpr uint64_t records_per_report = 4096;
constexpr uint64_t records_per_advance = 64;
// A shorter log is replayed before reading ahead would help.
constexpr Lsn read_ahead_log_min = 32u << 20;
// Segments looked at to tell how long the log is.
constexpr uint64_t segments_max = 1u << 20;

class Replay {
 public:
  Replay(const RecoveryPlan& plan, const RecoveryOptions& options, StorageServices& services,
         TransactionSystem& transactions, ControlFile* control)
      : plan_(plan),
        options_(options),
        services_(services),
        transactions_(transactions),
        control_(*control),
        files_(services.storage.files()),
        driver_(services, transactions, *control) {}

  Status run(RecoveryResult* result);

 private:
  std::string path(const char* name) const { return options_.data_directory + "/" + name; }
  bool in_archive_recovery() const { return plan_.from_backup; }
  Status write_control() { return options_.write_control(control_); }
  WalReaderOptions reader_options() const;
  Status prepare();
  Status mark_recovering();
  Status set_aside(const char* name);
  Status link_tablespaces();
  Status discard_statistics();
  Status replay_all(RecoveryResult* result);
  Status after_record(const DecodedWalRecord& record);
  Status reach_minimum(Lsn upto);
  Status make_restart_point();
  Status check_end() const;
  Status measure_log();
  Status report(const RecoveryProgress& progress) const;

  const RecoveryPlan& plan_;
  const RecoveryOptions& options_;
  StorageServices& services_;
  TransactionSystem& transactions_;
  ControlFile& control_;
  FileSystem& files_;
  RedoDriver driver_;
  RecoveryProgress progress_;
  uint32_t timeline_ = 0;
  Lsn restart_point_ = invalid_lsn;
};

WalReaderOptions Replay::reader_options() const {
  WalReaderOptions reader;
  reader.directory = path("pg_wal");
  reader.block_size = control_.xlog_blcksz;
  reader.segment_bytes = control_.xlog_seg_size;
  reader.timeline = plan_.timeline;
  reader.history = plan_.history;
  reader.system_identifier = control_.system_identifier;
  return reader;
}

Status Replay::run(RecoveryResult* result) {
  RETURN_IF_ERROR(prepare());
  RETURN_IF_ERROR(replay_all(result));
  RETURN_IF_ERROR(check_end());
  RETURN_IF_ERROR(driver_.check_invalid_pages());
  RETURN_IF_ERROR(driver_.prepared().settle(transactions_, &result->oldest_prepared));
  RETURN_IF_ERROR(driver_.remove_orphans());
  RETURN_IF_ERROR(driver_.prepared().write());
  RETURN_IF_ERROR(driver_.origins().write());
  RETURN_IF_ERROR(trim_multixacts(transactions_, services_.storage.options().block_size));
  // Init forks are copied by their files.
  RETURN_IF_ERROR(services_.pool.write_all_dirty());
  return make_unlogged_empty(services_);
}

// Before replay. ------------------------------------------------------------------------------

Status Replay::prepare() {
  RETURN_IF_ERROR(sync_data_directory(services_));
  RETURN_IF_ERROR(link_tablespaces());
  RETURN_IF_ERROR(mark_recovering());
  // Only now that pg_control names the backup's checkpoint: without the label it decides.
  RETURN_IF_ERROR(set_aside("backup_label"));
  RETURN_IF_ERROR(set_aside("tablespace_map"));
  RETURN_IF_ERROR(discard_statistics());
  RETURN_IF_ERROR(remove_unlogged_contents(services_));
  transactions_.begin_recovery(counters_of(plan_.checkpoint));
  driver_.latest_offsets_page =
      plan_.checkpoint.nextMulti / (services_.storage.options().block_size / sizeof(uint32_t));
  driver_.full_page_writes = plan_.checkpoint.fullPageWrites != 0;
  if (control_.track_commit_timestamp != 0)
    RETURN_IF_ERROR(transactions_.track_commit_timestamps(true));
  RETURN_IF_ERROR(driver_.prepared().load(plan_.checkpoint.nextXid));
  return driver_.origins().load();
}

Status Replay::mark_recovering() {
  control_.state =
      in_archive_recovery() ? DBState::DB_IN_ARCHIVE_RECOVERY : DBState::DB_IN_CRASH_RECOVERY;
  if (plan_.from_backup) {
    control_.backupStartPoint = plan_.checkpoint.redo;
    control_.backupEndRequired = plan_.backup_end_required ? 1 : 0;
    control_.backupEndPoint = plan_.backup_from_standby ? control_.minRecoveryPoint : invalid_lsn;
  }
  if (in_archive_recovery() && control_.minRecoveryPoint < plan_.checkpoint.redo) {
    control_.minRecoveryPoint = plan_.checkpoint.redo;
    control_.minRecoveryPointTLI = plan_.checkpoint.ThisTimeLineID;
  }
  control_.checkPoint = plan_.checkpoint_lsn;
  control_.checkPointCopy = plan_.checkpoint;
  return write_control();
}

Status Replay::set_aside(const char* name) {
  const std::string from = path(name);
  FileInfo info;
  RETURN_IF_ERROR(files_.info(from, &info));
  if (info.kind == FileKind::none) return Status::ok;
  RETURN_IF_ERROR(files_.rename(from, from + ".old"));
  return services_.storage.options().fsync ? files_.sync_directory(options_.data_directory)
                                           : Status();
}

Status Replay::link_tablespaces() {
  if (plan_.tablespaces.empty()) return Status::ok;
  for (const auto& [oid, location] : plan_.tablespaces) {
    const std::string link = path("pg_tblspc/") + std::to_string(oid);
    FileInfo info;
    RETURN_IF_ERROR(files_.info(link, &info));
    // As the server does: an empty directory, which some copy programs make of a link, gives way too.
    if (info.kind == FileKind::directory) {
      RETURN_IF_ERROR(files_.remove_directory(link));
    } else if (info.kind != FileKind::none) {
      RETURN_IF_ERROR(files_.remove_file(link));
    }
    RETURN_IF_ERROR(files_.link_symbolic(location, link));
  }
  return services_.storage.options().fsync ? files_.sync_directory(path("pg_tblspc")) : Status();
}

// The counts of what sessions did are not crash-safe.
Status Replay::discard_statistics() {
  Status status = files_.remove_file(path("pg_stat/pgstat.stat"));
  return status.code() == ErrorCode::undefined_file ? Status() : std::move(status);
}

// Replay. -------------------------------------------------------------------------------------

// A segment that was never written to since it was made or recycled does not begin with its own page.
Status Replay::measure_log() {
  const WalGeometry geometry(control_.xlog_blcksz, control_.xlog_seg_size);
  const uint64_t first = geometry.segment_of(progress_.start);
  progress_.upto = (first + 1) * geometry.segment_bytes();
  for (uint64_t segment = first + 1; segment < first + segments_max; segment++) {
    std::unique_ptr<File> file;
    Status status = files_.open(
        path("pg_wal/") + wal_file_name(plan_.timeline, segment, geometry.segment_bytes()),
        OpenFlags::read_only, &file);
    if (status.code() == ErrorCode::undefined_file) return Status::ok;
    RETURN_IF_ERROR(std::move(status));
    XLogPageHeaderData header{};
    size_t done = 0;
    RETURN_IF_ERROR(file->read(&header, sizeof(header), 0, &done));
    const Lsn begin = segment * geometry.segment_bytes();
    if (done < sizeof(header) || header.xlp_magic != XLOG_PAGE_MAGIC ||
        header.xlp_pageaddr != begin)
      return Status::ok;
    progress_.upto = begin + geometry.segment_bytes();
  }
  return Status::ok;
}

Status Replay::report(const RecoveryProgress& progress) const {
  if (!options_.on_progress || options_.on_progress(progress)) return Status::ok;
  return Status::error(ErrorCode::query_canceled, "canceling recovery due to user request")
      .with_detail("Opening the directory again begins at the same place.");
}

Status Replay::replay_all(RecoveryResult* result) {
  WalReader reader(files_, reader_options());
  bool found = false;
  const bool from_redo = plan_.checkpoint.redo < plan_.checkpoint_lsn;
  timeline_ = plan_.checkpoint.ThisTimeLineID;
  progress_.start = progress_.position = plan_.checkpoint.redo;
  restart_point_ = plan_.checkpoint.redo;
  RETURN_IF_ERROR(measure_log());
  RETURN_IF_ERROR(report(progress_));
  reader.begin_at(plan_.checkpoint.redo);
  if (!from_redo) {
    // The shutdown checkpoint itself says nothing new.
    RETURN_IF_ERROR(reader.next(&found));
    if (!found) return Status::error(Status::data_corrupted, "the checkpoint record vanished");
    result->last_record = reader.record().lsn;
    progress_.position = reader.record().end_lsn;
  }
  std::unique_ptr<ReadAhead> read_ahead;
  if (progress_.upto - progress_.start >= read_ahead_log_min)
    read_ahead = std::make_unique<ReadAhead>(services_.storage, reader_options(), progress_.start);
  services_.wal.set_recovery_flush([this](Lsn upto) { return reach_minimum(upto); });
  for (;;) {
    RETURN_IF_ERROR(reader.next(&found));
    if (!found) break;
    if (progress_.records == 0 && options_.on_first_record)
      options_.on_first_record(reader.record().lsn);
    // What redo makes of the record may be written before the next one is read.
    progress_.position = reader.record().end_lsn;
    RETURN_IF_ERROR(driver_.apply(reader));
    result->last_record = reader.record().lsn;
    RETURN_IF_ERROR(after_record(reader.record()));
    if (++progress_.records % records_per_report == 0) RETURN_IF_ERROR(report(progress_));
    if (read_ahead && progress_.records % records_per_advance == 0)
      read_ahead->advance(progress_.position);
  }
  if (!reader.file_ended()) result->end_reason = reader.end_reason();
  result->aborted_record = reader.aborted_record();
  result->missing_contrecord = reader.missing_contrecord();
  result->compared = driver_.comparison().compared();
  progress_.upto = progress_.position;
  result->progress = progress_;
  return report(progress_);
}

Status Replay::after_record(const DecodedWalRecord& record) {
  // The end of the base backup: from here on the files fit together.
  const bool at_end =
      driver_.backup_end != invalid_lsn ||
      (control_.backupEndPoint != invalid_lsn && control_.backupEndPoint <= record.end_lsn);
  if (at_end && control_.backupStartPoint != invalid_lsn) {
    control_.minRecoveryPoint = std::max(control_.minRecoveryPoint, record.end_lsn);
    control_.minRecoveryPointTLI = timeline_;
    control_.backupStartPoint = invalid_lsn;
    control_.backupEndPoint = invalid_lsn;
    control_.backupEndRequired = 0;
    RETURN_IF_ERROR(write_control());
  }
  if (record.rmgr() != static_cast<uint8_t>(RmgrId::xlog)) return Status::ok;
  uint32_t timeline = timeline_;
  if (record.info() == XLOG_CHECKPOINT_SHUTDOWN) {
    timeline = load<CheckPoint>(record.main_data).ThisTimeLineID;
  } else if (record.info() == XLOG_END_OF_RECOVERY) {
    if (record.main_data_length < sizeof(xl_end_of_recovery))
      return Status::error(Status::data_corrupted, "invalid end-of-recovery record at %s",
                           format_lsn(record.lsn).c_str());
    timeline = load<xl_end_of_recovery>(record.main_data).ThisTimeLineID;
  } else if (record.info() == XLOG_PARAMETER_CHANGE) {
    return write_control();
  }
  if (timeline != timeline_) {
    const bool known = std::any_of(plan_.history.begin(), plan_.history.end(),
                                   [&](const WalTimeline& one) { return one.id == timeline; });
    if (!known || timeline < timeline_)
      return Status::error(Status::data_corrupted,
                           "unexpected timeline ID %u (after %u) in checkpoint record", timeline,
                           timeline_);
    timeline_ = timeline;
  }
  if (driver_.checkpoint_lsn == record.lsn &&
      driver_.checkpoint.redo >= restart_point_ + options_.restart_point_bytes)
    return make_restart_point();
  return Status::ok;
}

// In recovery from a backup: a page is about to be written that is newer than what replay must reach.
Status Replay::reach_minimum(Lsn upto) {
  if (!in_archive_recovery() || upto <= control_.minRecoveryPoint) return Status::ok;
  control_.minRecoveryPoint = std::max(upto, progress_.position);
  control_.minRecoveryPointTLI = timeline_;
  return write_control();
}

// The checkpoint just replayed becomes the place where the next recovery begins.
Status Replay::make_restart_point() {
  RETURN_IF_ERROR(driver_.prepared().write());
  RETURN_IF_ERROR(driver_.origins().write());
  RETURN_IF_ERROR(transactions_.write_all_dirty());
  RETURN_IF_ERROR(services_.pool.write_all_dirty());
  RETURN_IF_ERROR(services_.storage.sync_pending());
  control_.checkPoint = driver_.checkpoint_lsn;
  control_.checkPointCopy = driver_.checkpoint;
  if (in_archive_recovery() && control_.minRecoveryPoint < progress_.position) {
    control_.minRecoveryPoint = progress_.position;
    control_.minRecoveryPointTLI = timeline_;
  }
  RETURN_IF_ERROR(write_control());
  restart_point_ = driver_.checkpoint.redo;
  return Status::ok;
}

Status Replay::check_end() const {
  if (control_.backupStartPoint != invalid_lsn || control_.backupEndRequired != 0)
    return Status::error(ErrorCode::object_not_in_prerequisite_state,
                         "WAL ends before end of online backup")
        .with_hint(
            "All WAL generated while online backup was taken must be available at recovery.");
  if (progress_.position < control_.minRecoveryPoint)
    return Status::error(ErrorCode::object_not_in_prerequisite_state,
                         "WAL ends before consistent recovery point")
        .with_detail("It ends at " + format_lsn(progress_.position) + ", and must reach " +
                     format_lsn(control_.minRecoveryPoint) + ".");
  return Status::ok;
}

}  // namespace

Status recover(const RecoveryPlan& plan, const RecoveryOptions& options, StorageServices& services,
               TransactionSystem& transactions, ControlFile* control, RecoveryResult* result) {
  services.state.set_recovering(true);
  Replay replay(plan, options, services, transactions, control);
  Status status = replay.run(result);
  services.wal.set_recovery_flush(nullptr);
  services.state.set_recovering(false);
  return status;
}

Status log_overwrite_contrecord(StorageServices& services, Lsn aborted_record) {
  const xl_overwrite_contrecord body{aborted_record, current_timestamp()};
  WalRecord record;
  record.begin(RmgrId::xlog, XLOG_OVERWRITE_CONTRECORD, invalid_transaction_id);
  record.data(&body, sizeof(body));
  Lsn end = invalid_lsn;
  RETURN_IF_ERROR(services.wal.insert(record, &end));
  return services.wal.flush(end);
}

}  // namespace pgdata
