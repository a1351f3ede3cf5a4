// run_async: work that may wait for the disk, on a thread of Node's pool, as a promise.
#pragma once

#include <napi.h>

#include <functional>
#include <utility>

#include "addon/error.h"
#include "base/invariant.h"
#include "base/status.h"

namespace pgdata {

class AsyncTask final : public Napi::AsyncWorker {
 public:
  using Work = std::function<Status()>;
  using Result = std::function<Napi::Value(Napi::Env)>;

  AsyncTask(Napi::Env env, Work work, Result result)
      : Napi::AsyncWorker(env),
        work_(std::move(work)),
        result_(std::move(result)),
        deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      status_ = work_();
    } catch (const InvariantFailure& failure) {
      status_ = Status::error(ErrorCode::internal_error, "%s", failure.what());
    }
  }
  void OnOK() override {
    const Napi::HandleScope scope(Env());
    if (!status_.is_ok()) {
      deferred_.Reject(make_error(Env(), status_));
      return;
    }
    deferred_.Resolve(result_ ? result_(Env()) : Env().Undefined());
  }

 private:
  Work work_;
  Result result_;
  Napi::Promise::Deferred deferred_;
  Status status_;
};

// Runs `work` on a pool thread, then `result` on the JavaScript thread to make what the promise resolves with.
inline Napi::Promise run_async(Napi::Env env, AsyncTask::Work work,
                               AsyncTask::Result result = nullptr) {
  auto* task = new AsyncTask(env, std::move(work), std::move(result));
  const Napi::Promise promise = task->promise();
  task->Queue();
  return promise;
}

// As run_async, on a thread of its own, which does not keep the event loop alive: the process may end while the work goes
// on, when the cluster that it is done for is closed first.
Napi::Promise run_detached(Napi::Env env, AsyncTask::Work work, AsyncTask::Result result);

}  // namespace pgdata
