// SessionObject: temporary relations, which only the session itself can look at.
#include "addon/analyze_object.h"
#include "addon/descriptor.h"
#include "addon/relation_object.h"
#include "addon/session_call.h"
#include "addon/vacuum_object.h"
#include "btree/btree_build.h"
#include "btree/btree_page_view.h"
#include "btree/btree_search.h"
#include "space/truncate.h"

namespace pgdata {

// beginTemporaryRelations(buffers)
Napi::Value SessionObject::begin_temporary_relations(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const uint32_t buffers = info[0].ToNumber().Uint32Value();
    if (buffers == 0) THROW_IF_ERROR(env, bad_argument("buffers"));
    THROW_IF_ERROR(env, state_->backend->begin_temporary_relations(buffers));
    return env.Undefined();
  });
}

namespace {

Status empty_heap(Backend& backend, const HeapRelation& heap) {
  return truncate_storage(backend, heap.locator, BlockNumber{0}, false, true);
}

Status empty_index(Backend& backend, const BtreeIndex& index) {
  RETURN_IF_ERROR(truncate_storage(backend, index.relation(), BlockNumber{0}, false, true));
  return build_empty_btree(backend.services_of(true), backend.xid(), index, ForkNumber::main);
}

Status empty_table(Backend& backend, const Table& table) {
  RETURN_IF_ERROR(empty_heap(backend, table.heap()));
  for (const Table::Index& index : table.indexes())
    if (index.btree) RETURN_IF_ERROR(empty_index(backend, *index.btree));
  if (table.toast() == nullptr) return Status::ok;
  RETURN_IF_ERROR(empty_heap(backend, table.toast()->heap()));
  return empty_index(backend, table.toast()->index());
}

}  // namespace

// emptyTemporary(relation): at once and for good, right before a commit; what knows its pages is to be made anew
Napi::Value SessionObject::empty_temporary(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !table->definition().temporary ||
        !state_->backend->has_temporary_relations())
      THROW_IF_ERROR(env, bad_argument("relation"));
    // Nothing else of the transaction may have a page pinned.
    end_of_transaction();
    THROW_IF_ERROR(env, empty_table(*state_->backend, *table));
    return env.Undefined();
  });
}

// vacuumTemporary(relation, ofToast): NativeVacuum
Napi::Value SessionObject::vacuum_temporary(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    const bool of_toast = info[1].ToBoolean().Value();
    if (table == nullptr || !table->definition().temporary || state_->backend == nullptr ||
        (of_toast && table->toast() == nullptr))
      THROW_IF_ERROR(env, bad_argument("relation"));
    const Backend& backend = *state_->backend;
    return VacuumObject::make(env, state_->core, backend.database(), std::move(table), of_toast,
                              false, backend.temporary_relations());
  });
}

// analyzeTemporary(relation): NativeAnalyze
Napi::Value SessionObject::analyze_temporary(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !table->definition().temporary || state_->backend == nullptr)
      THROW_IF_ERROR(env, bad_argument("relation"));
    const Backend& backend = *state_->backend;
    return AnalyzeObject::make(env, state_->core, backend.database(), std::move(table), false,
                               backend.temporary_relations());
  });
}

// temporaryBlocks(locator): number, of the main fork
Napi::Value SessionObject::temporary_blocks(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    RelFileLocator locator;
    THROW_IF_ERROR(env, read_locator(info[0], &locator));
    if (state_->backend == nullptr || !state_->backend->has_temporary_relations())
      THROW_IF_ERROR(env, bad_argument("locator"));
    uint32_t blocks = 0;
    THROW_IF_ERROR(env, state_->backend->pool_of(true).storage().block_count(
                            locator, ForkNumber::main, &blocks));
    return Napi::Number::New(env, blocks);
  });
}

// temporaryIndexHeight(relation, index): the level of the page where searches begin
Napi::Value SessionObject::temporary_index_height(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    const uint32_t number = info[1].ToNumber().Uint32Value();
    if (table == nullptr || number >= table->indexes().size() ||
        table->indexes()[number].btree == nullptr || state_->backend == nullptr ||
        !state_->backend->has_temporary_relations())
      THROW_IF_ERROR(env, bad_argument("index"));
    BufferRef root;
    THROW_IF_ERROR(env, find_btree_root(state_->backend->pool_of(true),
                                        *table->indexes()[number].btree, &root));
    const uint32_t level = root.is_valid() ? view_of(root).opaque().btpo_level : 0;
    return Napi::Number::New(env, level);
  });
}

}  // namespace pgdata
