// A scan of a table's heap, a batch at a time.
#include <algorithm>
#include <utility>

#include "heap/heap_scan.h"
#include "table/page_output.h"
#include "table/read_counting.h"
#include "table/table_read.h"

namespace pgdata {

namespace {

class HeapTableScan final : public TableScan {
 public:
  HeapTableScan(const ReadContext& context, const Snapshot& snapshot, std::shared_ptr<Table> table,
                const RowLayout& layout, std::unique_ptr<Filter> filter)
      : context_(context),
        snapshot_(snapshot),
        output_(table, layout, std::move(filter)),
        scan_(context_, table->heap(), snapshot_) {}

  Status next(RowWriter* writer) override {
    if (!begun_) {
      begun_ = true;
      RETURN_IF_ERROR(scan_.begin());
      count_heap_scan(context_, output_.table().heap());
    }
    uint64_t rows = 0;
    Status status = fill(writer, &rows);
    count_heap_rows(context_, output_.table().heap(), rows);
    return status;
  }

 private:
  Status fill(RowWriter* writer, uint64_t* rows) {
    if (next_ < scan_.tuple_count()) RETURN_IF_ERROR(scan_.resume());
    bool fits = true;
    while (fits && !writer->is_full()) {
      if (next_ == scan_.tuple_count()) {
        bool found = false;
        next_ = 0;
        RETURN_IF_ERROR(scan_.next_page(&found));
        if (!found) {
          scan_.end();
          writer->finish(true);
          return Status::ok;
        }
      }
      const int first = next_;
      RETURN_IF_ERROR(output_.write(context_, scan_, &next_, writer, &fits));
      *rows += static_cast<uint64_t>(next_ - first);
    }
    writer->finish(false);
    scan_.pause();
    return Status::ok;
  }

  ReadContext context_;
  Snapshot snapshot_;
  PageOutput output_;
  HeapScan scan_;
  // Of the current page, the first tuple that has not been dealt with.
  int next_ = 0;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<TableScan> scan_heap(const ReadContext& context, const Snapshot& snapshot,
                                     std::shared_ptr<Table> table, const RowLayout& layout,
                                     std::unique_ptr<Filter> filter) {
  return std::make_unique<HeapTableScan>(context, snapshot, std::move(table), layout,
                                         std::move(filter));
}

}  // namespace pgdata
