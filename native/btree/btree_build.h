// Building a B-tree from all tuples of a table at once: sort them within a limit of memory, then fill pages.
//
// Source: src/backend/access/nbtree/nbtsort.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "btree/btree_load.h"
#include "btree/index_tuple.h"
#include "change/change.h"
#include "sort/tuple_sort.h"

namespace pgdata {

// Writes the metapage of an empty index as block 0 of a fork that has no blocks (`init` for unlogged
// indexes), and logs it.
Status build_empty_btree(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                         ForkNumber fork);
// Of an unlogged index writes what it begins as after a crash.
Status build_btree_init_fork(StorageServices& services, TransactionId xid, const BtreeIndex& index);

struct BtreeBuildResult {
  uint64_t tuples = 0;
  uint32_t blocks = 0;
  // A unique index cannot be built: these two live heap tuples have equal keys. What was written of it is of no use.
  bool duplicate = false;
  ItemPointer duplicate_tids[2];
};

// Leaf tuples, by their keys, then by where their rows are.
class IndexTupleOrder final : public TupleOrder {
 public:
  explicit IndexTupleOrder(const BtreeIndex& index);

  int compare(TupleView left, TupleView right) override;
  bool are_equal(LeadingKey key) const override;

  // By the keys alone. `*has_null`: one of them is null.
  int compare_keys_of(const std::byte* left, const std::byte* right, bool* has_null) const;
  // Tuples did not come in the order of their rows.
  void tids_do_not_ascend() { tids_ascend_ = false; }
  // What a tuple is first ordered by.
  LeadingKey key_of(Datum first, bool is_null) const;

 private:
  int compare_from(const std::byte* left, const std::byte* right, int first_column,
                   bool* has_null) const;

  const BtreeIndex& index_;
  const uint8_t null_rank_;
  const bool is_exact_;  // equal abbreviations mean equal values
  bool tids_ascend_ = true;
};

class BtreeBuilder {
 public:
  // `memory_bytes`: maintenance_work_mem. What does not fit goes to `temporary`.
  BtreeBuilder(StorageServices& services, TransactionId xid, const BtreeIndex& index,
               TemporarySpace& temporary, uint64_t memory_bytes);
  BtreeBuilder(const BtreeBuilder&) = delete;

  // Tuples may come in any order, fastest in that of their TIDs or keys. Tuples that no new snapshot
  // can see (`live` false) are indexed but do not violate uniqueness.
  Status add(const Datum* values, const bool* is_null, ItemPointer heap_tid, bool live = true);

  // After the last one: sorts and writes the index, whose main fork must exist and have no blocks. Goes on for about so
  // many tuples; between two calls nothing is pinned.
  Status finish(uint64_t tuples, BtreeBuildResult* result, bool* done);
  // All of it.
  Status finish(BtreeBuildResult* result);

  SortReport sort_report() const { return sort_.report(); }

 private:
  Status load(const SortedTuple& sorted, BtreeBuildResult* result);
  bool is_duplicate(const SortedTuple& sorted) const;

  const BtreeIndex& index_;
  IndexTupleOrder order_;
  TupleSort sort_;
  BtreeLoader loader_;
  bool is_sorted_ = false;
  ItemPointer last_tid_{BlockNumber{0}, 0};
  std::unique_ptr<IndexTupleBuffer> scratch_;
  // Of a unique index: the last tuple that counts, empty before the first.
  LeadingKey last_key_;
  std::vector<std::byte> last_live_;
};

}  // namespace pgdata
