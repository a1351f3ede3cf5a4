// Redo of resource manager Transaction: outcomes, dropped files, prepared transactions.
// Source: xact_redo in src/backend/access/transam/xact.c, PostgreSQL 18.
#include "layout/wal_transaction_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"
#include "xact/commit_log.h"
#include "xact/commit_timestamps.h"

namespace pgdata {

namespace {

// A commit or abort record, taken apart. Arrays lie in the record, unaligned.
struct Outcome {
  TimestampTz time = 0;
  uint32_t xinfo = 0;
  const std::byte* subxacts = nullptr;
  uint32_t subxact_count = 0;
  const std::byte* files = nullptr;
  uint32_t file_count = 0;
  TransactionId twophase_xid = invalid_transaction_id;
  Lsn origin_lsn = invalid_lsn;
  TimestampTz origin_timestamp = 0;
};

bool parse_outcome(const RedoContext& redo, bool commit, bool prepared, Outcome* outcome) {
  RedoBytes bytes(redo.record().main_data, redo.record().main_data_length);
  const std::byte* at = bytes.take(sizeof(TimestampTz));
  if (at == nullptr) return false;
  outcome->time = load<TimestampTz>(at);
  if ((redo.record().header.xl_info & XLOG_XACT_HAS_INFO) != 0) {
    at = bytes.take(sizeof(uint32_t));
    if (at == nullptr) return false;
    outcome->xinfo = load<uint32_t>(at);
  }
  const uint32_t xinfo = outcome->xinfo;
  const auto take_array = [&](size_t item_size, const std::byte** items, uint32_t* count) {
    const std::byte* head = bytes.take(sizeof(int32_t));
    if (head == nullptr) return false;
    const auto number = load<int32_t>(head);
    if (number < 0) return false;
    *count = static_cast<uint32_t>(number);
    *items = bytes.take(*count * item_size);
    return *items != nullptr;
  };
  const std::byte* skipped = nullptr;
  uint32_t skipped_count = 0;
  if ((xinfo & XACT_XINFO_HAS_DBINFO) != 0 && bytes.take(sizeof(xl_xact_dbinfo)) == nullptr)
    return false;
  if ((xinfo & XACT_XINFO_HAS_SUBXACTS) != 0 &&
      !take_array(sizeof(TransactionId), &outcome->subxacts, &outcome->subxact_count))
    return false;
  if ((xinfo & XACT_XINFO_HAS_RELFILELOCATORS) != 0 &&
      !take_array(sizeof(RelFileLocator), &outcome->files, &outcome->file_count))
    return false;
  if ((xinfo & XACT_XINFO_HAS_DROPPED_STATS) != 0 &&
      !take_array(sizeof(xl_xact_stats_item), &skipped, &skipped_count))
    return false;
  if (commit && (xinfo & XACT_XINFO_HAS_INVALS) != 0 &&
      !take_array(sizeof(SharedInvalidationMessage), &skipped, &skipped_count))
    return false;
  if ((xinfo & XACT_XINFO_HAS_TWOPHASE) != 0) {
    at = bytes.take(sizeof(TransactionId));
    if (at == nullptr) return false;
    outcome->twophase_xid = load<TransactionId>(at);
    if ((xinfo & XACT_XINFO_HAS_GID) != 0) {
      // The name, which only logical decoding needs.
      for (;;) {
        at = bytes.take(1);
        if (at == nullptr) return false;
        if (*at == std::byte{0}) break;
      }
    }
  }
  if ((xinfo & XACT_XINFO_HAS_ORIGIN) != 0) {
    at = bytes.take(sizeof(xl_xact_origin));
    if (at == nullptr) return false;
    outcome->origin_lsn = load<Lsn>(at);
    outcome->origin_timestamp = load<TimestampTz>(at + sizeof(Lsn));
  }
  return !prepared || is_normal(outcome->twophase_xid);
}

Status redo_outcome(RedoContext& redo, bool commit, bool prepared) {
  Outcome outcome;
  if (!parse_outcome(redo, commit, prepared, &outcome)) return redo.corrupted("malformed outcome");
  TransactionSystem& transactions = redo.transactions();
  RedoDriver& driver = redo.driver();
  const TransactionId xid = prepared ? outcome.twophase_xid : redo.xid();
  if (!is_normal(xid)) return redo.corrupted("outcome of no transaction");
  transactions.advance_next_xid_past(xid);
  const TransactionStatus status =
      commit ? TransactionStatus::committed : TransactionStatus::aborted;
  std::vector<TransactionId> subxacts;
  for (uint32_t i = 0; i < outcome.subxact_count; i++) {
    const auto subxact = load<TransactionId>(outcome.subxacts + i * sizeof(TransactionId));
    if (!is_normal(subxact)) return redo.corrupted("invalid subtransaction");
    subxacts.push_back(subxact);
    transactions.advance_next_xid_past(subxact);
    RETURN_IF_ERROR(transactions.commit_log().replay_status(subxact, status));
  }
  RETURN_IF_ERROR(transactions.commit_log().replay_status(xid, status));
  if (commit) {
    const bool has_origin = (outcome.xinfo & XACT_XINFO_HAS_ORIGIN) != 0;
    const TimestampTz time = has_origin ? outcome.origin_timestamp : outcome.time;
    RETURN_IF_ERROR(
        transactions.commit_timestamps().set_tree(xid, subxacts, time, redo.record().origin));
  }
  if ((outcome.xinfo & XACT_XINFO_HAS_ORIGIN) != 0)
    driver.origins().advance(redo.record().origin, outcome.origin_lsn, false);
  RETURN_IF_ERROR(driver.drop_relations(reinterpret_cast<const RelFileLocator*>(outcome.files),
                                        outcome.file_count));
  if (!prepared) return Status::ok;
  return driver.prepared().remove(
      PreparedTransactions::full_xid(xid, transactions.next_full_xid()));
}

Status redo_prepare(RedoContext& redo) {
  const DecodedWalRecord& record = redo.record();
  const FullTransactionId xid =
      PreparedTransactions::full_xid(redo.xid(), redo.transactions().next_full_xid());
  if (!is_normal(redo.xid()) ||
      !redo.driver().prepared().add(xid, record.main_data, record.main_data_length))
    return redo.corrupted("malformed state of a prepared transaction");
  return Status::ok;
}

}  // namespace

Status transaction_redo(RedoContext& redo) {
  switch (redo.info() & XLOG_XACT_OPMASK) {
    case XLOG_XACT_COMMIT:
      return redo_outcome(redo, true, false);
    case XLOG_XACT_COMMIT_PREPARED:
      return redo_outcome(redo, true, true);
    case XLOG_XACT_ABORT:
      return redo_outcome(redo, false, false);
    case XLOG_XACT_ABORT_PREPARED:
      return redo_outcome(redo, false, true);
    case XLOG_XACT_PREPARE:
      return redo_prepare(redo);
    case XLOG_XACT_ASSIGNMENT:     // for snapshots taken during replay
    case XLOG_XACT_INVALIDATIONS:  // for logical decoding
      return Status::ok;
    default:
      return redo.corrupted("unknown operation");
  }
}

}  // namespace pgdata
