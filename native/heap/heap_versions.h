// HeapVersions: all row versions of a table that somebody may still see, page by page, whatever the snapshot.
//
// For who builds an index or rewrites the table, and has locked out everybody that could change it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "heap/visibility.h"

namespace pgdata {

struct HeapVersion {
  HeapTuple tuple;
  // Where the HOT chain of the tuple begins; the tuple itself where it is in none.
  OffsetNumber root = invalid_offset_number;
  VacuumVerdict verdict = VacuumVerdict::dead;
  // Its successor is heap-only, on the same page.
  bool hot_updated = false;
};

class HeapVersions {
 public:
  // What was deleted before `oldest_xmin` is dead.
  HeapVersions(const ReadContext& context, const HeapRelation& relation, TransactionId oldest_xmin);

  Status begin();
  // Goes to the next page; false in `*found` after the last one. The tuples of the page before are gone then.
  Status next_page(bool* found);
  // Goes to the page of that number, where it may be already.
  Status go_to(BlockNumber block);
  // Gives the page back; `next_page` goes on all the same.
  void release() {
    buffer_.release();
    versions_.clear();
  }
  // All tuples of the page, dead ones included, in order of their line pointers.
  const std::vector<HeapVersion>& versions() const { return versions_; }

 private:
  Status judge();
  void find_roots();

  ReadContext context_;
  const HeapRelation& relation_;
  TransactionId oldest_xmin_;
  Visibility visibility_;
  std::unique_ptr<BufferStrategy> strategy_;
  BufferRef buffer_;
  uint32_t next_block_ = 0;
  uint32_t blocks_ = 0;
  std::vector<HeapVersion> versions_;
  std::vector<OffsetNumber> root_of_;  // by offset number
};

}  // namespace pgdata
