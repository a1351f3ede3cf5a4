// The table of resource managers, by id.
#include "recovery/resource_managers.h"

#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr ResourceManager resource_managers[] = {
    {"XLOG", xlog_redo, nullptr},
    {"Transaction", transaction_redo, nullptr},
    {"Storage", storage_redo, nullptr},
    {"CLOG", clog_redo, nullptr},
    {"Database", database_redo, nullptr},
    {"Tablespace", tablespace_redo, nullptr},
    {"MultiXact", multixact_redo, nullptr},
    {"RelMap", relmap_redo, nullptr},
    {"Standby", standby_redo, nullptr},
    {"Heap2", heap2_redo, heap_mask},
    {"Heap", heap_redo, heap_mask},
    {"Btree", btree_redo, btree_mask},
    {"Hash", hash_redo, hash_mask},
    {"Gin", gin_redo, gin_mask},
    {"Gist", gist_redo, gist_mask},
    {"Sequence", sequence_redo, sequence_mask},
    {"SPGist", spgist_redo, spgist_mask},
    {"BRIN", brin_redo, brin_mask},
    {"CommitTs", commit_ts_redo, nullptr},
    {"ReplicationOrigin", replication_origin_redo, nullptr},
    {"Generic", generic_redo, generic_mask},
    {"LogicalMessage", logical_message_redo, nullptr},
};
constexpr uint8_t count = sizeof(resource_managers) / sizeof(resource_managers[0]);
static_assert(count == static_cast<uint8_t>(RmgrId::logical_message) + 1);

}  // namespace

const ResourceManager* resource_manager(uint8_t id) {
  return id < count ? &resource_managers[id] : nullptr;
}

}  // namespace pgdata
