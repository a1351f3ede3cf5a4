// Redo of what serves standbys and logical replication: Standby, ReplicationOrigin, LogicalMessage.
// Source: standby_redo in src/backend/storage/ipc/standby.c, replorigin_redo in
// src/backend/replication/logical/origin.c, logicalmsg_redo in message.c, PostgreSQL 18.
#include "layout/wal_transaction_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr uint8_t XLOG_REPLORIGIN_SET = 0x00;
constexpr uint8_t XLOG_REPLORIGIN_DROP = 0x10;

struct xl_replorigin_set {
  Lsn remote_lsn;
  uint16_t node_id;
  uint8_t force;
};
static_assert(offsetof(xl_replorigin_set, node_id) == 8);
static_assert(offsetof(xl_replorigin_set, force) == 10);
static_assert(sizeof(xl_replorigin_set) == 16);

}  // namespace

// Nobody reads while we replay: no locks to hold, no snapshots to make, no caches to invalidate.
Status standby_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_STANDBY_LOCK:
    case XLOG_RUNNING_XACTS:
    case XLOG_INVALIDATIONS:
      return Status::ok;
    default:
      return redo.corrupted("unknown operation");
  }
}

Status replication_origin_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_REPLORIGIN_SET: {
      const xl_replorigin_set* body = redo.main_data<xl_replorigin_set>();
      if (body == nullptr) return redo.corrupted("position of an origin too short");
      const auto set = load<xl_replorigin_set>(body);
      redo.driver().origins().advance(set.node_id, set.remote_lsn, set.force != 0);
      return Status::ok;
    }
    case XLOG_REPLORIGIN_DROP: {
      const uint16_t* origin = redo.main_data<uint16_t>();
      if (origin == nullptr) return redo.corrupted("drop of an origin too short");
      redo.driver().origins().drop(load<uint16_t>(origin));
      return Status::ok;
    }
    default:
      return redo.corrupted("unknown operation");
  }
}

// For logical decoding alone.
Status logical_message_redo(RedoContext& redo) {
  return redo.info() == 0 ? Status() : redo.corrupted("unknown operation");
}

}  // namespace pgdata
