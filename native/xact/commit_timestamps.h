// CommitTimestampLog: when each transaction committed, and where it came from (pg_commit_ts).
//
// Kept while it is active: as track_commit_timestamp says, and in replay as the log says. An entry of one transaction:
//
//   offset  size  field    meaning
//        0     8  time     TimestampTz of its commit; 0: none is known
//        8     2  nodeid   replication origin; 0: this cluster
//
// Source: src/backend/access/transam/commit_ts.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "xact/slru.h"

namespace pgdata {

struct CommitTimestamp {
  TransactionId xid = invalid_transaction_id;
  TimestampTz time = 0;
  uint16_t origin = 0;
};

class CommitTimestampLog {
 public:
  static void plan(SegmentPlan& plan, uint32_t block_size);
  CommitTimestampLog(Segment& segment, StorageServices& services, bool read_only);

  // What a checkpoint says: those of transactions in [oldest, newest] are known. Both are invalid when none is.
  void load(TransactionId oldest, TransactionId newest);
  void limits(TransactionId* oldest, TransactionId* newest) const;

  bool is_active() const;
  // Begins to keep them, from `next_xid` on if none is known. Makes its page when the files do not have it, which is not logged:
  // whoever replays the log learns from the record of changed settings.
  Status activate(TransactionId next_xid);
  // Keeps none any more, and removes all that were kept.
  Status deactivate();

  // Makes the page of `xid` when it is the first on it, and logs that. Called before `xid` is assigned.
  Status extend(TransactionId xid);
  // Of a transaction that commits, with its subtransactions, ascending. Its commit record says the same, so this is not logged.
  Status set_tree(TransactionId xid, const std::vector<TransactionId>& children, TimestampTz time,
                  uint16_t origin);
  // `*found` is false when none is known. invalid_parameter_value for a permanent id, object_not_in_prerequisite_state when
  // they are not kept.
  Status find(TransactionId xid, CommitTimestamp* timestamp, bool* found);
  // The one that committed last since the start.
  Status last(CommitTimestamp* timestamp, bool* found);

  // Forgets those before `oldest`, and removes files; logged. Source: TruncateCommitTs.
  Status truncate(TransactionId oldest);
  // None before `oldest` may be asked for any more: comes before the commit log is truncated.
  void advance_oldest(TransactionId oldest);

  // Replay.
  Status replay_zero_page(uint64_t page);
  Status replay_truncate(uint64_t cutoff_page, TransactionId oldest);

  Slru& pages() { return pages_; }

 private:
  struct Shared;
  Status check_active() const;
  Status set_on_page(TransactionId xid, const TransactionId* children, size_t count,
                     TimestampTz time, uint16_t origin);
  uint32_t entries_per_page() const;
  uint64_t page_of(TransactionId xid) const { return value_of(xid) / entries_per_page(); }
  uint64_t page_count() const { return 0xFFFFFFFFu / entries_per_page() + 1; }

  StorageServices& services_;
  uint32_t block_size_;
  bool read_only_;
  Shared* shared_;
  Slru pages_;
};

}  // namespace pgdata
