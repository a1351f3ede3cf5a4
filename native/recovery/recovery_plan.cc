// What has to be replayed: pg_control, backup_label, timeline history, the checkpoint record.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "layout/wal_xlog_records.h"
#include "recovery/recovery.h"
#include "wal/wal.h"
#include "wal/wal_geometry.h"

namespace pgdata {

namespace {

Status file_exists(FileSystem& files, const std::string& path, bool* exists) {
  FileInfo info;
  RETURN_IF_ERROR(files.info(path, &info));
  *exists = info.kind != FileKind::none;
  return Status::ok;
}

Status refuse_signal_files(FileSystem& files, const std::string& data_directory) {
  bool exists = false;
  for (const char* name : {"standby.signal", "recovery.signal"}) {
    RETURN_IF_ERROR(file_exists(files, data_directory + "/" + name, &exists));
    if (exists)
      return Status::error(ErrorCode::object_not_in_prerequisite_state,
                           "the data directory is set up for recovery from an archive or a primary")
          .with_detail(std::string("It has a file \"") + name + "\".")
          .with_hint(
              "Let stock PostgreSQL 18 recover and promote it, or remove the file to recover with "
              "what is in pg_wal alone.");
  }
  return Status::ok;
}

Status bad_label() {
  return Status::error(ErrorCode::object_not_in_prerequisite_state,
                       "invalid data in file \"backup_label\"");
}

// Source: read_backup_label in src/backend/access/transam/xlogrecovery.c.
Status read_backup_label(FileSystem& files, const std::string& data_directory, RecoveryPlan* plan) {
  std::string text;
  Status status = read_whole_file(files, data_directory + "/backup_label", &text);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  std::istringstream lines(text);
  std::string line;
  uint32_t high = 0;
  uint32_t low = 0;
  uint32_t timeline = 0;
  if (!std::getline(lines, line) ||
      std::sscanf(line.c_str(), "START WAL LOCATION: %" SCNx32 "/%" SCNx32 " (file %8" SCNx32,
                  &high, &low, &timeline) != 3)
    return bad_label();
  if (!std::getline(lines, line) ||
      std::sscanf(line.c_str(), "CHECKPOINT LOCATION: %" SCNx32 "/%" SCNx32, &high, &low) != 2)
    return bad_label();
  plan->from_backup = true;
  plan->checkpoint_lsn = Lsn{high} << 32 | low;
  plan->checkpoint.ThisTimeLineID = timeline;
  while (std::getline(lines, line)) {
    if (line == "BACKUP METHOD: streamed") plan->backup_end_required = true;
    if (line == "BACKUP FROM: standby") plan->backup_from_standby = true;
    uint32_t stated = 0;
    if (std::sscanf(line.c_str(), "START TIMELINE: %" SCNu32, &stated) == 1 && stated != timeline)
      return bad_label().with_detail("Timeline ID parsed is " + std::to_string(stated) +
                                     ", but expected " + std::to_string(timeline) + ".");
    if (line.rfind("INCREMENTAL FROM LSN: ", 0) == 0)
      return Status::error(ErrorCode::object_not_in_prerequisite_state,
                           "this is an incremental backup, not a data directory")
          .with_hint("Use pg_combinebackup to reconstruct a valid data directory.");
  }
  return Status::ok;
}

// Lines "OID path"; a backslash takes a line end, or itself, into the path.
// Source: read_tablespace_map in src/backend/access/transam/xlogrecovery.c.
Status read_tablespace_map(FileSystem& files, const std::string& data_directory,
                           RecoveryPlan* plan) {
  std::string text;
  Status status = read_whole_file(files, data_directory + "/tablespace_map", &text);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  plan->has_tablespace_map = true;
  std::string line;
  bool escaped = false;
  for (const char c : text + "\n") {
    if (!escaped && (c == '\n' || c == '\r')) {
      if (line.empty()) continue;
      const size_t space = line.find(' ');
      const uint64_t oid = std::strtoull(line.c_str(), nullptr, 10);
      if (space == std::string::npos || space == 0 || space + 1 == line.size() || oid == 0 ||
          oid > 0xFFFFFFFFu || line.find_first_not_of("0123456789") != space)
        return Status::error(ErrorCode::object_not_in_prerequisite_state,
                             "invalid data in file \"tablespace_map\"");
      plan->tablespaces.emplace_back(static_cast<Oid>(oid), line.substr(space + 1));
      line.clear();
    } else if (!escaped && c == '\\') {
      escaped = true;
    } else {
      line += c;
      escaped = false;
    }
  }
  return Status::ok;
}

// "pg_wal/00000003.history": for each earlier timeline a line "id <tab> where it was left <tab> reason".
// Source: readTimeLineHistory in src/backend/access/transam/timeline.c.
Status read_history(FileSystem& files, const std::string& log_directory, uint32_t timeline,
                    std::vector<WalTimeline>* history) {
  history->clear();
  std::string text;
  if (timeline != 1) {
    char name[32];
    std::snprintf(name, sizeof(name), "/%08" PRIX32 ".history", timeline);
    Status status = read_whole_file(files, log_directory + name, &text);
    if (!status.is_ok() && status.code() != ErrorCode::undefined_file) return status;
  }
  std::istringstream lines(text);
  std::string line;
  Lsn begin = invalid_lsn;
  uint32_t last = 0;
  while (std::getline(lines, line)) {
    const size_t start = line.find_first_not_of(" \t");
    if (start == std::string::npos || line[start] == '#') continue;
    uint32_t id = 0;
    uint32_t high = 0;
    uint32_t low = 0;
    if (std::sscanf(line.c_str(), "%" SCNu32 " %" SCNx32 "/%" SCNx32, &id, &high, &low) != 3 ||
        id <= last || id >= timeline)
      return Status::error(Status::data_corrupted,
                           "invalid data in history file of timeline %u: %s", timeline,
                           line.c_str());
    history->push_back({id, begin});
    begin = Lsn{high} << 32 | low;
    last = id;
  }
  history->push_back({timeline, begin});
  std::reverse(history->begin(), history->end());
  return Status::ok;
}

// The timeline that a position lies on. `history` is newest first.
uint32_t timeline_of(const std::vector<WalTimeline>& history, Lsn lsn) {
  for (const WalTimeline& timeline : history)
    if (timeline.begin == invalid_lsn || lsn >= timeline.begin) return timeline.id;
  return 0;
}

const char* const restore_hint =
    "If you are restoring from a backup, put the log it needs into pg_wal. If you are not "
    "restoring from a backup, try removing the file \"backup_label\"; if you are, that would "
    "result in a corrupt cluster.";

}  // namespace

Status plan_recovery(FileSystem& files, const std::string& data_directory,
                     const ControlFile& control, RecoveryPlan* plan) {
  *plan = RecoveryPlan();
  RETURN_IF_ERROR(refuse_signal_files(files, data_directory));
  if (control.state == DBState::DB_STARTUP)
    return Status::error(Status::data_corrupted,
                         "control file contains invalid database cluster state");
  plan->timeline = std::max(control.minRecoveryPointTLI, control.checkPointCopy.ThisTimeLineID);
  RETURN_IF_ERROR(read_history(files, data_directory + "/pg_wal", plan->timeline, &plan->history));
  plan->checkpoint_lsn = control.checkPoint;
  plan->checkpoint.ThisTimeLineID = control.checkPointCopy.ThisTimeLineID;
  RETURN_IF_ERROR(read_backup_label(files, data_directory, plan));
  if (plan->from_backup) RETURN_IF_ERROR(read_tablespace_map(files, data_directory, plan));

  const uint32_t checkpoint_timeline = plan->checkpoint.ThisTimeLineID;
  if (timeline_of(plan->history, plan->checkpoint_lsn) != checkpoint_timeline)
    return Status::error(ErrorCode::object_not_in_prerequisite_state,
                         "requested timeline %u is not a child of this server's history",
                         plan->timeline)
        .with_detail("Latest checkpoint is at " + format_lsn(plan->checkpoint_lsn) +
                     " on timeline " + std::to_string(checkpoint_timeline) + ".");
  if (control.minRecoveryPoint != invalid_lsn &&
      timeline_of(plan->history, control.minRecoveryPoint - 1) != control.minRecoveryPointTLI)
    return Status::error(
        ErrorCode::object_not_in_prerequisite_state,
        "requested timeline %u does not contain minimum recovery point %s on timeline %u",
        plan->timeline, format_lsn(control.minRecoveryPoint).c_str(), control.minRecoveryPointTLI);

  WalReaderOptions options;
  options.directory = data_directory + "/pg_wal";
  options.block_size = control.xlog_blcksz;
  options.segment_bytes = control.xlog_seg_size;
  options.timeline = plan->timeline;
  options.history = plan->history;
  options.system_identifier = control.system_identifier;
  WalReader reader(files, options);
  reader.begin_at(plan->checkpoint_lsn);
  bool found = false;
  RETURN_IF_ERROR(reader.next(&found));
  if (!found || reader.record().rmgr() != static_cast<uint8_t>(RmgrId::xlog) ||
      (reader.record().info() != XLOG_CHECKPOINT_SHUTDOWN &&
       reader.record().info() != XLOG_CHECKPOINT_ONLINE) ||
      reader.record().main_data_length != sizeof(CheckPoint)) {
    Status status =
        Status::error(Status::data_corrupted, "could not locate a valid checkpoint record at %s",
                      format_lsn(plan->checkpoint_lsn).c_str())
            .with_detail(found ? "The record there is no checkpoint." : reader.end_reason());
    return plan->from_backup ? std::move(status).with_hint(restore_hint) : std::move(status);
  }
  if (reader.major() != 18)
    return Status::error(ErrorCode::feature_not_supported,
                         "cannot continue the write-ahead log of PostgreSQL %d", reader.major());
  plan->checkpoint = load<CheckPoint>(reader.record().main_data);
  const bool was_shutdown = reader.record().info() == XLOG_CHECKPOINT_SHUTDOWN;
  if (!is_normal(xid_of(plan->checkpoint.nextXid)))
    return Status::error(Status::data_corrupted, "invalid next transaction ID");
  if (plan->checkpoint.redo > plan->checkpoint_lsn)
    return Status::error(Status::data_corrupted, "invalid redo in checkpoint record");
  if (plan->checkpoint.redo < plan->checkpoint_lsn) {
    if (was_shutdown)
      return Status::error(Status::data_corrupted, "invalid redo record in shutdown checkpoint");
    reader.begin_at(plan->checkpoint.redo);
    RETURN_IF_ERROR(reader.next(&found));
    if (!found) {
      Status status =
          Status::error(Status::data_corrupted,
                        "could not find redo location %s referenced by checkpoint record at %s",
                        format_lsn(plan->checkpoint.redo).c_str(),
                        format_lsn(plan->checkpoint_lsn).c_str())
              .with_detail(reader.end_reason());
      return plan->from_backup ? std::move(status).with_hint(restore_hint) : std::move(status);
    }
  }
  plan->needed = plan->from_backup || control.state != DBState::DB_SHUTDOWNED ||
                 plan->checkpoint.redo < plan->checkpoint_lsn;
  if (plan->backup_from_standby && control.state != DBState::DB_IN_ARCHIVE_RECOVERY &&
      control.state != DBState::DB_SHUTDOWNED_IN_RECOVERY)
    return Status::error(ErrorCode::object_not_in_prerequisite_state,
                         "backup_label contains data inconsistent with control file")
        .with_hint(
            "This means that the backup is corrupted and you will have to use another backup for "
            "recovery.");
  return Status::ok;
}

}  // namespace pgdata
