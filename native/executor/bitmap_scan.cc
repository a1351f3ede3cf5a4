// BitmapScan: first all addresses, then block after block.
#include "executor/bitmap_scan.h"

#include <utility>

#include "table/index_read.h"

namespace pgdata {

BitmapIndexScan::BitmapIndexScan(Execution& execution, IndexSearch search)
    : Operator(execution),
      search_(std::move(search)),
      btree_(*search_.table->indexes()[search_.index].btree),
      scratch_(account(), Arena::block_bytes_min) {}

Status BitmapIndexScan::begin() {
  RETURN_IF_ERROR(key_conditions(search_, no_columns_, 0, scratch_, &conditions_));
  begin_scan();
  return Status::ok;
}

void BitmapIndexScan::begin_scan() {
  scan_ = std::make_unique<BtreeScan>(execution().context.pool_of(btree_.temporary()), btree_,
                                      conditions_, ScanDirection::forward,
                                      execution().snapshot.serializable);
  searches_++;
  count_index_scan(execution().context, btree_);
}

Status BitmapIndexScan::add_to(TidBitmap& bitmap, bool* ended) {
  if (scan_ == nullptr) RETURN_IF_ERROR(begin());
  std::span<const ItemPointer> tids;
  RETURN_IF_ERROR(scan_->next_batch(&tids));
  const bool has_ended = tids.empty();
  *ended = has_ended && list_place_ + 1 >= search_.list.size();
  if (has_ended && !*ended) {
    conditions_[search_.list_key].value = search_.list[++list_place_];
    begin_scan();
    return Status::ok;
  }
  bitmap.add(tids);
  counted().rows += tids.size();
  count_entries(execution().context, btree_, static_cast<int64_t>(tids.size()), 0);
  return Status::ok;
}

OperatorPointer BitmapScan::create(Execution& execution, std::shared_ptr<Table> table,
                                   std::unique_ptr<BitmapIndexScan> index,
                                   std::vector<int> attributes,
                                   std::vector<ExpressionPointer> recheck,
                                   std::vector<ExpressionPointer> conditions) {
  BitmapIndexScan& searched = *index;
  return OperatorPointer(new BitmapScan(execution, std::move(table), only(std::move(index)),
                                        searched, std::move(attributes), std::move(recheck),
                                        std::move(conditions)));
}

BitmapScan::BitmapScan(Execution& execution, std::shared_ptr<Table> table, Children children,
                       BitmapIndexScan& index, std::vector<int> attributes,
                       std::vector<ExpressionPointer> recheck,
                       std::vector<ExpressionPointer> conditions)
    : Operator(execution, std::move(children)),
      table_(std::move(table)),
      index_(index),
      recheck_(std::move(recheck), account()),
      conditions_(std::move(conditions), account()),
      copier_(*table_, std::move(attributes), account()),
      visibility_(execution.context, &execution.snapshot),
      page_scan_(execution.context, table_->heap(), execution.snapshot),
      bitmap_(account(), execution.work_mem_bytes()) {}

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
  uint32_t removed = 0;
  RETURN_IF_ERROR(copier_.copy(conditions_, &removed));
  counted().rows_removed += removed;
  return Status::ok;
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
  uint32_t removed = 0;
  uint32_t rechecked_away = 0;
  RETURN_IF_ERROR(copier_.copy(conditions_, &removed, &recheck_, &rechecked_away));
  counted().rows_removed += removed;
  rows_rechecked_away_ += rechecked_away;
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
    RETURN_IF_ERROR(index_.add_to(bitmap_, &is_built_));
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
