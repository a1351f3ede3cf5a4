// ClusterCore: an engine as the objects of one Node environment share it, with its commits in flight and its sessions
// that wait for locks.
//
// Lives as long as any object refers to it. Used on the JavaScript thread, except for the reports of the flush thread
// and the wait thread.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "addon/async_task.h"
#include "addon/error.h"
#include "base/invariant.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/flush_thread.h"
#include "lock/wait_thread.h"

namespace pgdata {

class SessionObject;
struct SessionState;

// Work on other threads that uses the engine: asked to stop, and waited for, before the engine is taken out.
class BackgroundWork {
 public:
  // False once the work is asked to stop; otherwise `leave` must follow.
  bool enter() {
    running_.fetch_add(1);
    if (!stopping_.load()) return true;
    leave();
    return false;
  }
  void leave() { running_.fetch_sub(1); }
  const std::atomic<bool>& stopping() const { return stopping_; }
  // `crashed`: what brought the cluster down was another process's death.
  void stop(bool crashed);
  // What who comes too late is told.
  Status refusal() const;

 private:
  std::atomic<int> running_{0};
  std::atomic<bool> crashed_{false};
  std::atomic<bool> stopping_{false};
};

class ClusterCore {
 public:
  ClusterCore(Napi::Env env, std::unique_ptr<Engine> engine);
  ~ClusterCore();
  ClusterCore(const ClusterCore&) = delete;

  // connection_does_not_exist once the cluster was closed, crash_shutdown once it is poisoned.
  Status check() const;
  Engine& engine() { return *engine_; }
  // For work on another thread, which must not assume that the engine is still open.
  std::shared_ptr<Engine> shared_engine() const { return engine_; }
  bool is_open() const { return engine_ != nullptr; }
  std::shared_ptr<BackgroundWork> background() const { return background_; }

  // A promise that resolves when the log is durable up to `upto`, for a commit of `session`.
  Napi::Promise when_durable(Napi::Env env, Lsn upto, const std::shared_ptr<SessionState>& session);

  // The log becomes durable up to `upto` within wal_writer_delay.
  void durable_later(Lsn upto) {
    if (upto != invalid_lsn) flush_thread_->request_later(upto);
  }
  // Where the ends of this environment's lock waits are announced.
  uint32_t mailbox() const { return wait_thread_->mailbox(); }
  // `session`, of that slot, waits for a lock: its `resume` is called when that has ended.
  struct WaitTimes {
    uint32_t deadlock_ms;
    uint32_t lock_ms;  // 0: none
  };
  uint64_t watch(Napi::Env env, SessionObject* session, int slot, WaitTimes times);
  // `resume` is called on this thread when `ready` is true, which is asked on another one each time that the mailbox's
  // bell rings, or with why that will not be.
  using Resume = std::function<void(Napi::Env, Status)>;
  uint64_t await(Napi::Env env, std::function<bool()> ready, Resume resume);
  void forget_wait(uint64_t ticket);

  // What other processes have told since the last call; see InvalidationQueue::read.
  bool has_invalidations() const { return engine_->invalidations().end() != heard_; }
  bool read_invalidations(std::vector<Invalidation>* messages) {
    return engine_->invalidations().read(&heard_, messages);
  }
  // What this environment's sessions tell others, its own caches know already.
  void send_invalidation(const Invalidation& message);

  // Called with each warning, as a PgError, in a turn of its own.
  void on_notice(const Napi::Function& handler) { notice_handler_ = Napi::Persistent(handler); }
  // Called once, when the death of another process brought the cluster down.
  void on_crash(const Napi::Function& handler);

  void add_session(SessionObject* session) { sessions_.push_back(session); }
  void remove_session(SessionObject* session);
  // What they have counted is added to the statistics of all.
  void flush_statistics();

  // Ends the sessions, stops the flush thread and takes the engine out, for closing it elsewhere.
  std::shared_ptr<Engine> release();

 private:
  struct Report {
    std::vector<FlushThread::Waiter> waiters;
    Status status;
  };
  struct WaitReport {
    uint64_t ticket;
    Status status;
  };
  // Where the threads leave their reports; outlives the core as long as a wake-up may be on its way.
  struct Mailbox {
    std::mutex mutex;
    std::vector<Report> reports;
    std::vector<WaitReport> wait_reports;
    std::vector<Status> notices;
    bool has_crashed = false;
    ClusterCore* core;  // null once released; JavaScript thread only
  };
  static void wake(Napi::Env env, Napi::Function, Mailbox* mailbox, void*);
  using WakeFunction = Napi::TypedThreadSafeFunction<Mailbox, void, ClusterCore::wake>;
  // Settles the promises of all commits that were reported, and goes on with those whose waits have ended.
  void settle(Napi::Env env);
  void hold_event_loop(Napi::Env env);
  void release_event_loop(Napi::Env env);

  std::shared_ptr<Engine> engine_;
  std::shared_ptr<BackgroundWork> background_ = std::make_shared<BackgroundWork>();
  Napi::Env env_;
  Mailbox* mailbox_ = nullptr;  // owned by the wake function
  WakeFunction wake_function_;
  std::unique_ptr<FlushThread> flush_thread_;
  std::unique_ptr<WaitThread> wait_thread_;
  std::unordered_map<uint64_t, Resume> waits_;
  uint64_t next_ticket_ = 0;
  uint64_t heard_ = 0;  // of the invalidation queue
  struct Commit {
    Napi::Promise::Deferred deferred;
    std::shared_ptr<SessionState> session;
  };
  std::unordered_map<uint64_t, Commit> pending_;
  std::vector<SessionObject*> sessions_;
  Napi::FunctionReference notice_handler_;
  Napi::FunctionReference crash_handler_;
};

// While it lives, this environment's thread is in a call: its process cannot die then without others knowing that it was
// inside.
class InCall {
 public:
  explicit InCall(ClusterCore& core) : engine_(core.is_open() ? core.shared_engine() : nullptr) {
    if (engine_) engine_->processes().begin_call(engine_->process());
  }
  ~InCall() {
    if (engine_ && engine_->is_open()) engine_->processes().end_call(engine_->process());
  }
  InCall(const InCall&) = delete;

 private:
  std::shared_ptr<Engine> engine_;
};

// Runs `work` on a pool thread; the cluster is not closed meanwhile. connection_does_not_exist when it is being closed
// already. A failed INVARIANT poisons the cluster.
Napi::Promise run_on_engine(Napi::Env env, const ClusterCore& core,
                            std::function<Status(Engine&)> work,
                            AsyncTask::Result result = nullptr);
// The same, without keeping the event loop alive.
Napi::Promise run_on_engine_detached(Napi::Env env, const ClusterCore& core,
                                     std::function<Status(Engine&)> work, AsyncTask::Result result);

// Runs `body`, which may fail an INVARIANT: that poisons the cluster and is thrown as internal_error.
template <typename Body>
Napi::Value guarded(Napi::Env env, ClusterCore& core, Body&& body) {
  const InCall call(core);
  try {
    Status status = core.check();
    if (!status.is_ok()) {
      throw_error(env, status);
      return env.Undefined();
    }
    return body();
  } catch (const InvariantFailure& failure) {
    Status status = Status::error(ErrorCode::internal_error, "%s", failure.what());
    if (core.is_open()) {
      // What was waited for in vain is no failure of this call.
      Status crashed = core.engine().state().check();
      if (!crashed.is_ok()) status = std::move(crashed);
      core.engine().state().poison(failure.what());
    }
    throw_error(env, status);
    return env.Undefined();
  }
}

}  // namespace pgdata
