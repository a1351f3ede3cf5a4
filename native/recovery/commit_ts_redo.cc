// Redo of resource manager CommitTs. Source: commit_ts_redo in src/backend/access/transam/commit_ts.c, PostgreSQL 18.
#include "recovery/redo_context.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr uint8_t COMMIT_TS_ZEROPAGE = 0x00;
constexpr uint8_t COMMIT_TS_TRUNCATE = 0x10;

struct xl_commit_ts_truncate {
  int64_t pageno;
  TransactionId oldestXid;
  uint32_t padding;
};
static_assert(offsetof(xl_commit_ts_truncate, oldestXid) == 8);
constexpr size_t SizeOfCommitTsTruncate = 12;

}  // namespace

Status commit_ts_redo(RedoContext& redo) {
  RedoBytes bytes(redo.record().main_data, redo.record().main_data_length);
  ReplayedCommitTimestamps& timestamps = redo.driver().commit_timestamps();
  switch (redo.info()) {
    case COMMIT_TS_ZEROPAGE: {
      const std::byte* number = bytes.take(sizeof(int64_t));
      if (number == nullptr || load<int64_t>(number) < 0) return redo.corrupted("invalid page");
      timestamps.zero_page(static_cast<uint64_t>(load<int64_t>(number)));
      return Status::ok;
    }
    case COMMIT_TS_TRUNCATE: {
      const std::byte* body = bytes.take(SizeOfCommitTsTruncate);
      if (body == nullptr || load<int64_t>(body) < 0) return redo.corrupted("invalid truncation");
      return timestamps.truncate(
          static_cast<uint64_t>(load<int64_t>(body)),
          load<TransactionId>(body + offsetof(xl_commit_ts_truncate, oldestXid)));
    }
    default:
      return redo.corrupted("unknown operation");
  }
}

}  // namespace pgdata
