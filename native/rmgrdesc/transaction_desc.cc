// Descriptions of the resource managers Transaction, CLOG, MultiXact, Standby and CommitTs.
// Source: src/backend/access/rmgrdesc/xactdesc.c, clogdesc.c, mxactdesc.c, standbydesc.c,
// committsdesc.c, PostgreSQL 18.
#include <cstddef>
#include <cstring>

#include "layout/replication_records.h"
#include "layout/wal_transaction_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {
namespace {

// Lists of a transaction record, found by their length and printed later in another order.
struct List {
  RecordBytes bytes{nullptr, 0};
  int32_t count = 0;
};

// Finds `count` elements of `size` bytes, which take up a multiple of `alignment`.
bool find_list(RecordBytes* from, int32_t count, size_t size, size_t alignment, List* list) {
  if (count < 0) return false;
  const size_t length = static_cast<size_t>(count) * size;
  const std::byte* bytes = from->take_bytes(align_up(length, alignment));
  if (bytes == nullptr) return false;
  list->bytes = RecordBytes(bytes, length);
  list->count = count;
  return true;
}

// The same, with an int32 count before it.
bool find_counted_list(RecordBytes* from, size_t size, List* list) {
  int32_t count;
  return from->take(&count) && find_list(from, count, size, 1, list);
}

bool print_relations(Description& d, const char* label, List list) {
  if (list.count == 0) return true;
  d.print("; %s:", label);
  for (int32_t i = 0; i < list.count; i++) {
    RelFileLocator relation;
    if (!list.bytes.take(&relation)) return false;
    d.append(" ");
    d.path(relation, ForkNumber::main);
  }
  return true;
}

bool print_subtransactions(Description& d, List list) {
  if (list.count == 0) return true;
  d.append("; subxacts:");
  for (int32_t i = 0; i < list.count; i++) {
    uint32_t xid;
    if (!list.bytes.take(&xid)) return false;
    d.print(" %u", xid);
  }
  return true;
}

// Before release 18 an object was an OID: 12 bytes, without objid_hi.
size_t statistics_item_size(const Description& d) {
  return d.major() < 18 ? offsetof(xl_xact_stats_item, objid_hi) : sizeof(xl_xact_stats_item);
}

bool print_statistics(Description& d, const char* label, List list) {
  if (list.count == 0) return true;
  d.print("; %sdropped stats:", label);
  for (int32_t i = 0; i < list.count; i++) {
    xl_xact_stats_item item;
    if (!list.bytes.take(&item, statistics_item_size(d))) return false;
    const uint64_t object = (static_cast<uint64_t>(item.objid_hi) << 32) | item.objid_lo;
    d.print(" %d/%u/%llu", item.kind, item.dboid, static_cast<unsigned long long>(object));
  }
  return true;
}

void print_origin(Description& d, uint16_t node, Lsn lsn, TimestampTz at) {
  d.print("; origin: node %u, lsn %s, at ", node, format_lsn(lsn).c_str());
  d.time(at);
}

bool describe_end(Description& d, bool is_commit) {
  RecordBytes bytes = d.main_bytes();
  TimestampTz at;
  if (!bytes.take(&at)) return false;
  uint32_t xinfo = 0;
  if ((d.record().header.xl_info & XLOG_XACT_HAS_INFO) != 0 && !bytes.take(&xinfo)) return false;
  xl_xact_dbinfo database{};
  List subtransactions, relations, statistics, messages;
  TransactionId prepared = invalid_transaction_id;
  xl_xact_origin origin{};
  if ((xinfo & XACT_XINFO_HAS_DBINFO) != 0 && !bytes.take(&database)) return false;
  if ((xinfo & XACT_XINFO_HAS_SUBXACTS) != 0 &&
      !find_counted_list(&bytes, sizeof(TransactionId), &subtransactions))
    return false;
  if ((xinfo & XACT_XINFO_HAS_RELFILELOCATORS) != 0 &&
      !find_counted_list(&bytes, sizeof(RelFileLocator), &relations))
    return false;
  if ((xinfo & XACT_XINFO_HAS_DROPPED_STATS) != 0 &&
      !find_counted_list(&bytes, statistics_item_size(d), &statistics))
    return false;
  if (is_commit && (xinfo & XACT_XINFO_HAS_INVALS) != 0 &&
      !find_counted_list(&bytes, sizeof(SharedInvalidationMessage), &messages))
    return false;
  if ((xinfo & XACT_XINFO_HAS_TWOPHASE) != 0) {
    if (!bytes.take(&prepared)) return false;
    if ((xinfo & XACT_XINFO_HAS_GID) != 0) {
      char letter;
      do {
        if (!bytes.take(&letter)) return false;
      } while (letter != 0);
    }
  }
  if ((xinfo & XACT_XINFO_HAS_ORIGIN) != 0 && !bytes.take(&origin)) return false;

  if (is_valid(prepared)) d.print("%u: ", value_of(prepared));
  d.time(at);
  if (!print_relations(d, "rels", relations)) return false;
  if (!print_subtransactions(d, subtransactions)) return false;
  if (!is_commit) {
    if ((xinfo & XACT_XINFO_HAS_ORIGIN) != 0)
      print_origin(d, d.record().origin, origin.origin_lsn, origin.origin_timestamp);
    return print_statistics(d, "", statistics);
  }
  if (!print_statistics(d, "", statistics)) return false;
  if (!d.invalidations(&messages.bytes, messages.count, database.dbId, database.tsId,
                       (xinfo & XACT_COMPLETION_UPDATE_RELCACHE_FILE) != 0))
    return false;
  if ((xinfo & XACT_COMPLETION_APPLY_FEEDBACK) != 0) d.append("; apply_feedback");
  if ((xinfo & XACT_COMPLETION_FORCE_SYNC_COMMIT) != 0) d.append("; sync");
  if ((xinfo & XACT_XINFO_HAS_ORIGIN) != 0)
    print_origin(d, d.record().origin, origin.origin_lsn, origin.origin_timestamp);
  return true;
}

bool describe_prepare(Description& d) {
  RecordBytes bytes = d.main_bytes();
  xl_xact_prepare prepare;
  if (!bytes.take(&prepare)) return false;
  List subtransactions, commit_relations, abort_relations, commit_statistics, abort_statistics;
  List messages;
  const std::byte* gid = bytes.take_bytes(max_align(prepare.gidlen));
  if (gid == nullptr || prepare.gidlen == 0) return false;
  if (!find_list(&bytes, prepare.nsubxacts, sizeof(TransactionId), 8, &subtransactions) ||
      !find_list(&bytes, prepare.ncommitrels, sizeof(RelFileLocator), 8, &commit_relations) ||
      !find_list(&bytes, prepare.nabortrels, sizeof(RelFileLocator), 8, &abort_relations) ||
      !find_list(&bytes, prepare.ncommitstats, statistics_item_size(d), 8, &commit_statistics) ||
      !find_list(&bytes, prepare.nabortstats, statistics_item_size(d), 8, &abort_statistics) ||
      !find_list(&bytes, prepare.ninvalmsgs, sizeof(SharedInvalidationMessage), 8, &messages))
    return false;
  d.append("gid ");
  d.append_bytes(gid, strnlen(reinterpret_cast<const char*>(gid), prepare.gidlen));
  d.append(": ");
  d.time(prepare.prepared_at);
  if (!print_relations(d, "rels(commit)", commit_relations) ||
      !print_relations(d, "rels(abort)", abort_relations) ||
      !print_statistics(d, "commit ", commit_statistics) ||
      !print_statistics(d, "abort ", abort_statistics) ||
      !print_subtransactions(d, subtransactions) ||
      !d.invalidations(&messages.bytes, messages.count, prepare.database, invalid_oid,
                       prepare.initfileinval != 0))
    return false;
  if (d.record().origin != 0)
    print_origin(d, d.record().origin, prepare.origin_lsn, prepare.origin_timestamp);
  return true;
}

bool print_page_number(Description& d, const char* label) {
  int64_t page;
  if (!d.main(&page)) return false;
  d.print("%s%lld", label, static_cast<long long>(page));
  return true;
}

const char* member_name(MultiXactStatus status) {
  switch (status) {
    case MultiXactStatus::for_key_share:
      return "keysh";
    case MultiXactStatus::for_share:
      return "sh";
    case MultiXactStatus::for_no_key_update:
      return "fornokeyupd";
    case MultiXactStatus::for_update:
      return "forupd";
    case MultiXactStatus::no_key_update:
      return "nokeyupd";
    case MultiXactStatus::update:
      return "upd";
  }
  return "unk";
}

bool describe_running_transactions(Description& d) {
  RecordBytes bytes = d.main_bytes();
  xl_running_xacts running;
  if (!bytes.take(&running)) return false;
  d.print("nextXid %u latestCompletedXid %u oldestRunningXid %u", value_of(running.nextXid),
          value_of(running.latestCompletedXid), value_of(running.oldestRunningXid));
  const auto print_xids = [&](int32_t count) {
    for (int32_t i = 0; i < count; i++) {
      uint32_t xid;
      if (!bytes.take(&xid)) return false;
      d.print(" %u", xid);
    }
    return true;
  };
  if (running.xcnt > 0) {
    d.print("; %d xacts:", running.xcnt);
    if (!print_xids(running.xcnt)) return false;
  }
  if (running.subxid_overflow != 0) d.append("; subxid overflowed");
  if (running.subxcnt > 0) {
    d.print("; %d subxacts:", running.subxcnt);
    if (!print_xids(running.subxcnt)) return false;
  }
  return true;
}

}  // namespace

bool describe_transaction(Description& d) {
  switch (d.record().header.xl_info & XLOG_XACT_OPMASK) {
    case XLOG_XACT_COMMIT:
    case XLOG_XACT_COMMIT_PREPARED:
      return describe_end(d, true);
    case XLOG_XACT_ABORT:
    case XLOG_XACT_ABORT_PREPARED:
      return describe_end(d, false);
    case XLOG_XACT_PREPARE:
      return describe_prepare(d);
    case XLOG_XACT_ASSIGNMENT: {
      RecordBytes bytes = d.main_bytes();
      xl_xact_assignment assignment;
      if (!bytes.take(&assignment)) return false;
      d.print("xtop %u: subxacts:", value_of(assignment.xtop));
      for (int32_t i = 0; i < assignment.nsubxacts; i++) {
        uint32_t xid;
        if (!bytes.take(&xid)) return false;
        d.print(" %u", xid);
      }
      return true;
    }
    case XLOG_XACT_INVALIDATIONS: {
      RecordBytes bytes = d.main_bytes();
      int32_t count;
      if (!bytes.take(&count)) return false;
      return d.invalidations(&bytes, count, invalid_oid, invalid_oid, false);
    }
    default:
      return true;
  }
}

bool describe_clog(Description& d) {
  if (d.info() == CLOG_ZEROPAGE) return print_page_number(d, "page ");
  if (d.info() != CLOG_TRUNCATE) return true;
  xl_clog_truncate truncate;
  if (!d.main(&truncate)) return false;
  d.print("page %lld; oldestXact %u", static_cast<long long>(truncate.pageno),
          value_of(truncate.oldestXact));
  return true;
}

bool describe_multixact(Description& d) {
  switch (d.info()) {
    case XLOG_MULTIXACT_ZERO_OFF_PAGE:
    case XLOG_MULTIXACT_ZERO_MEM_PAGE:
      return print_page_number(d, "");
    case XLOG_MULTIXACT_CREATE_ID: {
      RecordBytes bytes = d.main_bytes();
      xl_multixact_create create;
      if (!bytes.take(&create)) return false;
      d.print("%u offset %u nmembers %d: ", create.mid, create.moff, create.nmembers);
      for (int32_t i = 0; i < create.nmembers; i++) {
        MultiXactMember member;
        if (!bytes.take(&member)) return false;
        d.print("%u (%s) ", value_of(member.xid), member_name(member.status));
      }
      return true;
    }
    case XLOG_MULTIXACT_TRUNCATE_ID: {
      xl_multixact_truncate truncate;
      if (!d.main(&truncate)) return false;
      d.print("offsets [%u, %u), members [%u, %u)", truncate.startTruncOff, truncate.endTruncOff,
              truncate.startTruncMemb, truncate.endTruncMemb);
      return true;
    }
    default:
      return true;
  }
}

bool describe_standby(Description& d) {
  RecordBytes bytes = d.main_bytes();
  switch (d.info()) {
    case XLOG_STANDBY_LOCK: {
      xl_standby_locks locks;
      if (!bytes.take(&locks)) return false;
      for (int32_t i = 0; i < locks.nlocks; i++) {
        xl_standby_lock lock;
        if (!bytes.take(&lock)) return false;
        d.print("xid %u db %u rel %u ", value_of(lock.xid), lock.dbOid, lock.relOid);
      }
      return true;
    }
    case XLOG_RUNNING_XACTS:
      return describe_running_transactions(d);
    case XLOG_INVALIDATIONS: {
      xl_invalidations invalidations;
      if (!bytes.take(&invalidations)) return false;
      return d.invalidations(&bytes, invalidations.nmsgs, invalidations.dbId, invalidations.tsId,
                             invalidations.relcacheInitFileInval != 0);
    }
    default:
      return true;
  }
}

bool describe_commit_ts(Description& d) {
  if (d.info() == COMMIT_TS_ZEROPAGE) return print_page_number(d, "");
  if (d.info() != COMMIT_TS_TRUNCATE) return true;
  xl_commit_ts_truncate truncate;
  if (!d.main(&truncate, xl_commit_ts_truncate_size)) return false;
  d.print("pageno %lld, oldestXid %u", static_cast<long long>(truncate.pageno),
          value_of(truncate.oldestXid));
  return true;
}

}  // namespace pgdata
