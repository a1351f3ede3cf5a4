// SeqScan: page after page until the batch is filled or the time is up.
#include "executor/seq_scan.h"

#include <utility>

namespace pgdata {

SeqScan::SeqScan(Execution& execution, std::shared_ptr<Table> table, std::vector<int> attributes,
                 std::vector<ExpressionPointer> conditions)
    : Operator(execution),
      table_(std::move(table)),
      conditions_(std::move(conditions), account()),
      copier_(*table_, std::move(attributes), account()),
      scan_(execution.context, table_->heap(), execution.snapshot) {}

Status SeqScan::produce(const Batch** batch, Progress* progress) {
  SessionCounters* const counters =
      execution().context.backend == nullptr ? nullptr : execution().context.backend->counters();
  const HeapRelation& heap = table_->heap();
  if (!begun_) {
    begun_ = true;
    RETURN_IF_ERROR(scan_.begin());
    if (counters != nullptr) counters->count_scan(heap.oid, heap.locator);
  }
  Batch& out = copier_.out().batch();
  copier_.out().clear();
  uint64_t read = 0;
  bool found = true;
  *progress = Progress::rows;
  while (out.rows < batch_rows_wanted) {
    if (execution().is_out_of_time()) {
      *progress = Progress::paused;
      break;
    }
    RETURN_IF_ERROR(scan_.next_page(&found));
    if (!found) {
      scan_.end();
      *progress = Progress::ended;
      break;
    }
    read += static_cast<uint64_t>(scan_.tuple_count());
    RETURN_IF_ERROR(copier_.add_page(execution().context, scan_));
    uint32_t removed = 0;
    RETURN_IF_ERROR(copier_.copy(conditions_, &removed));
    counted().rows_removed += removed;
  }
  if (counters != nullptr)
    counters->count_returned(heap.oid, heap.locator, static_cast<int64_t>(read));
  if (out.rows == 0) return Status::ok;
  *progress = Progress::rows;
  *batch = &out;
  return Status::ok;
}

}  // namespace pgdata
