// SessionObject: transactions, writing, reading and files, call by call.
#include "addon/session_object.h"

#include <utility>
#include <vector>

#include "addon/async_task.h"
#include "addon/descriptor.h"
#include "addon/environment.h"
#include "addon/rebuild_object.h"
#include "addon/relation_object.h"
#include "addon/scan_object.h"
#include "engine/database_files.h"
#include "statistics/counting.h"
#include "table/table_operation.h"
#include "table/table_rebuild.h"
#include "vacuum/vacuum_cutoffs.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

// That of a TOAST table's index, for rebuildIndex.
constexpr int32_t toast_index_number = -1;

// A Uint8Array argument.
bool bytes_of(const Napi::Value& value, std::byte** bytes, size_t* size) {
  if (!value.IsTypedArray()) return false;
  auto array = value.As<Napi::Uint8Array>();
  *bytes = reinterpret_cast<std::byte*>(array.Data());
  *size = array.ByteLength();
  return true;
}

// The staged rows of two arguments: a layout's number and a batch.
struct Staged {
  const RowLayout* layout = nullptr;
  std::byte* bytes = nullptr;
  size_t size = 0;
};

Status staged_of(const Table& table, const Napi::Value& layout, const Napi::Value& batch,
                 Staged* staged) {
  if (!layout.IsNumber()) return bad_argument("layout");
  staged->layout = table.row_layout(layout.As<Napi::Number>().Uint32Value());
  if (staged->layout == nullptr || !bytes_of(batch, &staged->bytes, &staged->size))
    return bad_argument("batch");
  if (staged->size < staged->layout->heap()) return bad_argument("batch");
  return Status::ok;
}

Status tid_of(const Napi::Value& block, const Napi::Value& offset, ItemPointer* tid) {
  if (!block.IsNumber() || !offset.IsNumber()) return bad_argument("tid");
  const uint32_t number = offset.As<Napi::Number>().Uint32Value();
  if (number == 0 || number > 0xFFFF) return bad_argument("tid");
  *tid = ItemPointer(BlockNumber{block.As<Napi::Number>().Uint32Value()},
                     static_cast<OffsetNumber>(number));
  return Status::ok;
}

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

Status policy_of(const Napi::Value& value, WaitPolicy* policy) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (name == "wait")
    *policy = WaitPolicy::wait;
  else if (name == "nowait")
    *policy = WaitPolicy::no_wait;
  else if (name == "skip locked")
    *policy = WaitPolicy::skip;
  else if (name == "refuse")
    *policy = WaitPolicy::refuse;
  else
    return bad_argument("wait");
  return Status::ok;
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

Status operator_of(const std::string& name, FilterOperator* op) {
  struct Entry {
    const char* name;
    FilterOperator op;
  };
  constexpr Entry entries[] = {
      {"=", FilterOperator::equal},         {"<>", FilterOperator::not_equal},
      {"<", FilterOperator::less},          {"<=", FilterOperator::less_or_equal},
      {">", FilterOperator::greater},       {">=", FilterOperator::greater_or_equal},
      {"is null", FilterOperator::is_null}, {"is not null", FilterOperator::is_not_null},
  };
  for (const Entry& entry : entries) {
    if (name != entry.name) continue;
    *op = entry.op;
    return Status::ok;
  }
  return bad_argument("operator");
}

// Three arguments: the filters, their layout's number, and the constants (undefined when there are none).
Status filter_of(const Table& table, const Napi::Value& filters, const Napi::Value& layout,
                 const Napi::Value& constants, std::unique_ptr<Filter>* filter) {
  if (!filters.IsArray()) return bad_argument("filters");
  const auto array = filters.As<Napi::Array>();
  std::vector<FilterCondition> conditions;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value value = array.Get(i);
    if (!value.IsObject()) return bad_argument("filters");
    const auto object = value.As<Napi::Object>();
    FilterCondition condition;
    condition.attribute = object.Get("attribute").ToNumber().Int32Value() - 1;
    if (condition.attribute < 0 || condition.attribute >= table.natts())
      return bad_argument("attribute");
    RETURN_IF_ERROR(operator_of(object.Get("operator").ToString().Utf8Value(), &condition.op));
    conditions.push_back(condition);
  }
  if (constants.IsUndefined()) return Filter::create(table, conditions, nullptr, nullptr, filter);
  Staged staged;
  RETURN_IF_ERROR(staged_of(table, layout, constants, &staged));
  const RowReader reader(*staged.layout, staged.bytes, staged.size);
  RETURN_IF_ERROR(reader.check());
  return Filter::create(table, conditions, staged.layout, &reader, filter);
}

Status no_subtransaction() {
  return Status::error(ErrorCode::no_active_sql_transaction, "there is no savepoint in progress");
}

}  // namespace

Status SessionState::check() const {
  if (ended) return Status::error(ErrorCode::connection_does_not_exist, "the session is closed");
  return Status::ok;
}

Status SessionState::check_not_failed() const {
  if (!failed) return Status::ok;
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
          InstanceMethod("inTransaction", &SessionObject::in_transaction),
          InstanceMethod("lockRelation", &SessionObject::lock_relation),
          InstanceMethod("lockForSession", &SessionObject::lock_for_session),
          InstanceMethod("unlockForSession", &SessionObject::unlock_for_session),
          InstanceMethod("lockRow", &SessionObject::lock_row),
          InstanceMethod("lockedTid", &SessionObject::locked_tid),
          InstanceMethod("fetchRow", &SessionObject::fetch_row),
          InstanceMethod("cancel", &SessionObject::cancel),
          InstanceMethod("setLockTimeouts", &SessionObject::set_lock_timeouts),
          InstanceMethod("number", &SessionObject::number),
          InstanceMethod("begin", &SessionObject::begin),
          InstanceMethod("safeSnapshot", &SessionObject::safe_snapshot),
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
          InstanceMethod("failedRow", &SessionObject::failed_row),
          InstanceMethod("update", &SessionObject::update),
          InstanceMethod("updateInPlace", &SessionObject::update_in_place),
          InstanceMethod("delete", &SessionObject::remove),
          InstanceMethod("lookup", &SessionObject::lookup),
          InstanceMethod("scan", &SessionObject::scan),
          InstanceMethod("range", &SessionObject::range),
          InstanceMethod("aggregate", &SessionObject::aggregate),
          InstanceMethod("createStorage", &SessionObject::create_storage),
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
          InstanceMethod("writeRelationMap", &SessionObject::write_relation_map),
          InstanceMethod("close", &SessionObject::close),
      });
}

SessionObject::SessionObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SessionObject>(info), state_(std::make_shared<SessionState>()) {
  state_->ended = true;
}

SessionObject::~SessionObject() { end(); }

Status SessionObject::make(Napi::Env env, const std::shared_ptr<ClusterCore>& core, Oid database,
                           Napi::Value* session) {
  std::unique_ptr<Backend> backend;
  Engine& engine = core->engine();
  if (!engine.options().read_only)
    RETURN_IF_ERROR(Backend::create(engine.services(), engine.transactions(), database, &backend));
  const Napi::Object object = environment(env).session_class.New({});
  SessionObject* made = Unwrap(object);
  if (backend) {
    // Session 0 is a look into the shared catalogs, not somebody's.
    if (backend->counters() != nullptr && database != invalid_oid)
      backend->counters()->begin_session();
    made->state_->writer = std::make_unique<TableWriter>(*backend);
    made->state_->locks = std::make_unique<LockSession>(engine.locks(), engine.transactions(),
                                                        backend->slot(), core->mailbox());
  }
  made->state_->backend = std::move(backend);
  made->state_->core = core;
  made->state_->ended = false;
  core->add_session(made);
  *session = object;
  return Status::ok;
}

void SessionObject::end() {
  if (state_->ended) return;
  ClusterState& cluster = state_->core->engine().state();
  cluster.contain([this] {
    cancel_wait(Env(),
                Status::error(ErrorCode::connection_does_not_exist, "the session is closed"));
  });
  state_->ended = true;
  while (!state_->scans.empty()) (*state_->scans.begin())->finish();
  state_->writer.reset();
  // The locks go after the transaction, and before others may take the slot.
  if (state_->backend && state_->backend->in_transaction())
    cluster.contain([this] { state_->backend->abort(); });
  state_->locks.reset();
  state_->backend.reset();
  state_->core->remove_session(this);
}

template <typename Body>
Napi::Value SessionObject::call(const Napi::CallbackInfo& info, size_t arguments, Body&& body) {
  const Napi::Env env = info.Env();
  THROW_IF_ERROR(env, state_->check());
  return guarded(env, *state_->core, [&]() -> Napi::Value {
    if (info.Length() != arguments) THROW_IF_ERROR(env, bad_argument("number of arguments"));
    const CountingScope counting(state_->counters());
    return body();
  });
}

template <typename Operation>
Napi::Value SessionObject::run(Napi::Env env, Operation operation,
                               Napi::Value (*result)(Napi::Env, Operation&)) {
  bool waiting = false;
  THROW_IF_ERROR(env, operation.step(&waiting));
  if (!waiting) return result(env, operation);
  auto kept = std::make_unique<Operation>(std::move(operation));
  kept->detach();
  waiting_.reset(new Waiting{std::move(kept),
                             [result](Napi::Env to, LockingOperation& ended) {
                               return result(to, static_cast<Operation&>(ended));
                             },
                             Napi::Promise::Deferred::New(env), 0});
  watch(env);
  return waiting_->deferred.Promise();
}

void SessionObject::watch(Napi::Env env) {
  waiting_->ticket = state_->core->watch(env, this, state_->backend->slot(),
                                         {state_->deadlock_timeout_ms, state_->lock_timeout_ms});
}

void SessionObject::resume(Napi::Env env, Status status) {
  if (waiting_ == nullptr) return;
  const CountingScope counting(state_->counters());
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
  // Another operation may begin as soon as this one's promise is settled.
  const std::unique_ptr<Waiting> ended = std::move(waiting_);
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

Status SessionObject::lock_for_reading(const Table& table) {
  // Nobody drops or rewrites a catalog.
  if (state_->locks == nullptr || table.definition().oid < first_normal_object_id)
    return Status::ok;
  const LockTag tag = LockTag::relation(state_->backend->database(), table.definition().oid);
  // Every level keeps others from dropping and rewriting it.
  if (state_->locks->holds(tag)) return Status::ok;
  // While another operation waits, the session cannot ask for a lock; that one holds the relation it works on.
  if (waiting_ != nullptr) return Status::ok;
  LockOutcome outcome{};
  RETURN_IF_ERROR(state_->locks->acquire(tag, LockLevel::access_share, LockScope::transaction,
                                         false, &outcome));
  if (outcome != LockOutcome::not_available) return Status::ok;
  Status status =
      Status::error(ErrorCode::lock_not_available, "could not obtain lock on relation \"%s\"",
                    table.definition().name.c_str());
  status.report().hint =
      "A synchronous call does not wait for other transactions; lock the table first.";
  return table.with_names(std::move(status));
}

// As `call`, with what is visible now; outside a transaction a snapshot is taken for the call alone.
template <typename Body>
Napi::Value SessionObject::read(const Napi::CallbackInfo& info, size_t arguments, Body&& body) {
  return call(info, arguments, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    if (state_->backend == nullptr) {
      Snapshot everything;
      everything.all_committed = true;
      Engine& engine = state_->core->engine();
      return body(
          ReadView{ReadContext(engine.services().pool, engine.transactions()), &everything});
    }
    if (state_->explicit_transaction) THROW_IF_ERROR(env, state_->check_not_failed());
    Backend& backend = *state_->backend;
    const bool implicit = !backend.in_transaction();
    if (implicit) THROW_IF_ERROR(env, backend.begin(IsolationLevel::read_committed, true));
    const Snapshot* snapshot = nullptr;
    // Read committed sees the newest in any case.
    const bool reads_newest = backend.isolation() != IsolationLevel::read_committed &&
                              RelationObject::reads_newest(info[0]);
    Status status =
        reads_newest ? backend.catalog_snapshot(&snapshot) : backend.statement_snapshot(&snapshot);
    Napi::Value result = env.Undefined();
    if (status.is_ok())
      result = body(ReadView{ReadContext(backend), snapshot});
    else
      throw_error(env, status);
    // A scan that was opened keeps the transaction, and ends it.
    if (implicit && state_->implicit_scans == 0) {
      Lsn upto = invalid_lsn;
      status = backend.commit(false, &upto);
      state_->locks->end_transaction();
      if (!status.is_ok()) throw_error(env, status);
    } else if (!implicit) {
      state_->end_statement();
    }
    return result;
  });
}

void SessionObject::end_of_transaction() {
  state_->writer->end_of_transaction();
  for (ScanObject* scan : state_->scans) scan->end_of_transaction(state_->transaction);
}

Status SessionObject::check_transaction() const {
  if (state_->backend == nullptr)
    return Status::error(ErrorCode::read_only_sql_transaction,
                         "the cluster is open for reading only");
  if (!state_->explicit_transaction)
    return Status::error(ErrorCode::no_active_sql_transaction,
                         "there is no transaction in progress");
  return state_->check_not_failed();
}

Status SessionObject::check_no_subtransaction() const {
  if (state_->open_subtransactions.empty()) return Status::ok;
  return Status::error(ErrorCode::active_sql_transaction, "a savepoint of the transaction is open");
}

Napi::Value SessionObject::in_transaction(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !state_->ended && state_->explicit_transaction);
}

// begin(isolation: string, readOnly: boolean, deferrable: boolean)
Napi::Value SessionObject::begin(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const bool read_only = info[1].ToBoolean().Value();
    if (state_->explicit_transaction)
      THROW_IF_ERROR(env, Status::error(ErrorCode::active_sql_transaction,
                                        "there is already a transaction in progress"));
    if (state_->backend == nullptr) {
      if (!read_only)
        THROW_IF_ERROR(env, Status::error(ErrorCode::read_only_sql_transaction,
                                          "the cluster is open for reading only"));
    } else {
      const std::string name = info[0].ToString().Utf8Value();
      const IsolationLevel level = name == "serializable"      ? IsolationLevel::serializable
                                   : name == "repeatable read" ? IsolationLevel::repeatable_read
                                                               : IsolationLevel::read_committed;
      Backend& backend = *state_->backend;
      // Scans outside a transaction have snapshots of their own.
      if (backend.in_transaction()) {
        Lsn upto = invalid_lsn;
        THROW_IF_ERROR(env, backend.commit(false, &upto));
      }
      THROW_IF_ERROR(env, backend.begin(level, read_only, info[2].ToBoolean().Value()));
    }
    state_->explicit_transaction = true;
    state_->transaction++;
    return env.Undefined();
  });
}

// safeSnapshot(): boolean
Napi::Value SessionObject::safe_snapshot(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    bool is_safe = true;
    if (state_->backend) THROW_IF_ERROR(env, state_->backend->safe_snapshot(&is_safe));
    return Napi::Boolean::New(env, is_safe);
  });
}

// prepareAsync(gid, owner, catalogs): Promise<void>
Napi::Value SessionObject::prepare_async(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, state_->check_not_failed());
    THROW_IF_ERROR(env, check_no_subtransaction());
    THROW_IF_ERROR(env, check_not_waiting());
    if (!info[0].IsString() || !info[2].IsArray())
      THROW_IF_ERROR(env, bad_argument("prepared transaction"));
    Backend& backend = *state_->backend;
    PrepareRequest request;
    request.gid = info[0].As<Napi::String>().Utf8Value();
    request.owner = info[1].ToNumber().Uint32Value();
    const auto catalogs = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < catalogs.Length(); i++) {
      const Oid catalog = Napi::Value(catalogs.Get(i)).ToNumber().Uint32Value();
      request.invalidations.push_back(catalog_invalidation(backend.database(), catalog));
    }
    if (catalogs.Length() > 0)
      request.invalidations.push_back(relation_cache_invalidation(backend.database()));
    LockTable& locks = state_->locks->table();
    for (const LockEntry& held : locks.held_by(state_->locks->slot()))
      if (held.tag.type == LockTagType::relation)
        request.locks.push_back({Oid{held.tag.field2}, static_cast<int32_t>(held.level)});
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, backend.assign_xid(&xid));
    Lsn upto = invalid_lsn;
    end_of_transaction();
    THROW_IF_ERROR(env, backend.prepare(request, &upto));
    const int slot = backend.transactions().processes().slot_of(xid);
    INVARIANT(slot >= 0);
    locks.open_slot(slot, 0, 0);
    state_->locks->hand_over(slot);
    state_->explicit_transaction = false;
    return state_->core->when_durable(env, upto);
  });
}

// commit(wait: boolean): with `wait` durable when it returns, else within wal_writer_delay
Napi::Value SessionObject::commit(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, commit_transaction(info[0].ToBoolean().Value(), nullptr));
    return env.Undefined();
  });
}

// commitAsync(wait: boolean): Promise<void>, which resolves when durable, or without `wait` at once
Napi::Value SessionObject::commit_async(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    Lsn upto = invalid_lsn;
    const bool wait = info[0].ToBoolean().Value();
    THROW_IF_ERROR(env, commit_transaction(false, wait ? &upto : nullptr));
    return state_->core->when_durable(env, upto);
  });
}

// `upto`: where the log must be durable before the commit is acknowledged; null: nobody waits for that.
Status SessionObject::commit_transaction(bool flush, Lsn* upto) {
  if (!state_->explicit_transaction) {
    RETURN_IF_ERROR(check_transaction());
  }
  RETURN_IF_ERROR(state_->check_not_failed());
  RETURN_IF_ERROR(check_no_subtransaction());
  if (state_->backend) {
    RETURN_IF_ERROR(check_not_waiting());
    end_of_transaction();
    Lsn unflushed = invalid_lsn;
    RETURN_IF_ERROR(state_->backend->commit(flush, &unflushed));
    state_->locks->end_transaction();
    if (upto != nullptr)
      *upto = unflushed;
    else
      state_->core->durable_later(unflushed);
  }
  state_->explicit_transaction = false;
  return Status::ok;
}

Napi::Value SessionObject::abort(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!state_->ended)
    cancel_wait(
        env, Status::error(ErrorCode::query_canceled, "canceling statement due to user request"));
  // Rolling back what has already gone down with the session or the cluster is no error.
  if (state_->ended || !state_->core->check().is_ok() || !state_->explicit_transaction) {
    state_->explicit_transaction = false;
    state_->failed = false;
    state_->open_subtransactions.clear();
    if (!state_->ended && state_->locks && state_->core->is_open())
      state_->locks->end_transaction();
    return env.Undefined();
  }
  return call(info, 0, [&]() -> Napi::Value {
    state_->explicit_transaction = false;
    state_->failed = false;
    state_->open_subtransactions.clear();
    // Where the transaction itself failed, it is gone already.
    if (state_->backend && state_->backend->in_transaction()) {
      end_of_transaction();
      state_->backend->abort();
      state_->locks->end_transaction();
    }
    return env.Undefined();
  });
}

// fail(): the innermost level has failed; it is rolled back at once, so that nobody waits for it, and refuses all until it
// is ended by abort or abortSubtransaction
Napi::Value SessionObject::fail(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (state_->ended || !state_->core->check().is_ok() || !state_->explicit_transaction ||
      state_->failed || state_->backend == nullptr)
    return env.Undefined();
  return call(info, 0, [&]() -> Napi::Value {
    cancel_wait(
        env, Status::error(ErrorCode::query_canceled, "canceling statement due to user request"));
    state_->failed = true;
    if (state_->open_subtransactions.empty()) {
      end_of_transaction();
      // What its scans may see is not kept any longer.
      state_->transaction++;
      state_->backend->abort();
      state_->locks->end_transaction();
    } else {
      state_->writer->end_of_transaction();
      state_->finish_scans(state_->open_subtransactions.back());
      state_->backend->abort_subtransaction();
      THROW_IF_ERROR(env, state_->locks->abort_subtransaction());
    }
    return env.Undefined();
  });
}

// beginSubtransaction(readOnly: boolean)
Napi::Value SessionObject::begin_subtransaction(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    if (!state_->explicit_transaction) THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, state_->check_not_failed());
    if (state_->backend)
      THROW_IF_ERROR(env, state_->backend->begin_subtransaction(info[0].ToBoolean().Value()));
    if (state_->locks) state_->locks->begin_subtransaction();
    state_->open_subtransactions.push_back(++state_->subtransaction);
    return env.Undefined();
  });
}

// commitSubtransaction(): what the innermost one did becomes part of the one around it
Napi::Value SessionObject::commit_subtransaction(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    if (state_->open_subtransactions.empty()) THROW_IF_ERROR(env, no_subtransaction());
    THROW_IF_ERROR(env, state_->check_not_failed());
    THROW_IF_ERROR(env, check_not_waiting());
    if (state_->backend) {
      THROW_IF_ERROR(env, state_->backend->commit_subtransaction());
      state_->locks->commit_subtransaction();
    }
    state_->open_subtransactions.pop_back();
    return env.Undefined();
  });
}

// abortSubtransaction(): undoes the innermost one; its scans are closed
Napi::Value SessionObject::abort_subtransaction(const Napi::CallbackInfo& info) {
  // As with `abort`: what has gone down already needs no rolling back.
  if (state_->ended || !state_->core->check().is_ok()) return info.Env().Undefined();
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    if (state_->open_subtransactions.empty()) THROW_IF_ERROR(env, no_subtransaction());
    state_->finish_scans(state_->open_subtransactions.back());
    state_->open_subtransactions.pop_back();
    const bool gone = std::exchange(state_->failed, false);
    if (state_->backend && !gone) {
      state_->writer->end_of_transaction();
      cancel_wait(
          env, Status::error(ErrorCode::query_canceled, "canceling statement due to user request"));
      state_->backend->abort_subtransaction();
      THROW_IF_ERROR(env, state_->locks->abort_subtransaction());
    }
    return env.Undefined();
  });
}

Napi::Value SessionObject::assign_xid(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, state_->backend->assign_xid(&xid));
    return Napi::Number::New(env, value_of(xid));
  });
}

// transactionId(): number, of the whole transaction, with its epoch
Napi::Value SessionObject::transaction_id(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    Backend& backend = *state_->backend;
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, backend.assign_xid(&xid));
    const FullTransactionId full = backend.transactions().full_xid_of(backend.top_xid());
    return Napi::Number::New(env, static_cast<double>(full));
  });
}

Napi::Value SessionObject::advance_command(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, state_->backend->advance_command());
    return env.Undefined();
  });
}

Napi::Value SessionObject::oldest_xmin(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    return Napi::Number::New(env, value_of(state_->backend->transactions().oldest_xmin()));
  });
}

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
    if (RowReader(*staged.layout, staged.bytes, staged.size).rows() != 1)
      THROW_IF_ERROR(env, bad_argument("batch"));
    return run<UpdateOperation>(
        env,
        UpdateOperation(*state_->backend, *state_->writer, table, *staged.layout, staged.bytes,
                        staged.size, tid, std::move(check),
                        RowWaiter(*state_->backend, *state_->locks, *table, policy)),
        row_result<UpdateOperation>);
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

// lockRelation(oid, level, wait): boolean | Promise<boolean>
Napi::Value SessionObject::lock_relation(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    const uint32_t level = info[1].ToNumber().Uint32Value();
    if (level == 0 || level >= lock_levels_end) THROW_IF_ERROR(env, bad_argument("level"));
    const LockTag tag =
        LockTag::relation(state_->backend->database(), info[0].ToNumber().Uint32Value());
    return run<AcquireOperation>(
        env,
        AcquireOperation(*state_->locks, tag, static_cast<LockLevel>(level), LockScope::transaction,
                         info[2].ToBoolean().Value()),
        [](Napi::Env to, AcquireOperation& ended) -> Napi::Value {
          return Napi::Boolean::New(to, ended.granted());
        });
  });
}

// lockForSession(oid, level, wait): boolean | Promise<boolean>
Napi::Value SessionObject::lock_for_session(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const uint32_t level = info[1].ToNumber().Uint32Value();
    if (state_->locks == nullptr || level == 0 || level >= lock_levels_end)
      THROW_IF_ERROR(env, bad_argument("level"));
    const bool may_wait = info[2].ToBoolean().Value();
    // A session that waits for one lock does not ask for another.
    if (may_wait) THROW_IF_ERROR(env, check_not_waiting());
    if (waiting_ != nullptr) return Napi::Boolean::New(env, false);
    const LockTag tag =
        LockTag::relation(state_->backend->database(), info[0].ToNumber().Uint32Value());
    return run<AcquireOperation>(
        env,
        AcquireOperation(*state_->locks, tag, static_cast<LockLevel>(level), LockScope::session,
                         may_wait),
        [](Napi::Env to, AcquireOperation& ended) -> Napi::Value {
          return Napi::Boolean::New(to, ended.granted());
        });
  });
}

// unlockForSession(oid, level)
Napi::Value SessionObject::unlock_for_session(const Napi::CallbackInfo& info) {
  // All went with the session, if that has ended.
  if (state_->ended || state_->locks == nullptr) return info.Env().Undefined();
  return call(info, 2, [&]() -> Napi::Value {
    const LockTag tag =
        LockTag::relation(state_->backend->database(), info[0].ToNumber().Uint32Value());
    state_->locks->release(tag, static_cast<LockLevel>(info[1].ToNumber().Uint32Value()),
                           LockScope::session);
    return info.Env().Undefined();
  });
}

// cancel(): boolean, whether an operation waited
Napi::Value SessionObject::cancel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const bool cancelled =
      !state_->ended && cancel_wait(env, Status::error(ErrorCode::query_canceled,
                                                       "canceling statement due to user request"));
  return Napi::Boolean::New(env, cancelled);
}

// setLockTimeouts(lock, deadlock): milliseconds
Napi::Value SessionObject::set_lock_timeouts(const Napi::CallbackInfo& info) {
  state_->lock_timeout_ms = info[0].ToNumber().Uint32Value();
  state_->deadlock_timeout_ms = info[1].ToNumber().Uint32Value();
  return info.Env().Undefined();
}

Napi::Value SessionObject::number(const Napi::CallbackInfo& info) {
  const int slot = state_->locks ? state_->locks->slot() : -1;
  return Napi::Number::New(info.Env(), slot + 1);
}

// lookup(relation, index, keyLayout, keys, layout, batch, hits): number
Napi::Value SessionObject::lookup(const Napi::CallbackInfo& info) {
  return read(info, 7, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsNumber()) THROW_IF_ERROR(env, bad_argument("relation"));
    // One that runs outside a transaction ends before anybody else can do anything.
    if (state_->explicit_transaction) THROW_IF_ERROR(env, lock_for_reading(*table));
    const size_t index = info[1].As<Napi::Number>().Uint32Value();
    Staged keys;
    THROW_IF_ERROR(env, staged_of(*table, info[2], info[3], &keys));
    const RowReader reader(*keys.layout, keys.bytes, keys.size);
    THROW_IF_ERROR(env, reader.check());
    Staged batch;
    THROW_IF_ERROR(env, staged_of(*table, info[4], info[5], &batch));
    std::byte* hits = nullptr;
    size_t hits_size = 0;
    if (!info[6].IsUndefined() &&
        (!bytes_of(info[6], &hits, &hits_size) || hits_size < reader.rows()))
      THROW_IF_ERROR(env, bad_argument("hits"));
    RowWriter writer(*batch.layout, batch.bytes, batch.size);
    RowOutput output(*table, *batch.layout);
    uint32_t answered = 0;
    THROW_IF_ERROR(env, lookup_rows(view, *table, index, *keys.layout, reader, output, &writer,
                                    reinterpret_cast<uint8_t*>(hits), &answered));
    return Napi::Number::New(env, answered);
  });
}

// scan(relation, layout, filters, filterLayout, constants): NativeScan
Napi::Value SessionObject::scan(const Napi::CallbackInfo& info) {
  return read(info, 5, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsNumber()) THROW_IF_ERROR(env, bad_argument("relation"));
    const RowLayout* layout = table->row_layout(info[1].As<Napi::Number>().Uint32Value());
    if (layout == nullptr) THROW_IF_ERROR(env, bad_argument("layout"));
    THROW_IF_ERROR(env, lock_for_reading(*table));
    std::unique_ptr<Filter> filter;
    THROW_IF_ERROR(env, filter_of(*table, info[2], info[3], info[4], &filter));
    return ScanObject::make(
        env, state_, table, *layout,
        scan_heap(view.context, *view.snapshot, table, *layout, std::move(filter)));
  });
}

// range(relation, layout, range, boundsLayout, bounds, filters, filterLayout, constants): NativeScan
Napi::Value SessionObject::range(const Napi::CallbackInfo& info) {
  return read(info, 8, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsNumber() || !info[2].IsObject())
      THROW_IF_ERROR(env, bad_argument("relation"));
    const RowLayout* layout = table->row_layout(info[1].As<Napi::Number>().Uint32Value());
    if (layout == nullptr) THROW_IF_ERROR(env, bad_argument("layout"));
    THROW_IF_ERROR(env, lock_for_reading(*table));
    const auto object = info[2].As<Napi::Object>();
    IndexRange range;
    range.index = object.Get("index").ToNumber().Uint32Value();
    range.backward = object.Get("backward").ToBoolean().Value();
    range.lower_count = object.Get("lowerCount").ToNumber().Int32Value();
    range.lower_inclusive = object.Get("lowerInclusive").ToBoolean().Value();
    range.upper_count = object.Get("upperCount").ToNumber().Int32Value();
    range.upper_inclusive = object.Get("upperInclusive").ToBoolean().Value();
    Staged bounds;
    THROW_IF_ERROR(env, staged_of(*table, info[3], info[4], &bounds));
    const RowReader reader(*bounds.layout, bounds.bytes, bounds.size);
    THROW_IF_ERROR(env, reader.check());
    std::unique_ptr<Filter> filter;
    THROW_IF_ERROR(env, filter_of(*table, info[5], info[6], info[7], &filter));
    std::unique_ptr<TableScan> scan;
    THROW_IF_ERROR(env, scan_index(view.context, *view.snapshot, table, *layout, range,
                                   *bounds.layout, reader, std::move(filter), &scan));
    return ScanObject::make(env, state_, table, *layout, std::move(scan));
  });
}

// aggregate(relation, aggregates, filters, filterLayout, constants): (number | bigint | null)[]
Napi::Value SessionObject::aggregate(const Napi::CallbackInfo& info) {
  return read(info, 5, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr || !info[1].IsArray()) THROW_IF_ERROR(env, bad_argument("relation"));
    if (state_->explicit_transaction) THROW_IF_ERROR(env, lock_for_reading(*table));
    const auto array = info[1].As<Napi::Array>();
    std::vector<AggregateRequest> requests;
    for (uint32_t i = 0; i < array.Length(); i++) {
      const Napi::Object object = Napi::Value(array.Get(i)).ToObject();
      const std::string kind = object.Get("kind").ToString().Utf8Value();
      AggregateRequest request;
      request.kind = kind == "sum"   ? AggregateKind::sum
                     : kind == "min" ? AggregateKind::min
                     : kind == "max" ? AggregateKind::max
                     : kind == "avg" ? AggregateKind::avg
                                     : AggregateKind::count;
      request.attribute = object.Get("attribute").ToNumber().Int32Value() - 1;
      if (request.attribute >= table->natts()) THROW_IF_ERROR(env, bad_argument("attribute"));
      requests.push_back(request);
    }
    std::unique_ptr<Filter> filter;
    THROW_IF_ERROR(env, filter_of(*table, info[2], info[3], info[4], &filter));
    std::vector<AggregateValue> values;
    THROW_IF_ERROR(env, aggregate_rows(view, *table, requests, *filter, &values));
    Napi::Array result = Napi::Array::New(env, values.size());
    constexpr __int128 exact = __int128{1} << 53;
    for (uint32_t i = 0; i < values.size(); i++) {
      const AggregateValue& value = values[i];
      if (value.kind == AggregateValue::Kind::null) {
        result.Set(i, env.Null());
      } else if (value.kind == AggregateValue::Kind::real) {
        result.Set(i, Napi::Number::New(env, value.real));
      } else if (value.integer <= exact && value.integer >= -exact) {
        result.Set(i, Napi::Number::New(env, static_cast<double>(value.integer)));
      } else {
        const bool negative = value.integer < 0;
        const auto magnitude = negative ? -static_cast<unsigned __int128>(value.integer)
                                        : static_cast<unsigned __int128>(value.integer);
        const uint64_t words[2] = {static_cast<uint64_t>(magnitude),
                                   static_cast<uint64_t>(magnitude >> 64)};
        result.Set(i, Napi::BigInt::New(env, negative ? 1 : 0, 2, words));
      }
    }
    return result;
  });
}

// createStorage(locator, persistence)
Napi::Value SessionObject::create_storage(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    RelFileLocator locator;
    THROW_IF_ERROR(env, read_locator(info[0], &locator));
    const std::string persistence = info[1].ToString().Utf8Value();
    THROW_IF_ERROR(env, state_->backend->create_storage(locator, persistence == "p"));
    if (persistence == "u") THROW_IF_ERROR(env, state_->backend->create_init_fork(locator));
    return env.Undefined();
  });
}

Napi::Value SessionObject::drop_storage_at_commit(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    RelFileLocator locator;
    THROW_IF_ERROR(env, read_locator(info[0], &locator));
    state_->backend->drop_storage_at_commit(locator);
    return env.Undefined();
  });
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
    std::unique_ptr<IndexRebuild> rebuild;
    if (number == toast_index_number) {
      if (table->toast() == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
      rebuild = IndexRebuild::of_toast(*state_->backend, table, xid);
    } else {
      const auto index = static_cast<size_t>(number);
      if (number < 0 || index >= table->indexes().size() ||
          table->indexes()[index].btree == nullptr)
        THROW_IF_ERROR(env, bad_argument("index"));
      rebuild = std::make_unique<IndexRebuild>(*state_->backend, table, index, xid);
    }
    return RebuildObject::of_index(env, state_, table, std::move(rebuild));
  });
}

// logDurable(): Promise<void>
Napi::Value SessionObject::log_durable(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    return state_->core->when_durable(env,
                                      state_->core->engine().services().wal.positions().insert);
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

// writeRelationMap(db, spc, map: Uint8Array): the file's bytes
Napi::Value SessionObject::write_relation_map(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    std::byte* bytes = nullptr;
    size_t size = 0;
    if (!bytes_of(info[2], &bytes, &size)) THROW_IF_ERROR(env, bad_argument("map"));
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, state_->backend->assign_xid(&xid));
    THROW_IF_ERROR(env, pgdata::write_relation_map(
                            state_->core->engine().services(), xid,
                            {info[0].ToNumber().Uint32Value(), info[1].ToNumber().Uint32Value()},
                            {reinterpret_cast<const char*>(bytes), size}));
    return env.Undefined();
  });
}

Napi::Value SessionObject::close(const Napi::CallbackInfo& info) {
  end();
  return info.Env().Undefined();
}

}  // namespace pgdata
