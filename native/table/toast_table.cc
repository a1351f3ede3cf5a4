// ToastTable: chunk rows and index entries of long values.
#include "table/toast_table.h"

#include <cstdio>
#include <utility>

#include "btree/btree_insert.h"
#include "btree/btree_scan.h"
#include "table/table_upkeep.h"

namespace pgdata {

namespace {

constexpr Oid oid_type = 26;
constexpr Oid int4_type = 23;
constexpr Oid bytea_type = 17;
constexpr int value_id_attempts = 1 << 20;

Attribute fixed4(Oid type, const char* name) {
  Attribute attribute;
  attribute.atttypid = type;
  attribute.attlen = 4;
  attribute.attbyval = true;
  std::snprintf(attribute.attname, sizeof(attribute.attname), "%s", name);
  return attribute;
}

}  // namespace

Status ToastTable::create(Oid oid, RelFileLocator heap, Oid index_oid, RelFileLocator index,
                          bool logged, bool temporary, uint32_t block_size,
                          std::unique_ptr<ToastTable>* table) {
  std::unique_ptr<ToastTable> made(new ToastTable());
  Attribute data;
  data.atttypid = bytea_type;
  data.attlen = -1;
  std::snprintf(data.attname, sizeof(data.attname), "chunk_data");
  made->desc_.attributes = {fixed4(oid_type, "chunk_id"), fixed4(int4_type, "chunk_seq"), data};
  made->layout_ = std::make_unique<TupleLayout>(made->desc_);
  // Named after the table it serves, whose OID pg_toast's names carry; messages name this one.
  const std::string name = "pg_toast_" + std::to_string(oid);
  made->heap_ = std::make_unique<HeapRelation>(oid, heap, *made->layout_, name);
  made->heap_->logged = logged;
  made->heap_->temporary = temporary;
  made->heap_->is_toast = true;

  BtreeDefinition definition;
  definition.oid = index_oid;
  definition.relation = index;
  definition.name = name + "_index";
  definition.columns.attributes = {made->desc_.attributes[0], made->desc_.attributes[1]};
  for (const Oid type : {oid_type, int4_type}) {
    BtreeKeyDefinition key;
    key.comparator.opcintype = type;
    definition.keys.push_back(key);
  }
  definition.unique = true;
  definition.logged = logged;
  definition.temporary = temporary;
  RETURN_IF_ERROR(BtreeIndex::create(std::move(definition), block_size, &made->index_));
  made->store_ = std::make_unique<ToastStore>(*made->heap_, *made);
  *table = std::move(made);
  return Status::ok;
}

Status ToastTable::new_value_id(Backend& backend, Oid* value_id) {
  for (int attempt = 0; attempt < value_id_attempts; attempt++) {
    RETURN_IF_ERROR(backend.transactions().new_oid(value_id));
    std::vector<ItemPointer> tids;
    RETURN_IF_ERROR(lookup(backend, *value_id, &tids));
    if (tids.empty()) return Status::ok;
  }
  return Status::error(ErrorCode::program_limit_exceeded,
                       "could not find an unused TOAST value id in \"%s\"", heap_->name.c_str());
}

Status ToastTable::insert(Backend& backend, Oid value_id, int32_t chunk_seq, ItemPointer tid) {
  const Datum values[2] = {value_id, static_cast<Datum>(static_cast<int64_t>(chunk_seq))};
  const bool nulls[2] = {false, false};
  TransactionId xid;
  RETURN_IF_ERROR(backend.assign_xid(&xid, index_->temporary()));
  BtreeInsertResult result;
  TableUpkeep upkeep(backend, *heap_);
  // The value id is new, so no entry can have the key.
  RETURN_IF_ERROR(btree_insert(backend.services_of(index_->temporary()), xid, *index_, values,
                               nulls, tid, nullptr, &result, &upkeep));
  INVARIANT(result.inserted);
  return Status::ok;
}

Status ToastTable::lookup(const ReadContext& context, Oid value_id,
                          std::vector<ItemPointer>* tids) {
  const BtreeCondition condition{0, BtreeOperator::equal, value_id, false};
  BtreeScan scan(context.pool_of(index_->temporary()), *index_, {&condition, 1},
                 ScanDirection::forward);
  SessionCounters* const counters =
      context.backend == nullptr ? nullptr : context.backend->counters();
  const Oid oid = index_->definition().oid;
  if (counters != nullptr) counters->count_scan(oid, index_->relation());
  for (;;) {
    std::span<const ItemPointer> batch;
    RETURN_IF_ERROR(scan.next_batch(&batch));
    if (batch.empty()) return Status::ok;
    // Whoever looks a value up fetches each of its chunks.
    for (size_t i = 0; counters != nullptr && i < batch.size(); i++)
      counters->count_fetched(oid, index_->relation());
    if (counters != nullptr)
      counters->count_returned(oid, index_->relation(), static_cast<int64_t>(batch.size()));
    tids->insert(tids->end(), batch.begin(), batch.end());
  }
}

}  // namespace pgdata
