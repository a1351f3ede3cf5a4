// PreparedLookup: locks, reads and unlocks within one call.
#include "addon/prepared_lookup.h"

#include <utility>

#include "addon/session_call.h"
#include "table/table_read.h"

namespace pgdata {

namespace {

constexpr OperationName select_name("SELECT");

Napi::Value to_value(Napi::Env env, PreparedLookup::Answer answer) {
  napi_value value = nullptr;
  napi_create_int32(env, static_cast<int32_t>(answer), &value);
  return {env, value};
}

}  // namespace

PreparedLookup::PreparedLookup(const std::shared_ptr<SessionState>& session,
                               const std::shared_ptr<Table>& table, size_t index,
                               const Staged& keys, const Staged& batch)
    : session_(session),
      table_(table),
      index_(index),
      keys_(keys),
      batch_(batch),
      output_(*table, *batch.layout),
      tag_(LockTag::relation(session->backend->database(), table->definition().oid)) {}

Napi::Value PreparedLookup::make(Napi::Env env, const std::shared_ptr<SessionState>& session,
                                 const std::shared_ptr<Table>& table, size_t index,
                                 const Staged& keys, const Staged& batch,
                                 const Napi::Value& keys_buffer, const Napi::Value& batch_buffer) {
  std::unique_ptr<PreparedLookup> made(new PreparedLookup(session, table, index, keys, batch));
  made->keys_buffer_ = Napi::Reference<Napi::Value>::New(keys_buffer, 1);
  made->batch_buffer_ = Napi::Reference<Napi::Value>::New(batch_buffer, 1);
  napi_value function = nullptr;
  napi_status status = napi_create_function(env, "lookup", NAPI_AUTO_LENGTH, &PreparedLookup::call,
                                            made.get(), &function);
  if (status == napi_ok) {
    status = napi_add_finalizer(
        env, function, made.get(),
        [](napi_env, void* data, void*) { delete static_cast<PreparedLookup*>(data); }, nullptr,
        nullptr);
  }
  if (status != napi_ok)
    THROW_IF_ERROR(env, Status::error(ErrorCode::internal_error, "could not make a function"));
  // The function's from here on.
  static_cast<void>(made.release());
  return {env, function};
}

// The relation's lock for one read.
class PreparedLookup::ReadLock {
 public:
  ReadLock(ClusterState& state, LockSession& locks, const LockTag& tag)
      : state_(state), locks_(locks), tag_(tag) {}
  ~ReadLock() {
    if (is_held_) state_.contain([this] { end(); });
  }
  ReadLock(const ReadLock&) = delete;
  bool take() {
    is_held_ = locks_.table().fast_path().begin_read(locks_.slot(), tag_);
    return is_held_;
  }
  void end() {
    if (std::exchange(is_held_, false)) locks_.table().end_read(locks_.slot(), tag_);
  }

 private:
  ClusterState& state_;
  LockSession& locks_;
  const LockTag& tag_;
  bool is_held_ = false;
};

napi_value PreparedLookup::call(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  return static_cast<PreparedLookup*>(data)->run(Napi::Env(env));
}

Napi::Value PreparedLookup::run(Napi::Env env) {
  SessionState& session = *session_;
  THROW_IF_ERROR(env, session.check());
  ClusterCore& core = *session.core;
  return guarded(env, core, [&]() -> Napi::Value {
    if (session.backend == nullptr || session.lock_wait != WaitEvent::none ||
        core.has_invalidations())
      return to_value(env, Answer::not_now);
    ReadLock lock(core.engine().state(), *session.locks, tag_);
    if (session.explicit_transaction) {
      if (!session.locks->holds(tag_)) return to_value(env, Answer::not_now);
      session.last_used_ms = coarse_milliseconds();
    } else if (core.engine().is_shared() && !session.locks->holds(tag_)) {
      session.end_read();
      // Whoever had it until a moment ago has told.
      if (!lock.take() || core.has_invalidations()) return to_value(env, Answer::not_now);
    }
    const Napi::Value answer = read(env);
    lock.end();
    return answer;
  });
}

Napi::Value PreparedLookup::read(Napi::Env env) {
  SessionState& session = *session_;
  const CountingScope counting(session.counters());
  const WaitReport reporting(session.activity);
  const ToldAfterwards told(session);
  return read_visible(env, session, false, [&](const ReadView& view) -> Napi::Value {
    session.begin_operation(select_name, table_->definition().oid, true);
    const RowReader reader(*keys_.layout, keys_.bytes, keys_.size);
    THROW_IF_ERROR(env, reader.check());
    RowWriter writer(*batch_.layout, batch_.bytes, batch_.size);
    uint32_t answered = 0;
    THROW_IF_ERROR(env, lookup_rows(view, *table_, index_, *keys_.layout, reader, output_, &writer,
                                    nullptr, &answered));
    if (answered == 0) return to_value(env, Answer::too_long);
    return to_value(env, writer.rows() > 0 ? Answer::found : Answer::absent);
  });
}

}  // namespace pgdata
