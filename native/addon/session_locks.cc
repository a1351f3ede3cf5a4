// SessionObject: locks, and the ends of waits for them.
#include <utility>

#include "addon/session_call.h"

namespace pgdata {

namespace {

constexpr OperationName lock_name("LOCK TABLE");
constexpr OperationName advisory_lock_name("pg_advisory_lock");
// pg_database.
constexpr Oid database_relation_oid = 1262;

// Three arguments: the key's halves, and of how many parts it was given.
LockTag advisory_tag_of(const Napi::CallbackInfo& info, Oid database) {
  return LockTag::advisory(database, info[0].ToNumber().Uint32Value(),
                           info[1].ToNumber().Uint32Value(),
                           static_cast<uint16_t>(info[2].ToNumber().Uint32Value()));
}

LockLevel advisory_level_of(const Napi::Value& is_shared) {
  return is_shared.ToBoolean().Value() ? LockLevel::share : LockLevel::exclusive;
}

}  // namespace

// lockRelation(oid, level, wait): boolean | Promise<boolean>
Napi::Value SessionObject::lock_relation(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    const uint32_t level = info[1].ToNumber().Uint32Value();
    if (level == 0 || level >= lock_levels_end) THROW_IF_ERROR(env, bad_argument("level"));
    const Oid oid = info[0].ToNumber().Uint32Value();
    state_->begin_operation(lock_name, oid);
    const LockTag tag = LockTag::table(state_->backend->database(), oid);
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
        LockTag::table(state_->backend->database(), info[0].ToNumber().Uint32Value());
    return run<AcquireOperation>(
        env,
        AcquireOperation(*state_->locks, tag, static_cast<LockLevel>(level), LockScope::session,
                         may_wait),
        [](Napi::Env to, AcquireOperation& ended) -> Napi::Value {
          return Napi::Boolean::New(to, ended.granted());
        });
  });
}

// beginRead(oid): 0 | 1 | 2
// 0: nobody can redefine the relation before this turn of the event loop ends; 1: nobody can before `endRead`;
// 2: something has been redefined, or is just being: lockForReading tells more. A quick call: most reads make it.
Napi::Value SessionObject::begin_read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  THROW_IF_ERROR(env, state_->check());
  ClusterCore& core = *state_->core;
  const auto answer = [env](int number) { return Napi::Number::New(env, number); };
  if (core.engine().options().read_only) return answer(0);
  if (core.has_invalidations()) return answer(2);
  if (!core.engine().is_shared()) return answer(0);
  return guarded(env, core, [&]() -> Napi::Value {
    const Oid oid = info[0].ToNumber().Uint32Value();
    if (state_->locks == nullptr || waiting_ != nullptr || oid < first_normal_object_id)
      return answer(0);
    const LockTag tag = LockTag::relation(state_->backend->database(), oid);
    if (state_->locks->holds(tag)) return answer(0);
    state_->end_read();
    FastPathLocks& locks = state_->locks->table().fast_path();
    if (!locks.acquire(state_->locks->slot(), tag, LockLevel::access_share)) return answer(2);
    state_->read_locked = tag;
    // Whoever had it until a moment ago has told.
    if (!core.has_invalidations()) return answer(1);
    state_->end_read();
    return answer(2);
  });
}

// endRead()
Napi::Value SessionObject::end_read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  // All went with the session, if that has ended.
  if (state_->ended || !state_->core->check().is_ok()) return env.Undefined();
  return guarded(env, *state_->core, [&]() -> Napi::Value {
    state_->end_read();
    return env.Undefined();
  });
}

// lockForReading(oid): boolean, whether `unlockForSession` at the level of readers must follow
Napi::Value SessionObject::lock_relation_for_reading(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Oid oid = info[0].ToNumber().Uint32Value();
    // While another operation waits, the session cannot ask for a lock; that one holds the relation it works on.
    if (state_->locks == nullptr || waiting_ != nullptr || oid < first_normal_object_id)
      return Napi::Boolean::New(env, false);
    const LockTag tag = LockTag::relation(state_->backend->database(), oid);
    LockOutcome outcome{};
    THROW_IF_ERROR(env,
                   state_->locks->acquire_soon(tag, LockLevel::access_share, LockScope::session,
                                               read_lock_patience_ms, &outcome));
    if (outcome == LockOutcome::not_available)
      THROW_IF_ERROR(
          env, Status::error(ErrorCode::lock_not_available,
                             "could not obtain lock on relation with OID %u", oid)
                   .with_hint("A synchronous call does not wait long for other transactions."));
    return Napi::Boolean::New(env, true);
  });
}

// unlockForSession(oid, level)
Napi::Value SessionObject::unlock_for_session(const Napi::CallbackInfo& info) {
  // All went with the session, if that has ended.
  if (state_->ended || state_->locks == nullptr) return info.Env().Undefined();
  return call(info, 2, [&]() -> Napi::Value {
    const LockTag tag =
        LockTag::table(state_->backend->database(), info[0].ToNumber().Uint32Value());
    state_->locks->release(tag, static_cast<LockLevel>(info[1].ToNumber().Uint32Value()),
                           LockScope::session);
    return info.Env().Undefined();
  });
}

// lockDatabase(oid, level, ofSession, wait): boolean | Promise<boolean>
Napi::Value SessionObject::lock_database(const Napi::CallbackInfo& info) {
  return call(info, 4, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const uint32_t level = info[1].ToNumber().Uint32Value();
    const bool of_session = info[2].ToBoolean().Value();
    if (state_->locks == nullptr || level == 0 || level >= lock_levels_end)
      THROW_IF_ERROR(env, bad_argument("level"));
    if (!of_session) THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    const LockTag tag =
        LockTag::object(invalid_oid, database_relation_oid, info[0].ToNumber().Uint32Value(), 0);
    return run<AcquireOperation>(
        env,
        AcquireOperation(*state_->locks, tag, static_cast<LockLevel>(level),
                         of_session ? LockScope::session : LockScope::transaction,
                         info[3].ToBoolean().Value()),
        [](Napi::Env to, AcquireOperation& ended) -> Napi::Value {
          return Napi::Boolean::New(to, ended.granted());
        });
  });
}

// advisoryLock(high, low, parts, shared, ofSession, wait): boolean | Promise<boolean>
Napi::Value SessionObject::advisory_lock(const Napi::CallbackInfo& info) {
  return call(info, 6, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    state_->begin_operation(advisory_lock_name);
    return run<AcquireOperation>(
        env,
        AcquireOperation(*state_->locks, advisory_tag_of(info, state_->backend->database()),
                         advisory_level_of(info[3]),
                         info[4].ToBoolean().Value() ? LockScope::session : LockScope::transaction,
                         info[5].ToBoolean().Value()),
        [](Napi::Env to, AcquireOperation& ended) -> Napi::Value {
          return Napi::Boolean::New(to, ended.granted());
        });
  });
}

// advisoryUnlock(high, low, parts, shared): boolean, whether the session held it
Napi::Value SessionObject::advisory_unlock(const Napi::CallbackInfo& info) {
  return call(info, 4, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    return Napi::Boolean::New(
        env, state_->locks->release(advisory_tag_of(info, state_->backend->database()),
                                    advisory_level_of(info[3]), LockScope::session));
  });
}

// advisoryUnlockAll()
Napi::Value SessionObject::advisory_unlock_all(const Napi::CallbackInfo& info) {
  return call(info, 0, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    state_->locks->release_session_locks(LockTagType::advisory);
    return env.Undefined();
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

// timeOutStatement()
Napi::Value SessionObject::time_out_statement(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (state_->ended || !state_->explicit_transaction) return env.Undefined();
  if (!cancel_wait(env, statement_timed_out())) state_->timed_out = true;
  return env.Undefined();
}

Napi::Value SessionObject::end_statement(const Napi::CallbackInfo& info) {
  state_->timed_out = false;
  state_->last_used_ms = coarse_milliseconds();
  return info.Env().Undefined();
}

// idleMilliseconds(): number
Napi::Value SessionObject::idle_milliseconds(const Napi::CallbackInfo& info) {
  const uint64_t idle = waiting_ != nullptr ? 0 : coarse_milliseconds() - state_->last_used_ms;
  return Napi::Number::New(info.Env(), static_cast<double>(idle));
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

}  // namespace pgdata
