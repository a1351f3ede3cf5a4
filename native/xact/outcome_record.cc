// Commit and abort records: their pieces in PostgreSQL's order.
#include "xact/outcome_record.h"

#include "layout/wal_record.h"
#include "layout/wal_transaction_records.h"

namespace pgdata {

namespace {

constexpr int32_t wal_level_logical = 2;

}  // namespace

Status OutcomeRecord::log(Wal& wal, TransactionId xid, Lsn* end) const {
  const auto subxact_count = static_cast<int32_t>(subxacts.size());
  const auto file_count = static_cast<int32_t>(files.size());
  uint32_t xinfo = 0;
  uint8_t info = 0;
  if (is_valid(prepared))
    info = committed ? XLOG_XACT_COMMIT_PREPARED : XLOG_XACT_ABORT_PREPARED;
  else
    info = committed ? XLOG_XACT_COMMIT : XLOG_XACT_ABORT;
  if (committed && force_sync_commit) xinfo |= XACT_COMPLETION_FORCE_SYNC_COMMIT;
  if (subxact_count > 0) xinfo |= XACT_XINFO_HAS_SUBXACTS;
  if (file_count > 0) {
    xinfo |= XACT_XINFO_HAS_RELFILELOCATORS;
    info |= XLR_SPECIAL_REL_UPDATE;
  }
  const auto stats_count = static_cast<int32_t>(stats.size());
  if (stats_count > 0) xinfo |= XACT_XINFO_HAS_DROPPED_STATS;
  if (is_valid(prepared)) {
    // Whether it took such locks is not looked up.
    xinfo |= XACT_XINFO_HAS_TWOPHASE | XACT_XINFO_HAS_AE_LOCKS;
    // Only decoding needs the name.
    if (wal.options().wal_level >= wal_level_logical) xinfo |= XACT_XINFO_HAS_GID;
  }
  if (xinfo != 0) info |= XLOG_XACT_HAS_INFO;

  WalRecord record;
  record.begin(RmgrId::transaction, info, xid);
  record.data(&time, sizeof(time));
  if (xinfo != 0) record.data(&xinfo, sizeof(xinfo));
  if (subxact_count > 0) {
    record.data(&subxact_count, sizeof(subxact_count));
    record.data(subxacts.data(), subxacts.size() * sizeof(TransactionId));
  }
  if (file_count > 0) {
    record.data(&file_count, sizeof(file_count));
    record.data(files.data(), files.size() * sizeof(RelFileLocator));
  }
  if (stats_count > 0) {
    record.data(&stats_count, sizeof(stats_count));
    record.data(stats.data(), stats.size() * sizeof(xl_xact_stats_item));
  }
  if (is_valid(prepared)) record.data(&prepared, sizeof(prepared));
  if ((xinfo & XACT_XINFO_HAS_GID) != 0) record.data(gid.c_str(), gid.size() + 1);
  record.set_flags(XLOG_INCLUDE_ORIGIN);
  return wal.insert(record, end);
}

void remove_relation_files(StorageServices& services, const std::vector<RelFileLocator>& relations,
                           bool at_once) {
  for (const RelFileLocator& relation : relations) {
    services.pool.drop_relation(relation);
    static_cast<void>(services.storage.unlink(relation, at_once).is_ok());
  }
}

}  // namespace pgdata
