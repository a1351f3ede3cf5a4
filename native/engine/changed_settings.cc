// Changed settings: XLOG_PARAMETER_CHANGE and the fields of pg_control.
#include "engine/changed_settings.h"

#include <cstring>

#include "engine/control_file.h"
#include "layout/wal_xlog_records.h"
#include "wal/wal.h"

namespace pgdata {

namespace {

constexpr int32_t wal_level_minimal = 0;

xl_parameter_change parameters_of(const ControlFile& control) {
  xl_parameter_change body{};
  body.MaxConnections = control.MaxConnections;
  body.max_worker_processes = control.max_worker_processes;
  body.max_wal_senders = control.max_wal_senders;
  body.max_prepared_xacts = control.max_prepared_xacts;
  body.max_locks_per_xact = control.max_locks_per_xact;
  body.wal_level = control.wal_level;
  body.wal_log_hints = control.wal_log_hints;
  body.track_commit_timestamp = control.track_commit_timestamp;
  return body;
}

xl_parameter_change parameters_of(const ReplayedSettings& settings) {
  xl_parameter_change body{};
  body.MaxConnections = settings.max_connections;
  body.max_worker_processes = settings.max_worker_processes;
  body.max_wal_senders = settings.max_wal_senders;
  body.max_prepared_xacts = settings.max_prepared_transactions;
  body.max_locks_per_xact = settings.max_locks_per_transaction;
  body.wal_level = settings.wal_level;
  body.wal_log_hints = settings.wal_log_hints ? 1 : 0;
  body.track_commit_timestamp = settings.track_commit_timestamp ? 1 : 0;
  return body;
}

}  // namespace

Status log_changed_settings(FileSystem& files, const std::string& data_directory,
                            StorageServices& services, const ReplayedSettings& settings,
                            ControlFile* control) {
  const xl_parameter_change before = parameters_of(*control);
  const xl_parameter_change body = parameters_of(settings);
  if (std::memcmp(&before, &body, sizeof(body)) == 0) return Status::ok;
  // Nobody but a crash replays a log of the lowest level, and a crash finds them in pg_control.
  if (body.wal_level != before.wal_level || body.wal_level != wal_level_minimal) {
    WalRecord record;
    record.begin(RmgrId::xlog, XLOG_PARAMETER_CHANGE, invalid_transaction_id);
    record.data(&body, sizeof(body));
    Lsn end = invalid_lsn;
    RETURN_IF_ERROR(services.wal.insert(record, &end));
    RETURN_IF_ERROR(services.wal.flush(end));
  }
  control->MaxConnections = body.MaxConnections;
  control->max_worker_processes = body.max_worker_processes;
  control->max_wal_senders = body.max_wal_senders;
  control->max_prepared_xacts = body.max_prepared_xacts;
  control->max_locks_per_xact = body.max_locks_per_xact;
  control->wal_level = body.wal_level;
  control->wal_log_hints = body.wal_log_hints;
  control->track_commit_timestamp = body.track_commit_timestamp;
  return write_control_file(files, data_directory, *control);
}

}  // namespace pgdata
