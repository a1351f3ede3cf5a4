// ClusterCore: commits in flight, lock waits, and taking the engine down.
#include "addon/cluster_core.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "addon/session_object.h"

namespace pgdata {

void BackgroundWork::stop(bool crashed) {
  crashed_ = crashed;
  stopping_ = true;
  while (running_.load() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

Status BackgroundWork::refusal() const {
  if (crashed_)
    return Status::error(ErrorCode::crash_shutdown, "the cluster has crashed")
        .with_hint("Connect again.");
  return Status::error(ErrorCode::connection_does_not_exist, "the cluster is closed");
}

ClusterCore::ClusterCore(Napi::Env env, std::unique_ptr<Engine> engine)
    : engine_(std::move(engine)), env_(env) {
  if (engine_->options().read_only) return;
  heard_ = engine_->invalidations().end();
  mailbox_ = new Mailbox();
  mailbox_->core = this;
  wake_function_ = WakeFunction::New(
      env, "pgdata commit", 0, 1, mailbox_,
      [](Napi::Env, void*, Mailbox* mailbox) { delete mailbox; }, static_cast<void*>(nullptr));
  // Only commits in flight and lock waits keep the event loop alive.
  wake_function_.Unref(env);
  flush_thread_ = std::make_unique<FlushThread>(
      engine_->services().wal, *engine_->statistics(),
      [this](std::vector<FlushThread::Waiter> waiters, Status status) {
        {
          const std::lock_guard<std::mutex> guard(mailbox_->mutex);
          mailbox_->reports.push_back({std::move(waiters), std::move(status)});
        }
        wake_function_.NonBlockingCall();
      },
      engine_->options().wal_writer_delay_ms, engine_->options().wal_writer_flush_after_bytes);
  const Status status = WaitThread::create(
      engine_->locks(), engine_->state(),
      [this](uint64_t ticket, Status ended) {
        if (ended.code() == ErrorCode::deadlock_detected)
          engine_->log().write(LogSeverity::error, "client backend", ended.report());
        {
          const std::lock_guard<std::mutex> guard(mailbox_->mutex);
          mailbox_->wait_reports.push_back({ticket, std::move(ended)});
        }
        wake_function_.NonBlockingCall();
      },
      &wait_thread_);
  // There are as many mailboxes as there can be processes.
  INVARIANT(status.is_ok());
  if (engine_->options().log_lock_waits && engine_->log().is_wanted()) {
    wait_thread_->on_long_wait([&log = engine_->log()](const ErrorReport& report) {
      log.write(LogSeverity::log, "client backend", report);
    });
  }
  engine_->transactions().on_notice([this](Status notice) {
    {
      const std::lock_guard<std::mutex> guard(mailbox_->mutex);
      mailbox_->notices.push_back(std::move(notice));
    }
    wake_function_.NonBlockingCall();
  });
}

void ClusterCore::on_crash(const Napi::Function& handler) {
  crash_handler_ = Napi::Persistent(handler);
  engine_->on_crash([this] {
    {
      const std::lock_guard<std::mutex> guard(mailbox_->mutex);
      mailbox_->has_crashed = true;
    }
    wake_function_.NonBlockingCall();
  });
}

uint64_t ClusterCore::watch(Napi::Env env, SessionObject* session, int slot, WaitTimes times) {
  hold_event_loop(env);
  const uint64_t ticket = next_ticket_++;
  waits_.emplace(
      ticket, [session](Napi::Env to, Status status) { session->resume(to, std::move(status)); });
  wait_thread_->watch(ticket, slot, times.deadlock_ms, times.lock_ms);
  return ticket;
}

uint64_t ClusterCore::await(Napi::Env env, std::function<bool()> ready, Resume resume) {
  hold_event_loop(env);
  const uint64_t ticket = next_ticket_++;
  waits_.emplace(ticket, std::move(resume));
  wait_thread_->await(ticket, std::move(ready));
  return ticket;
}

void ClusterCore::forget_wait(uint64_t ticket) {
  if (waits_.erase(ticket) == 0) return;
  if (wait_thread_) wait_thread_->forget(ticket);
  release_event_loop(env_);
}

void ClusterCore::hold_event_loop(Napi::Env env) {
  if (pending_.empty() && waits_.empty()) wake_function_.Ref(env);
}

void ClusterCore::release_event_loop(Napi::Env env) {
  if (pending_.empty() && waits_.empty()) wake_function_.Unref(env);
}

ClusterCore::~ClusterCore() { release(); }

Status ClusterCore::check() const {
  if (engine_ == nullptr) return background_->refusal();
  return engine_->state().check();
}

Napi::Promise ClusterCore::when_durable(Napi::Env env, Lsn upto,
                                        const std::shared_ptr<SessionState>& session) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  if (upto == invalid_lsn || engine_->services().wal.flushed() >= upto) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  hold_event_loop(env);
  const uint64_t ticket = next_ticket_++;
  pending_.emplace(ticket, Commit{deferred, session});
  session->commits_in_flight++;
  const SessionCounters* const counters = session->counters();
  flush_thread_->request({upto, ticket, counters != nullptr && counters->is_timed(IoObject::wal)});
  return deferred.Promise();
}

// On the JavaScript thread. `env` is null when the environment is being torn down.
void ClusterCore::wake(Napi::Env env, Napi::Function, Mailbox* mailbox, void*) {
  if (env == nullptr || mailbox->core == nullptr) return;
  mailbox->core->settle(env);
}

void ClusterCore::settle(Napi::Env env) {
  const Napi::HandleScope scope(env);
  const InCall call(*this);
  std::vector<Report> reports;
  std::vector<WaitReport> wait_reports;
  std::vector<Status> notices;
  bool has_crashed = false;
  {
    const std::lock_guard<std::mutex> guard(mailbox_->mutex);
    std::swap(has_crashed, mailbox_->has_crashed);
    notices.swap(mailbox_->notices);
    reports.swap(mailbox_->reports);
    wait_reports.swap(mailbox_->wait_reports);
  }
  for (const Report& report : reports) {
    for (const FlushThread::Waiter& waiter : report.waiters) {
      const auto found = pending_.find(waiter.ticket);
      if (found == pending_.end()) continue;
      const Commit& commit = found->second;
      if (report.status.is_ok())
        commit.deferred.Resolve(env.Undefined());
      else
        commit.deferred.Reject(make_error(env, report.status));
      if (--commit.session->commits_in_flight == 0) commit.session->tell_state();
      pending_.erase(found);
    }
  }
  for (WaitReport& report : wait_reports) {
    const auto found = waits_.find(report.ticket);
    if (found == waits_.end()) continue;
    const Resume resume = std::move(found->second);
    waits_.erase(found);
    resume(env, std::move(report.status));
  }
  release_event_loop(env);
  for (const Status& notice : notices) {
    if (!notice_handler_.IsEmpty()) notice_handler_.Call({make_error(env, notice)});
  }
  if (has_crashed && !crash_handler_.IsEmpty()) crash_handler_.Call({});
}

void ClusterCore::send_invalidation(const Invalidation& message) {
  if (!engine_->is_shared()) return;
  const bool is_next = !has_invalidations();
  engine_->invalidations().send(message);
  // Unless somebody else sent something in between.
  if (is_next && engine_->invalidations().end() == heard_ + 1) heard_++;
}

void ClusterCore::remove_session(SessionObject* session) {
  sessions_.erase(std::remove(sessions_.begin(), sessions_.end(), session), sessions_.end());
}

void ClusterCore::flush_statistics() {
  for (SessionObject* session : sessions_) session->flush_statistics();
}

std::shared_ptr<Engine> ClusterCore::release() {
  if (engine_ == nullptr) return nullptr;
  background_->stop(engine_->state().needs_restart());
  const InCall call(*this);
  if (flush_thread_) {
    engine_->transactions().on_notice(nullptr);
    engine_->on_crash(nullptr);
  }
  // Ending a session takes it off the list.
  while (!sessions_.empty()) sessions_.back()->end();
  wait_thread_.reset();
  if (flush_thread_) {
    flush_thread_.reset();
    settle(env_);
    notice_handler_.Reset();
    crash_handler_.Reset();
    mailbox_->core = nullptr;
    wake_function_.Release();
  }
  return std::move(engine_);
}

namespace {

// While it lives, the cluster is not closed.
class Entered {
 public:
  explicit Entered(BackgroundWork& work) : work_(work), entered_(work.enter()) {}
  ~Entered() {
    if (entered_) work_.leave();
  }
  Entered(const Entered&) = delete;
  explicit operator bool() const { return entered_; }

 private:
  BackgroundWork& work_;
  bool entered_;
};

}  // namespace

namespace {

AsyncTask::Work on_engine(const ClusterCore& core, std::function<Status(Engine&)> work) {
  return [engine = core.shared_engine(), background = core.background(), work = std::move(work)] {
    const Entered entered(*background);
    if (!entered) return background->refusal();
    Status status;
    const bool is_whole = engine->state().contain([&] { status = work(*engine); });
    return is_whole ? std::move(status) : engine->state().check();
  };
}

}  // namespace

Napi::Promise run_on_engine(Napi::Env env, const ClusterCore& core,
                            std::function<Status(Engine&)> work, AsyncTask::Result result) {
  return run_async(env, on_engine(core, std::move(work)), std::move(result));
}

Napi::Promise run_on_engine_detached(Napi::Env env, const ClusterCore& core,
                                     std::function<Status(Engine&)> work,
                                     AsyncTask::Result result) {
  return run_detached(env, on_engine(core, std::move(work)), std::move(result));
}

}  // namespace pgdata
