// RecordDescriber: the table of resource managers and record types.
#include "rmgrdesc/describe_record.h"

#include <cstdio>
#include <span>

#include "layout/brin_records.h"
#include "layout/btree_records.h"
#include "layout/gin_records.h"
#include "layout/gist_records.h"
#include "layout/hash_records.h"
#include "layout/heap_records.h"
#include "layout/replication_records.h"
#include "layout/spgist_records.h"
#include "layout/wal_storage_records.h"
#include "layout/wal_transaction_records.h"
#include "layout/wal_xlog_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {
namespace {

struct RecordType {
  uint8_t info;
  const char* name;
  // The first release whose record has the layout, and whose pg_waldump has the text, of release 18.
  int since;
  // The last release that has the type, or 0.
  int until = 0;
};

constexpr RecordType xlog_types[] = {
    {XLOG_CHECKPOINT_SHUTDOWN, "CHECKPOINT_SHUTDOWN", 17},
    {XLOG_CHECKPOINT_ONLINE, "CHECKPOINT_ONLINE", 17},
    {XLOG_NOOP, "NOOP", 13},
    {XLOG_NEXTOID, "NEXTOID", 13},
    {XLOG_SWITCH, "SWITCH", 13},
    {XLOG_BACKUP_END, "BACKUP_END", 13},
    {XLOG_PARAMETER_CHANGE, "PARAMETER_CHANGE", 13},
    {XLOG_RESTORE_POINT, "RESTORE_POINT", 13},
    {XLOG_FPW_CHANGE, "FPW_CHANGE", 13},
    {XLOG_END_OF_RECOVERY, "END_OF_RECOVERY", 17},
    {XLOG_FPI_FOR_HINT, "FPI_FOR_HINT", 13},
    {XLOG_FPI, "FPI", 13},
    {XLOG_OVERWRITE_CONTRECORD, "OVERWRITE_CONTRECORD", 13},
    {XLOG_CHECKPOINT_REDO, "CHECKPOINT_REDO", 17},
};
constexpr RecordType transaction_types[] = {
    {XLOG_XACT_COMMIT, "COMMIT", 15},
    {XLOG_XACT_PREPARE, "PREPARE", 16},
    {XLOG_XACT_ABORT, "ABORT", 15},
    {XLOG_XACT_COMMIT_PREPARED, "COMMIT_PREPARED", 15},
    {XLOG_XACT_ABORT_PREPARED, "ABORT_PREPARED", 15},
    {XLOG_XACT_ASSIGNMENT, "ASSIGNMENT", 13},
    {XLOG_XACT_INVALIDATIONS, "INVALIDATION", 14},
};
constexpr RecordType storage_types[] = {
    {XLOG_SMGR_CREATE, "CREATE", 13},
    {XLOG_SMGR_TRUNCATE, "TRUNCATE", 13},
};
constexpr RecordType clog_types[] = {
    {CLOG_ZEROPAGE, "ZEROPAGE", 17},
    {CLOG_TRUNCATE, "TRUNCATE", 17},
};
// Before release 15: 0x00 CREATE, 0x10 DROP.
constexpr RecordType database_types[] = {
    {XLOG_DBASE_CREATE_FILE_COPY, "CREATE_FILE_COPY", 15},
    {XLOG_DBASE_CREATE_WAL_LOG, "CREATE_WAL_LOG", 15},
    {XLOG_DBASE_DROP, "DROP", 15},
    {0x00, "CREATE", 99, 14},
    {0x10, "DROP", 99, 14},
};
constexpr RecordType tablespace_types[] = {
    {XLOG_TBLSPC_CREATE, "CREATE", 13},
    {XLOG_TBLSPC_DROP, "DROP", 13},
};
constexpr RecordType multixact_types[] = {
    {XLOG_MULTIXACT_ZERO_OFF_PAGE, "ZERO_OFF_PAGE", 17},
    {XLOG_MULTIXACT_ZERO_MEM_PAGE, "ZERO_MEM_PAGE", 17},
    {XLOG_MULTIXACT_CREATE_ID, "CREATE_ID", 13},
    {XLOG_MULTIXACT_TRUNCATE_ID, "TRUNCATE_ID", 13},
};
constexpr RecordType relmap_types[] = {{XLOG_RELMAP_UPDATE, "UPDATE", 13}};
constexpr RecordType standby_types[] = {
    {XLOG_STANDBY_LOCK, "LOCK", 13},
    {XLOG_RUNNING_XACTS, "RUNNING_XACTS", 16},
    {XLOG_INVALIDATIONS, "INVALIDATIONS", 13},
};
constexpr RecordType heap2_types[] = {
    {XLOG_HEAP2_REWRITE, "REWRITE", 13},
    {XLOG_HEAP2_PRUNE_ON_ACCESS, "PRUNE_ON_ACCESS", 17},
    {XLOG_HEAP2_PRUNE_VACUUM_SCAN, "PRUNE_VACUUM_SCAN", 17},
    {XLOG_HEAP2_PRUNE_VACUUM_CLEANUP, "PRUNE_VACUUM_CLEANUP", 17},
    {XLOG_HEAP2_VISIBLE, "VISIBLE", 16},
    {XLOG_HEAP2_MULTI_INSERT, "MULTI_INSERT", 16},
    {XLOG_HEAP2_MULTI_INSERT | XLOG_HEAP_INIT_PAGE, "MULTI_INSERT+INIT", 16},
    {XLOG_HEAP2_LOCK_UPDATED, "LOCK_UPDATED", 16},
    {XLOG_HEAP2_NEW_CID, "NEW_CID", 16},
    {0x10, "PRUNE", 99, 16},
    {0x20, "VACUUM", 99, 16},
    {0x30, "FREEZE_PAGE", 99, 16},
    {0x10, "CLEAN", 99, 13},
    {0x20, "FREEZE_PAGE", 99, 13},
    {0x30, "CLEANUP_INFO", 99, 13},
};
constexpr RecordType heap_types[] = {
    {XLOG_HEAP_INSERT, "INSERT", 16},
    {XLOG_HEAP_INSERT | XLOG_HEAP_INIT_PAGE, "INSERT+INIT", 16},
    {XLOG_HEAP_DELETE, "DELETE", 16},
    {XLOG_HEAP_UPDATE, "UPDATE", 16},
    {XLOG_HEAP_UPDATE | XLOG_HEAP_INIT_PAGE, "UPDATE+INIT", 16},
    {XLOG_HEAP_HOT_UPDATE, "HOT_UPDATE", 16},
    {XLOG_HEAP_HOT_UPDATE | XLOG_HEAP_INIT_PAGE, "HOT_UPDATE+INIT", 16},
    {XLOG_HEAP_TRUNCATE, "TRUNCATE", 16},
    {XLOG_HEAP_CONFIRM, "HEAP_CONFIRM", 16},
    {XLOG_HEAP_LOCK, "LOCK", 16},
    {XLOG_HEAP_INPLACE, "INPLACE", 18},
};
constexpr RecordType btree_types[] = {
    {XLOG_BTREE_INSERT_LEAF, "INSERT_LEAF", 16},
    {XLOG_BTREE_INSERT_UPPER, "INSERT_UPPER", 16},
    {XLOG_BTREE_INSERT_META, "INSERT_META", 16},
    {XLOG_BTREE_SPLIT_L, "SPLIT_L", 16},
    {XLOG_BTREE_SPLIT_R, "SPLIT_R", 16},
    {XLOG_BTREE_INSERT_POST, "INSERT_POST", 16},
    {XLOG_BTREE_DEDUP, "DEDUP", 16},
    {XLOG_BTREE_DELETE, "DELETE", 17},
    {XLOG_BTREE_UNLINK_PAGE, "UNLINK_PAGE", 16},
    {XLOG_BTREE_UNLINK_PAGE_META, "UNLINK_PAGE_META", 16},
    {XLOG_BTREE_NEWROOT, "NEWROOT", 16},
    {XLOG_BTREE_MARK_PAGE_HALFDEAD, "MARK_PAGE_HALFDEAD", 16},
    {XLOG_BTREE_VACUUM, "VACUUM", 16},
    {XLOG_BTREE_REUSE_PAGE, "REUSE_PAGE", 17},
    {XLOG_BTREE_META_CLEANUP, "META_CLEANUP", 16},
};
constexpr RecordType hash_types[] = {
    {XLOG_HASH_INIT_META_PAGE, "INIT_META_PAGE", 13},
    {XLOG_HASH_INIT_BITMAP_PAGE, "INIT_BITMAP_PAGE", 13},
    {XLOG_HASH_INSERT, "INSERT", 13},
    {XLOG_HASH_ADD_OVFL_PAGE, "ADD_OVFL_PAGE", 13},
    {XLOG_HASH_SPLIT_ALLOCATE_PAGE, "SPLIT_ALLOCATE_PAGE", 13},
    {XLOG_HASH_SPLIT_PAGE, "SPLIT_PAGE", 13},
    {XLOG_HASH_SPLIT_COMPLETE, "SPLIT_COMPLETE", 13},
    {XLOG_HASH_MOVE_PAGE_CONTENTS, "MOVE_PAGE_CONTENTS", 13},
    {XLOG_HASH_SQUEEZE_PAGE, "SQUEEZE_PAGE", 13},
    {XLOG_HASH_DELETE, "DELETE", 13},
    {XLOG_HASH_SPLIT_CLEANUP, "SPLIT_CLEANUP", 13},
    {XLOG_HASH_UPDATE_META_PAGE, "UPDATE_META_PAGE", 13},
    {XLOG_HASH_VACUUM_ONE_PAGE, "VACUUM_ONE_PAGE", 17},
};
constexpr RecordType gin_types[] = {
    {XLOG_GIN_CREATE_PTREE, "CREATE_PTREE", 13},
    {XLOG_GIN_INSERT, "INSERT", 13},
    {XLOG_GIN_SPLIT, "SPLIT", 13},
    {XLOG_GIN_VACUUM_PAGE, "VACUUM_PAGE", 13},
    {XLOG_GIN_DELETE_PAGE, "DELETE_PAGE", 13},
    {XLOG_GIN_UPDATE_META_PAGE, "UPDATE_META_PAGE", 13},
    {XLOG_GIN_INSERT_LISTPAGE, "INSERT_LISTPAGE", 13},
    {XLOG_GIN_DELETE_LISTPAGE, "DELETE_LISTPAGE", 13},
    {XLOG_GIN_VACUUM_DATA_LEAF_PAGE, "VACUUM_DATA_LEAF_PAGE", 13},
};
constexpr RecordType gist_types[] = {
    {XLOG_GIST_PAGE_UPDATE, "PAGE_UPDATE", 13}, {XLOG_GIST_DELETE, "DELETE", 17},
    {XLOG_GIST_PAGE_REUSE, "PAGE_REUSE", 17},   {XLOG_GIST_PAGE_SPLIT, "PAGE_SPLIT", 13},
    {XLOG_GIST_PAGE_DELETE, "PAGE_DELETE", 13}, {XLOG_GIST_ASSIGN_LSN, "ASSIGN_LSN", 13},
};
constexpr RecordType sequence_types[] = {{0x00, "LOG", 13}};
constexpr RecordType spgist_types[] = {
    {XLOG_SPGIST_ADD_LEAF, "ADD_LEAF", 14},
    {XLOG_SPGIST_MOVE_LEAFS, "MOVE_LEAFS", 14},
    {XLOG_SPGIST_ADD_NODE, "ADD_NODE", 14},
    {XLOG_SPGIST_SPLIT_TUPLE, "SPLIT_TUPLE", 14},
    {XLOG_SPGIST_PICKSPLIT, "PICKSPLIT", 14},
    {XLOG_SPGIST_VACUUM_LEAF, "VACUUM_LEAF", 14},
    {XLOG_SPGIST_VACUUM_ROOT, "VACUUM_ROOT", 14},
    {XLOG_SPGIST_VACUUM_REDIRECT, "VACUUM_REDIRECT", 17},
};
constexpr RecordType brin_types[] = {
    {XLOG_BRIN_CREATE_INDEX, "CREATE_INDEX", 13},
    {XLOG_BRIN_INSERT, "INSERT", 13},
    {XLOG_BRIN_INSERT | XLOG_BRIN_INIT_PAGE, "INSERT+INIT", 13},
    {XLOG_BRIN_UPDATE, "UPDATE", 13},
    {XLOG_BRIN_UPDATE | XLOG_BRIN_INIT_PAGE, "UPDATE+INIT", 13},
    {XLOG_BRIN_SAMEPAGE_UPDATE, "SAMEPAGE_UPDATE", 13},
    {XLOG_BRIN_REVMAP_EXTEND, "REVMAP_EXTEND", 13},
    {XLOG_BRIN_DESUMMARIZE, "DESUMMARIZE", 13},
};
constexpr RecordType commit_ts_types[] = {
    {COMMIT_TS_ZEROPAGE, "ZEROPAGE", 17},
    {COMMIT_TS_TRUNCATE, "TRUNCATE", 17},
};
constexpr RecordType replication_origin_types[] = {
    {XLOG_REPLORIGIN_SET, "SET", 13},
    {XLOG_REPLORIGIN_DROP, "DROP", 13},
};
constexpr RecordType generic_types[] = {{0x00, "Generic", 13}};
constexpr RecordType logical_message_types[] = {{XLOG_LOGICAL_MESSAGE, "MESSAGE", 14}};

struct Manager {
  const char* name;
  std::span<const RecordType> types;
  // The bits of xl_info that tell the type.
  uint8_t mask;
  bool (*describe)(Description& d);
};

constexpr Manager managers[] = {
    {"XLOG", xlog_types, 0xF0, describe_xlog},
    {"Transaction", transaction_types, XLOG_XACT_OPMASK, describe_transaction},
    {"Storage", storage_types, 0xF0, describe_storage},
    {"CLOG", clog_types, 0xF0, describe_clog},
    {"Database", database_types, 0xF0, describe_database},
    {"Tablespace", tablespace_types, 0xF0, describe_tablespace},
    {"MultiXact", multixact_types, 0xF0, describe_multixact},
    {"RelMap", relmap_types, 0xF0, describe_relmap},
    {"Standby", standby_types, 0xF0, describe_standby},
    {"Heap2", heap2_types, 0xF0, describe_heap2},
    {"Heap", heap_types, 0xF0, describe_heap},
    {"Btree", btree_types, 0xF0, describe_btree},
    {"Hash", hash_types, 0xF0, describe_hash},
    {"Gin", gin_types, 0xF0, describe_gin},
    {"Gist", gist_types, 0xF0, describe_gist},
    {"Sequence", sequence_types, 0xF0, describe_sequence},
    {"SPGist", spgist_types, 0xF0, describe_spgist},
    {"BRIN", brin_types, 0xF0, describe_brin},
    {"CommitTs", commit_ts_types, 0xF0, describe_commit_ts},
    {"ReplicationOrigin", replication_origin_types, 0xF0, describe_replication_origin},
    {"Generic", generic_types, 0x00, describe_generic},
    {"LogicalMessage", logical_message_types, 0xF0, describe_logical_message},
};
static_assert(std::size(managers) == rmgr_builtin_count);

const RecordType* find_type(const Manager& manager, uint8_t xl_info, int major) {
  const RecordType* found = nullptr;
  for (const RecordType& type : manager.types) {
    if (type.info != (xl_info & manager.mask)) continue;
    // Among those that ended later than this release, the one that ended first.
    if (type.until == 0 ? found != nullptr : major > type.until) continue;
    found = &type;
  }
  return found;
}

}  // namespace

std::string resource_manager_name(uint8_t id) {
  if (id < rmgr_builtin_count) return managers[id].name;
  char text[16];
  std::snprintf(text, sizeof(text), id < 128 ? "UNKNOWN" : "custom%03u", id);
  return text;
}

const char* RecordDescriber::type_name(uint8_t rmgr, uint8_t xl_info) const {
  if (rmgr >= rmgr_builtin_count) return nullptr;
  const RecordType* type = find_type(managers[rmgr], xl_info, major_);
  return type == nullptr ? nullptr : type->name;
}

bool RecordDescriber::describe(const DecodedWalRecord& record, std::string* text) const {
  if (record.rmgr() >= rmgr_builtin_count) return true;
  const Manager& manager = managers[record.rmgr()];
  const RecordType* type = find_type(manager, record.header.xl_info, major_);
  if (type == nullptr) return true;
  if (major_ < type->since) return false;
  Description description(record, major_, catalog_version_, text);
  if (!manager.describe(description)) description.append(" (record is too short)");
  return true;
}

}  // namespace pgdata
