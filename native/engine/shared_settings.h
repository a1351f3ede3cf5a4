// SharedSettings: what those who attach to a cluster take from the process that opened it.
#pragma once

#include <cstdint>

#include "engine/engine.h"

namespace pgdata {

// In the segment; written once, before others can attach.
struct SharedSettings {
  uint32_t shared_buffers;
  uint32_t wal_buffers;
  uint32_t io_mode;
  uint32_t wal_sync_method;
  uint32_t max_backends;
  uint32_t max_prepared_transactions;
  uint32_t max_locks_per_transaction;
  uint32_t checkpoint_timeout_seconds;
  uint64_t min_wal_bytes;
  uint64_t max_wal_bytes;
  uint32_t consistency_checking;
  uint32_t timeline;
  int32_t max_pred_locks_per_transaction;
  int32_t max_pred_locks_per_relation;
  int32_t max_pred_locks_per_page;
  int32_t wal_level;
  uint8_t fsync;
  uint8_t full_page_writes;
  uint8_t wal_log_hints;
  uint8_t track_commit_timestamp;
};

SharedSettings shared_settings_of(const EngineOptions& options, uint32_t consistency_checking,
                                  uint32_t timeline);
void take_shared_settings(const SharedSettings& settings, EngineOptions* options);

}  // namespace pgdata
