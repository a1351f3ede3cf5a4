// WritingOperator: row after row, until there are enough to give or the time is up.
#include "executor/writing_operator.h"

#include "base/invariant.h"
#include "heap/heap_scan.h"

namespace pgdata {

WritingOperator::WritingOperator(Execution& execution, const WriteContext& context,
                                 std::shared_ptr<Table> table,
                                 std::optional<std::vector<int>> returning, Children children)
    : Operator(execution, std::move(children)),
      context_(context),
      table_(std::move(table)),
      all_({}, account()) {
  if (returning)
    returning_ = std::make_unique<RowCopier>(*table_, std::move(*returning), account());
}

Status WritingOperator::produce(const Batch** batch, Progress* progress) {
  if (returning_) returning_->out().clear();
  *progress = Progress::paused;
  if (waiting_ || met_own_) return Status::ok;
  const auto is_full = [this] {
    return returning_ != nullptr && returning_->out().batch().rows >= batch_rows_wanted;
  };
  while (!ended_ && !waiting_ && !met_own_ && !is_full()) {
    Progress changed = Progress::rows;
    RETURN_IF_ERROR(change_next(&waiting_, &changed));
    ended_ = changed == Progress::ended;
    if (changed == Progress::paused || execution().is_out_of_time()) break;
  }
  if (returning_ != nullptr && returning_->out().batch().rows > 0) {
    *batch = &returning_->out().batch();
    *progress = Progress::rows;
  } else if (ended_) {
    *progress = Progress::ended;
  }
  return Status::ok;
}

Status WritingOperator::supply(const Table&, const RowLayout&, const std::byte*, size_t) {
  return Status::error(ErrorCode::internal_error, "the statement takes no rows");
}

Status WritingOperator::row_changed(ItemPointer tid) {
  changed_++;
  if (returning_ == nullptr) return Status::ok;
  BufferRef buffer;
  HeapTuple tuple;
  bool found = false;
  RETURN_IF_ERROR(
      heap_fetch_any(execution().context, table_->heap(), tid, &buffer, &tuple, &found));
  INVARIANT(found);
  RETURN_IF_ERROR(returning_->add(execution().context, tuple));
  uint32_t removed = 0;
  return returning_->copy(all_, &removed);
}

}  // namespace pgdata
