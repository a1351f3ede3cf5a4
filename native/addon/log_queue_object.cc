// LogQueueObject: messages out of any thread.
#include "addon/log_queue_object.h"

#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/error.h"

namespace pgdata {

namespace {

// More than that means that the JavaScript thread is stuck; the oldest are the ones that say why.
constexpr size_t messages_max = 10000;

constexpr const char* severity_names[] = {"LOG", "WARNING", "ERROR", "PANIC"};

}  // namespace

class LogQueue {
 public:
  struct Entry {
    LogMessage message;
    double time;  // milliseconds since 1970
  };

  static void wake(Napi::Env env, Napi::Function on_messages, std::shared_ptr<LogQueue>*, void*) {
    if (env != nullptr) on_messages.Call({});
  }
  using Wake = Napi::TypedThreadSafeFunction<std::shared_ptr<LogQueue>, void, LogQueue::wake>;

  void begin(const Wake& wake) { wake_ = wake; }

  void push(LogMessage message) {
    const std::chrono::duration<double, std::milli> now =
        std::chrono::system_clock::now().time_since_epoch();
    const std::lock_guard<std::mutex> guard(mutex_);
    if (is_closed_ || entries_.size() >= messages_max) return;
    entries_.push_back({std::move(message), now.count()});
    // Otherwise somebody is on the way already.
    if (entries_.size() == 1) wake_.NonBlockingCall();
  }

  std::vector<Entry> take() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return std::exchange(entries_, {});
  }

  void close() {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!std::exchange(is_closed_, true)) wake_.Release();
  }

 private:
  std::mutex mutex_;
  std::vector<Entry> entries_;
  Wake wake_;
  bool is_closed_ = false;
};

Napi::Function LogQueueObject::define(Napi::Env env) {
  return DefineClass(env, "NativeLogQueue",
                     {
                         InstanceMethod("take", &LogQueueObject::take),
                         InstanceMethod("close", &LogQueueObject::close),
                     });
}

LogQueueObject::LogQueueObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<LogQueueObject>(info), queue_(std::make_shared<LogQueue>()) {
  const Napi::Env env = info.Env();
  if (!info[0].IsFunction()) {
    throw_error(env, bad_argument("onMessages"));
    return;
  }
  LogQueue::Wake wake = LogQueue::Wake::New(
      env, info[0].As<Napi::Function>(), "pgdata log", 0, 1, new std::shared_ptr<LogQueue>(queue_),
      [](Napi::Env, void*, std::shared_ptr<LogQueue>* queue) { delete queue; },
      static_cast<void*>(nullptr));
  // A log keeps no process alive.
  wake.Unref(env);
  queue_->begin(wake);
  exit_hook_ = new std::shared_ptr<LogQueue>(queue_);
  napi_add_env_cleanup_hook(env, &LogQueueObject::close_at_exit, exit_hook_);
}

LogQueueObject::~LogQueueObject() { end(); }

void LogQueueObject::close_at_exit(void* queue) {
  (*static_cast<std::shared_ptr<LogQueue>*>(queue))->close();
}

void LogQueueObject::end() {
  if (exit_hook_ == nullptr) return;
  napi_remove_env_cleanup_hook(Env(), &LogQueueObject::close_at_exit, exit_hook_);
  delete std::exchange(exit_hook_, nullptr);
  queue_->close();
}

Status LogQueueObject::read(const Napi::Object& options, LogSink* sink) {
  const Napi::Value log = options.Get("log");
  if (log.IsUndefined()) return Status::ok;
  if (!log.IsObject() ||
      !log.As<Napi::Object>().InstanceOf(environment(options.Env()).log_queue_class.Value()))
    return bad_argument("log");
  *sink = [queue = Unwrap(log.As<Napi::Object>())->queue_](LogMessage message) {
    queue->push(std::move(message));
  };
  return Status::ok;
}

// take(): NativeLogMessage[]
Napi::Value LogQueueObject::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<LogQueue::Entry> entries = queue_->take();
  const Napi::Array result = Napi::Array::New(env, entries.size());
  for (uint32_t i = 0; i < entries.size(); i++) {
    const auto& [message, time] = entries[i];
    const ErrorReport& report = message.report;
    const Napi::Object object = Napi::Object::New(env);
    object.Set("severity", severity_names[static_cast<size_t>(message.severity)]);
    object.Set("backendType", message.backend_type);
    object.Set("code", sqlstate_of(report.code));
    object.Set("message", report.message);
    if (!report.detail.empty()) object.Set("detail", report.detail);
    if (!report.hint.empty()) object.Set("hint", report.hint);
    object.Set("time", Napi::Number::New(env, time));
    result.Set(i, object);
  }
  return result;
}

// close(): what comes afterwards is dropped
Napi::Value LogQueueObject::close(const Napi::CallbackInfo& info) {
  end();
  return info.Env().Undefined();
}

}  // namespace pgdata
