// MultiXactLog: which transactions a multixact stands for (pg_multixact).
//
// A multixact's members begin at an offset kept in pg_multixact/offsets, end where the next one's begin, and lie in
// pg_multixact/members in groups of four flag bytes and four transaction ids.
// Source: src/backend/access/transam/multixact.c, src/include/access/multixact.h, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <span>
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
  // Makes, and logs, the pages that `multi` and the one after it, and `count` members from `offset` on, are the first
  // to need.
  Status extend(MultiXactId multi, uint32_t offset, uint32_t count);
  // Where the members of `multi` begin; `*known` is false when its page is not there.
  Status find_offset(MultiXactId multi, uint32_t* offset, bool* known);
  // The oldest multixact that has a file; `*any` is false when there is none.
  Status oldest_kept(MultiXactId* oldest, bool* any);
  // Removes the files of members in [start_member, end_member) and of multixacts before `end`, as far as no others are in them.
  Status remove_before(MultiXactId end, uint32_t start_member, uint32_t end_member);
  uint32_t members_per_segment() const;
  // Writes the members of `multi`, and where the next one's will begin.
  Status record(MultiXactId multi, uint32_t offset, std::span<const MultiXactMember> members);
  // At start: where the members of `next` will begin, which releases before 18.2 did not write.
  Status start(MultiXactId next, uint32_t next_offset);
  Status write_all_dirty(uint64_t* written = nullptr);
  Status sync();

 private:
  Status offset_of(MultiXactId multi, uint32_t* offset);
  Status set_offset(MultiXactId multi, uint32_t offset);
  Status zero_page(Slru& pages, uint64_t page, uint8_t info);
  uint32_t offsets_per_page() const { return block_size_ / uint32_t{sizeof(uint32_t)}; }

  StorageServices& services_;
  uint32_t block_size_;
  Slru offsets_;
  Slru members_;
};

// The one after `multi`; 0 is none.
constexpr MultiXactId next_multixact(MultiXactId multi) { return multi + 1 == 0 ? 1 : multi + 1; }
constexpr bool multixact_precedes(MultiXactId left, MultiXactId right) {
  return static_cast<int32_t>(left - right) < 0;
}

}  // namespace pgdata
