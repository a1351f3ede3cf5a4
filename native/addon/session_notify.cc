// SessionObject: notifications.
#include <unistd.h>

#include <string>
#include <utility>

#include "addon/listener_object.h"
#include "addon/session_call.h"

namespace pgdata {

// notify(channel, payload): when the transaction commits
Napi::Value SessionObject::notify(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    if (!info[0].IsString() || !info[1].IsString())
      THROW_IF_ERROR(env, bad_argument("notification"));
    Notification notification{info[0].As<Napi::String>().Utf8Value(),
                              info[1].As<Napi::String>().Utf8Value()};
    THROW_IF_ERROR(env, check_notification(notification.channel, notification.payload,
                                           state_->core->engine().notifications().block_size()));
    state_->notifications.add(std::move(notification));
    return env.Undefined();
  });
}

// listen(channel): NativeListener
Napi::Value SessionObject::listen(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    if (state_->backend == nullptr)
      THROW_IF_ERROR(env, Status::error(ErrorCode::read_only_sql_transaction,
                                        "the cluster is open for reading only"));
    if (!info[0].IsString()) THROW_IF_ERROR(env, bad_argument("channel"));
    Napi::Value listener;
    THROW_IF_ERROR(
        env, ListenerObject::make(env, state_, info[0].As<Napi::String>().Utf8Value(), &listener));
    return listener;
  });
}

// Commits, and hands over what the transaction notifies, in the order of commits. Nobody waits for a disk meanwhile.
Status SessionObject::commit_and_notify(bool flush, Lsn* upto) {
  Backend& backend = *state_->backend;
  if (state_->notifications.is_empty()) return backend.commit(flush, upto);
  NotifySender sender;
  sender.database = backend.database();
  sender.xid = backend.top_xid();
  sender.pid = static_cast<uint32_t>(::getpid());
  sender.session = static_cast<uint32_t>(backend.slot()) + 1;
  Engine& engine = state_->core->engine();
  RETURN_IF_ERROR(engine.notifications().publish(sender, state_->notifications.all(),
                                                 [&] { return backend.commit(false, upto); }));
  state_->notifications.clear();
  if (flush && *upto != invalid_lsn) RETURN_IF_ERROR(engine.services().wal.flush(*upto));
  return Status::ok;
}

}  // namespace pgdata
