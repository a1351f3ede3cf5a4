// ClusterCore: commits in flight, and taking the engine down.
#include "addon/cluster_core.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "addon/session_object.h"

namespace pgdata {

void BackgroundWork::stop() {
  stopping_ = true;
  while (running_.load() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

ClusterCore::ClusterCore(Napi::Env env, std::unique_ptr<Engine> engine)
    : engine_(std::move(engine)), env_(env) {
  if (engine_->options().read_only) return;
  mailbox_ = new Mailbox();
  mailbox_->core = this;
  wake_function_ = WakeFunction::New(
      env, "pgdata commit", 0, 1, mailbox_,
      [](Napi::Env, void*, Mailbox* mailbox) { delete mailbox; }, static_cast<void*>(nullptr));
  // Only commits in flight keep the event loop alive.
  wake_function_.Unref(env);
  flush_thread_ = std::make_unique<FlushThread>(
      engine_->services().wal,
      [this](std::vector<FlushThread::Waiter> waiters, Status status) {
        {
          const std::lock_guard<std::mutex> guard(mailbox_->mutex);
          mailbox_->reports.push_back({std::move(waiters), std::move(status)});
        }
        wake_function_.NonBlockingCall();
      },
      engine_->options().wal_writer_delay_ms);
}

ClusterCore::~ClusterCore() { release(); }

Status ClusterCore::check() const {
  if (engine_ == nullptr)
    return Status::error(ErrorCode::connection_does_not_exist, "the cluster is closed");
  return engine_->state().check();
}

Napi::Promise ClusterCore::when_durable(Napi::Env env, Lsn upto) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  if (upto == invalid_lsn || engine_->services().wal.flushed() >= upto) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  if (pending_.empty()) wake_function_.Ref(env);
  const uint64_t ticket = next_ticket_++;
  pending_.emplace(ticket, deferred);
  flush_thread_->request({upto, ticket});
  return deferred.Promise();
}

// On the JavaScript thread. `env` is null when the environment is being torn down.
void ClusterCore::wake(Napi::Env env, Napi::Function, Mailbox* mailbox, void*) {
  if (env == nullptr || mailbox->core == nullptr) return;
  mailbox->core->settle(env);
}

void ClusterCore::settle(Napi::Env env) {
  const Napi::HandleScope scope(env);
  std::vector<Report> reports;
  {
    const std::lock_guard<std::mutex> guard(mailbox_->mutex);
    reports.swap(mailbox_->reports);
  }
  for (const Report& report : reports) {
    for (const FlushThread::Waiter& waiter : report.waiters) {
      const auto found = pending_.find(waiter.ticket);
      if (found == pending_.end()) continue;
      if (report.status.is_ok())
        found->second.Resolve(env.Undefined());
      else
        found->second.Reject(make_error(env, report.status));
      pending_.erase(found);
    }
  }
  if (pending_.empty()) wake_function_.Unref(env);
}

void ClusterCore::remove_session(SessionObject* session) {
  sessions_.erase(std::remove(sessions_.begin(), sessions_.end(), session), sessions_.end());
}

std::shared_ptr<Engine> ClusterCore::release() {
  if (engine_ == nullptr) return nullptr;
  background_->stop();
  // Ending a session takes it off the list.
  while (!sessions_.empty()) sessions_.back()->end();
  if (flush_thread_) {
    flush_thread_.reset();
    settle(env_);
    mailbox_->core = nullptr;
    wake_function_.Release();
  }
  return std::move(engine_);
}

}  // namespace pgdata
