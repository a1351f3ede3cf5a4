// ReplayedCommitTimestamps: when transactions committed, as the log says, kept in pg_commit_ts.
//
// Written around the buffers of a running cluster: pages are read when they are first needed and written by `write`.
//
//   entry, 10 bytes for each transaction: 0 8 time, 8 2 origin
//
// Source: src/backend/access/transam/commit_ts.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"

namespace pgdata {

class ReplayedCommitTimestamps {
 public:
  explicit ReplayedCommitTimestamps(StorageServices& services);

  // Whether they are kept, and of which transactions, at the checkpoint where replay begins.
  void begin(bool active, TransactionId oldest, TransactionId newest);
  // track_commit_timestamp changed. Turning it off forgets all.
  Status set_active(bool active, TransactionId next_xid);
  Status set(TransactionId xid, TimestampTz time, uint16_t origin);
  void zero_page(uint64_t page);
  Status truncate(uint64_t cutoff_page, TransactionId oldest);
  // Writes and syncs what changed.
  Status write();

  bool is_active() const { return active_; }
  TransactionId oldest() const { return oldest_; }
  TransactionId newest() const { return newest_; }

 private:
  struct Page {
    std::vector<std::byte> bytes;
    bool dirty = false;
  };
  uint32_t entries_per_page() const;
  std::string segment_path(uint64_t segment) const;
  Status page(uint64_t number, Page** found);
  template <typename Unwanted>
  Status remove_segments(Unwanted unwanted);

  StorageServices& services_;
  uint32_t block_size_;
  bool active_ = false;
  TransactionId oldest_ = invalid_transaction_id;
  TransactionId newest_ = invalid_transaction_id;
  std::map<uint64_t, Page> pages_;
};

}  // namespace pgdata
