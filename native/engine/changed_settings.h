// Settings that whoever replays the log must know: in pg_control, and logged when they change.
//
// Source: XLogReportParameters in src/backend/access/transam/xlog.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "change/change.h"
#include "file/file_system.h"
#include "layout/control_file.h"

namespace pgdata {

// PostgreSQL's settings of these names.
struct ReplayedSettings {
  int32_t max_connections = 100;
  int32_t max_worker_processes = 8;
  int32_t max_wal_senders = 10;
  int32_t max_prepared_transactions = 0;
  int32_t max_locks_per_transaction = 64;
  int32_t wal_level = 1;
  bool wal_log_hints = false;
  bool track_commit_timestamp = false;
};

// When pg_control has others: logs these, makes that durable, and then changes pg_control and `*control`.
Status log_changed_settings(FileSystem& files, const std::string& data_directory,
                            StorageServices& services, const ReplayedSettings& settings,
                            ControlFile* control);

}  // namespace pgdata
