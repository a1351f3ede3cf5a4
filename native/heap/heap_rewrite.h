// HeapRewrite: copies the row versions of a table that somebody may still see into a new file, one after the other.
//
// Who inserted and deleted a version stays as it is, but for ids that can be frozen. Versions of one row are linked anew: whichever
// of two comes first waits for the other's new address. HOT chains end: each version is on its own.
// Source: src/backend/access/heap/rewriteheap.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/status.h"
#include "heap/freeze.h"
#include "heap/heap_relation.h"
#include "heap/heap_versions.h"

namespace pgdata {

class HeapRewrite {
 public:
  // `target` has a main fork without blocks; `cutoffs` freeze what is old.
  HeapRewrite(Backend& backend, const HeapRelation& target, const VacuumCutoffs& cutoffs);
  HeapRewrite(const HeapRewrite&) = delete;

  // Each version once, dead ones too. object_in_use for one that somebody else is writing, but in a catalog: who writes those
  // lets go of them before its transaction ends.
  Status add(const HeapVersion& version);
  Status finish();

  uint64_t live() const { return live_; }
  uint64_t recently_dead() const { return recently_dead_; }
  // Left out, and frozen just now.
  uint64_t dead() const { return dead_; }
  uint64_t frozen() const { return frozen_; }
  uint32_t blocks() const { return blocks_; }
  // No id in the new heap is older.
  TransactionId relfrozenxid() const;
  MultiXactId relminmxid() const;

 private:
  // A version by who wrote it and where it was.
  using Key = std::pair<uint32_t, ItemPointer>;
  struct Pending {
    std::vector<std::byte> tuple;
    ItemPointer old_tid;
  };

  Status in_use() const;
  Status put(std::vector<std::byte> tuple, ItemPointer old_tid);
  Status put_on_page(const std::vector<std::byte>& tuple, ItemPointer* tid);
  Status emit_page();

  Backend& backend_;
  const HeapRelation& target_;
  const VacuumCutoffs& cutoffs_;
  TupleFreezer freezer_;
  PageFreeze left_;  // the oldest ids that were not frozen
  BufferStrategy strategy_;
  // Waiting for their successor's address, by the successor.
  std::map<Key, Pending> unresolved_;
  // New addresses of versions whose predecessor is still to come.
  std::map<Key, ItemPointer> placed_;
  std::vector<std::byte> page_;
  bool page_in_use_ = false;
  uint32_t blocks_ = 0;
  uint64_t live_ = 0;
  uint64_t recently_dead_ = 0;
  uint64_t dead_ = 0;
  uint64_t frozen_ = 0;
};

}  // namespace pgdata
