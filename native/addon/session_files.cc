// SessionObject: files of relations, databases and tablespaces.
#include <utility>
#include <vector>

#include "addon/descriptor.h"
#include "addon/rebuild_object.h"
#include "addon/session_arguments.h"
#include "addon/session_call.h"
#include "engine/database_files.h"
#include "table/table_rebuild.h"
#include "vacuum/vacuum_cutoffs.h"

namespace pgdata {

namespace {

// That of a TOAST table's index, for rebuildIndex.
constexpr int32_t toast_index_number = -1;

}  // namespace

// createStorage(locator, persistence)
Napi::Value SessionObject::create_storage(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    RelFileLocator locator;
    THROW_IF_ERROR(env, read_locator(info[0], &locator));
    const std::string persistence = info[1].ToString().Utf8Value();
    if (persistence == "t") {
      THROW_IF_ERROR(env, state_->backend->create_temporary_storage(locator));
      return env.Undefined();
    }
    THROW_IF_ERROR(env, state_->backend->create_storage(locator, persistence == "p"));
    if (persistence == "u") THROW_IF_ERROR(env, state_->backend->create_init_fork(locator));
    return env.Undefined();
  });
}

// dropStorageAtCommit(locator, persistence)
Napi::Value SessionObject::drop_storage_at_commit(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    RelFileLocator locator;
    THROW_IF_ERROR(env, read_locator(info[0], &locator));
    state_->backend->drop_storage_at_commit(locator, info[1].ToString().Utf8Value() == "t");
    return env.Undefined();
  });
}

// setMemoryLimits(limits): MemoryLimits of src-ts/binding/native.ts
Napi::Value SessionObject::set_memory_limits(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  TemporaryLimits temporary;
  THROW_IF_ERROR(env, read_memory_limits(info[0], &state_->memory, &temporary));
  if (state_->backend) {
    state_->backend->temporary_files().set_limits(temporary);
    state_->backend->temporary_files().use_tablespace(state_->memory.tablespace);
  }
  return env.Undefined();
}

// rebuildIndex(relation, index): NativeRebuild
Napi::Value SessionObject::rebuild_index(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    const int32_t number = info[1].ToNumber().Int32Value();
    TransactionId xid;
    THROW_IF_ERROR(env, state_->backend->assign_xid(&xid));
    const uint64_t memory_bytes = state_->memory.maintenance_work_mem_bytes;
    std::unique_ptr<IndexRebuild> rebuild;
    if (number == toast_index_number) {
      if (table->toast() == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
      rebuild = IndexRebuild::of_toast(*state_->backend, table, xid, memory_bytes);
    } else {
      const auto index = static_cast<size_t>(number);
      if (number < 0 || index >= table->indexes().size() ||
          table->indexes()[index].btree == nullptr)
        THROW_IF_ERROR(env, bad_argument("index"));
      rebuild = std::make_unique<IndexRebuild>(*state_->backend, table, index, xid, memory_bytes);
    }
    return RebuildObject::of_index(env, state_, table, std::move(rebuild));
  });
}

// logDurable(): Promise<void>
Napi::Value SessionObject::log_durable(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    return state_->core->when_durable(env, state_->core->engine().services().wal.positions().insert,
                                      state_);
  });
}

// copyHeap(source, target, ofToast, order, bounds): NativeRebuild
Napi::Value SessionObject::copy_heap(const Napi::CallbackInfo& info) {
  return call(info, 5, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const std::shared_ptr<Table> source = RelationObject::table_of(env, info[0]);
    const std::shared_ptr<Table> target = RelationObject::table_of(env, info[1]);
    const bool of_toast = info[2].ToBoolean().Value();
    if (source == nullptr || target == nullptr ||
        (of_toast && (source->toast() == nullptr || target->toast() == nullptr)))
      THROW_IF_ERROR(env, bad_argument("relation"));
    const int32_t order = info[3].ToNumber().Int32Value();
    const BtreeIndex* index = nullptr;
    if (order >= 0) {
      if (of_toast || static_cast<size_t>(order) >= source->indexes().size())
        THROW_IF_ERROR(env, bad_argument("order"));
      index = source->indexes()[static_cast<size_t>(order)].btree.get();
      if (index == nullptr) THROW_IF_ERROR(env, bad_argument("order"));
    }
    VacuumTarget bounds;
    THROW_IF_ERROR(env, read_vacuum_target(info[4], &bounds));
    TransactionId xid;
    THROW_IF_ERROR(env, state_->backend->assign_xid(&xid));
    const HeapRelation& from = of_toast ? source->toast()->heap() : source->heap();
    const HeapRelation& to = of_toast ? target->toast()->heap() : target->heap();
    // Everything that can be frozen is. The bounds of the table do not go back.
    FreezeSettings settings;
    settings.vacuum_freeze_min_age = settings.vacuum_freeze_table_age = 0;
    settings.vacuum_multixact_freeze_min_age = settings.vacuum_multixact_freeze_table_age = 0;
    bool aggressive = false;
    VacuumCutoffs cutoffs = vacuum_cutoffs(state_->backend->transactions(),
                                           state_->backend->database(), from.is_shared(), settings,
                                           bounds.relfrozenxid, bounds.relminmxid, &aggressive);
    if (precedes(cutoffs.FreezeLimit, bounds.relfrozenxid))
      cutoffs.FreezeLimit = bounds.relfrozenxid;
    if (multixact_precedes(cutoffs.MultiXactCutoff, bounds.relminmxid))
      cutoffs.MultiXactCutoff = bounds.relminmxid;
    return RebuildObject::of_heap(
        env, state_, source, target,
        std::make_unique<HeapCopy>(*state_->backend, from, to, index, cutoffs));
  });
}

Napi::Value SessionObject::build_toast_index(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || table->toast() == nullptr)
      THROW_IF_ERROR(env, bad_argument("relation"));
    THROW_IF_ERROR(env, state_->writer->build_toast_index(*table));
    return env.Undefined();
  });
}

// countTruncated(relation)
Napi::Value SessionObject::count_truncated(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    if (SessionCounters* const counters = state_->counters())
      counters->count_truncated(table->definition().oid, table->definition().locator);
    return env.Undefined();
  });
}

// setIoTimings(relations, wal)
Napi::Value SessionObject::set_io_timings(const Napi::CallbackInfo& info) {
  if (SessionCounters* const counters = state_->counters())
    counters->set_io_timings(info[0].ToBoolean().Value(), info[1].ToBoolean().Value());
  return info.Env().Undefined();
}

// statisticsCreated(relation: oid): they go if the savepoint or transaction is rolled back
Napi::Value SessionObject::statistics_created(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    if (SessionCounters* const counters = state_->counters())
      counters->created(info[0].ToNumber().Uint32Value(), false);
    return env.Undefined();
  });
}

// statisticsDropped(relation: oid): they go at commit
Napi::Value SessionObject::statistics_dropped(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    if (SessionCounters* const counters = state_->counters())
      counters->dropped(info[0].ToNumber().Uint32Value(), false);
    return env.Undefined();
  });
}

// removesAllRows(table: oid)
Napi::Value SessionObject::removes_all_rows(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    Backend& backend = *state_->backend;
    if (backend.serializable() != nullptr)
      THROW_IF_ERROR(env, predicate_transaction(*backend.serializable())
                              .conflict_in_whole_table(
                                  {backend.database(), info[0].ToNumber().Uint32Value()}));
    return env.Undefined();
  });
}

// transferPredicateLocks(relation: oid, table: oid)
Napi::Value SessionObject::transfer_predicate_locks(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    state_->core->engine().predicate_locks()->transfer_to_heap(state_->backend->database(),
                                                               info[0].ToNumber().Uint32Value(),
                                                               info[1].ToNumber().Uint32Value());
    return env.Undefined();
  });
}

// copyDatabase(sourceDb, sourceSpc, targetDb, targetSpc): Promise<void>
Napi::Value SessionObject::copy_database(const Napi::CallbackInfo& info) {
  return call(info, 4, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    DatabaseLocation places[2];
    for (size_t i = 0; i < 2; i++)
      places[i] = {info[2 * i].ToNumber().Uint32Value(), info[2 * i + 1].ToNumber().Uint32Value()};
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, state_->backend->assign_xid(&xid));
    state_->backend->force_sync_commit();
    return run_on_engine(env, *state_->core,
                         [xid, source = places[0], target = places[1]](Engine& engine) {
                           return copy_database_files(engine.services(), xid, source, target);
                         });
  });
}

// dropDatabaseFiles(db, spcs): Promise<void>
Napi::Value SessionObject::drop_database_files(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    if (!info[1].IsArray()) THROW_IF_ERROR(env, bad_argument("tablespaces"));
    const Oid database = info[0].ToNumber().Uint32Value();
    const auto array = info[1].As<Napi::Array>();
    std::vector<Oid> tablespaces;
    for (uint32_t i = 0; i < array.Length(); i++)
      tablespaces.push_back(Napi::Value(array.Get(i)).ToNumber().Uint32Value());
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, state_->backend->assign_xid(&xid));
    state_->backend->force_sync_commit();
    return run_on_engine(env, *state_->core, [xid, database, tablespaces](Engine& engine) {
      return pgdata::drop_database_files(engine.services(), xid, database, tablespaces);
    });
  });
}

// createTablespace(oid, path)
Napi::Value SessionObject::create_tablespace(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, state_->backend->assign_xid(&xid));
    state_->backend->force_sync_commit();
    THROW_IF_ERROR(env, create_tablespace_directory(state_->core->engine().services(), xid,
                                                    info[0].ToNumber().Uint32Value(),
                                                    info[1].ToString().Utf8Value()));
    return env.Undefined();
  });
}

Napi::Value SessionObject::drop_tablespace(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, state_->backend->assign_xid(&xid));
    state_->backend->force_sync_commit();
    THROW_IF_ERROR(env, drop_tablespace_directory(state_->core->engine().services(), xid,
                                                  info[0].ToNumber().Uint32Value()));
    return env.Undefined();
  });
}

// replaceRelationMap(db, spc, map: Uint8Array): the file's bytes, which are written when the transaction commits
Napi::Value SessionObject::replace_relation_map(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    std::byte* bytes = nullptr;
    size_t size = 0;
    if (!bytes_of(info[2], &bytes, &size)) THROW_IF_ERROR(env, bad_argument("map"));
    // It cannot be taken back, so it is part of no level that could be.
    if (!state_->open_subtransactions.empty())
      THROW_IF_ERROR(env, Status::error(ErrorCode::active_sql_transaction,
                                        "cannot change relation mapping within subtransaction"));
    Backend& backend = *state_->backend;
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, backend.assign_xid(&xid));
    const DatabaseLocation place{info[0].ToNumber().Uint32Value(),
                                 info[1].ToNumber().Uint32Value()};
    const std::string map(reinterpret_cast<const char*>(bytes), size);
    StorageServices& services = state_->core->engine().services();
    backend.before_commit_record(
        [&services, xid, place, map] { return write_relation_map(services, xid, place, map); });
    return env.Undefined();
  });
}

}  // namespace pgdata
