// LockingOperation: something of one session that may have to wait for locks, and goes on when they are granted.
#pragma once

#include "base/status.h"
#include "lock/lock_session.h"

namespace pgdata {

class LockingOperation {
 public:
  virtual ~LockingOperation() = default;
  // Goes as far as it can. `*waiting`: not to the end, the session waits for a lock; called again when it was granted
  // (after LockSession::finish_wait). An error ends the operation.
  virtual Status step(bool* waiting) = 0;
  // The buffers that the caller gave are about to go; called before the caller lets go with the operation waiting.
  virtual void detach() {}
};

// Takes one lock. `granted` is false when it was not to be had at once and that was asked for.
class AcquireOperation final : public LockingOperation {
 public:
  AcquireOperation(LockSession& locks, const LockTag& tag, LockLevel level, LockScope scope,
                   bool may_wait)
      : locks_(locks), tag_(tag), level_(level), scope_(scope), may_wait_(may_wait) {}
  Status step(bool* waiting) override {
    *waiting = false;
    if (asked_) return Status::ok;
    asked_ = true;
    LockOutcome outcome{};
    RETURN_IF_ERROR(locks_.acquire(tag_, level_, scope_, may_wait_, &outcome));
    *waiting = outcome == LockOutcome::waiting;
    granted_ = outcome != LockOutcome::not_available;
    return Status::ok;
  }
  bool granted() const { return granted_; }

 private:
  LockSession& locks_;
  LockTag tag_;
  LockLevel level_;
  LockScope scope_;
  bool may_wait_;
  bool asked_ = false;
  bool granted_ = false;
};

}  // namespace pgdata
