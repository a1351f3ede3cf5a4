// Reading rows: a sequential scan, a fetch by address, and following a HOT chain.
//
// A scan takes a page at a time: under the shared lock it notes which tuples the snapshot sees,
// then gives the lock up and keeps the pin, so that the tuples stay where they are until the next
// page is asked for, or the scan is paused. Source: src/backend/access/heap/heapam.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "heap/tuple_prefetch.h"
#include "heap/visibility.h"
#include "tuple/deform_columns.h"
#include "xact/snapshot.h"

namespace pgdata {

struct HeapScanOptions {
  BlockNumber first{0};
  // Blocks to read from `first`; all that exist when the scan begins by default.
  uint32_t block_count = block_number_max;
};

class HeapScan {
 public:
  // The relation and the snapshot must outlive the scan. Rows inserted in pages added after `begin`
  // are not visible to the snapshot and not visited.
  HeapScan(const ReadContext& context, const HeapRelation& relation, const Snapshot& snapshot);

  Status begin(const HeapScanOptions& options = {});

  // Goes to the next page that has visible tuples. False in `*found` at the end. The tuples of the
  // page before are gone then.
  Status next_page(bool* found);
  // Of the current page.
  int tuple_count() const { return count_; }
  HeapTuple tuple(int index) const {
    const OffsetNumber offset = visible_[index];
    const LinePointer item = buffer_.page().line_pointer(offset);
    return {buffer_.page().item(item), item.lp_len(), ItemPointer(block_, offset)};
  }
  // Columns of `count` tuples of the current page from `first` on, to the places from `to` on.
  Status deform(ColumnDeformer& deformer, int first, int count, const Column* columns,
                uint32_t to) const;
  // Tuple by tuple, over pages.
  Status next(HeapTuple* tuple, bool* found) {
    while (next_index_ >= count_) {
      RETURN_IF_ERROR(next_page(found));
      if (!*found) return Status::ok;
    }
    *tuple = this->tuple(next_index_++);
    *found = true;
    return Status::ok;
  }
  // Lets go of the page between two calls from outside, and takes it again: its visible tuples stay where they are, as
  // long as the snapshot is held.
  void pause() { buffer_.release(); }
  Status resume();
  // The tuple that `next` gave last.
  HeapTuple current() const { return tuple(next_index_ - 1); }
  // For each tuple of the current page, the line pointer at which the HOT chain it belongs to begins, to which
  // index entries point; itself where it is no heap-only tuple. data_corrupted for one that no chain reaches.
  Status root_offsets(std::vector<OffsetNumber>* roots);
  // Gives up the page; the scan is at its end.
  void end();

 private:
  Status collect(const Page& page);
  Status find_roots(std::vector<OffsetNumber>* root_of);

  ReadContext context_;
  const HeapRelation& relation_;
  const Snapshot& snapshot_;
  Visibility visibility_;
  TuplePrefetch prefetch_;
  std::unique_ptr<BufferStrategy> strategy_;
  BufferRef buffer_;
  BlockNumber block_{0};
  uint32_t next_block_ = 0;
  uint32_t end_block_ = 0;
  int count_ = 0;
  int next_index_ = 0;
  // heap_tuples_per_page_max of the largest block.
  OffsetNumber visible_[heap_tuples_per_page_max(block_size_max)];
};

// The tuple at `tid` if the snapshot sees it: `*found`, and then `*tuple` in the page that `*buffer`
// pins. A pin that `*buffer` comes with is reused when it is of the same page.
Status heap_fetch(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                  const Snapshot& snapshot, BufferRef* buffer, HeapTuple* tuple, bool* found);

// The tuple at `tid`, whoever sees it.
Status heap_fetch_any(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                      BufferRef* buffer, HeapTuple* tuple, bool* found);
// The same, with what a dirty snapshot sees of it.
Status heap_fetch_dirty(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                        BufferRef* buffer, HeapTuple* tuple, DirtyVerdict* verdict, bool* found);

// What an index's entry leads to: the member of the HOT chain that begins at `tid` which the
// visibility's snapshot sees. `*all_dead` (may be null) is set when nobody can see any member any
// more, so that the entry may be marked dead.
Status heap_hot_search(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                       Visibility& visibility, BufferRef* buffer, HeapTuple* tuple, bool* found,
                       bool* all_dead);

// What one of several entries leads to.
struct HotSearchResult {
  HeapTuple tuple;
  bool found = false;
  bool all_dead = false;
};
// As heap_hot_search for each of `tids`, which are of one page, under one lock. `results` has room for all of them.
Status heap_hot_search_page(const ReadContext& context, const HeapRelation& relation,
                            std::span<const ItemPointer> tids, Visibility& visibility,
                            BufferRef* buffer, HotSearchResult* results);

// The same for a unique check: the first member that is there now, or in progress as `verdict`
// tells. `*found` false when there is none.
Status heap_hot_search_dirty(const ReadContext& context, const HeapRelation& relation,
                             ItemPointer tid, BufferRef* buffer, HeapTuple* tuple,
                             DirtyVerdict* verdict, bool* found, bool* all_dead);

}  // namespace pgdata
