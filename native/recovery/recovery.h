// Recovery: what has to be replayed when a data directory is opened, and replaying it.
//
// `plan_recovery` looks at pg_control, backup_label and the checkpoint record and changes nothing. `recover` replays
// the log to its end and leaves pages in the pool, the counters in the transaction system and pg_control in a state
// of recovery; whoever called it then continues the log, starts the transaction system and takes a checkpoint. Until
// that checkpoint is there, another recovery begins where this one did, or at its last restart point.
// Source: src/backend/access/transam/{xlogrecovery.c,xlog.c}, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "file/file_system.h"
#include "layout/control_file.h"
#include "recovery/page_comparison.h"
#include "wal/wal_reader.h"
#include "xact/transaction_system.h"

namespace pgdata {

struct RecoveryPlan {
  bool needed = false;
  Lsn checkpoint_lsn = invalid_lsn;
  CheckPoint checkpoint;
  // Where the log will be continued, and how it came there, newest first.
  uint32_t timeline = 1;
  std::vector<WalTimeline> history;
  // A base backup: how far to replay until its files fit together.
  bool from_backup = false;
  bool backup_end_required = false;
  bool backup_from_standby = false;
  bool has_tablespace_map = false;
  std::vector<std::pair<Oid, std::string>> tablespaces;
};

// object_not_in_prerequisite_state when the directory is a standby's or waits for an archive, or its log ends too
// early; data_corrupted when there is no checkpoint to begin at.
Status plan_recovery(FileSystem& files, const std::string& data_directory,
                     const ControlFile& control, RecoveryPlan* plan);

struct RecoveryProgress {
  Lsn start = invalid_lsn;
  Lsn position = invalid_lsn;
  // About where the log ends: the end of the last segment that begins with a valid page.
  Lsn upto = invalid_lsn;
  uint64_t records = 0;
};

struct RecoveryOptions {
  std::string data_directory;
  uint64_t restart_point_bytes =
      1024ull << 20;  // of log replayed, after which a checkpoint becomes a restart point
  std::function<Status(ControlFile&)> write_control;
  // Called now and then; false gives up with query_canceled, and the directory as it is.
  std::function<bool(const RecoveryProgress&)> on_progress;
  // Called with the first record that is replayed, if there is one.
  std::function<void(Lsn)> on_first_record;
};

struct RecoveryResult {
  // The last record of the log.
  Lsn last_record = invalid_lsn;
  // When the log ended within a record: where that began, and the page that was missing.
  Lsn aborted_record = invalid_lsn;
  Lsn missing_contrecord = invalid_lsn;
  // What was found there in place of a record; empty when there was nothing any more.
  std::string end_reason;
  TransactionId oldest_prepared = invalid_transaction_id;
  RecoveryProgress progress;
  // What was compared with the images of records that carry them for that.
  std::vector<ComparedPages> compared;
};

Status recover(const RecoveryPlan& plan, const RecoveryOptions& options, StorageServices& services,
               TransactionSystem& transactions, ControlFile* control, RecoveryResult* result);

// XLOG_OVERWRITE_CONTRECORD, the first record after a log that ended within one. Flushed.
Status log_overwrite_contrecord(StorageServices& services, Lsn aborted_record);

}  // namespace pgdata
