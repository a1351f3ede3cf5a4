// LogQueueObject: NativeLogQueue of src-ts/binding/native.ts, where an engine's messages for the server log wait for the
// JavaScript thread.
#pragma once

#include <napi.h>

#include <memory>

#include "base/log_message.h"
#include "base/status.h"

namespace pgdata {

class LogQueue;

class LogQueueObject final : public Napi::ObjectWrap<LogQueueObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // new NativeLogQueue(onMessages: () => void), which is called when there are any
  explicit LogQueueObject(const Napi::CallbackInfo& info);
  ~LogQueueObject() override;

  // A sink into the queue of options.log; none when it is undefined.
  static Status read(const Napi::Object& options, LogSink* sink);

 private:
  static void close_at_exit(void* queue);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  void end();

  std::shared_ptr<LogQueue> queue_;
  std::shared_ptr<LogQueue>* exit_hook_ = nullptr;
};

}  // namespace pgdata
