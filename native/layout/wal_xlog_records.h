// Main data of the records of resource manager XLOG: checkpoints, settings, page images, switches.
//
// XLOG_CHECKPOINT_SHUTDOWN and _ONLINE carry a CheckPoint (layout/control_file.h), XLOG_NEXTOID an
// Oid (the first OID not to be handed out before the next such record), XLOG_FPW_CHANGE one byte,
// XLOG_SWITCH nothing; XLOG_FPI and XLOG_FPI_FOR_HINT are blocks with images alone.
//
//   xl_checkpoint_redo: 0 4 wal_level
//
//   xl_parameter_change: int32 MaxConnections, max_worker_processes, max_wal_senders,
//   max_prepared_xacts, max_locks_per_xact, wal_level, then one byte each wal_log_hints,
//   track_commit_timestamp, then 2 of padding
//
//   xl_end_of_recovery: 0 8 end_time, 8 4 ThisTimeLineID, 12 4 PrevTimeLineID, 16 4 wal_level,
//   then 4 of padding
//
//   xl_overwrite_contrecord: 0 8 overwritten_lsn, 8 8 overwrite_time
//
//   xl_restore_point: 0 8 rp_time, 8 64 rp_name
//
// Little-endian. Source: src/include/access/xlog_internal.h, src/include/catalog/pg_control.h,
// PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"
#include "layout/control_file.h"

namespace pgdata {

inline constexpr uint8_t XLOG_CHECKPOINT_SHUTDOWN = 0x00;
inline constexpr uint8_t XLOG_CHECKPOINT_ONLINE = 0x10;
inline constexpr uint8_t XLOG_NOOP = 0x20;
inline constexpr uint8_t XLOG_NEXTOID = 0x30;
inline constexpr uint8_t XLOG_SWITCH = 0x40;
inline constexpr uint8_t XLOG_BACKUP_END = 0x50;
inline constexpr uint8_t XLOG_PARAMETER_CHANGE = 0x60;
inline constexpr uint8_t XLOG_RESTORE_POINT = 0x70;
inline constexpr uint8_t XLOG_FPW_CHANGE = 0x80;
inline constexpr uint8_t XLOG_END_OF_RECOVERY = 0x90;
inline constexpr uint8_t XLOG_FPI_FOR_HINT = 0xA0;
inline constexpr uint8_t XLOG_FPI = 0xB0;
inline constexpr uint8_t XLOG_OVERWRITE_CONTRECORD = 0xD0;
inline constexpr uint8_t XLOG_CHECKPOINT_REDO = 0xE0;

struct xl_checkpoint_redo {
  int32_t wal_level;
};
static_assert(sizeof(xl_checkpoint_redo) == 4);

struct xl_parameter_change {
  int32_t MaxConnections;
  int32_t max_worker_processes;
  int32_t max_wal_senders;
  int32_t max_prepared_xacts;
  int32_t max_locks_per_xact;
  int32_t wal_level;
  uint8_t wal_log_hints;
  uint8_t track_commit_timestamp;
  uint8_t padding[2];
};
static_assert(sizeof(xl_parameter_change) == 28);
static_assert(offsetof(xl_parameter_change, wal_log_hints) == 24);
static_assert(std::has_unique_object_representations_v<xl_parameter_change>);

struct xl_end_of_recovery {
  TimestampTz end_time;
  uint32_t ThisTimeLineID;
  uint32_t PrevTimeLineID;
  int32_t wal_level;
  uint32_t padding;
};
static_assert(sizeof(xl_end_of_recovery) == 24);
static_assert(std::has_unique_object_representations_v<xl_end_of_recovery>);

struct xl_overwrite_contrecord {
  Lsn overwritten_lsn;
  TimestampTz overwrite_time;
};
static_assert(sizeof(xl_overwrite_contrecord) == 16);

struct xl_restore_point {
  TimestampTz rp_time;
  char rp_name[64];
};
static_assert(sizeof(xl_restore_point) == 72);

}  // namespace pgdata
