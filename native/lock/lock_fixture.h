// What tests of locks use: a small cluster, a lock table, and backends with their lock sessions.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "lock/lock_session.h"
#include "lock/lock_table.h"
#include "lock/wait_thread.h"
#include "xact/test_cluster.h"

namespace pgdata::test {

class LockFixture {
 public:
  explicit LockFixture(uint32_t slots = 16, uint32_t locks_each = 64) {
    LockTableOptions options;
    options.slots = slots;
    options.max_locks_per_transaction = locks_each;
    TestClusterOptions cluster_options;
    cluster_options.backends = slots;
    cluster_ = std::make_unique<TestCluster>(cluster_options);
    SegmentPlan plan;
    LockTable::plan(plan, options);
    TestCluster::must(Segment::create("", plan, &segment_));
    table_ = std::make_unique<LockTable>(*segment_, options);
    TestCluster::must(WaitThread::create(
        *table_, cluster_->state(),
        [this](uint64_t ticket, Status status) {
          const std::lock_guard<std::mutex> guard(mutex_);
          reports_.emplace(ticket, std::move(status));
          reported_.notify_all();
        },
        &thread_));
  }

  struct Session {
    std::unique_ptr<Backend> backend;
    std::unique_ptr<LockSession> locks;
    uint64_t ticket = 0;

    TransactionId begin() {
      TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
      TransactionId xid;
      TestCluster::must(backend->assign_xid(&xid));
      return xid;
    }
    void commit() {
      TestCluster::must(backend->commit(true, nullptr));
      locks->end_transaction();
    }
    void abort() {
      backend->abort();
      locks->end_transaction();
    }
  };

  Session session() {
    Session made;
    made.backend = cluster_->backend();
    made.locks = std::make_unique<LockSession>(*table_, cluster_->transactions(),
                                               made.backend->slot(), thread_->mailbox());
    return made;
  }

  // Acquires; when that means waiting, the wait is watched.
  LockOutcome acquire(Session& session, const LockTag& tag, LockLevel level,
                      uint32_t deadlock_timeout_ms = 1000, uint32_t lock_timeout_ms = 0) {
    LockOutcome outcome{};
    TestCluster::must(session.locks->acquire(tag, level, LockScope::transaction, true, &outcome));
    if (outcome == LockOutcome::waiting) watch(session, deadlock_timeout_ms, lock_timeout_ms);
    return outcome;
  }
  void watch(Session& session, uint32_t deadlock_timeout_ms = 1000, uint32_t lock_timeout_ms = 0) {
    session.ticket = ++tickets_;
    thread_->watch(session.ticket, session.locks->slot(), deadlock_timeout_ms, lock_timeout_ms);
  }
  // How the session's wait ended.
  Status result(Session& session) {
    std::unique_lock<std::mutex> lock(mutex_);
    reported_.wait(lock, [&] { return reports_.contains(session.ticket); });
    auto node = reports_.extract(session.ticket);
    if (node.mapped().is_ok())
      session.locks->finish_wait();
    else
      session.locks->cancel_wait();
    return std::move(node.mapped());
  }
  bool still_waits(const Session& session) const {
    return table_->wait_state(session.locks->slot()) == LockTable::WaitState::waiting;
  }

  TestCluster& cluster() { return *cluster_; }
  LockTable& table() { return *table_; }
  WaitThread& thread() { return *thread_; }

 private:
  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<Segment> segment_;
  std::unique_ptr<LockTable> table_;
  std::mutex mutex_;
  std::condition_variable reported_;
  std::map<uint64_t, Status> reports_;
  std::atomic<uint64_t> tickets_{0};
  std::unique_ptr<WaitThread> thread_;
};

}  // namespace pgdata::test
