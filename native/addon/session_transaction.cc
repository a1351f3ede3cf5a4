// SessionObject: transactions and subtransactions.
#include <utility>
#include <vector>

#include "addon/scan_object.h"
#include "addon/session_call.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

constexpr OperationName begin_name("BEGIN");
constexpr OperationName commit_name("COMMIT");
constexpr OperationName rollback_name("ROLLBACK");
constexpr OperationName prepare_name("PREPARE TRANSACTION");
constexpr OperationName savepoint_name("SAVEPOINT");
constexpr OperationName release_name("RELEASE");
constexpr OperationName rollback_to_name("ROLLBACK TO SAVEPOINT");

Status no_subtransaction() {
  return Status::error(ErrorCode::no_active_sql_transaction, "there is no savepoint in progress");
}

}  // namespace

void SessionObject::end_of_transaction() {
  state_->writer->end_of_transaction();
  for (ScanObject* scan : state_->scans) scan->end_of_transaction(state_->transaction);
}

Status SessionObject::check_transaction() {
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

Status SessionObject::begin_transaction(IsolationLevel level, bool read_only, bool deferrable) {
  Backend& backend = *state_->backend;
  // Scans outside a transaction have snapshots of their own.
  if (backend.in_transaction()) {
    Lsn upto = invalid_lsn;
    RETURN_IF_ERROR(backend.commit(false, &upto));
  }
  RETURN_IF_ERROR(backend.begin(level, read_only, deferrable));
  state_->locks->begin_transaction();
  return Status::ok;
}

void SessionObject::transaction_began() {
  state_->explicit_transaction = true;
  state_->last_used_ms = coarse_milliseconds();
  state_->timed_out = false;
  state_->transaction++;
}

// Where the transaction itself failed, it is gone already.
void SessionObject::roll_back() {
  state_->explicit_transaction = false;
  state_->failed = false;
  state_->open_subtransactions.clear();
  state_->notifications.clear();
  if (state_->backend == nullptr || !state_->backend->in_transaction()) return;
  end_of_transaction();
  state_->backend->abort();
  state_->locks->end_transaction();
}

// begin(isolation: string, readOnly: boolean, deferrable: boolean)
Napi::Value SessionObject::begin(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const bool read_only = info[1].ToBoolean().Value();
    if (state_->explicit_transaction)
      THROW_IF_ERROR(env, Status::error(ErrorCode::active_sql_transaction,
                                        "there is already a transaction in progress"));
    state_->begin_operation(begin_name);
    if (state_->backend == nullptr) {
      if (!read_only)
        THROW_IF_ERROR(env, Status::error(ErrorCode::read_only_sql_transaction,
                                          "the cluster is open for reading only"));
    } else {
      const std::string name = info[0].ToString().Utf8Value();
      const IsolationLevel level = name == "serializable"      ? IsolationLevel::serializable
                                   : name == "repeatable read" ? IsolationLevel::repeatable_read
                                                               : IsolationLevel::read_committed;
      THROW_IF_ERROR(env, begin_transaction(level, read_only, info[2].ToBoolean().Value()));
    }
    transaction_began();
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
    if (!state_->notifications.is_empty())
      THROW_IF_ERROR(env, Status::error(ErrorCode::feature_not_supported,
                                        "cannot PREPARE a transaction that has executed LISTEN, "
                                        "UNLISTEN, or NOTIFY"));
    if (!info[0].IsString() || !info[2].IsArray())
      THROW_IF_ERROR(env, bad_argument("prepared transaction"));
    state_->begin_operation(prepare_name);
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
    THROW_IF_ERROR(env, state_->locks->locks_to_prepare(&request.locks));
    TransactionId xid = invalid_transaction_id;
    THROW_IF_ERROR(env, backend.assign_xid(&xid));
    Lsn upto = invalid_lsn;
    end_of_transaction();
    THROW_IF_ERROR(env, backend.prepare(request, &upto));
    const int slot = backend.transactions().processes().slot_of(xid);
    INVARIANT(slot >= 0);
    state_->locks->table().open_slot(slot, 0, 0);
    state_->locks->hand_over(slot);
    state_->explicit_transaction = false;
    return state_->core->when_durable(env, upto, state_);
  });
}

// commit(wait: boolean): with `wait` durable when it returns, else within wal_writer_delay
Napi::Value SessionObject::commit(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    state_->begin_operation(commit_name);
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
    state_->begin_operation(commit_name);
    THROW_IF_ERROR(env, commit_transaction(false, wait ? &upto : nullptr));
    return state_->core->when_durable(env, upto, state_);
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
    if (flush) state_->tell_wait(WaitEvent::wal_sync);
    end_of_transaction();
    Lsn unflushed = invalid_lsn;
    RETURN_IF_ERROR(commit_and_notify(flush, &unflushed));
    if (std::exchange(state_->defines, false)) {
      const RelFileLocator database{0, state_->backend->database(), invalid_oid};
      state_->core->send_invalidation({Invalidation::Kind::catalogs, database, invalid_oid});
    }
    state_->locks->end_transaction();
    if (upto != nullptr)
      *upto = unflushed;
    else
      state_->core->durable_later(unflushed);
  }
  state_->explicit_transaction = false;
  return Status::ok;
}

// willDefine(): the open transaction is going to change catalogs, which others are told when it commits
Napi::Value SessionObject::will_define(const Napi::CallbackInfo& info) {
  state_->defines = true;
  return info.Env().Undefined();
}

Napi::Value SessionObject::abort(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  state_->defines = false;
  if (!state_->ended)
    cancel_wait(
        env, Status::error(ErrorCode::query_canceled, "canceling statement due to user request"));
  // Rolling back what has already gone down with the session or the cluster is no error.
  if (state_->ended || !state_->core->check().is_ok() || !state_->explicit_transaction) {
    state_->explicit_transaction = false;
    state_->failed = false;
    state_->open_subtransactions.clear();
    state_->notifications.clear();
    if (!state_->ended && state_->locks && state_->core->is_open())
      state_->locks->end_transaction();
    return env.Undefined();
  }
  return call(info, 0, [&]() -> Napi::Value {
    state_->begin_operation(rollback_name);
    roll_back();
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
    state_->begin_operation(savepoint_name);
    if (state_->backend)
      THROW_IF_ERROR(env, state_->backend->begin_subtransaction(info[0].ToBoolean().Value()));
    if (state_->locks) state_->locks->begin_subtransaction();
    state_->notifications.begin_subtransaction();
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
    state_->begin_operation(release_name);
    if (state_->backend) {
      THROW_IF_ERROR(env, state_->backend->commit_subtransaction());
      state_->locks->commit_subtransaction();
    }
    state_->notifications.commit_subtransaction();
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
    state_->begin_operation(rollback_to_name);
    state_->finish_scans(state_->open_subtransactions.back());
    state_->open_subtransactions.pop_back();
    state_->notifications.abort_subtransaction();
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

}  // namespace pgdata
