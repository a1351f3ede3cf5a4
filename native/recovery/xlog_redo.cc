// Redo of resource manager XLOG: checkpoints, page images, settings.
// Source: xlog_redo in src/backend/access/transam/xlog.c, xlogrecovery_redo in xlogrecovery.c, PostgreSQL 18.
#include "layout/control_file.h"
#include "layout/wal_xlog_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"
#include "wal/wal_geometry.h"

namespace pgdata {

namespace {

void note_oldest_multixact(TransactionSystem& transactions, const CheckPoint& checkpoint) {
  transactions.advance_oldest_multixact(checkpoint.oldestMulti, checkpoint.oldestMultiDB);
}

Status redo_checkpoint(RedoContext& redo, bool shutdown) {
  const CheckPoint* body = redo.main_data<CheckPoint>();
  if (body == nullptr) return redo.corrupted("checkpoint too short");
  const auto checkpoint = load<CheckPoint>(body);
  if (!is_normal(xid_of(checkpoint.nextXid))) return redo.corrupted("invalid next transaction ID");
  TransactionSystem& transactions = redo.transactions();
  RedoDriver& driver = redo.driver();
  if (shutdown) {
    transactions.set_next_xid(checkpoint.nextXid);
    // Counters of OIDs move by records of their own, except that nobody ran at a shutdown.
    transactions.set_next_oid(checkpoint.nextOid);
    transactions.set_next_multixact(checkpoint.nextMulti, checkpoint.nextMultiOffset);
    note_oldest_multixact(transactions, checkpoint);
    transactions.set_oldest_xid(checkpoint.oldestXid, checkpoint.oldestXidDB);
  } else {
    if (checkpoint.nextXid > transactions.next_full_xid())
      transactions.set_next_xid(checkpoint.nextXid);
    transactions.advance_next_multixact(checkpoint.nextMulti, checkpoint.nextMultiOffset);
    note_oldest_multixact(transactions, checkpoint);
    if (precedes(transactions.counters().oldestXid, checkpoint.oldestXid))
      transactions.set_oldest_xid(checkpoint.oldestXid, checkpoint.oldestXidDB);
  }
  driver.control().checkPointCopy.nextXid = checkpoint.nextXid;
  driver.full_page_writes = checkpoint.fullPageWrites != 0;
  // A page that is missing now would be forgotten by a replay that begins here.
  if (!driver.has_invalid_pages()) {
    driver.checkpoint_lsn = redo.record().lsn;
    driver.checkpoint = checkpoint;
  }
  return Status::ok;
}

Status redo_images(RedoContext& redo, bool must_have) {
  for (int id = 0; id < redo.record().block_count; id++) {
    if (!redo.has_block(id)) continue;
    if (!redo.block(id).has_image) {
      if (must_have) return redo.corrupted("full-page image is missing");
      continue;
    }
    BufferRef buffer;
    RedoAction action;
    RETURN_IF_ERROR(redo.read_block(id, &buffer, &action));
    if (action != RedoAction::restored)
      return redo.corrupted("full-page image is not to be applied");
  }
  return Status::ok;
}

Status redo_parameter_change(RedoContext& redo) {
  const xl_parameter_change* body = redo.main_data<xl_parameter_change>();
  if (body == nullptr) return redo.corrupted("parameter change too short");
  const auto change = load<xl_parameter_change>(body);
  ControlFile& control = redo.driver().control();
  control.MaxConnections = change.MaxConnections;
  control.max_worker_processes = change.max_worker_processes;
  control.max_wal_senders = change.max_wal_senders;
  control.max_prepared_xacts = change.max_prepared_xacts;
  control.max_locks_per_xact = change.max_locks_per_xact;
  control.wal_level = change.wal_level;
  control.wal_log_hints = change.wal_log_hints;
  control.track_commit_timestamp = change.track_commit_timestamp;
  return redo.transactions().track_commit_timestamps(change.track_commit_timestamp != 0);
}

Status redo_overwrite_contrecord(RedoContext& redo) {
  const xl_overwrite_contrecord* body = redo.main_data<xl_overwrite_contrecord>();
  if (body == nullptr) return redo.corrupted("overwrite of a record too short");
  const Lsn skipped = redo.overwritten_record();
  const auto overwritten = load<xl_overwrite_contrecord>(body).overwritten_lsn;
  if (overwritten != skipped)
    return Status::error(Status::data_corrupted, "mismatching overwritten LSN %s -> %s",
                         format_lsn(overwritten).c_str(), format_lsn(skipped).c_str());
  return Status::ok;
}

}  // namespace

Status xlog_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_CHECKPOINT_SHUTDOWN:
      return redo_checkpoint(redo, true);
    case XLOG_CHECKPOINT_ONLINE:
      return redo_checkpoint(redo, false);
    case XLOG_NEXTOID: {
      const Oid* next = redo.main_data<Oid>();
      if (next == nullptr) return redo.corrupted("next OID too short");
      redo.transactions().set_next_oid(load<Oid>(next));
      return Status::ok;
    }
    case XLOG_FPI:
      return redo_images(redo, true);
    case XLOG_FPI_FOR_HINT:
      return redo_images(redo, false);
    case XLOG_BACKUP_END: {
      const Lsn* start = redo.main_data<Lsn>();
      if (start == nullptr) return redo.corrupted("end of backup too short");
      if (load<Lsn>(start) == redo.driver().control().backupStartPoint)
        redo.driver().backup_end = redo.end_lsn();
      return Status::ok;
    }
    case XLOG_PARAMETER_CHANGE:
      return redo_parameter_change(redo);
    case XLOG_FPW_CHANGE: {
      const uint8_t* on = redo.main_data<uint8_t>();
      if (on == nullptr) return redo.corrupted("change of full_page_writes too short");
      redo.driver().full_page_writes = *on != 0;
      return Status::ok;
    }
    case XLOG_OVERWRITE_CONTRECORD:
      return redo_overwrite_contrecord(redo);
    case XLOG_END_OF_RECOVERY:
    case XLOG_NOOP:
    case XLOG_SWITCH:
    case XLOG_RESTORE_POINT:
    case XLOG_CHECKPOINT_REDO:
      return Status::ok;
    default:
      return redo.corrupted("unknown operation");
  }
}

}  // namespace pgdata
