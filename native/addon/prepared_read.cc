// PreparedRead: locks, reads and unlocks within one call.
#include "addon/prepared_read.h"

namespace pgdata {

PreparedRead::PreparedRead(const std::shared_ptr<SessionState>& session,
                           const std::shared_ptr<Table>& table, bool heeds_sessions)
    : session_(session),
      table_(table),
      tag_(LockTag::relation(session->backend->database(), table->definition().oid)),
      heeds_sessions_(heeds_sessions) {}

Napi::Value PreparedRead::make(Napi::Env env, std::unique_ptr<PreparedRead> read,
                               const Napi::Value& keys_buffer, const Napi::Value& batch_buffer) {
  read->keys_buffer_ = Napi::Reference<Napi::Value>::New(keys_buffer, 1);
  read->batch_buffer_ = Napi::Reference<Napi::Value>::New(batch_buffer, 1);
  napi_value function = nullptr;
  napi_status status = napi_create_function(env, "read", NAPI_AUTO_LENGTH, &PreparedRead::call,
                                            read.get(), &function);
  if (status == napi_ok) {
    status = napi_add_finalizer(
        env, function, read.get(),
        [](napi_env, void* data, void*) { delete static_cast<PreparedRead*>(data); }, nullptr,
        nullptr);
  }
  if (status != napi_ok)
    THROW_IF_ERROR(env, Status::error(ErrorCode::internal_error, "could not make a function"));
  // The function's from here on.
  static_cast<void>(read.release());
  return {env, function};
}

Napi::Value PreparedRead::to_value(Napi::Env env, int32_t answer) {
  napi_value value = nullptr;
  napi_create_int32(env, answer, &value);
  return {env, value};
}

napi_value PreparedRead::call(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t count = argument_count;
  napi_value given[argument_count];
  napi_get_cb_info(env, info, &count, given, nullptr, &data);
  int32_t arguments[argument_count] = {};
  // What is no number is none.
  for (size_t i = 0; i < count && i < argument_count; i++)
    napi_get_value_int32(env, given[i], &arguments[i]);
  return static_cast<PreparedRead*>(data)->run(Napi::Env(env), arguments);
}

Napi::Value PreparedRead::run(Napi::Env env, const int32_t* arguments) {
  SessionState& session = *session_;
  THROW_IF_ERROR(env, session.check());
  ClusterCore& core = *session.core;
  return guarded(env, core, [&]() -> Napi::Value {
    const auto not_now = [env] { return to_value(env, static_cast<int32_t>(NoAnswer::not_now)); };
    if (session.backend == nullptr || session.lock_wait != WaitEvent::none ||
        core.has_invalidations())
      return not_now();
    ReadLock lock(core.engine().state(), *session.locks, tag_);
    if (session.explicit_transaction) {
      if (!session.locks->holds(tag_)) return not_now();
      session.last_used_ms = coarse_milliseconds();
    } else if ((heeds_sessions_ || core.engine().is_shared()) && !session.locks->holds(tag_)) {
      session.end_read();
      // Whoever had it until a moment ago has told.
      if (!lock.take() || core.has_invalidations()) return not_now();
    }
    const Napi::Value answer = read(env, arguments, &lock);
    lock.end();
    return answer;
  });
}

}  // namespace pgdata
