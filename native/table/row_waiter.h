// RowWaiter: waiting for other transactions on the way to a row, in the manner that the caller asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/status.h"
#include "heap/row_lock.h"
#include "lock/lock_session.h"
#include "table/table.h"
#include "table/unique_check.h"
#include "xact/backend.h"

namespace pgdata {

// What to do when another transaction is in the way.
enum class WaitPolicy : uint8_t {
  wait,
  no_wait,  // fail with lock_not_available
  skip,     // leave the row out
  refuse,   // fail: the caller is synchronous and cannot wait
};

class RowWaiter {
 public:
  RowWaiter(Backend& backend, LockSession& locks, const Table& table, WaitPolicy policy)
      : backend_(&backend), locks_(&locks), table_(&table), policy_(policy) {}
  RowWaiter(RowWaiter&& other) noexcept
      : backend_(other.backend_),
        locks_(other.locks_),
        table_(other.table_),
        policy_(other.policy_),
        row_lock_(std::exchange(other.row_lock_, std::nullopt)),
        token_lock_(std::exchange(other.token_lock_, std::nullopt)) {}
  ~RowWaiter() {
    if (row_lock_ || token_lock_) backend_->services().state.contain([this] { release(); });
  }

  enum class Outcome : uint8_t {
    ready,        // look again
    waiting,      // the session waits for a lock; look again when it was granted
    would_block,  // with WaitPolicy::skip
  };
  // As the heap asked for: the row's own lock first, which is kept until `release`, then the transaction's end.
  Status wait(const RowWait& wait, ItemPointer tid, Outcome* outcome);
  Status wait_for_transaction(TransactionId xid, Outcome* outcome);
  Status wait_for_key(const KeyWait& wait, Outcome* outcome);
  // Gives back what it took to wait: the row's own lock, that of a token.
  void release();

  WaitPolicy policy() const { return policy_; }

 private:
  struct RowLock {
    LockTag tag;
    LockLevel level;
  };
  Status not_available(Outcome* outcome) const;
  Status translate(LockOutcome got, Outcome* outcome) const;

  Backend* backend_;
  LockSession* locks_;
  const Table* table_;
  WaitPolicy policy_;
  std::optional<RowLock> row_lock_;
  // Of a speculative insertion: to be had when that has ended, and of no use then.
  std::optional<LockTag> token_lock_;
};

}  // namespace pgdata
