// How the calls of a session run: checked, with failed invariants contained, with a snapshot, or with a promise when
// they have to wait.
#pragma once

#include <memory>
#include <utility>

#include "addon/relation_object.h"
#include "addon/session_object.h"
#include "shmem/wait_scope.h"
#include "statistics/counting.h"

namespace pgdata {

// At the end of a call.
class ToldAfterwards {
 public:
  explicit ToldAfterwards(SessionState& state) : state_(state) {}
  ~ToldAfterwards() { state_.tell_state(); }
  ToldAfterwards(const ToldAfterwards&) = delete;

 private:
  SessionState& state_;
};

template <typename Body>
Napi::Value SessionObject::call(const Napi::CallbackInfo& info, size_t arguments, Body&& body) {
  const Napi::Env env = info.Env();
  THROW_IF_ERROR(env, state_->check());
  return guarded(env, *state_->core, [&]() -> Napi::Value {
    if (info.Length() != arguments) THROW_IF_ERROR(env, bad_argument("number of arguments"));
    const CountingScope counting(state_->counters());
    const WaitReport reporting(state_->activity);
    const ToldAfterwards told(*state_);
    if (state_->explicit_transaction) state_->last_used_ms = coarse_milliseconds();
    return body();
  });
}

template <typename Operation>
Napi::Value SessionObject::run(Napi::Env env, Operation operation,
                               Napi::Value (*result)(Napi::Env, Operation&)) {
  Status status;
  Napi::Value value = run<Operation>(env, std::move(operation), result, &status);
  THROW_IF_ERROR(env, std::move(status));
  return value;
}

template <typename Operation>
Napi::Value SessionObject::run(Napi::Env env, Operation operation,
                               Napi::Value (*result)(Napi::Env, Operation&), Status* status) {
  bool waiting = false;
  *status = operation.step(&waiting);
  if (!status->is_ok()) return {};
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

// Calls `body` with what is visible now; outside a transaction a snapshot is taken for it alone. `may_read_newest`: of a
// relation of which transactions read the newest rows, whatever their snapshot.
template <typename Body>
Napi::Value read_visible(Napi::Env env, SessionState& state, bool may_read_newest, Body&& body) {
  if (state.backend == nullptr) {
    Snapshot everything;
    everything.all_committed = true;
    Engine& engine = state.core->engine();
    return body(ReadView{ReadContext(engine.services().pool, engine.transactions()), &everything});
  }
  if (state.explicit_transaction) THROW_IF_ERROR(env, state.check_not_failed());
  Backend& backend = *state.backend;
  const bool implicit = !backend.in_transaction();
  if (implicit) THROW_IF_ERROR(env, backend.begin(IsolationLevel::read_committed, true));
  const Snapshot* snapshot = nullptr;
  // Read committed sees the newest in any case.
  const bool reads_newest =
      may_read_newest && backend.isolation() != IsolationLevel::read_committed;
  Status status =
      reads_newest ? backend.catalog_snapshot(&snapshot) : backend.statement_snapshot(&snapshot);
  Napi::Value result = env.Undefined();
  if (status.is_ok())
    result = body(ReadView{ReadContext(backend), snapshot});
  else
    throw_error(env, status);
  // A scan that was opened keeps the transaction, and ends it.
  if (implicit && state.implicit_scans == 0) {
    Lsn upto = invalid_lsn;
    status = backend.commit(false, &upto);
    state.locks->end_transaction();
    if (!status.is_ok()) throw_error(env, status);
  } else if (!implicit) {
    state.end_statement();
  }
  return result;
}

// As `call`, with what is visible now of the relation that is the first argument.
template <typename Body>
Napi::Value SessionObject::read(const Napi::CallbackInfo& info, size_t arguments, Body&& body) {
  return call(info, arguments, [&]() -> Napi::Value {
    const bool may_read_newest = state_->backend != nullptr && state_->backend->in_transaction() &&
                                 state_->backend->isolation() != IsolationLevel::read_committed &&
                                 RelationObject::reads_newest(info[0]);
    return read_visible(info.Env(), *state_, may_read_newest, body);
  });
}

}  // namespace pgdata
