// BtreeScan: the heap TIDs of all entries that meet conditions on key columns, in index order or against it.
//
// Works a page at a time: matching TIDs of one leaf are copied under its lock, then neither lock nor
// pin is held until the next leaf is needed. A split or deletion meanwhile neither repeats nor hides
// an entry. Since no pin is kept, a TID may have been given to another row by the time the caller looks at the
// heap; a snapshot taken before the scan began does not see such a row.
// Source: src/backend/access/nbtree/{nbtsearch.c,nbtutils.c}, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/invariant.h"
#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "btree/btree_search.h"
#include "buffer/buffer_pool.h"

namespace pgdata {

// Of the column's values, in the column's own order (not that of a descending index).
enum class BtreeOperator : uint8_t {
  less,
  less_or_equal,
  equal,
  greater_or_equal,
  greater,
  is_null,
  is_not_null,
};

struct BtreeCondition {
  int column = 0;  // key column, from 0
  BtreeOperator op = BtreeOperator::equal;
  Datum value = 0;       // of the column's type, plain; must outlive the scan
  bool is_null = false;  // a comparison with null is never true
};

enum class ScanDirection : uint8_t { forward, backward };

// Is given the entries that a scan takes from a leaf, while the leaf is locked: no vacuum has removed any of them yet, nor
// made room in the heap for what they lead to.
class BtreeEntryReader {
 public:
  virtual ~BtreeEntryReader() = default;
  // The entries of another leaf follow, whose TIDs come in the place of those so far.
  virtual void begin_leaf() = 0;
  // A tuple with its TIDs, in the order in which they will be given.
  virtual Status read_entry(std::span<const std::byte> tuple,
                            std::span<const ItemPointer> tids) = 0;
};

class BtreeScan {
 public:
  // `reader` (may be null): the serializable transaction that looks.
  BtreeScan(BufferPool& pool, const BtreeIndex& index, std::span<const BtreeCondition> conditions,
            ScanDirection direction, SerializableTransaction* reader = nullptr);
  BtreeScan(const BtreeScan&) = delete;
  // Before the first call. It must outlive the scan.
  void give_entries_to(BtreeEntryReader* entries) { entries_ = entries; }

  // The next page's TIDs that match: not empty unless the scan is at its end. Valid until the next call.
  Status next_batch(std::span<const ItemPointer>* tids);
  // One at a time.
  Status next(ItemPointer* tid, bool* found);
  // Which of its leaf's TIDs the last one is.
  size_t place() const { return next_tid_ - 1; }
  // The TIDs that come next, of one heap page, at most `most`; empty at the end. They come next again but for those that are
  // `passed`.
  Status next_run(size_t most, std::span<const ItemPointer>* tids);
  void pass(size_t count) {
    INVARIANT(count <= tid_count_ - next_tid_);
    next_tid_ += count;
  }
  // Nobody can see any more the row at `tid`, which was given since the last page was taken: its entry is marked dead when the
  // scan leaves the page.
  void kill(ItemPointer tid) { killed_.push_back(tid); }
  // Marks what was killed; at the end of a scan that is given up.
  Status mark_killed();

 private:
  // One end of a column's range, in index order.
  struct Bound {
    bool is_set = false;
    bool is_inclusive = false;
    bool is_null = false;
    Datum value = 0;
  };
  struct Range {
    Bound lower;
    Bound upper;
    bool is_equality = false;
  };
  enum class Match : uint8_t { yes, skip, stop, corrupt };

  void add_condition(const BtreeCondition& condition);
  void tighten(int column, Bound bound, bool is_lower);
  void prepare();
  Status first_page();
  Status find_first(const BtreeSearchKey& key, BufferRef* leaf);
  Status refill();
  Status next_page_right();
  Status next_page_left();
  Status read_page(const BufferRef& leaf, OffsetNumber from);
  void make_key(bool lower_end, BtreeSearchKey* key) const;
  Match match(const std::byte* tuple) const;

  BufferPool& pool_;
  const BtreeIndex& index_;
  ScanDirection direction_;
  SerializableTransaction* reader_;
  BtreeEntryReader* entries_ = nullptr;
  bool impossible_ = false;
  int columns_ = 0;         // that have conditions, or precede one that has
  int prefix_columns_ = 0;  // leading equalities, and the range column that follows
  Range ranges_[INDEX_MAX_KEYS];

  bool started_ = false;
  bool at_end_ = false;
  BlockNumber current_ = P_NONE;   // whose TIDs were given last
  Lsn current_lsn_ = invalid_lsn;  // of that page when it was read
  std::vector<ItemPointer> killed_;
  BlockNumber next_ = P_NONE;  // its sibling in scan direction, as it was then
  SiblingWalk walk_;
  std::vector<ItemPointer> tids_;  // room; tid_count_ of them are the batch
  size_t tid_count_ = 0;
  size_t next_tid_ = 0;
};

}  // namespace pgdata
