// BitmapSource: counting, searching an index, putting bitmaps together.
#include "executor/bitmap_source.h"

#include <utility>

#include "base/invariant.h"
#include "table/index_read.h"

namespace pgdata {
namespace {

Operator::Children children_of(BitmapSources sources) {
  INVARIANT(!sources.empty());
  Operator::Children children;
  for (auto& source : sources) children.push_back(std::move(source));
  return children;
}

// Of a node made with `children_of`.
BitmapSource& source_of(Operator& child) { return static_cast<BitmapSource&>(child); }

}  // namespace

BitmapSource::BitmapSource(Execution& execution, Children children)
    : Operator(execution, std::move(children)) {
  // It may never be asked.
  counted().loops = 0;
}

Status BitmapSource::add_to(TidBitmap& bitmap, bool* ended) {
  OperatorCounters& done = counted();
  done.loops = 1;
  Status status;
  {
    const WorkTimer timer(execution(), done);
    status = add(bitmap, ended);
  }
  done.startup_ms = done.total_ms;
  return status;
}

BitmapIndexScan::BitmapIndexScan(Execution& execution, IndexSearch search)
    : BitmapSource(execution),
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

Status BitmapIndexScan::add(TidBitmap& bitmap, bool* ended) {
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

BitmapOr::BitmapOr(Execution& execution, BitmapSources sources)
    : BitmapSource(execution, children_of(std::move(sources))) {}

Status BitmapOr::add(TidBitmap& bitmap, bool* ended) {
  bool has_ended = false;
  RETURN_IF_ERROR(source_of(child(at_)).add_to(bitmap, &has_ended));
  if (has_ended) at_++;
  *ended = at_ == child_count();
  return Status::ok;
}

BitmapAnd::BitmapAnd(Execution& execution, BitmapSources sources)
    : BitmapSource(execution, children_of(std::move(sources))) {}

Status BitmapAnd::add(TidBitmap& bitmap, bool* ended) {
  if (given_ == nullptr)
    given_ = std::make_unique<TidBitmap>(account(), execution().work_mem_bytes());
  bool has_ended = false;
  *ended = false;
  RETURN_IF_ERROR(source_of(child(at_)).add_to(*given_, &has_ended));
  if (!has_ended) return Status::ok;
  given_->finish();
  if (common_ == nullptr)
    common_ = std::move(given_);
  else
    common_->intersect(*given_);
  given_.reset();
  at_++;
  if (at_ < child_count() && !common_->is_empty()) return Status::ok;
  bitmap.unite(*common_);
  common_.reset();
  *ended = true;
  return Status::ok;
}

}  // namespace pgdata
