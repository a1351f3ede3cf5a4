// MultiXactLog: which transactions a multixact stands for (pg_multixact).
//
// Read side: a multixact's members begin at an offset kept in pg_multixact/offsets, and lie in
// pg_multixact/members in groups of four flag bytes and four transaction ids.
// Source: src/backend/access/transam/multixact.c, src/include/access/multixact.h, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "xact/slru.h"
#include "xact/transaction_system.h"

namespace pgdata {

class MultiXactLog {
 public:
  static void plan(SegmentPlan& plan, uint32_t block_size);
  MultiXactLog(Segment& segment, StorageServices& services, bool read_only);

  Status create_first_pages();
  // The members of `multi`, which lies in [oldest, next) of `counters`; those bounds are checked.
  Status members(MultiXactId multi, const TransactionCounters& counters,
                 std::vector<MultiXactMember>* members);
  Slru& offset_pages() { return offsets_; }
  Slru& member_pages() { return members_; }
  Status write_all_dirty();
  Status sync();

 private:
  Status offset_of(MultiXactId multi, uint32_t* offset);

  uint32_t block_size_;
  Slru offsets_;
  Slru members_;
};

}  // namespace pgdata
