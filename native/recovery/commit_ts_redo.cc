// Redo of resource manager CommitTs. Source: commit_ts_redo in src/backend/access/transam/commit_ts.c, PostgreSQL 18.
#include "layout/replication_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_functions.h"
#include "xact/commit_timestamps.h"

namespace pgdata {

Status commit_ts_redo(RedoContext& redo) {
  RedoBytes bytes(redo.record().main_data, redo.record().main_data_length);
  CommitTimestampLog& timestamps = redo.transactions().commit_timestamps();
  switch (redo.info()) {
    case COMMIT_TS_ZEROPAGE: {
      const std::byte* number = bytes.take(sizeof(int64_t));
      if (number == nullptr || load<int64_t>(number) < 0) return redo.corrupted("invalid page");
      return timestamps.replay_zero_page(static_cast<uint64_t>(load<int64_t>(number)));
    }
    case COMMIT_TS_TRUNCATE: {
      const std::byte* body = bytes.take(xl_commit_ts_truncate_size);
      if (body == nullptr || load<int64_t>(body) < 0) return redo.corrupted("invalid truncation");
      return timestamps.replay_truncate(
          static_cast<uint64_t>(load<int64_t>(body)),
          load<TransactionId>(body + offsetof(xl_commit_ts_truncate, oldestXid)));
    }
    default:
      return redo.corrupted("unknown operation");
  }
}

}  // namespace pgdata
