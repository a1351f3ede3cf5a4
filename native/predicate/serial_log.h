// SerialLog: pg_serial, which remembers of each committed serializable transaction that was summarised when the first
// transaction to which it has a conflict out had committed.
//
// Eight bytes an xid, on Slru pages that mean nothing after a restart. Entries exist between the oldest xmin of a
// running serializable transaction and the newest xid that was added. Source: Serial* of
// src/backend/storage/lmgr/predicate.c, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "predicate/predicate_layout.h"
#include "shmem/segment.h"
#include "xact/slru.h"

namespace pgdata::predicate {

class SerialLog {
 public:
  static void plan(SegmentPlan& plan, uint32_t block_size);
  SerialLog(Segment& segment, StorageServices& services);

  // `commit`: never_commit_seq when the transaction has no conflict out. Kept only while a serializable transaction is
  // running.
  Status add(TransactionId xid, CommitSeq commit);
  // no_commit_seq for a transaction that is not there.
  Status find(TransactionId xid, CommitSeq* commit);
  // What ended before `xmin` will not be asked for again; nothing at all when it is invalid.
  void set_oldest_xmin(TransactionId xmin);
  // Removes files of pages that are not needed.
  Status truncate();

 private:
  struct State;
  uint32_t page_of(TransactionId xid) const { return value_of(xid) / entries_per_page_; }

  State* state_;
  uint32_t entries_per_page_;
  Slru pages_;
};

}  // namespace pgdata::predicate
