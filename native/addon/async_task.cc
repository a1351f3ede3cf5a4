// run_detached: a thread, and a function that the event loop does not wait for.
#include "addon/async_task.h"

#include <memory>
#include <thread>

namespace pgdata {

namespace {

// Owned by the thread-safe function, whose end is its end.
struct Detached {
  Detached(Napi::Env env, AsyncTask::Work to_do, AsyncTask::Result then)
      : work(std::move(to_do)),
        result(std::move(then)),
        deferred(Napi::Promise::Deferred::New(env)) {}

  AsyncTask::Work work;
  AsyncTask::Result result;
  Napi::Promise::Deferred deferred;
  Status status;
  std::thread thread;
};

// Whatever runs JavaScript, or could, is refused then, and refused fatally by the C++ wrappers.
bool can_run_javascript(napi_env env) {
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  return napi_create_promise(env, &deferred, &promise) == napi_ok;
}

void settle(Napi::Env env, Napi::Function, Detached* task) {
  if (env == nullptr) return;
  const Napi::HandleScope scope(env);
  // While the environment ends, JavaScript cannot run any more.
  if (!can_run_javascript(env)) return;
  if (task->status.is_ok())
    task->deferred.Resolve(task->result ? task->result(env) : env.Undefined());
  else
    task->deferred.Reject(make_error(env, task->status));
}

}  // namespace

Napi::Promise run_detached(Napi::Env env, AsyncTask::Work work, AsyncTask::Result result) {
  auto* task = new Detached(env, std::move(work), std::move(result));
  const Napi::Promise promise = task->deferred.Promise();
  Napi::ThreadSafeFunction wake =
      Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}),
                                    "pgdata background", 0, 1, [task](Napi::Env) {
                                      task->thread.join();
                                      delete task;
                                    });
  wake.Unref(env);
  task->thread = std::thread([task, wake]() mutable {
    try {
      task->status = task->work();
    } catch (const InvariantFailure& failure) {
      task->status = Status::error(ErrorCode::internal_error, "%s", failure.what());
    }
    // Once the environment is ending, the function is no longer ours to give back.
    if (wake.BlockingCall(task, settle) != napi_closing) wake.Release();
  });
  return promise;
}

}  // namespace pgdata
