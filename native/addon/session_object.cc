// SessionObject: its life, and the operation of it that waits.
#include "addon/session_object.h"

#include <time.h>

#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/listener_object.h"
#include "addon/scan_object.h"
#include "addon/session_call.h"
#include "shmem/wait_scope.h"

namespace pgdata {

Status SessionState::check() const {
  if (crashed)
    return Status::error(ErrorCode::crash_shutdown,
                         "the session has ended because the cluster crashed")
        .with_hint("Connect again.");
  if (ended) return Status::error(ErrorCode::connection_does_not_exist, "the session is closed");
  return Status::ok;
}

Status statement_timed_out() {
  return Status::error(ErrorCode::query_canceled, "canceling statement due to statement timeout");
}

uint64_t coarse_milliseconds() {
  struct timespec now {};
#ifdef CLOCK_MONOTONIC_COARSE
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
  ::clock_gettime(CLOCK_MONOTONIC, &now);
#endif
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

Status SessionState::check_not_failed() {
  if (!failed) {
    if (!std::exchange(timed_out, false)) [[likely]]
      return Status::ok;
    return statement_timed_out();
  }
  return Status::error(
      ErrorCode::in_failed_sql_transaction,
      "current transaction is aborted, commands ignored until end of transaction block");
}

void SessionState::finish_scans(uint64_t since) {
  std::vector<ScanObject*> finished;
  for (ScanObject* scan : scans) {
    if (scan->subtransaction() >= since) finished.push_back(scan);
  }
  for (ScanObject* scan : finished) scan->finish();
}

Napi::Function SessionObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeSession",
      {
          InstanceMethod("beginCommand", &SessionObject::begin_command),
          InstanceMethod("endCommand", &SessionObject::end_command),
          InstanceMethod("inTransaction", &SessionObject::in_transaction),
          InstanceMethod("lockRelation", &SessionObject::lock_relation),
          InstanceMethod("lockForSession", &SessionObject::lock_for_session),
          InstanceMethod("beginRead", &SessionObject::begin_read),
          InstanceMethod("endRead", &SessionObject::end_read),
          InstanceMethod("lockForReading", &SessionObject::lock_relation_for_reading),
          InstanceMethod("unlockForSession", &SessionObject::unlock_for_session),
          InstanceMethod("lockDatabase", &SessionObject::lock_database),
          InstanceMethod("advisoryLock", &SessionObject::advisory_lock),
          InstanceMethod("advisoryUnlock", &SessionObject::advisory_unlock),
          InstanceMethod("advisoryUnlockAll", &SessionObject::advisory_unlock_all),
          InstanceMethod("notify", &SessionObject::notify),
          InstanceMethod("listen", &SessionObject::listen),
          InstanceMethod("lockRow", &SessionObject::lock_row),
          InstanceMethod("lockedTid", &SessionObject::locked_tid),
          InstanceMethod("fetchRow", &SessionObject::fetch_row),
          InstanceMethod("cancel", &SessionObject::cancel),
          InstanceMethod("timeOutStatement", &SessionObject::time_out_statement),
          InstanceMethod("endStatement", &SessionObject::end_statement),
          InstanceMethod("idleMilliseconds", &SessionObject::idle_milliseconds),
          InstanceMethod("setLockTimeouts", &SessionObject::set_lock_timeouts),
          InstanceMethod("setMemoryLimits", &SessionObject::set_memory_limits),
          InstanceMethod("setIoTimings", &SessionObject::set_io_timings),
          InstanceMethod("number", &SessionObject::number),
          InstanceMethod("begin", &SessionObject::begin),
          InstanceMethod("safeSnapshot", &SessionObject::safe_snapshot),
          InstanceMethod("willDefine", &SessionObject::will_define),
          InstanceMethod("commit", &SessionObject::commit),
          InstanceMethod("commitAsync", &SessionObject::commit_async),
          InstanceMethod("prepareAsync", &SessionObject::prepare_async),
          InstanceMethod("abort", &SessionObject::abort),
          InstanceMethod("fail", &SessionObject::fail),
          InstanceMethod("beginSubtransaction", &SessionObject::begin_subtransaction),
          InstanceMethod("commitSubtransaction", &SessionObject::commit_subtransaction),
          InstanceMethod("abortSubtransaction", &SessionObject::abort_subtransaction),
          InstanceMethod("assignXid", &SessionObject::assign_xid),
          InstanceMethod("transactionId", &SessionObject::transaction_id),
          InstanceMethod("advanceCommand", &SessionObject::advance_command),
          InstanceMethod("oldestXmin", &SessionObject::oldest_xmin),
          InstanceMethod("insert", &SessionObject::insert),
          InstanceMethod("insertedTids", &SessionObject::inserted_tids),
          InstanceMethod("insertAlone", &SessionObject::insert_alone),
          InstanceMethod("failedRow", &SessionObject::failed_row),
          InstanceMethod("update", &SessionObject::update),
          InstanceMethod("updateByKey", &SessionObject::update_by_key),
          InstanceMethod("updateInPlace", &SessionObject::update_in_place),
          InstanceMethod("delete", &SessionObject::remove),
          InstanceMethod("lookup", &SessionObject::lookup),
          InstanceMethod("prepareLookup", &SessionObject::prepare_lookup),
          InstanceMethod("prepareRange", &SessionObject::prepare_range),
          InstanceMethod("scan", &SessionObject::scan),
          InstanceMethod("range", &SessionObject::range),
          InstanceMethod("aggregate", &SessionObject::aggregate),
          InstanceMethod("query", &SessionObject::query),
          InstanceMethod("change", &SessionObject::change),
          InstanceMethod("nextChanges", &SessionObject::next_changes),
          InstanceMethod("supplyRows", &SessionObject::supply_rows),
          InstanceMethod("rowsChanged", &SessionObject::rows_changed),
          InstanceMethod("refusedRow", &SessionObject::refused_row),
          InstanceMethod("createStorage", &SessionObject::create_storage),
          InstanceMethod("beginTemporaryRelations", &SessionObject::begin_temporary_relations),
          InstanceMethod("emptyTemporary", &SessionObject::empty_temporary),
          InstanceMethod("vacuumTemporary", &SessionObject::vacuum_temporary),
          InstanceMethod("analyzeTemporary", &SessionObject::analyze_temporary),
          InstanceMethod("temporaryBlocks", &SessionObject::temporary_blocks),
          InstanceMethod("temporaryIndexHeight", &SessionObject::temporary_index_height),
          InstanceMethod("dropStorageAtCommit", &SessionObject::drop_storage_at_commit),
          InstanceMethod("rebuildIndex", &SessionObject::rebuild_index),
          InstanceMethod("copyHeap", &SessionObject::copy_heap),
          InstanceMethod("logDurable", &SessionObject::log_durable),
          InstanceMethod("buildToastIndex", &SessionObject::build_toast_index),
          InstanceMethod("removesAllRows", &SessionObject::removes_all_rows),
          InstanceMethod("countTruncated", &SessionObject::count_truncated),
          InstanceMethod("statisticsCreated", &SessionObject::statistics_created),
          InstanceMethod("statisticsDropped", &SessionObject::statistics_dropped),
          InstanceMethod("transferPredicateLocks", &SessionObject::transfer_predicate_locks),
          InstanceMethod("copyDatabase", &SessionObject::copy_database),
          InstanceMethod("dropDatabaseFiles", &SessionObject::drop_database_files),
          InstanceMethod("createTablespace", &SessionObject::create_tablespace),
          InstanceMethod("dropTablespace", &SessionObject::drop_tablespace),
          InstanceMethod("replaceRelationMap", &SessionObject::replace_relation_map),
          InstanceMethod("close", &SessionObject::close),
      });
}

SessionObject::SessionObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SessionObject>(info), state_(std::make_shared<SessionState>()) {
  state_->ended = true;
}

SessionObject::~SessionObject() { end(); }

Status SessionObject::make(Napi::Env env, const std::shared_ptr<ClusterCore>& core,
                           const Identity& identity, Napi::Value* session) {
  std::unique_ptr<Backend> backend;
  Engine& engine = core->engine();
  if (!engine.options().read_only)
    RETURN_IF_ERROR(
        Backend::create(engine.services(), engine.transactions(), identity.database, &backend));
  const Napi::Object object = environment(env).session_class.New({});
  SessionObject* made = Unwrap(object);
  if (backend) {
    if (SessionCounters* const counters = backend->counters()) {
      if (identity.type == BackendType::autovac_worker) counters->set_type(identity.type);
      if (identity.type == BackendType::backend) counters->begin_session();
    }
    if (identity.type != BackendType::invalid) {
      made->state_->activity = &engine.activity()->of_slot(backend->slot());
      made->state_->activity->open(identity.type, engine.process(), identity.database,
                                   identity.application_name);
    }
    made->state_->writer = std::make_unique<TableWriter>(*backend);
    made->state_->locks = std::make_unique<LockSession>(engine.locks(), engine.transactions(),
                                                        backend->slot(), core->mailbox());
  }
  made->state_->backend = std::move(backend);
  made->state_->core = core;
  made->state_->ended = false;
  made->state_->tell_state();
  core->add_session(made);
  *session = object;
  return Status::ok;
}

void SessionObject::end() {
  if (state_->ended) return;
  ClusterState& cluster = state_->core->engine().state();
  state_->crashed = cluster.needs_restart();
  cluster.contain([this] {
    cancel_wait(Env(), state_->crashed ? state_->check()
                                       : Status::error(ErrorCode::connection_does_not_exist,
                                                       "the session is closed"));
  });
  state_->ended = true;
  // Before others may take the slot.
  if (ActivityEntry* const entry = std::exchange(state_->activity, nullptr)) entry->close();
  while (!state_->scans.empty()) (*state_->scans.begin())->finish();
  while (!state_->listeners.empty()) (*state_->listeners.begin())->finish();
  state_->writer.reset();
  // The locks go after the transaction, and before others may take the slot.
  if (state_->backend && state_->backend->in_transaction())
    cluster.contain([this] { state_->backend->abort(); });
  state_->locks.reset();
  state_->backend.reset();
  state_->core->remove_session(this);
}

void SessionObject::watch(Napi::Env env) {
  waiting_->ticket = state_->core->watch(env, this, state_->backend->slot(),
                                         {state_->deadlock_timeout_ms, state_->lock_timeout_ms});
  state_->lock_wait = wait_event_of(state_->locks->awaited().type);
  state_->tell_state();
}

void SessionObject::end_watch() {
  state_->lock_wait = WaitEvent::none;
  state_->tell_state();
}

void SessionObject::resume(Napi::Env env, Status status) {
  if (waiting_ == nullptr) return;
  const CountingScope counting(state_->counters());
  const WaitReport reporting(state_->activity);
  if (status.code() == ErrorCode::deadlock_detected && state_->counters() != nullptr)
    state_->counters()->count_deadlock();
  Napi::Value value = env.Undefined();
  try {
    if (status.is_ok()) status = state_->core->check();
    if (status.is_ok()) {
      state_->locks->finish_wait();
      bool waiting = false;
      status = waiting_->operation->step(&waiting);
      if (status.is_ok() && waiting) {
        watch(env);
        return;
      }
      if (status.is_ok()) value = waiting_->result(env, *waiting_->operation);
    } else {
      state_->locks->cancel_wait();
    }
  } catch (const InvariantFailure& failure) {
    if (state_->core->is_open()) state_->core->engine().state().poison(failure.what());
    status = Status::error(ErrorCode::internal_error, "%s", failure.what());
  }
  state_->last_used_ms = coarse_milliseconds();
  // Another operation may begin as soon as this one's promise is settled.
  const std::unique_ptr<Waiting> ended = std::move(waiting_);
  end_watch();
  if (status.is_ok())
    ended->deferred.Resolve(value);
  else
    ended->deferred.Reject(make_error(env, status));
}

bool SessionObject::cancel_wait(Napi::Env env, const Status& reason) {
  if (waiting_ == nullptr) return false;
  const std::unique_ptr<Waiting> ended = std::move(waiting_);
  state_->core->forget_wait(ended->ticket);
  state_->locks->cancel_wait();
  end_watch();
  const Napi::HandleScope scope(env);
  ended->deferred.Reject(make_error(env, reason));
  return true;
}

Status SessionObject::check_not_waiting() const {
  if (waiting_ == nullptr) return Status::ok;
  return Status::error(ErrorCode::object_not_in_prerequisite_state,
                       "another operation of the transaction waits for a lock")
      .with_hint("Await its promise first.");
}

Status SessionObject::lock_for_reading(const Napi::Value& relation, const Table& table) {
  // What looks things up in the catalogs is done with it before anybody could replace their files.
  if (state_->locks == nullptr || RelationObject::reads_newest(relation)) return Status::ok;
  const LockTag tag = LockTag::table(state_->backend->database(), table.definition().oid);
  // Every level keeps others from dropping and rewriting it.
  if (state_->locks->holds(tag)) return Status::ok;
  // While another operation waits, the session cannot ask for a lock; that one holds the relation it works on.
  if (waiting_ != nullptr) return Status::ok;
  if (state_->read_locked == tag) {
    // Held since before the caller looked at the relation: nobody can have redefined it.
    state_->locks->adopt(tag, LockLevel::access_share, LockScope::transaction);
    state_->read_locked.reset();
    return Status::ok;
  }
  state_->end_read();
  LockOutcome outcome{};
  RETURN_IF_ERROR(state_->locks->acquire_soon(tag, LockLevel::access_share, LockScope::transaction,
                                              read_lock_patience_ms, &outcome));
  // Its caller thought that no other process was there, and one has come and defined something since.
  const bool may_be_stale = state_->core->has_invalidations();
  if (outcome != LockOutcome::not_available && !may_be_stale) return Status::ok;
  Status status =
      Status::error(ErrorCode::lock_not_available, "could not obtain lock on relation \"%s\"",
                    table.definition().name.c_str());
  status.report().hint =
      may_be_stale
          ? "Another process is just redefining it; try again."
          : "A synchronous call does not wait long for other transactions; lock the table first.";
  return table.with_names(std::move(status));
}

// A single read outside a transaction ends before anybody else can do anything, unless that is another process.
Status SessionObject::lock_for_single_read(const Napi::Value& relation, const Table& table) {
  if (!state_->explicit_transaction && (state_->read_locked || !state_->core->engine().is_shared()))
    return Status::ok;
  return lock_for_reading(relation, table);
}

Napi::Value SessionObject::close(const Napi::CallbackInfo& info) {
  end();
  return info.Env().Undefined();
}

}  // namespace pgdata
