// Descriptions of the resource manager XLOG. Source: src/backend/access/rmgrdesc/xlogdesc.c, PostgreSQL 18.
#include "layout/wal_xlog_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {
namespace {

const char* wal_level_name(int32_t level) {
  constexpr const char* names[] = {"minimal", "replica", "logical"};
  return level >= 0 && level <= 2 ? names[level] : "?";
}

void print_lsn(Description& d, Lsn lsn) { d.append(format_lsn(lsn).c_str()); }

bool describe_checkpoint(Description& d) {
  CheckPoint checkpoint;
  if (!d.main(&checkpoint)) return false;
  d.append("redo ");
  print_lsn(d, checkpoint.redo);
  d.print("; tli %u; prev tli %u; fpw %s; wal_level %s; xid %u:%u; oid %u; multi %u; offset %u; ",
          checkpoint.ThisTimeLineID, checkpoint.PrevTimeLineID,
          checkpoint.fullPageWrites != 0 ? "true" : "false", wal_level_name(checkpoint.wal_level),
          static_cast<uint32_t>(checkpoint.nextXid >> 32), value_of(xid_of(checkpoint.nextXid)),
          checkpoint.nextOid, checkpoint.nextMulti, checkpoint.nextMultiOffset);
  d.print(
      "oldest xid %u in DB %u; oldest multi %u in DB %u; oldest/newest commit timestamp xid: "
      "%u/%u; oldest running xid %u; %s",
      value_of(checkpoint.oldestXid), checkpoint.oldestXidDB, checkpoint.oldestMulti,
      checkpoint.oldestMultiDB, value_of(checkpoint.oldestCommitTsXid),
      value_of(checkpoint.newestCommitTsXid), value_of(checkpoint.oldestActiveXid),
      d.info() == XLOG_CHECKPOINT_SHUTDOWN ? "shutdown" : "online");
  return true;
}

bool describe_parameter_change(Description& d) {
  xl_parameter_change change;
  if (!d.main(&change)) return false;
  d.print(
      "max_connections=%d max_worker_processes=%d max_wal_senders=%d max_prepared_xacts=%d "
      "max_locks_per_xact=%d wal_level=%s wal_log_hints=%s track_commit_timestamp=%s",
      change.MaxConnections, change.max_worker_processes, change.max_wal_senders,
      change.max_prepared_xacts, change.max_locks_per_xact, wal_level_name(change.wal_level),
      change.wal_log_hints != 0 ? "on" : "off", change.track_commit_timestamp != 0 ? "on" : "off");
  return true;
}

}  // namespace

bool describe_xlog(Description& d) {
  switch (d.info()) {
    case XLOG_CHECKPOINT_SHUTDOWN:
    case XLOG_CHECKPOINT_ONLINE:
      return describe_checkpoint(d);
    case XLOG_NEXTOID: {
      Oid next;
      if (!d.main(&next)) return false;
      d.print("%u", next);
      return true;
    }
    case XLOG_RESTORE_POINT: {
      xl_restore_point point;
      if (!d.main(&point)) return false;
      d.print("%.*s", static_cast<int>(sizeof(point.rp_name)), point.rp_name);
      return true;
    }
    case XLOG_BACKUP_END: {
      Lsn start;
      if (!d.main(&start)) return false;
      print_lsn(d, start);
      return true;
    }
    case XLOG_PARAMETER_CHANGE:
      return describe_parameter_change(d);
    case XLOG_FPW_CHANGE: {
      uint8_t on;
      if (!d.main(&on)) return false;
      d.append(on != 0 ? "true" : "false");
      return true;
    }
    case XLOG_END_OF_RECOVERY: {
      xl_end_of_recovery end;
      if (!d.main(&end)) return false;
      d.print("tli %u; prev tli %u; time ", end.ThisTimeLineID, end.PrevTimeLineID);
      d.time(end.end_time);
      d.print("; wal_level %s", wal_level_name(end.wal_level));
      return true;
    }
    case XLOG_OVERWRITE_CONTRECORD: {
      xl_overwrite_contrecord overwrite;
      if (!d.main(&overwrite)) return false;
      d.append("lsn ");
      print_lsn(d, overwrite.overwritten_lsn);
      d.append("; time ");
      d.time(overwrite.overwrite_time);
      return true;
    }
    case XLOG_CHECKPOINT_REDO: {
      xl_checkpoint_redo redo;
      if (!d.main(&redo)) return false;
      d.print("wal_level %s", wal_level_name(redo.wal_level));
      return true;
    }
    default:
      return true;
  }
}

}  // namespace pgdata
