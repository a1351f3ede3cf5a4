// Pruning: removing row versions of one page that nobody can see any more, and freezing what stays.
//
// A HOT chain loses its dead members at the front: the first line pointer then redirects to the first member that
// is alive, or is marked dead when none is, since indexes point to it. Tuples are moved to close the gaps, so the page's
// cleanup lock is needed: exclusive, and nobody else has it pinned.
// Source: src/backend/access/heap/pruneheap.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "heap/freeze.h"
#include "heap/heap_relation.h"
#include "xact/removal_test.h"

namespace pgdata {

// Prunes the page if it looks worthwhile (something on it may be dead, and it is nearly full or an update found it
// full) and its cleanup lock can be had at once. `buffer` is pinned and not locked, and still is afterwards; line pointers that
// the caller noted before mean nothing any more. Does nothing when reading offline.
Status prune_on_access(const ReadContext& context, const HeapRelation& relation, BufferRef& buffer);

// What a vacuum asks of pruning.
struct PruneOptions {
  const VacuumCutoffs& cutoffs;
  RemovalTest& removal;
  // Dead line pointers become unused at once: for a table without indexes.
  bool mark_unused_now = false;
};

struct PruneResult {
  int deleted = 0;          // tuples that were removed
  int frozen = 0;           // tuples that were frozen
  int live = 0;             // tuples left, dead to nobody
  int recently_dead = 0;    // tuples left that are still seen by somebody
  bool has_tuples = false;  // the page cannot be cut off
  // What the visibility map may say of the page now, and then the newest xid that made it so.
  bool all_visible = false;
  bool all_frozen = false;
  TransactionId conflict_horizon = invalid_transaction_id;
  // Dead line pointers on the page, ascending.
  std::vector<OffsetNumber> dead;
};

// Vacuum's pass over a page whose cleanup lock the caller holds. Brings the bounds down to the oldest ids that stay on the page.
Status prune_and_freeze(const ReadContext& context, const HeapRelation& relation, BufferRef& buffer,
                        const PruneOptions& options, TransactionId* relfrozenxid,
                        MultiXactId* relminmxid, PruneResult* result);

// Vacuum's second pass: makes dead line pointers, to which no index points any more, unused. The page is locked exclusively.
Status reap_dead_items(const ReadContext& context, const HeapRelation& relation, BufferRef& buffer,
                       std::span<const OffsetNumber> dead);

// Whether all tuples of the locked page are visible to everybody, and frozen (heap_page_is_all_visible).
Status page_is_all_visible(const ReadContext& context, const HeapRelation& relation,
                           BufferRef& buffer, TransactionId oldest_xmin, bool* all_visible,
                           bool* all_frozen, TransactionId* conflict_horizon);

}  // namespace pgdata
