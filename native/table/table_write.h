// Writing tables: rows and their index entries. Waiting is left to table_operation.h.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "heap/heap_write.h"
#include "heap/tuple_batch.h"
#include "table/row_layout.h"
#include "table/row_source.h"
#include "table/table.h"
#include "table/unique_check.h"
#include "xact/backend.h"

namespace pgdata {

// What a session keeps from one insertion to the next.
class TableWriter {
 public:
  explicit TableWriter(Backend& backend) : backend_(backend) {}

  // Puts all staged rows into the heap; their index entries are still to be made, by `insert_entries`. On an error,
  // `failed_row` is the row that met it; the transaction must then be rolled back. `frozen`: as HEAP_INSERT_FROZEN.
  Status insert_rows(Table& table, const RowLayout& layout, const RowReader& rows, bool frozen);
  // Replaces the layout's columns of the row at `tid` with those of staged row `row`, which was checked; unless the outcome
  // is ok, nothing was changed. The new row's index entries are still to be made. Whoever sees the row: the caller found
  // it, or locked it.
  Status update_row(Table& table, const RowLayout& layout, const RowReader& rows, uint32_t row,
                    ItemPointer tid, ChangeOutcome* outcome);
  // The same with values at hand, which are used until `insert_entries` has returned: of the attributes `set` (from 0).
  Status update_values(Table& table, std::span<const int> set, const Datum* values,
                       const bool* nulls, ItemPointer tid, ChangeOutcome* outcome);
  // Makes the index entries of the rows that were written last. When `wait->xid` is valid, it stopped where a unique
  // key depends on that; once it has ended, it is called again.
  Status insert_entries(Table& table, KeyWait* wait);
  const std::vector<ItemPointer>& inserted() const { return inserted_; }
  uint32_t failed_row() const { return failed_row_; }
  // The row that the last error of class 23 (integrity constraint violation) of these calls was about, as it would have
  // been: a formed tuple, empty when there is none.
  const std::vector<std::byte>& refused_row() const { return refused_; }
  // For who writes rows by itself: the next is row `row`, and what was refused before is forgotten.
  void begin_row(uint32_t row) {
    failed_row_ = row;
    refused_.clear();
  }
  // The unique_violation of that row.
  Status refuse_duplicate(const Table& table, const TableIndexDefinition& index,
                          const Datum* values, const bool* nulls);
  // The next token of a speculative insertion: never 0.
  uint32_t next_speculative_token() {
    if (++speculative_token_ == 0) speculative_token_ = 1;
    return speculative_token_;
  }

  // As `update_row`, but for everybody and for good: see heap/heap_inplace.h. Only of columns with fixed width.
  Status update_in_place(Table& table, const RowLayout& layout, const RowReader& rows,
                         ItemPointer tid, UpdateResult* result);

  // After IndexRebuild: `inserted` are then the rows in whose chains the duplicates are.
  Status find_duplicates(const std::shared_ptr<Table>& table,
                         const std::vector<ItemPointer>& roots);
  Status build_toast_index(Table& table);

  // Forgets what belongs to the transaction that ended.
  void end_of_transaction();

 private:
  void forget_values();
  void keep_refused(const Table& table, const Datum* values, const bool* nulls);
  Status insert_entries_of(Table& table, const Datum* values, const bool* nulls, ItemPointer tid,
                           KeyWait* wait);

  Backend& backend_;
  TupleBatch batch_;
  std::vector<Datum> values_;
  std::vector<uint8_t> nulls_;  // bool per value of all rows of a batch
  std::vector<ItemPointer> inserted_;
  uint32_t failed_row_ = 0;
  // The index entries still to be made: of inserted_ from this row on, for the row from this index on. values_ and
  // nulls_ hold the rows' values until there was a wait; then they are read from the heap.
  size_t entries_row_ = 0;
  size_t entries_index_ = 0;
  bool values_at_hand_ = false;
  // The attributes that an update set, of which inserted_ is the new version.
  bool is_update_ = false;
  std::vector<int> set_;
  std::vector<std::byte> refused_;
  uint32_t speculative_token_ = 0;
  // What values_ point to: staged cells that were made values, and the row before an update.
  std::unique_ptr<RowSource> source_;
  BufferRef old_row_;
  // The last table that was inserted into in bulk keeps its page and ring.
  std::unique_ptr<BulkInsertState> bulk_;
  const Table* bulk_table_ = nullptr;
};

}  // namespace pgdata
