// IndexCursor: the visible rows that an index leads to, for conditions on its key columns that it is given anew as often as wanted.
//
// Rows of neighbouring entries that lie in one page are tested and copied together. Between calls neither a page of the index
// nor one of the table is pinned, once `pause` was called.
#pragma once

#include <memory>
#include <vector>

#include "btree/btree_scan.h"
#include "executor/expression.h"
#include "executor/index_entries.h"
#include "executor/operator.h"
#include "executor/row_copier.h"
#include "heap/heap_scan.h"
#include "table/table.h"

namespace pgdata {

// What must be true of a key column.
struct IndexKey {
  int column = 0;  // from 0
  BtreeOperator op = BtreeOperator::equal;
  ExpressionPointer value;  // of the column's type; null for the tests for null
};

// What an index scan is to do.
struct IndexSearch {
  std::shared_ptr<Table> table;
  size_t index = 0;  // a usable one
  ScanDirection direction = ScanDirection::forward;
  std::vector<IndexKey> keys;
  // Values, each other than the others, of which the key with that number is to be equal to one: it has none of its own.
  size_t list_key = 0;
  std::vector<Datum> list;
  std::unique_ptr<Arena> list_memory;
  // (from 0) The columns of its batches, which conditions refer to by their place.
  std::vector<int> attributes;
  std::vector<ExpressionPointer> conditions;
  // Of an index-only scan: the index's columns (from 0) that the attributes are.
  bool is_index_only = false;
  std::vector<int> entry_columns;
};

// What the search demands of entries, with the values that its keys have on a row of a batch; they last as long as `scratch`,
// the batch and the expressions stay as they are.
// Of a list the first value; the others are put in its place, one after the other.
Status key_conditions(const IndexSearch& search, const Batch& outer, uint32_t row, Arena& scratch,
                      std::vector<BtreeCondition>* conditions);

class IndexCursor {
 public:
  IndexCursor(Execution& execution, IndexSearch search, MemoryAccount& account);

  // Begins a search with the values that the keys have on a row of a batch, which stays as it is until the search has ended.
  Status begin(const Batch& outer, uint32_t row);
  // Empties the batch and fills it again: to `rows` rows or a few more, to the end of the search, or until the time is up.
  Status fill(uint32_t rows, bool* ended);
  Batch& batch() { return copier_.out().batch(); }
  void pause() {
    buffer_.release();
    if (entries_) entries_->pause();
  }

  uint64_t rows_removed() const { return rows_removed_; }
  uint64_t searches() const { return searches_; }
  // Rows that the index alone did not do for.
  uint64_t heap_fetches() const { return heap_fetches_; }

 private:
  void begin_scan();
  Status next_entry(ItemPointer* tid, bool* more);
  Status next_row(bool* more);
  // Is the row at `tid` visible? Where it is, `*tuple` is in the page that is pinned.
  Status look_at(ItemPointer tid, HeapTuple* tuple, bool* found);
  Status flush();

  Execution& execution_;
  IndexSearch search_;
  const BtreeIndex& btree_;
  Conditions conditions_;
  RowCopier copier_;
  Visibility visibility_;
  Arena scratch_;
  std::vector<BtreeCondition> btree_conditions_;
  std::unique_ptr<IndexEntries> entries_;  // of an index-only scan
  std::unique_ptr<BtreeScan> scan_;
  size_t list_place_ = 0;
  BufferRef buffer_;
  BlockNumber block_ = invalid_block_number;  // that the rows at hand are in
  uint32_t at_hand_ = 0;
  uint64_t rows_removed_ = 0;
  uint64_t searches_ = 0;
  uint64_t heap_fetches_ = 0;
};

}  // namespace pgdata
