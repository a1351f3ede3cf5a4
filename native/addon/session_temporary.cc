// SessionObject: temporary relations, which only the session itself can look at.
#include "addon/descriptor.h"
#include "addon/relation_object.h"
#include "addon/session_call.h"
#include "btree/btree_page_view.h"
#include "btree/btree_search.h"

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
