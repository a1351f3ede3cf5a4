// LockSession: counting, and giving back at the ends of transactions.
#include "lock/lock_session.h"

#include <algorithm>
#include <chrono>

#include "base/invariant.h"
#include "shmem/lwlock.h"

namespace pgdata {

LockSession::LockSession(LockTable& table, TransactionSystem& transactions, int slot,
                         uint32_t mailbox)
    : table_(table), transactions_(transactions), slot_(slot) {
  table_.open_slot(slot, mailbox, static_cast<uint32_t>(slot) + 1);
}

LockSession::~LockSession() {
  ClusterState& state = transactions_.state();
  state.contain([this] { cancel_wait(); });
  state.contain([this] {
    table_.release_all(slot_);
    table_.close_slot(slot_);
  });
}

bool LockSession::Held::has(LockLevel level) const {
  return std::any_of(grants.begin(), grants.end(),
                     [level](const Grant& grant) { return grant.level == level; });
}

void LockSession::add(Held& held, LockLevel level, uint32_t depth, uint32_t count) {
  for (Grant& grant : held.grants) {
    if (grant.level != level || grant.depth != depth) continue;
    grant.count += count;
    return;
  }
  held.grants.push_back({level, depth, count});
}

Status LockSession::acquire(const LockTag& tag, LockLevel level, LockScope scope, bool may_wait,
                            LockOutcome* outcome) {
  INVARIANT(!waiting_);
  const uint32_t depth = scope == LockScope::session ? 0 : depth_;
  const auto found = locks_.find(tag);
  uint32_t proclock = LockTable::none;
  if (found != locks_.end()) {
    if (found->second.has(level)) {
      add(found->second, level, depth, 1);
      *outcome = LockOutcome::granted;
      return Status::ok;
    }
    proclock = found->second.proclock;
  }
  RETURN_IF_ERROR(table_.acquire(slot_, tag, level, may_wait, &proclock, outcome));
  switch (*outcome) {
    case LockOutcome::granted: {
      Held& held = locks_[tag];
      held.proclock = proclock;
      add(held, level, depth, 1);
      break;
    }
    case LockOutcome::waiting:
      waiting_ = true;
      awaited_ = tag;
      awaited_level_ = level;
      awaited_depth_ = depth;
      break;
    case LockOutcome::not_available:
      break;
  }
  return Status::ok;
}

void LockSession::adopt(const LockTag& tag, LockLevel level, LockScope scope) {
  INVARIANT(!holds(tag));
  add(locks_[tag], level, scope == LockScope::session ? 0 : depth_, 1);
}

// The waiter takes the lock on behalf of whoever runs `xid`, and looks once more after it has queued up: if `xid`
// ended in between, its backend may have missed the note, and the waiter gives the lock back itself.
Status LockSession::await_transaction(TransactionId xid, bool may_wait, LockOutcome* outcome) {
  int owner = -1;
  RETURN_IF_ERROR(transactions_.slot_of(xid, &owner));
  if (owner < 0) {
    *outcome = LockOutcome::granted;
    return Status::ok;
  }
  INVARIANT(owner != slot_);
  if (!may_wait) {
    *outcome = LockOutcome::not_available;
    return Status::ok;
  }
  const LockTag tag = LockTag::transaction(xid);
  RETURN_IF_ERROR(table_.lock_transaction_for(owner, tag));
  Status status = acquire(tag, LockLevel::share, LockScope::transaction, true, outcome);
  int still = -1;
  Status looked = transactions_.slot_of(xid, &still);
  if (still < 0) table_.release_transaction(owner, tag);
  if (!looked.is_ok()) cancel_wait();
  RETURN_IF_ERROR(std::move(looked));
  RETURN_IF_ERROR(std::move(status));
  if (*outcome == LockOutcome::granted) release(tag, LockLevel::share, LockScope::transaction);
  return Status::ok;
}

Status LockSession::await_virtual_transaction(int owner_slot, uint32_t number, bool may_wait,
                                              LockOutcome* outcome) {
  INVARIANT(owner_slot != slot_);
  *outcome = LockOutcome::granted;
  if (table_.local_transaction(owner_slot) != number) return Status::ok;
  *outcome = LockOutcome::not_available;
  if (!may_wait) return Status::ok;
  const LockTag tag = LockTag::virtual_transaction(static_cast<uint32_t>(owner_slot) + 1, number);
  RETURN_IF_ERROR(table_.lock_transaction_for(owner_slot, tag));
  Status status = acquire(tag, LockLevel::share, LockScope::transaction, true, outcome);
  // As above.
  if (table_.local_transaction(owner_slot) != number) table_.release_transaction(owner_slot, tag);
  RETURN_IF_ERROR(std::move(status));
  if (*outcome == LockOutcome::granted) release(tag, LockLevel::share, LockScope::transaction);
  return Status::ok;
}

Status LockSession::acquire_soon(const LockTag& tag, LockLevel level, LockScope scope,
                                 int patience_ms, LockOutcome* outcome) {
  RETURN_IF_ERROR(acquire(tag, level, scope, false, outcome));
  if (*outcome == LockOutcome::granted) return Status::ok;
  Status status = acquire(tag, level, scope, true, outcome);
  if (status.code() == ErrorCode::deadlock_detected) {
    *outcome = LockOutcome::not_available;
    return Status::ok;
  }
  RETURN_IF_ERROR(std::move(status));
  if (*outcome == LockOutcome::granted) return Status::ok;
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(patience_ms);
  std::atomic<uint32_t>& bell = table_.bell_of(slot_);
  for (;;) {
    const uint32_t heard = bell.load(std::memory_order_acquire);
    if (table_.wait_state(slot_) != LockTable::WaitState::waiting) break;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0 || transactions_.state().is_poisoned()) break;
    futex_wait(&bell, heard, static_cast<int>(left));
  }
  if (table_.wait_state(slot_) == LockTable::WaitState::granted) {
    finish_wait();
    *outcome = LockOutcome::granted;
    return Status::ok;
  }
  cancel_wait();
  *outcome = LockOutcome::not_available;
  return Status::ok;
}

void LockSession::finish_wait() {
  INVARIANT(waiting_);
  waiting_ = false;
  Held& held = locks_[awaited_];
  held.proclock = table_.end_wait(slot_);
  // Of the end of a transaction only the moment matters.
  add(held, awaited_level_, awaited_depth_, 1);
  if (awaited_.is_transaction()) release(awaited_, awaited_level_, LockScope::transaction);
}

void LockSession::cancel_wait() {
  if (!waiting_) return;
  if (!table_.cancel_wait(slot_) && table_.wait_state(slot_) == LockTable::WaitState::granted) {
    const bool keeps = !awaited_.is_transaction();
    finish_wait();
    if (keeps)
      release(awaited_, awaited_level_,
              awaited_depth_ == 0 ? LockScope::session : LockScope::transaction);
  }
  waiting_ = false;
}

void LockSession::release_shared(const LockTag& tag, Held& held, LockLevel level) {
  if (!held.has(level)) table_.release(slot_, tag, level, &held.proclock);
}

bool LockSession::release(const LockTag& tag, LockLevel level, LockScope scope) {
  const auto found = locks_.find(tag);
  if (found == locks_.end()) return false;
  std::vector<Grant>& grants = found->second.grants;
  // The innermost first.
  auto chosen = grants.end();
  for (auto grant = grants.begin(); grant != grants.end(); ++grant) {
    if (grant->level != level || (grant->depth == 0) != (scope == LockScope::session)) continue;
    if (chosen == grants.end() || chosen->depth < grant->depth) chosen = grant;
  }
  if (chosen == grants.end()) return false;
  if (--chosen->count > 0) return true;
  grants.erase(chosen);
  release_shared(tag, found->second, level);
  if (grants.empty()) locks_.erase(found);
  return true;
}

bool LockSession::holds(const LockTag& tag, LockLevel level) const {
  const auto found = locks_.find(tag);
  return found != locks_.end() && found->second.has(level);
}

void LockSession::commit_subtransaction() {
  INVARIANT(depth_ > 1);
  for (auto& [tag, held] : locks_) {
    for (size_t i = 0; i < held.grants.size(); ++i) {
      if (held.grants[i].depth != depth_) continue;
      const Grant grant = held.grants[i];
      held.grants.erase(held.grants.begin() + static_cast<std::ptrdiff_t>(i--));
      add(held, grant.level, depth_ - 1, grant.count);
    }
  }
  --depth_;
}

template <typename Goes>
void LockSession::release_where(Goes&& goes) {
  for (auto at = locks_.begin(); at != locks_.end();) {
    Held& held = at->second;
    for (size_t i = 0; i < held.grants.size();) {
      const Grant grant = held.grants[i];
      if (!goes(at->first, grant)) {
        ++i;
        continue;
      }
      held.grants.erase(held.grants.begin() + static_cast<std::ptrdiff_t>(i));
      release_shared(at->first, held, grant.level);
    }
    at = held.grants.empty() ? locks_.erase(at) : std::next(at);
  }
}

void LockSession::release_from(uint32_t depth) {
  INVARIANT(depth > 0);
  release_where([depth](const LockTag&, const Grant& grant) { return grant.depth >= depth; });
}

Status LockSession::abort_subtransaction() {
  INVARIANT(depth_ > 1);
  cancel_wait();
  release_from(depth_--);
  if (!table_.is_transaction_wanted(slot_)) return Status::ok;
  for (const LockEntry& held : table_.held_by(slot_)) {
    if (held.tag.type != LockTagType::transaction || held.level != LockLevel::exclusive) continue;
    const TransactionId xid{held.tag.field1};
    bool running = false;
    RETURN_IF_ERROR(transactions_.is_in_progress(xid, &running));
    if (!running) table_.release_transaction(slot_, held.tag);
  }
  return Status::ok;
}

void LockSession::end_transaction() {
  cancel_wait();
  depth_ = 1;
  if (!locks_.empty()) release_from(1);
  table_.end_transaction(slot_);
  if (table_.is_transaction_wanted(slot_)) table_.release_transactions(slot_);
}

void LockSession::release_session_locks(LockTagType type) {
  release_where([type](const LockTag& tag, const Grant& grant) {
    return tag.type == type && grant.depth == 0;
  });
}

bool LockSession::Held::is_of(LockScope scope) const {
  return std::any_of(grants.begin(), grants.end(), [scope](const Grant& grant) {
    return (grant.depth == 0) == (scope == LockScope::session);
  });
}

Status LockSession::locks_to_prepare(std::vector<TwoPhaseLockRecord>* locks) {
  for (auto& [tag, held] : locks_) {
    // Where they are handed over.
    RETURN_IF_ERROR(table_.leave_fast_path(slot_, tag, &held.proclock));
    if (!held.is_of(LockScope::transaction)) continue;
    if (held.is_of(LockScope::session))
      return Status::error(ErrorCode::feature_not_supported,
                           "cannot PREPARE while holding both session-level and transaction-level "
                           "locks on the same object");
    uint32_t levels = 0;
    for (const Grant& grant : held.grants) levels |= bit_of(grant.level);
    for (uint32_t level = 1; level < lock_levels_end; ++level)
      if (levels >> level & 1) locks->push_back(tag.record(static_cast<LockLevel>(level)));
  }
  return Status::ok;
}

void LockSession::hand_over(int slot) {
  INVARIANT(!waiting_);
  std::vector<uint32_t> kept;
  for (auto at = locks_.begin(); at != locks_.end();) {
    const bool stays = at->second.is_of(LockScope::session);
    if (stays) kept.push_back(at->second.proclock);
    at = stays ? std::next(at) : locks_.erase(at);
  }
  // Who waits for the virtual transaction waits for nothing any more: it ends here.
  const LockTag tag = LockTag::virtual_transaction(static_cast<uint32_t>(slot_) + 1,
                                                   table_.local_transaction(slot_));
  table_.end_transaction(slot_);
  table_.release_transaction(slot_, tag);
  table_.transfer(slot_, slot, kept);
  depth_ = 1;
}

}  // namespace pgdata
