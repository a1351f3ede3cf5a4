// Writing tables: rows with their index entries, and the building of indexes.
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "heap/heap_write.h"
#include "heap/tuple_batch.h"
#include "table/row_layout.h"
#include "table/table.h"
#include "xact/backend.h"

namespace pgdata {

// What a session keeps from one insertion to the next.
class TableWriter {
 public:
  explicit TableWriter(Backend& backend) : backend_(backend) {}

  // Inserts all staged rows. On an error, `failed_row` is the row that met it; the transaction must then be
  // rolled back. `frozen`: as HEAP_INSERT_FROZEN.
  Status insert(Table& table, const RowLayout& layout, const RowReader& rows, bool frozen);
  const std::vector<ItemPointer>& inserted() const { return inserted_; }
  uint32_t failed_row() const { return failed_row_; }

  // Replaces the layout's columns of the row at `tid` with those of the staged row 0.
  Status update(Table& table, const RowLayout& layout, const RowReader& rows, ItemPointer tid,
                UpdateResult* result);
  Status remove(Table& table, ItemPointer tid, UpdateResult* result);

  // As `update`, but for everybody and for good: see heap/heap_inplace.h. Only of columns with fixed width.
  Status update_in_place(Table& table, const RowLayout& layout, const RowReader& rows,
                         ItemPointer tid, UpdateResult* result);

  // Fills an index whose storage is empty, from the table's rows. The caller keeps others from writing them.
  Status build_index(Table& table, size_t index);
  Status build_toast_index(Table& table);

  // Forgets what belongs to the transaction that ended.
  void end_of_transaction();

 private:
  Status insert_index_entries(Table& table, const Datum* values, const bool* nulls,
                              ItemPointer tid);

  Backend& backend_;
  TupleBatch batch_;
  std::vector<Datum> values_;
  std::vector<uint8_t> nulls_;  // bool per value of all rows of a batch
  std::vector<ItemPointer> inserted_;
  uint32_t failed_row_ = 0;
  // The last table that was inserted into in bulk keeps its page and ring.
  std::unique_ptr<BulkInsertState> bulk_;
  const Table* bulk_table_ = nullptr;
};

}  // namespace pgdata
