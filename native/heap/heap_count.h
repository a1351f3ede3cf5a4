// Counting the rows that a snapshot sees, a page at a time.
//
// A page whose every tuple is committed and not deleted counts the same for each snapshot that begins after its
// newest tuple's transaction ended, for as long as the page does not change. Such a page's count is remembered.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "xact/snapshot.h"

namespace pgdata {

// What is remembered of a relation's pages. Belongs to one thread.
class PageCounts {
 public:
  struct Entry {
    PageVersion version;  // when it was counted; of no page: nothing is remembered
    TransactionId newest =
        invalid_transaction_id;  // of its tuples' inserters; invalid: all are frozen
    uint32_t count = 0;
  };

  // Entries for blocks 0 .. blocks-1.
  Entry* entries(uint32_t blocks) {
    if (entries_.size() < blocks) entries_.resize(blocks);
    return entries_.data();
  }

 private:
  std::vector<Entry> entries_;
};

// Counts the rows of one block. `*is_empty`: it has no line pointer, so that no index can have an entry for it.
Status heap_count_block(const ReadContext& context, const HeapRelation& relation,
                        const Snapshot& snapshot, BlockNumber block, uint64_t* count,
                        bool* is_empty);

// `counts` must have been used for this relation only.
Status heap_count(const ReadContext& context, const HeapRelation& relation,
                  const Snapshot& snapshot, PageCounts* counts, uint64_t* count);

}  // namespace pgdata
