// ClusterObject: opening, checkpoints, closing.
#include "addon/cluster_object.h"

#include <atomic>
#include <chrono>
#include <utility>

#include "addon/analyze_object.h"
#include "addon/async_task.h"
#include "addon/descriptor.h"
#include "addon/disk_object.h"
#include "addon/environment.h"
#include "addon/inspect_object.h"
#include "addon/relation_object.h"
#include "addon/session_object.h"
#include "addon/vacuum_object.h"
#include "recovery/resource_managers.h"
#include "xact/commit_timestamps.h"
#include "xact/prepared_table.h"

namespace pgdata {

Napi::Function ClusterObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeCluster",
      {
          InstanceMethod("blockSize", &ClusterObject::block_size),
          InstanceMethod("session", &ClusterObject::session),
          InstanceMethod("relation", &ClusterObject::relation),
          InstanceMethod("vacuum", &ClusterObject::vacuum),
          InstanceMethod("analyze", &ClusterObject::analyze),
          InstanceMethod("newOid", &ClusterObject::new_oid),
          InstanceMethod("blocks", &ClusterObject::blocks),
          InstanceMethod("indexHeight", &ClusterObject::index_height),
          InstanceMethod("verifyIndex", &ClusterObject::verify_index),
          InstanceMethod("checkpoint", &ClusterObject::checkpoint),
          InstanceMethod("switchSegment", &ClusterObject::switch_segment),
          InstanceMethod("close", &ClusterObject::close),
          InstanceMethod("segment", &ClusterObject::segment),
          InstanceMethod("stayAlone", &ClusterObject::stay_alone),
          InstanceMethod("backendsOn", &ClusterObject::backends_on),
          InstanceMethod("processes", &ClusterObject::processes),
          InstanceMethod("requestMemoryContexts", &ClusterObject::request_memory_contexts),
          InstanceMethod("takeMemoryContextRequest", &ClusterObject::take_memory_context_request),
          InstanceMethod("isOwner", &ClusterObject::is_owner),
          InstanceMethod("acceptInvalidations", &ClusterObject::accept_invalidations),
          InstanceMethod("closeSync", &ClusterObject::close_sync),
          InstanceMethod("abandon", &ClusterObject::abandon),
          InstanceMethod("predicateLocks", &ClusterObject::predicate_locks),
          InstanceMethod("preparedTransactions", &ClusterObject::prepared_transactions),
          InstanceMethod("finishPrepared", &ClusterObject::finish_prepared),
          InstanceMethod("idBounds", &ClusterObject::id_bounds),
          InstanceMethod("nameOldestDatabases", &ClusterObject::name_oldest_databases),
          InstanceMethod("truncateLogs", &ClusterObject::truncate_logs),
          InstanceMethod("onCrash", &ClusterObject::on_crash),
          InstanceMethod("leaveCrashed", &ClusterObject::leave_crashed),
          InstanceMethod("onNotice", &ClusterObject::on_notice),
          InstanceMethod("commitTimestamp", &ClusterObject::commit_timestamp),
          InstanceMethod("lastCommitted", &ClusterObject::last_committed),
          InstanceMethod("statistics", &ClusterObject::statistics),
          InstanceMethod("flushStatistics", &ClusterObject::flush_statistics),
          InstanceMethod("relationStatistics", &ClusterObject::relation_statistics),
          InstanceMethod("databaseStatistics", &ClusterObject::database_statistics),
          InstanceMethod("clusterStatistics", &ClusterObject::cluster_statistics),
          InstanceMethod("reportVacuum", &ClusterObject::report_vacuum),
          InstanceMethod("reportAnalyze", &ClusterObject::report_analyze),
          InstanceMethod("reportAutovacuumStart", &ClusterObject::report_autovacuum_start),
          InstanceMethod("reportArchived", &ClusterObject::report_archived),
          InstanceMethod("dropDatabaseStatistics", &ClusterObject::drop_database_statistics),
          InstanceMethod("setIoTimings", &ClusterObject::set_io_timings),
          InstanceMethod("resetStatistics", &ClusterObject::reset_statistics),
          InstanceMethod("resetSlruStatistics", &ClusterObject::reset_slru_statistics),
          InstanceMethod("comparedPages", &ClusterObject::compared_pages),
          InstanceMethod("locks", &ClusterObject::locks),
          InstanceMethod("activity", &ClusterObject::activity),
          InstanceMethod("reportWorker", &ClusterObject::report_worker),
          InstanceMethod("notificationQueueUsage", &ClusterObject::notification_queue_usage),
      });
}

ClusterObject::ClusterObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ClusterObject>(info) {}

ClusterObject::~ClusterObject() { forget_exit_hook(); }

Napi::Value ClusterObject::make(Napi::Env env, std::unique_ptr<Engine> engine) {
  const Napi::Object object = environment(env).cluster_class.New({});
  ClusterObject* made = Unwrap(object);
  made->core_ = std::make_shared<ClusterCore>(env, std::move(engine));
  // An open cluster that nobody refers to any more must still be closed at exit.
  made->Ref();
  if (!made->core_->engine().options().read_only) {
    made->exit_hook_ = new std::shared_ptr<ClusterCore>(made->core_);
    napi_add_env_cleanup_hook(env, &ClusterObject::close_at_exit, made->exit_hook_);
  }
  return object;
}

void ClusterObject::close_at_exit(void* argument) {
  const auto* core = static_cast<std::shared_ptr<ClusterCore>*>(argument);
  const std::shared_ptr<Engine> engine = (*core)->release();
  // Nobody is left to tell of an error; the next open finds an unclean shutdown.
  if (engine && !engine->close().is_ok()) engine->abandon();
}

std::shared_ptr<Engine> ClusterObject::release() {
  forget_exit_hook();
  std::shared_ptr<Engine> engine = core_->release();
  if (engine) Unref();
  return engine;
}

void ClusterObject::forget_exit_hook() {
  if (exit_hook_ == nullptr) return;
  napi_remove_env_cleanup_hook(Env(), &ClusterObject::close_at_exit, exit_hook_);
  delete exit_hook_;
  exit_hook_ = nullptr;
}

Napi::Value ClusterObject::block_size(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    return Napi::Number::New(env, core_->engine().block_size());
  });
}

// session(database, kind, applicationName): NativeSession
Napi::Value ClusterObject::session(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const std::string kind = info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
    SessionObject::Identity identity;
    identity.database = info[0].ToNumber().Uint32Value();
    if (kind == name_of(BackendType::backend)) identity.type = BackendType::backend;
    if (kind == name_of(BackendType::autovac_worker)) identity.type = BackendType::autovac_worker;
    if (info[2].IsString()) identity.application_name = info[2].As<Napi::String>().Utf8Value();
    Napi::Value session;
    THROW_IF_ERROR(env, SessionObject::make(env, core_, identity, &session));
    return session;
  });
}

// relation(descriptor): NativeRelation
Napi::Value ClusterObject::relation(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (!info[0].IsObject()) THROW_IF_ERROR(env, bad_argument("descriptor"));
    TableDefinition definition;
    THROW_IF_ERROR(env, read_table_definition(info[0].As<Napi::Object>(), &definition));
    std::shared_ptr<Table> table;
    THROW_IF_ERROR(env, Table::create(std::move(definition), core_->engine().block_size(), &table));
    const TableDefinition& made = table->definition();
    BufferPool& pool = core_->engine().services().pool;
    std::vector<RelFileLocator> files{made.locator};
    if (made.has_toast) files.insert(files.end(), {made.toast_locator, made.toast_index_locator});
    for (const TableIndexDefinition& index : made.indexes) files.push_back(index.locator);
    for (const RelFileLocator& file : files)
      if (!made.temporary) pool.set_logged(file, made.logged);
    return RelationObject::make(env, std::move(table));
  });
}

// vacuum(database, relation, ofToast, isAutovacuum): NativeVacuum
Napi::Value ClusterObject::vacuum(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    std::shared_ptr<Table> table = RelationObject::table_of(env, info[1]);
    const bool of_toast = info[2].ToBoolean().Value();
    if (table == nullptr || (of_toast && table->toast() == nullptr))
      THROW_IF_ERROR(env, bad_argument("relation"));
    return VacuumObject::make(env, core_, info[0].ToNumber().Uint32Value(), std::move(table),
                              of_toast, info[3].ToBoolean().Value());
  });
}

// analyze(database, relation, isAutovacuum): NativeAnalyze
Napi::Value ClusterObject::analyze(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    std::shared_ptr<Table> table = RelationObject::table_of(env, info[1]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    return AnalyzeObject::make(env, core_, info[0].ToNumber().Uint32Value(), std::move(table),
                               info[2].ToBoolean().Value());
  });
}

Napi::Value ClusterObject::new_oid(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    Oid oid = invalid_oid;
    THROW_IF_ERROR(env, core_->engine().transactions().new_oid(&oid));
    return Napi::Number::New(env, oid);
  });
}

// blocks(locator, fork): number, 0 for a fork that does not exist
Napi::Value ClusterObject::blocks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    RelFileLocator locator;
    THROW_IF_ERROR(env, read_locator(info[0], &locator));
    const uint32_t fork = info[1].ToNumber().Uint32Value();
    if (fork >= static_cast<uint32_t>(fork_count)) THROW_IF_ERROR(env, bad_argument("fork"));
    Storage& storage = core_->engine().services().storage;
    bool exists = false;
    uint32_t blocks = 0;
    THROW_IF_ERROR(env, storage.exists(locator, static_cast<ForkNumber>(fork), &exists));
    if (exists)
      THROW_IF_ERROR(env, storage.block_count(locator, static_cast<ForkNumber>(fork), &blocks));
    return Napi::Number::New(env, blocks);
  });
}

// indexHeight(relation, index): the level of the page where searches begin
Napi::Value ClusterObject::index_height(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    const uint32_t number = info[1].ToNumber().Uint32Value();
    if (table == nullptr || number >= table->indexes().size() ||
        table->indexes()[number].btree == nullptr)
      THROW_IF_ERROR(env, bad_argument("index"));
    BufferRef root;
    THROW_IF_ERROR(env, find_btree_root(core_->engine().services().pool,
                                        *table->indexes()[number].btree, &root));
    const uint32_t level = root.is_valid() ? view_of(root).opaque().btpo_level : 0;
    root.release();
    return Napi::Number::New(env, level);
  });
}

Napi::Value ClusterObject::verify_index(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), *core_,
                 [&]() -> Napi::Value { return verify_index_of(info, *core_); });
}

Napi::Value ClusterObject::checkpoint(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    // Closing waits for the checkpoint's mutex, away from the JavaScript thread.
    return run_async(env, [engine = core_->shared_engine()] { return engine->checkpoint(); });
  });
}

Napi::Value ClusterObject::prepared_transactions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    PreparedTable& table = core_->engine().transactions().prepared();
    std::vector<PreparedTransaction> prepared;
    if (core_->engine().options().read_only)
      THROW_IF_ERROR(env, table.list_files(&prepared));
    else
      prepared = table.list();
    const auto array = Napi::Array::New(env, prepared.size());
    for (uint32_t i = 0; i < prepared.size(); i++) {
      const auto object = Napi::Object::New(env);
      object.Set("transaction", Napi::Number::New(env, value_of(prepared[i].xid)));
      object.Set("gid", Napi::String::New(env, prepared[i].gid));
      object.Set("preparedAt", Napi::BigInt::New(env, int64_t{prepared[i].prepared_at}));
      object.Set("owner", Napi::Number::New(env, prepared[i].owner));
      object.Set("database", Napi::Number::New(env, prepared[i].database));
      array.Set(i, object);
    }
    return array;
  });
}

// finishPrepared(gid, commit): Promise<void>
Napi::Value ClusterObject::finish_prepared(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (core_->engine().options().read_only)
      THROW_IF_ERROR(env, Status::error(ErrorCode::read_only_sql_transaction,
                                        "the cluster is open for reading only"));
    return run_on_engine(env, *core_,
                         [gid = info[0].ToString().Utf8Value(),
                          commit = info[1].ToBoolean().Value()](Engine& engine) {
                           TwoPhaseState state;
                           return engine.transactions().prepared().finish(
                               gid, commit, &state,
                               [&](int slot) { engine.locks().release_all(slot); });
                         });
  });
}

namespace {

Napi::Value commit_timestamp_value(Napi::Env env, const CommitTimestamp& timestamp, bool found) {
  if (!found) return env.Null();
  const auto object = Napi::Object::New(env);
  object.Set("transaction", Napi::Number::New(env, value_of(timestamp.xid)));
  object.Set("time", Napi::BigInt::New(env, int64_t{timestamp.time}));
  object.Set("origin", Napi::Number::New(env, timestamp.origin));
  return object;
}

// Half of those that there are are in use. Messages name the databases of the oldest ones much later.
bool are_ids_scarce(const TransactionCounters& counters) {
  constexpr uint32_t many = 1u << 30;
  return value_of(xid_of(counters.nextXid)) - value_of(counters.oldestXid) > many ||
         counters.nextMulti - counters.oldestMulti > many;
}

}  // namespace

// idBounds(): NativeIdBounds
Napi::Value ClusterObject::id_bounds(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const TransactionSystem& transactions = core_->engine().transactions();
    Oid of_xid = invalid_oid;
    Oid of_multi = invalid_oid;
    transactions.oldest_databases(&of_xid, &of_multi);
    const TransactionCounters counters = transactions.counters();
    const auto object = Napi::Object::New(env);
    object.Set("nextXid", Napi::Number::New(env, value_of(xid_of(counters.nextXid))));
    object.Set("nextMulti", Napi::Number::New(env, counters.nextMulti));
    object.Set("oldestNeededMulti", Napi::Number::New(env, transactions.oldest_multixact()));
    object.Set("oldestXidDatabase", Napi::Number::New(env, of_xid));
    object.Set("oldestMultiDatabase", Napi::Number::New(env, of_multi));
    object.Set("isVacuumDue", Napi::Boolean::New(env, transactions.is_vacuum_due()));
    object.Set("areScarce", Napi::Boolean::New(env, are_ids_scarce(counters)));
    return object;
  });
}

// nameOldestDatabases(ofXid, name, ofMulti, name)
Napi::Value ClusterObject::name_oldest_databases(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    core_->engine().transactions().name_oldest_databases(
        {info[0].ToNumber().Uint32Value(), info[1].ToString().Utf8Value()},
        {info[2].ToNumber().Uint32Value(), info[3].ToString().Utf8Value()});
    return env.Undefined();
  });
}

// truncateLogs(xid, ofXid, name, multi, ofMulti, name): Promise<void>
Napi::Value ClusterObject::truncate_logs(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    OldestIds oldest;
    oldest.xid = TransactionId{info[0].ToNumber().Uint32Value()};
    oldest.xid_database = {info[1].ToNumber().Uint32Value(), info[2].ToString().Utf8Value()};
    oldest.multi = info[3].ToNumber().Uint32Value();
    oldest.multi_database = {info[4].ToNumber().Uint32Value(), info[5].ToString().Utf8Value()};
    if (!is_normal(oldest.xid) || oldest.multi == 0)
      THROW_IF_ERROR(env, bad_argument("oldest ids"));
    return run_async(env,
                     [background = core_->background(), engine = core_->shared_engine(),
                      oldest = std::move(oldest)]() -> Status {
                       if (!background->enter()) return Status::ok;
                       Status status;
                       const bool is_whole = engine->state().contain([&] {
                         std::unique_ptr<Backend> backend;
                         status = Backend::create(engine->services(), engine->transactions(), 0,
                                                  &backend);
                         if (status.is_ok())
                           status = engine->transactions().truncate_logs(oldest, backend->slot());
                       });
                       if (!is_whole) status = engine->state().check();
                       background->leave();
                       return status;
                     });
  });
}

// onCrash(handler: () => void)
Napi::Value ClusterObject::on_crash(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsFunction()) THROW_IF_ERROR(env, bad_argument("handler"));
  return guarded(env, *core_, [&]() -> Napi::Value {
    core_->on_crash(info[0].As<Napi::Function>());
    return env.Undefined();
  });
}

// leaveCrashed(): Promise<boolean>, whether this process was the owner
Napi::Value ClusterObject::leave_crashed(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Engine> engine = release();
  const auto was_owner = std::make_shared<bool>(false);
  return run_async(
      env,
      [engine, was_owner] {
        if (engine) engine->leave_crashed(was_owner.get());
        return Status();
      },
      [was_owner](Napi::Env here) -> Napi::Value { return Napi::Boolean::New(here, *was_owner); });
}

// onNotice(handler: (notice: PgError) => void)
Napi::Value ClusterObject::on_notice(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (!info[0].IsFunction()) THROW_IF_ERROR(env, bad_argument("handler"));
    core_->on_notice(info[0].As<Napi::Function>());
    return env.Undefined();
  });
}

// commitTimestamp(xid): NativeCommitTimestamp | null
Napi::Value ClusterObject::commit_timestamp(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    CommitTimestamp timestamp;
    bool found = false;
    THROW_IF_ERROR(env, core_->engine().transactions().commit_timestamps().find(
                            TransactionId{info[0].ToNumber().Uint32Value()}, &timestamp, &found));
    return commit_timestamp_value(env, timestamp, found);
  });
}

// lastCommitted(): NativeCommitTimestamp | null
Napi::Value ClusterObject::last_committed(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    CommitTimestamp timestamp;
    bool found = false;
    THROW_IF_ERROR(env,
                   core_->engine().transactions().commit_timestamps().last(&timestamp, &found));
    return commit_timestamp_value(env, timestamp, found);
  });
}

// isOwner(): boolean, whether the background workers are this cluster object's
Napi::Value ClusterObject::is_owner(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    return Napi::Boolean::New(env, core_->engine().is_owner());
  });
}

// switchSegment(): Promise<void>; what is complete is then marked for the archiver
Napi::Value ClusterObject::switch_segment(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    return run_on_engine(env, *core_, [](Engine& engine) {
      Lsn end = invalid_lsn;
      return engine.switch_segment(&end);
    });
  });
}

// close(): Promise<boolean>, whether nobody has the directory open any more
Napi::Value ClusterObject::close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Engine> engine = release();
  const auto was_last = std::make_shared<bool>(true);
  return run_async(
      env, [engine, was_last] { return engine ? engine->close(was_last.get()) : Status(); },
      [was_last](Napi::Env here) -> Napi::Value { return Napi::Boolean::New(here, *was_last); });
}

// closeSync(): boolean, as close()
Napi::Value ClusterObject::close_sync(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Engine> engine = release();
  bool was_last = true;
  if (engine) THROW_IF_ERROR(env, engine->close(&was_last));
  return Napi::Boolean::New(env, was_last);
}

// segment(): number of the shared memory segment; negative when nobody can attach
Napi::Value ClusterObject::segment(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    return Napi::Number::New(env, core_->engine().segment());
  });
}

// stayAlone(alone): boolean
Napi::Value ClusterObject::stay_alone(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!core_->is_open()) return Napi::Boolean::New(env, false);
  ProcessTable& processes = core_->engine().processes();
  if (info[0].ToBoolean().Value()) return Napi::Boolean::New(env, processes.forbid_joining());
  processes.allow_joining();
  return Napi::Boolean::New(env, true);
}

// backendsOn(database): number of sessions, of all processes
Napi::Value ClusterObject::backends_on(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const ProcessArray& processes = core_->engine().transactions().processes();
    return Napi::Number::New(env, processes.backends_on(info[0].ToNumber().Uint32Value()));
  });
}

// processes(): { pid, isOwner, isInside }[], of all that have the directory open
Napi::Value ClusterObject::processes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const ProcessTable& table = core_->engine().processes();
    const std::vector<ProcessTable::Process> list = table.list();
    const Napi::Array result = Napi::Array::New(env, list.size());
    for (uint32_t i = 0; i < list.size(); i++) {
      const Napi::Object object = Napi::Object::New(env);
      object.Set("pid", Napi::Number::New(env, list[i].pid));
      object.Set("isOwner", Napi::Boolean::New(env, table.owner() == list[i].number));
      object.Set("isInside", Napi::Boolean::New(env, table.is_inside(list[i].number)));
      result.Set(i, object);
    }
    return result;
  });
}

// acceptInvalidations(): 0 when this process is alone; 1 when others are there and have told nothing new; else what they
// have told: { database, object }[], or null when everything is to be forgotten
Napi::Value ClusterObject::accept_invalidations(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!core_->is_open() || core_->engine().options().read_only) return Napi::Number::New(env, 0);
  const Engine& engine = core_->engine();
  if (!core_->has_invalidations()) return Napi::Number::New(env, engine.is_shared() ? 1 : 0);
  return guarded(env, *core_, [&]() -> Napi::Value {
    std::vector<Invalidation> messages;
    if (!core_->read_invalidations(&messages)) return env.Null();
    const Napi::Array result = Napi::Array::New(env);
    uint32_t count = 0;
    for (const Invalidation& message : messages) {
      if (message.kind != Invalidation::Kind::catalogs) continue;
      const Napi::Object object = Napi::Object::New(env);
      object.Set("database", Napi::Number::New(env, message.relation.dbOid));
      object.Set("object", Napi::Number::New(env, message.object));
      result.Set(count++, object);
    }
    // What was told of files is the engine's business.
    if (count == 0) return Napi::Number::New(env, 1);
    return result;
  });
}

Napi::Value ClusterObject::abandon(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Engine> engine = release();
  if (engine) engine->abandon();
  return info.Env().Undefined();
}

// predicateLocks(): { database, relation, page, tuple }[], as pg_locks shows SIReadLocks; null for what does not apply
Napi::Value ClusterObject::predicate_locks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const Napi::Array result = Napi::Array::New(env);
    PredicateLocks* const locks = core_->engine().predicate_locks();
    if (locks == nullptr) return result;
    uint32_t count = 0;
    for (const PredicateLocks::HeldLock& held : locks->held_locks()) {
      const auto number = [&](uint32_t value, bool applies) -> Napi::Value {
        return applies ? Napi::Value(Napi::Number::New(env, value)) : env.Null();
      };
      const Napi::Object lock = Napi::Object::New(env);
      lock.Set("database", number(held.tag.database, true));
      lock.Set("relation", number(held.tag.relation, true));
      lock.Set("page", number(held.tag.page, !held.tag.is_relation()));
      lock.Set("tuple", number(held.tag.item, held.tag.is_tuple()));
      result.Set(count++, lock);
    }
    return result;
  });
}

Napi::Value ClusterObject::statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    StorageServices& services = core_->engine().services();
    const BufferStatistics buffers = services.pool.statistics();
    const Napi::Object result = Napi::Object::New(env);
    const auto set = [&](const char* name, uint64_t value) {
      result.Set(name, Napi::Number::New(env, static_cast<double>(value)));
    };
    set("buffer_hits", buffers.hits);
    set("buffer_reads", buffers.reads);
    set("buffer_extends", buffers.extends);
    set("buffer_writes", buffers.writes);
    set("buffer_evictions", buffers.evictions);
    if (!core_->engine().options().read_only) {
      const WalStatistics wal = services.wal.statistics();
      set("wal_records", wal.records);
      set("wal_fpi", wal.full_page_images);
      set("wal_bytes", wal.bytes);
      set("wal_writes", wal.writes);
      set("wal_syncs", wal.syncs);
    }
    return result;
  });
}

// notificationQueueUsage(): number
Napi::Value ClusterObject::notification_queue_usage(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    if (core_->engine().options().read_only) return Napi::Number::New(env, 0);
    return Napi::Number::New(env, core_->engine().notifications().usage());
  });
}

// comparedPages(): one object for each kind of record.
Napi::Value ClusterObject::compared_pages(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, *core_, [&]() -> Napi::Value {
    const std::vector<ComparedPages>& compared = core_->engine().compared_pages();
    const Napi::Array result = Napi::Array::New(env, compared.size());
    for (uint32_t i = 0; i < compared.size(); i++) {
      const ComparedPages& kind = compared[i];
      const Napi::Object object = Napi::Object::New(env);
      object.Set("resourceManager", resource_manager(kind.manager)->name);
      object.Set("operation", Napi::Number::New(env, kind.operation));
      object.Set("records", Napi::Number::New(env, static_cast<double>(kind.records)));
      object.Set("pages", Napi::Number::New(env, static_cast<double>(kind.pages)));
      result.Set(i, object);
    }
    return result;
  });
}

namespace {

using Opened = std::shared_ptr<std::unique_ptr<Engine>>;

// A directory being opened on a pool thread. Made and destroyed on the JavaScript thread.
class Opening {
 public:
  Opening(Environment& here, uint32_t number) : here_(here), number_(number) {
    here_.openings[number_] = &canceled_;
  }
  ~Opening() {
    here_.openings.erase(number_);
    if (reporter_) reporter_.Release();
  }
  Opening(const Opening&) = delete;

  void report_to(Napi::ThreadSafeFunction reporter) { reporter_ = std::move(reporter); }

  // On the pool thread. False: give up.
  bool report(const RecoveryProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    const bool is_last = progress.position == progress.upto;
    if (reporter_ && (is_last || now - reported_ >= std::chrono::milliseconds(50))) {
      reported_ = now;
      reporter_.NonBlockingCall([progress](Napi::Env env, Napi::Function callback) {
        const auto number = [&](uint64_t value) {
          return Napi::Number::New(env, static_cast<double>(value));
        };
        callback.Call({number(progress.position - progress.start),
                       number(progress.upto - progress.start), number(progress.records)});
      });
    }
    return !canceled_.load();
  }

 private:
  Environment& here_;
  uint32_t number_;
  std::atomic<bool> canceled_{false};
  Napi::ThreadSafeFunction reporter_;
  std::chrono::steady_clock::time_point reported_;
};

Napi::Value resolve_with_cluster(
    Napi::Env env, EngineOptions options,
    std::function<Status(EngineOptions, std::unique_ptr<Engine>*)> open) {
  const Opened opened = std::make_shared<std::unique_ptr<Engine>>();
  return run_async(
      env,
      [opened, options = std::move(options), open = std::move(open)] {
        return open(options, opened.get());
      },
      [opened](Napi::Env result_env) {
        return ClusterObject::make(result_env, std::move(*opened));
      });
}

}  // namespace

// openCluster(options, opening, onProgress): `opening` is a number for cancelOpening, `onProgress` may be undefined.
Napi::Value open_cluster(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) THROW_IF_ERROR(env, bad_argument("options"));
  EngineOptions options;
  THROW_IF_ERROR(env, read_engine_options(info[0].As<Napi::Object>(), &options));
  std::shared_ptr<WatchedFileSystem> disk;
  THROW_IF_ERROR(env, DiskObject::read(info[0].As<Napi::Object>(), &disk));
  FileSystem& files = disk ? *disk : posix_file_system();
  options.watched_files = std::move(disk);
  const auto opening =
      std::make_shared<Opening>(environment(env), info[1].ToNumber().Uint32Value());
  if (info[2].IsFunction())
    opening->report_to(
        Napi::ThreadSafeFunction::New(env, info[2].As<Napi::Function>(), "pgdata recovery", 0, 1));
  options.on_recovery_progress = [opening](const RecoveryProgress& progress) {
    return opening->report(progress);
  };
  return resolve_with_cluster(env, std::move(options),
                              [&files](EngineOptions given, std::unique_ptr<Engine>* engine) {
                                return Engine::open(files, std::move(given), engine);
                              });
}

// attachCluster(options, segment): joins those that have the directory open
Napi::Value attach_cluster(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject() || !info[1].IsNumber()) THROW_IF_ERROR(env, bad_argument("options"));
  EngineOptions options;
  THROW_IF_ERROR(env, read_engine_options(info[0].As<Napi::Object>(), &options));
  const int segment = info[1].As<Napi::Number>().Int32Value();
  return resolve_with_cluster(
      env, std::move(options), [segment](EngineOptions given, std::unique_ptr<Engine>* engine) {
        return Engine::attach(posix_file_system(), std::move(given), segment, engine);
      });
}

Napi::Value cancel_opening(const Napi::CallbackInfo& info) {
  const Environment& here = environment(info.Env());
  const auto found = here.openings.find(info[0].ToNumber().Uint32Value());
  if (found != here.openings.end()) found->second->store(true);
  return info.Env().Undefined();
}

// isDirectoryLocked(directory): boolean
Napi::Value is_directory_locked(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  bool is_locked = false;
  THROW_IF_ERROR(env, Engine::is_directory_locked(info[0].ToString().Utf8Value(), &is_locked));
  return Napi::Boolean::New(env, is_locked);
}

Napi::Value init_cluster(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) THROW_IF_ERROR(env, bad_argument("options"));
  EngineOptions options;
  InitParameters parameters;
  THROW_IF_ERROR(env, read_engine_options(info[0].As<Napi::Object>(), &options));
  THROW_IF_ERROR(env, read_init_parameters(info[0].As<Napi::Object>(), &parameters));
  return resolve_with_cluster(
      env, std::move(options), [parameters](EngineOptions given, std::unique_ptr<Engine>* engine) {
        return Engine::init(posix_file_system(), std::move(given), parameters, engine);
      });
}

}  // namespace pgdata
