// SessionObject: a statement that is a transaction of its own, in one call.
#include <utility>

#include "addon/session_arguments.h"
#include "addon/session_call.h"
#include "table/table_operation.h"

namespace pgdata {

namespace {

constexpr OperationName insert_name("INSERT");

// When the commit is acknowledged.
enum class Acknowledged : uint32_t {
  durable = 0,   // and only then does the call return
  promised = 1,  // by the promise that is returned, when it is durable
  at_once = 2,   // durable within wal_writer_delay
};

Napi::Value rows_inserted(Napi::Env env, InsertOperation& operation) {
  return Napi::Number::New(env, static_cast<double>(operation.inserted()));
}

}  // namespace

// insertAlone(relation, layout, batch, acknowledged, mayWait): true or Promise<void> once it is committed; else what is left to
// do: false, all; null, all in the transaction that was begun; [Promise<number>], waiting for that, and committing.
Napi::Value SessionObject::insert_alone(const Napi::CallbackInfo& info) {
  return call(info, 5, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    ClusterCore& core = *state_->core;
    if (state_->backend == nullptr || state_->explicit_transaction || waiting_ != nullptr ||
        state_->backend->in_transaction())
      return Napi::Boolean::New(env, false);
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    Staged staged;
    THROW_IF_ERROR(env, staged_of(*table, info[1], info[2], &staged));
    const uint32_t how = info[3].ToNumber().Uint32Value();
    if (how > static_cast<uint32_t>(Acknowledged::at_once))
      THROW_IF_ERROR(env, bad_argument("acknowledged"));
    const auto acknowledged = static_cast<Acknowledged>(how);
    const bool may_wait = info[4].ToBoolean().Value();
    const Oid oid = table->definition().oid;
    state_->begin_operation(insert_name, oid);
    THROW_IF_ERROR(env, begin_transaction(IsolationLevel::read_committed, false, false));
    transaction_began();
    const LockTag tag = LockTag::table(state_->backend->database(), oid);
    LockOutcome outcome{};
    Status status = state_->locks->acquire(tag, LockLevel::row_exclusive, LockScope::transaction,
                                           false, &outcome);
    // Whoever had the lock until a moment ago has told what is different now.
    if (status.is_ok() && (outcome == LockOutcome::not_available || core.has_invalidations()))
      return env.Null();
    if (status.is_ok()) {
      const RowReader reader(*staged.layout, staged.bytes, staged.size);
      const WaitPolicy policy = may_wait ? WaitPolicy::wait : WaitPolicy::refuse;
      InsertOperation operation(*state_->writer, table,
                                RowWaiter(*state_->backend, *state_->locks, *table, policy));
      status = operation.begin(*staged.layout, reader, false);
      Napi::Value inserted;
      if (status.is_ok())
        inserted = run<InsertOperation>(env, std::move(operation), rows_inserted, &status);
      if (status.is_ok() && waiting_ != nullptr) {
        auto under_way = Napi::Array::New(env, 1);
        under_way[0u] = inserted;
        return under_way;
      }
    }
    Lsn upto = invalid_lsn;
    if (status.is_ok())
      status = commit_transaction(acknowledged == Acknowledged::durable,
                                  acknowledged == Acknowledged::promised ? &upto : nullptr);
    if (!status.is_ok()) {
      roll_back();
      THROW_IF_ERROR(env, std::move(status));
    }
    if (acknowledged == Acknowledged::promised) return core.when_durable(env, upto, state_);
    return Napi::Boolean::New(env, true);
  });
}

}  // namespace pgdata
