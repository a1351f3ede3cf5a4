// SessionObject: writing and locking rows.
#include <utility>
#include <vector>

#include "addon/session_arguments.h"
#include "addon/session_call.h"
#include "table/table_operation.h"

namespace pgdata {

namespace {

constexpr OperationName insert_name("INSERT");
constexpr OperationName update_name("UPDATE");
constexpr OperationName delete_name("DELETE");
// By RowLockMode.
constexpr OperationName lock_names[] = {
    OperationName("SELECT FOR KEY SHARE"), OperationName("SELECT FOR SHARE"),
    OperationName("SELECT FOR NO KEY UPDATE"), OperationName("SELECT FOR UPDATE")};

const char* result_name(UpdateResult result) {
  switch (result) {
    case UpdateResult::ok:
      return "ok";
    case UpdateResult::invisible:
      return "invisible";
    case UpdateResult::self_modified:
      return "self_modified";
    case UpdateResult::updated:
      return "updated";
    case UpdateResult::deleted:
      return "deleted";
    case UpdateResult::being_modified:
      return "being_modified";
  }
  return "invisible";
}

Status row_lock_mode_of(const Napi::Value& value, RowLockMode* mode) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (name == "for update")
    *mode = RowLockMode::exclusive;
  else if (name == "for no key update")
    *mode = RowLockMode::no_key_exclusive;
  else if (name == "for share")
    *mode = RowLockMode::share;
  else if (name == "for key share")
    *mode = RowLockMode::key_share;
  else
    return bad_argument("lock");
  return Status::ok;
}

// The index that a row was found through; negative for none.
Status key_index_of(const Table& table, const Napi::Value& value, int* index) {
  if (!value.IsNumber()) return bad_argument("index");
  *index = value.As<Napi::Number>().Int32Value();
  if (*index < 0) return Status::ok;
  const auto at = static_cast<size_t>(*index);
  if (at >= table.indexes().size() || table.indexes()[at].btree == nullptr)
    return bad_argument("index");
  return Status::ok;
}

template <typename Operation>
Napi::Value row_result(Napi::Env env, Operation& operation) {
  return Napi::String::New(env, result_name(operation.result()));
}

}  // namespace

// insert(relation, layout, batch, frozen, wait): number | Promise<number>
Napi::Value SessionObject::insert(const Napi::CallbackInfo& info) {
  return call(info, 5, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    Staged staged;
    THROW_IF_ERROR(env, staged_of(*table, info[1], info[2], &staged));
    WaitPolicy policy{};
    THROW_IF_ERROR(env, policy_of(info[4], &policy));
    const RowReader reader(*staged.layout, staged.bytes, staged.size);
    state_->begin_operation(insert_name, table->definition().oid);
    InsertOperation operation(*state_->writer, table,
                              RowWaiter(*state_->backend, *state_->locks, *table, policy));
    THROW_IF_ERROR(env, operation.begin(*staged.layout, reader, info[3].ToBoolean().Value()));
    return run<InsertOperation>(
        env, std::move(operation), [](Napi::Env to, InsertOperation& ended) -> Napi::Value {
          return Napi::Number::New(to, static_cast<double>(ended.inserted()));
        });
  });
}

// insertedTids(): Uint32Array of block, offset pairs
Napi::Value SessionObject::inserted_tids(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const std::vector<ItemPointer>& tids = state_->writer->inserted();
    auto array = Napi::Uint32Array::New(env, tids.size() * 2);
    for (size_t i = 0; i < tids.size(); i++) {
      array[i * 2] = value_of(tids[i].block());
      array[i * 2 + 1] = tids[i].offset();
    }
    return array;
  });
}

Napi::Value SessionObject::failed_row(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    return Napi::Number::New(env, state_->writer ? state_->writer->failed_row() : 0);
  });
}

// update(relation, layout, batch, block, offset, keyIndex, wait): string | Promise<string>
Napi::Value SessionObject::update(const Napi::CallbackInfo& info) {
  return call(info, 7, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    Staged staged;
    THROW_IF_ERROR(env, staged_of(*table, info[1], info[2], &staged));
    ItemPointer tid;
    THROW_IF_ERROR(env, tid_of(info[3], info[4], &tid));
    RowCheck check;
    THROW_IF_ERROR(env, key_index_of(*table, info[5], &check.key_index));
    WaitPolicy policy{};
    THROW_IF_ERROR(env, policy_of(info[6], &policy));
    const RowReader reader(*staged.layout, staged.bytes, staged.size);
    THROW_IF_ERROR(env, reader.check());
    if (reader.rows() != 1) THROW_IF_ERROR(env, bad_argument("batch"));
    state_->begin_operation(update_name, table->definition().oid);
    return run<UpdateOperation>(
        env,
        UpdateOperation(*state_->backend, *state_->writer, table, *staged.layout, staged.bytes,
                        staged.size, 0, tid, std::move(check),
                        RowWaiter(*state_->backend, *state_->locks, *table, policy)),
        row_result<UpdateOperation>);
  });
}

// updateByKey(relation, index, keyLayout, keys, layout, batch, wait): number | Promise<number>
Napi::Value SessionObject::update_by_key(const Napi::CallbackInfo& info) {
  return call(info, 7, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    int index = -1;
    THROW_IF_ERROR(env, key_index_of(*table, info[1], &index));
    if (index < 0) THROW_IF_ERROR(env, bad_argument("index"));
    Staged keys;
    THROW_IF_ERROR(env, staged_of(*table, info[2], info[3], &keys));
    Staged rows;
    THROW_IF_ERROR(env, staged_of(*table, info[4], info[5], &rows));
    WaitPolicy policy{};
    THROW_IF_ERROR(env, policy_of(info[6], &policy));
    const RowReader key_reader(*keys.layout, keys.bytes, keys.size);
    THROW_IF_ERROR(env, key_reader.check());
    const RowReader row_reader(*rows.layout, rows.bytes, rows.size);
    THROW_IF_ERROR(env, row_reader.check());
    if (key_reader.rows() != row_reader.rows()) THROW_IF_ERROR(env, bad_argument("batch"));
    state_->begin_operation(update_name, table->definition().oid);
    const KeyedRows keyed{static_cast<size_t>(index),
                          keys.layout,
                          keys.bytes,
                          keys.size,
                          rows.layout,
                          rows.bytes,
                          rows.size};
    return run<UpdateByKeyOperation>(env,
                                     UpdateByKeyOperation(*state_->backend, *state_->locks,
                                                          *state_->writer, table, keyed, policy),
                                     [](Napi::Env to, UpdateByKeyOperation& ended) -> Napi::Value {
                                       return Napi::Number::New(to, ended.updated());
                                     });
  });
}

// updateInPlace(relation, layout, batch, block, offset): string
Napi::Value SessionObject::update_in_place(const Napi::CallbackInfo& info) {
  return call(info, 5, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    Staged staged;
    THROW_IF_ERROR(env, staged_of(*table, info[1], info[2], &staged));
    ItemPointer tid;
    THROW_IF_ERROR(env, tid_of(info[3], info[4], &tid));
    const RowReader reader(*staged.layout, staged.bytes, staged.size);
    if (reader.rows() != 1) THROW_IF_ERROR(env, bad_argument("batch"));
    UpdateResult result = UpdateResult::ok;
    THROW_IF_ERROR(env,
                   state_->writer->update_in_place(*table, *staged.layout, reader, tid, &result));
    return Napi::String::New(env, result_name(result));
  });
}

// delete(relation, block, offset, keyIndex, wait): string | Promise<string>
Napi::Value SessionObject::remove(const Napi::CallbackInfo& info) {
  return call(info, 5, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    ItemPointer tid;
    THROW_IF_ERROR(env, tid_of(info[1], info[2], &tid));
    RowCheck check;
    THROW_IF_ERROR(env, key_index_of(*table, info[3], &check.key_index));
    WaitPolicy policy{};
    THROW_IF_ERROR(env, policy_of(info[4], &policy));
    state_->begin_operation(delete_name, table->definition().oid);
    return run<DeleteOperation>(
        env,
        DeleteOperation(*state_->backend, table, tid, std::move(check),
                        RowWaiter(*state_->backend, *state_->locks, *table, policy)),
        row_result<DeleteOperation>);
  });
}

// lockRow(relation, block, offset, lock, wait, keyIndex, filters, filterLayout, constants): string | Promise<string>
Napi::Value SessionObject::lock_row(const Napi::CallbackInfo& info) {
  return call(info, 9, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    ItemPointer tid;
    THROW_IF_ERROR(env, tid_of(info[1], info[2], &tid));
    RowLockMode mode{};
    THROW_IF_ERROR(env, row_lock_mode_of(info[3], &mode));
    WaitPolicy policy{};
    THROW_IF_ERROR(env, policy_of(info[4], &policy));
    RowCheck check;
    THROW_IF_ERROR(env, key_index_of(*table, info[5], &check.key_index));
    THROW_IF_ERROR(env, filter_of(*table, info[6], info[7], info[8], &check.filter));
    state_->begin_operation(lock_names[static_cast<size_t>(mode)], table->definition().oid);
    return run<LockRowOperation>(
        env,
        LockRowOperation(*state_->backend, table, tid, mode, std::move(check),
                         RowWaiter(*state_->backend, *state_->locks, *table, policy), &locked_tid_),
        row_result<LockRowOperation>);
  });
}

// lockedTid(): Uint32Array of block, offset
Napi::Value SessionObject::locked_tid(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    auto array = Napi::Uint32Array::New(info.Env(), 2);
    array[0] = value_of(locked_tid_.block());
    array[1] = locked_tid_.offset();
    return array;
  });
}

// fetchRow(relation, block, offset, layout, batch): 1, or 0 when the batch is too small
Napi::Value SessionObject::fetch_row(const Napi::CallbackInfo& info) {
  return call(info, 5, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    ItemPointer tid;
    THROW_IF_ERROR(env, tid_of(info[1], info[2], &tid));
    Staged batch;
    THROW_IF_ERROR(env, staged_of(*table, info[3], info[4], &batch));
    RowWriter writer(*batch.layout, batch.bytes, batch.size);
    RowOutput output(*table, *batch.layout);
    bool fits = false;
    THROW_IF_ERROR(env, read_row(*state_->backend, *table, tid, output, &writer, &fits));
    return Napi::Number::New(env, fits ? 1 : 0);
  });
}

}  // namespace pgdata
