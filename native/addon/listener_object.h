// ListenerObject: NativeListener of src-ts/binding/native.ts, a channel that a session listens to.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "addon/session_object.h"
#include "notify/notify_queue.h"

namespace pgdata {

class ListenerObject final : public Napi::ObjectWrap<ListenerObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ListenerObject(const Napi::CallbackInfo& info);
  ~ListenerObject() override;

  static Status make(Napi::Env env, std::shared_ptr<SessionState> session,
                     const std::string& channel, Napi::Value* listener);
  // Hears nothing more, and tells so whoever waits for it; the object stays, empty.
  void finish();

 private:
  Napi::Value next(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  // The wait for something to read has ended.
  void resume(Napi::Env env, Status status);
  void wait(Napi::Env env);
  Napi::Array to_array(Napi::Env env, const std::vector<ReceivedNotification>& received);

  struct Waiting {
    Napi::Promise::Deferred deferred;
    uint64_t ticket;
  };
  std::shared_ptr<SessionState> session_;
  bool open_ = false;
  uint32_t number_ = 0;
  std::unique_ptr<Waiting> waiting_;
};

}  // namespace pgdata
