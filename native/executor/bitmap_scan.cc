// BitmapScan: first all addresses, then block after block.
#include "executor/bitmap_scan.h"

#include <utility>

#include "table/index_read.h"

namespace pgdata {

OperatorPointer BitmapScan::create(Execution& execution, std::shared_ptr<Table> table,
                                   std::unique_ptr<BitmapSource> source,
                                   std::vector<int> attributes,
                                   std::vector<ExpressionPointer> recheck,
                                   std::vector<ExpressionPointer> conditions) {
  BitmapSource& asked = *source;
  return OperatorPointer(new BitmapScan(execution, std::move(table), only(std::move(source)), asked,
                                        std::move(attributes), std::move(recheck),
                                        std::move(conditions)));
}

BitmapScan::BitmapScan(Execution& execution, std::shared_ptr<Table> table, Children children,
                       BitmapSource& source, std::vector<int> attributes,
                       std::vector<ExpressionPointer> recheck,
                       std::vector<ExpressionPointer> conditions)
    : Operator(execution, std::move(children)),
      table_(std::move(table)),
      source_(source),
      recheck_(std::move(recheck), account()),
      conditions_(std::move(conditions), account()),
      copier_(*table_, std::move(attributes), account()),
      visibility_(execution.context, &execution.snapshot),
      page_scan_(execution.context, table_->heap(), execution.snapshot),
      bitmap_(account(), execution.work_mem_bytes()) {}

Status BitmapScan::copy_rows() {
  uint32_t removed = 0;
  uint32_t rechecked_away = 0;
  Conditions* const recheck = bitmap_.is_uncertain() ? &recheck_ : nullptr;
  RETURN_IF_ERROR(copier_.copy(conditions_, &removed, recheck, &rechecked_away));
  counted().rows_removed += removed;
  rows_rechecked_away_ += rechecked_away;
  return Status::ok;
}

Status BitmapScan::read_exact() {
  exact_blocks_++;
  SessionCounters* const counters = counters_of(execution().context);
  const HeapRelation& heap = table_->heap();
  for (const ItemPointer& tid : bitmap_.tids()) {
    HeapTuple tuple;
    bool found = false;
    RETURN_IF_ERROR(heap_hot_search(execution().context, heap, tid, visibility_, &buffer_, &tuple,
                                    &found, nullptr));
    if (!found) continue;
    if (counters != nullptr) counters->count_fetched(heap.oid, heap.locator);
    RETURN_IF_ERROR(copier_.add(execution().context, tuple));
  }
  return copy_rows();
}

Status BitmapScan::read_lossy() {
  lossy_blocks_++;
  SessionCounters* const counters = counters_of(execution().context);
  const HeapRelation& heap = table_->heap();
  RETURN_IF_ERROR(page_scan_.begin({bitmap_.block(), 1}));
  bool found = false;
  RETURN_IF_ERROR(page_scan_.next_page(&found));
  if (!found) return Status::ok;
  for (int i = 0; i < page_scan_.tuple_count(); i++) {
    if (counters != nullptr) counters->count_fetched(heap.oid, heap.locator);
    RETURN_IF_ERROR(copier_.add(execution().context, page_scan_.tuple(i)));
  }
  RETURN_IF_ERROR(copy_rows());
  page_scan_.end();
  return Status::ok;
}

Status BitmapScan::produce(const Batch** batch, Progress* progress) {
  copier_.out().clear();
  Batch& out = copier_.out().batch();
  *batch = &out;
  while (!is_built_) {
    if (execution().is_out_of_time()) {
      *progress = Progress::paused;
      return Status::ok;
    }
    RETURN_IF_ERROR(source_.add_to(bitmap_, &is_built_));
    if (is_built_) bitmap_.finish();
  }
  *progress = Progress::paused;
  while (out.rows < batch_rows_wanted && !execution().is_out_of_time()) {
    if (!bitmap_.next_block()) {
      *progress = Progress::ended;
      break;
    }
    RETURN_IF_ERROR(bitmap_.is_lossy() ? read_lossy() : read_exact());
  }
  if (out.rows > 0) *progress = Progress::rows;
  return Status::ok;
}

}  // namespace pgdata
