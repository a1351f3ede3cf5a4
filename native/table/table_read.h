// Reading tables: point lookups, scans of the heap and of an index range, aggregates.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "btree/btree_scan.h"
#include "heap/heap_scan.h"
#include "table/filter.h"
#include "table/row_layout.h"
#include "table/row_output.h"
#include "table/table.h"
#include "xact/snapshot.h"

namespace pgdata {

// Who reads, and what is visible.
struct ReadView {
  ReadContext context;
  const Snapshot* snapshot;
};

// For each staged key (values of all key columns of a unique index) the visible row. Stops when the batch is
// full: `*answered` is the number of keys dealt with. `hits` (may be null) gets 1 or 0 for each.
Status lookup_rows(const ReadView& view, Table& table, size_t index, const RowLayout& key_layout,
                   const RowReader& keys, RowOutput& output, RowWriter* writer, uint8_t* hits,
                   uint32_t* answered);

// Where the visible row is whose key is staged row `row`.
Status find_row(const ReadView& view, Table& table, size_t index, const RowLayout& key_layout,
                const RowReader& keys, uint32_t row, ItemPointer* tid, bool* found);

// The row at `tid`, whoever sees it: one that the own transaction has locked.
Status read_row(Backend& backend, Table& table, ItemPointer tid, RowOutput& output,
                RowWriter* writer, bool* fits);

// A scan that fills one batch after another.
class TableScan {
 public:
  virtual ~TableScan() = default;
  // Adds rows until the batch is full or the scan has ended, and finishes the batch.
  virtual Status next(RowWriter* writer) = 0;
};

// All visible rows in the order of the heap. The filter may be empty, never null.
std::unique_ptr<TableScan> scan_heap(const ReadContext& context, const Snapshot& snapshot,
                                     std::shared_ptr<Table> table, const RowLayout& layout,
                                     std::unique_ptr<Filter> filter);

// Bounds of an index scan, on leading key columns, compared column by column in index order.
struct IndexRange {
  size_t index = 0;
  bool backward = false;
  int lower_count = 0;
  bool lower_inclusive = true;
  int upper_count = 0;
  bool upper_inclusive = true;
};

// `bounds`: row 0 holds the lower bound's values, row 1 the upper's; copied.
Status scan_index(const ReadContext& context, const Snapshot& snapshot,
                  std::shared_ptr<Table> table, const RowLayout& layout, const IndexRange& range,
                  const RowLayout& bounds_layout, const RowReader& bounds,
                  std::unique_ptr<Filter> filter, std::unique_ptr<TableScan>* scan);

enum class AggregateKind : uint8_t { count, sum, min, max, avg };
struct AggregateRequest {
  AggregateKind kind = AggregateKind::count;
  int attribute = -1;  // from 0; -1: count(*)
};
struct AggregateValue {
  enum class Kind : uint8_t { null, integer, real } kind = Kind::null;
  __int128 integer = 0;
  double real = 0;
};
// Over integer, oid and floating-point columns; other types are feature_not_supported.
Status aggregate_rows(const ReadView& view, Table& table,
                      const std::vector<AggregateRequest>& requests, Filter& filter,
                      std::vector<AggregateValue>* values);

}  // namespace pgdata
