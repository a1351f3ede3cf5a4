// RowWaiter: taking the locks.
#include "table/row_waiter.h"

namespace pgdata {

Status RowWaiter::not_available(Outcome* outcome) const {
  *outcome = Outcome::would_block;
  if (policy_ == WaitPolicy::skip) return Status::ok;
  Status status = Status::error(ErrorCode::lock_not_available,
                                "could not obtain lock on row in relation \"%s\"",
                                table_->definition().name.c_str());
  if (policy_ == WaitPolicy::refuse)
    status.report().hint =
        "A synchronous call does not wait for other transactions; use an asynchronous one.";
  return table_->with_names(std::move(status));
}

Status RowWaiter::translate(LockOutcome got, Outcome* outcome) const {
  switch (got) {
    case LockOutcome::granted:
      *outcome = Outcome::ready;
      return Status::ok;
    case LockOutcome::waiting:
      *outcome = Outcome::waiting;
      return Status::ok;
    case LockOutcome::not_available:
      break;
  }
  return not_available(outcome);
}

Status RowWaiter::wait(const RowWait& wait, ItemPointer tid, Outcome* outcome) {
  if (wait.takes_row_lock && !row_lock_) {
    const RowLock wanted{LockTag::tuple(backend_->database(), table_->definition().oid, tid),
                         lock_level_of(wait.mode)};
    LockOutcome got{};
    RETURN_IF_ERROR(locks_->acquire(wanted.tag, wanted.level, LockScope::transaction,
                                    policy_ == WaitPolicy::wait, &got));
    if (got != LockOutcome::not_available) row_lock_ = wanted;
    RETURN_IF_ERROR(translate(got, outcome));
    if (*outcome != Outcome::ready) return Status::ok;
  }
  return wait_for_transaction(wait.xid, outcome);
}

Status RowWaiter::wait_for_transaction(TransactionId xid, Outcome* outcome) {
  LockOutcome got{};
  RETURN_IF_ERROR(locks_->await_transaction(xid, policy_ == WaitPolicy::wait, &got));
  return translate(got, outcome);
}

// SpeculativeInsertionWait.
Status RowWaiter::wait_for_key(const KeyWait& wait, Outcome* outcome) {
  if (token_lock_) locks_->release(*token_lock_, LockLevel::share, LockScope::transaction);
  token_lock_.reset();
  if (wait.speculative_token == 0) return wait_for_transaction(wait.xid, outcome);
  const LockTag tag = LockTag::speculative_token(wait.xid, wait.speculative_token);
  LockOutcome got{};
  RETURN_IF_ERROR(locks_->acquire(tag, LockLevel::share, LockScope::transaction,
                                  policy_ == WaitPolicy::wait, &got));
  if (got != LockOutcome::not_available) token_lock_ = tag;
  return translate(got, outcome);
}

void RowWaiter::release() {
  if (token_lock_) locks_->release(*token_lock_, LockLevel::share, LockScope::transaction);
  token_lock_.reset();
  if (!row_lock_) return;
  // Nothing is held when the wait for it failed, or the transaction has ended.
  locks_->release(row_lock_->tag, row_lock_->level, LockScope::transaction);
  row_lock_.reset();
}

}  // namespace pgdata
