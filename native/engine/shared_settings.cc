// SharedSettings: from options and into them.
#include "engine/shared_settings.h"

namespace pgdata {

SharedSettings shared_settings_of(const EngineOptions& options, uint32_t consistency_checking,
                                  uint32_t timeline) {
  SharedSettings settings{};
  settings.shared_buffers = options.shared_buffers;
  settings.wal_buffers = options.wal_buffers;
  settings.io_mode = static_cast<uint32_t>(options.io_mode);
  settings.wal_sync_method = static_cast<uint32_t>(options.wal_sync_method);
  settings.max_backends = options.max_backends;
  settings.max_prepared_transactions = options.max_prepared_transactions;
  settings.max_locks_per_transaction = options.max_locks_per_transaction;
  settings.checkpoint_timeout_seconds = options.checkpoint_timeout_seconds;
  settings.min_wal_bytes = options.min_wal_bytes;
  settings.max_wal_bytes = options.max_wal_bytes;
  settings.consistency_checking = consistency_checking;
  settings.timeline = timeline;
  settings.max_pred_locks_per_transaction = options.max_pred_locks_per_transaction;
  settings.max_pred_locks_per_relation = options.max_pred_locks_per_relation;
  settings.max_pred_locks_per_page = options.max_pred_locks_per_page;
  settings.wal_level = options.wal_level;
  settings.fsync = options.fsync;
  settings.full_page_writes = options.full_page_writes;
  settings.wal_log_hints = options.wal_log_hints;
  settings.track_commit_timestamp = options.track_commit_timestamp;
  return settings;
}

void take_shared_settings(const SharedSettings& settings, EngineOptions* options) {
  options->shared_buffers = settings.shared_buffers;
  options->wal_buffers = settings.wal_buffers;
  options->io_mode = static_cast<IoMode>(settings.io_mode);
  options->wal_sync_method = static_cast<WalSyncMethod>(settings.wal_sync_method);
  options->max_backends = settings.max_backends;
  options->max_prepared_transactions = settings.max_prepared_transactions;
  options->max_locks_per_transaction = settings.max_locks_per_transaction;
  options->checkpoint_timeout_seconds = settings.checkpoint_timeout_seconds;
  options->min_wal_bytes = settings.min_wal_bytes;
  options->max_wal_bytes = settings.max_wal_bytes;
  options->max_pred_locks_per_transaction = settings.max_pred_locks_per_transaction;
  options->max_pred_locks_per_relation = settings.max_pred_locks_per_relation;
  options->max_pred_locks_per_page = settings.max_pred_locks_per_page;
  options->wal_level = settings.wal_level;
  options->fsync = settings.fsync != 0;
  options->full_page_writes = settings.full_page_writes != 0;
  options->wal_log_hints = settings.wal_log_hints != 0;
  options->track_commit_timestamp = settings.track_commit_timestamp != 0;
}

}  // namespace pgdata
