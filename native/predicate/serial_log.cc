// SerialLog: entries on pages, zeroed as they come into use.
#include "predicate/serial_log.h"

#include <string>

#include "base/invariant.h"

namespace pgdata::predicate {

// Under `lock`. The pages up to the head's, from that of the oldest xmin when the first was added, are initialised.
struct SerialLog::State {
  LwLock lock;
  bool has_head_page;
  uint32_t head_page;      // the newest initialised page
  TransactionId head_xid;  // the newest that was added; invalid when nothing that was added matters
  TransactionId tail_xid;  // the oldest xmin
};

namespace {

constexpr const char* state_range = "serial log";

SlruOptions serial_options() {
  SlruOptions options;
  options.name = "serial";
  options.directory = "pg_serial";
  options.area = SlruArea::serializable;
  options.buffers = 32;
  options.durable = false;
  return options;
}

// SerialPagePrecedesLogically: by the xids that the pages hold.
bool page_precedes(uint32_t left, uint32_t right, uint32_t entries_per_page) {
  const TransactionId of_left{left * entries_per_page + 4};
  const TransactionId of_right{right * entries_per_page + 4};
  return precedes(of_left, of_right) &&
         precedes(of_left, TransactionId{value_of(of_right) + entries_per_page - 1});
}

}  // namespace

void SerialLog::plan(SegmentPlan& plan, uint32_t block_size) {
  plan.reserve(state_range, sizeof(State));
  Slru::plan(plan, serial_options(), block_size);
}

SerialLog::SerialLog(Segment& segment, StorageServices& services)
    : state_(reinterpret_cast<State*>(segment.find(state_range))),
      entries_per_page_(
          static_cast<uint32_t>(services.storage.options().block_size / sizeof(CommitSeq))),
      pages_(segment, services, serial_options()) {}

Status SerialLog::add(TransactionId xid, CommitSeq commit) {
  INVARIANT(is_normal(xid));
  const uint32_t wanted = page_of(xid);
  LwLockGuard guard(state_->lock, LockMode::exclusive);
  // The last serializable transaction has ended since the one with this xid was found among the finished ones, and has not
  // cleaned up yet. Those that come take their snapshots later, and see all that it did: nobody will ask.
  if (!is_valid(state_->tail_xid)) return Status::ok;
  const uint32_t last = 0xFFFFFFFFu / entries_per_page_;
  const auto next = [last](uint32_t page) { return page == last ? 0 : page + 1; };
  const bool is_new =
      !state_->has_head_page || page_precedes(state_->head_page, wanted, entries_per_page_);
  SlruPage page;
  if (is_new) {
    uint32_t zeroed = state_->has_head_page ? next(state_->head_page) : page_of(state_->tail_xid);
    for (uint32_t steps = 0; zeroed != wanted; ++steps) {
      INVARIANT(steps <= last);
      RETURN_IF_ERROR(pages_.zero_page(zeroed, &page));
      page.release();
      zeroed = next(zeroed);
    }
    RETURN_IF_ERROR(pages_.zero_page(wanted, &page));
    state_->has_head_page = true;
    state_->head_page = wanted;
  } else {
    const std::string what = "transaction " + std::to_string(value_of(xid));
    RETURN_IF_ERROR(pages_.lock_page(wanted, LockMode::exclusive, what.c_str(), &page));
  }
  if (!is_valid(state_->head_xid) || precedes(state_->head_xid, xid)) state_->head_xid = xid;
  reinterpret_cast<CommitSeq*>(page.bytes())[value_of(xid) % entries_per_page_] = commit;
  page.mark_dirty();
  return Status::ok;
}

Status SerialLog::find(TransactionId xid, CommitSeq* commit) {
  *commit = no_commit_seq;
  LwLockGuard guard(state_->lock, LockMode::shared);
  if (!is_valid(state_->head_xid)) return Status::ok;
  if (precedes(xid, state_->tail_xid) || precedes(state_->head_xid, xid)) return Status::ok;
  SlruPage page;
  const std::string what = "transaction " + std::to_string(value_of(xid));
  RETURN_IF_ERROR(pages_.lock_page(page_of(xid), LockMode::shared, what.c_str(), &page));
  *commit = reinterpret_cast<const CommitSeq*>(page.bytes())[value_of(xid) % entries_per_page_];
  return Status::ok;
}

Status SerialLog::truncate() {
  uint64_t cutoff = 0;
  {
    LwLockGuard guard(state_->lock, LockMode::exclusive);
    if (!state_->has_head_page) return Status::ok;
    cutoff = state_->head_page;
    const bool tail_is_before_head =
        is_valid(state_->tail_xid) &&
        page_precedes(page_of(state_->tail_xid), state_->head_page, entries_per_page_);
    if (tail_is_before_head) {
      cutoff = page_of(state_->tail_xid);
    } else if (!is_valid(state_->head_xid)) {
      // All that is there is behind the oldest snapshot: what comes next begins with new pages.
      state_->has_head_page = false;
    }
  }
  return pages_.truncate_before(cutoff, 0xFFFFFFFFu / entries_per_page_ + 1ull);
}

void SerialLog::set_oldest_xmin(TransactionId xmin) {
  LwLockGuard guard(state_->lock, LockMode::exclusive);
  // The head's page stays initialised: a later xid may lie on it.
  if (!is_valid(xmin)) state_->head_xid = invalid_transaction_id;
  state_->tail_xid = xmin;
}

}  // namespace pgdata::predicate
