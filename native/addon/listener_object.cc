// ListenerObject: batches of notifications, or promises of them.
#include "addon/listener_object.h"

#include <utility>

#include "addon/environment.h"

namespace pgdata {

namespace {

// What is handed over at once; the rest stays in the queue.
constexpr size_t batch_bytes = 64 * 1024;

}  // namespace

Napi::Function ListenerObject::define(Napi::Env env) {
  return DefineClass(env, "NativeListener",
                     {InstanceMethod("next", &ListenerObject::next),
                      InstanceMethod("close", &ListenerObject::close)});
}

ListenerObject::ListenerObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ListenerObject>(info) {}

ListenerObject::~ListenerObject() { finish(); }

Status ListenerObject::make(Napi::Env env, std::shared_ptr<SessionState> session,
                            const std::string& channel, Napi::Value* listener) {
  ClusterCore& core = *session->core;
  NotifyQueue& queue = core.engine().notifications();
  uint32_t number = 0;
  RETURN_IF_ERROR(check_notification(channel, "", queue.block_size()));
  RETURN_IF_ERROR(queue.listen(session->backend->slot(), core.mailbox(),
                               session->backend->database(), channel, &number));
  const Napi::Object object = environment(env).listener_class.New({});
  ListenerObject* made = Unwrap(object);
  made->number_ = number;
  made->open_ = true;
  session->listeners.insert(made);
  made->session_ = std::move(session);
  *listener = object;
  return Status::ok;
}

void ListenerObject::finish() {
  if (!std::exchange(open_, false)) return;
  session_->listeners.erase(this);
  ClusterCore& core = *session_->core;
  if (core.is_open())
    core.engine().state().contain([&] { core.engine().notifications().unlisten(number_); });
  if (waiting_ == nullptr) return;
  const std::unique_ptr<Waiting> ended = std::move(waiting_);
  core.forget_wait(ended->ticket);
  const Napi::HandleScope scope(Env());
  ended->deferred.Resolve(Napi::Array::New(Env(), 0));
}

// next(): NativeNotification[] | Promise<NativeNotification[]>; an empty one when it was closed
Napi::Value ListenerObject::next(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!open_) return Napi::Array::New(env, 0);
  return guarded(env, *session_->core, [&]() -> Napi::Value {
    if (waiting_ != nullptr) THROW_IF_ERROR(env, bad_argument("second reader"));
    std::vector<ReceivedNotification> received;
    THROW_IF_ERROR(env,
                   session_->core->engine().notifications().read(number_, batch_bytes, &received));
    if (!received.empty()) return to_array(env, received);
    waiting_.reset(new Waiting{Napi::Promise::Deferred::New(env), 0});
    wait(env);
    return waiting_->deferred.Promise();
  });
}

void ListenerObject::wait(Napi::Env env) {
  const NotifyQueue& queue = session_->core->engine().notifications();
  waiting_->ticket = session_->core->await(
      env, [&queue, number = number_] { return queue.has_news(number); },
      [this](Napi::Env to, Status status) { resume(to, std::move(status)); });
}

void ListenerObject::resume(Napi::Env env, Status status) {
  if (waiting_ == nullptr) return;
  std::vector<ReceivedNotification> received;
  try {
    if (status.is_ok()) status = session_->core->check();
    if (status.is_ok())
      status = session_->core->engine().notifications().read(number_, batch_bytes, &received);
  } catch (const InvariantFailure& failure) {
    if (session_->core->is_open()) session_->core->engine().state().poison(failure.what());
    status = Status::error(ErrorCode::internal_error, "%s", failure.what());
  }
  // There may have been nothing for it among what was new.
  if (status.is_ok() && received.empty()) {
    wait(env);
    return;
  }
  const std::unique_ptr<Waiting> ended = std::move(waiting_);
  if (status.is_ok())
    ended->deferred.Resolve(to_array(env, received));
  else
    ended->deferred.Reject(make_error(env, status));
}

Napi::Array ListenerObject::to_array(Napi::Env env,
                                     const std::vector<ReceivedNotification>& received) {
  Napi::Array array = Napi::Array::New(env, received.size());
  for (uint32_t i = 0; i < received.size(); i++) {
    const ReceivedNotification& one = received[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("channel", one.notification.channel);
    object.Set("payload", one.notification.payload);
    object.Set("pid", Napi::Number::New(env, one.pid));
    object.Set("session", Napi::Number::New(env, one.session));
    array.Set(i, object);
  }
  return array;
}

Napi::Value ListenerObject::close(const Napi::CallbackInfo& info) {
  finish();
  return info.Env().Undefined();
}

}  // namespace pgdata
