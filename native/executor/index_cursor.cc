// IndexCursor: entry after entry, row after row.
#include "executor/index_cursor.h"

#include <utility>

#include "table/index_read.h"

namespace pgdata {

IndexCursor::IndexCursor(Execution& execution, IndexSearch search, MemoryAccount& account)
    : execution_(execution),
      search_(std::move(search)),
      btree_(*search_.table->indexes()[search_.index].btree),
      conditions_(std::move(search_.conditions), account),
      copier_(*search_.table, search_.attributes, account),
      visibility_(execution.context, &execution.snapshot),
      scratch_(account, Arena::block_bytes_min) {
  if (search_.is_index_only)
    entries_ = std::make_unique<IndexEntries>(execution.context, execution.snapshot,
                                              search_.table->heap().locator, btree_,
                                              std::move(search_.entry_columns), account);
}

Status key_conditions(const IndexSearch& search, const Batch& outer, uint32_t row, Arena& scratch,
                      std::vector<BtreeCondition>* conditions) {
  scratch.reset();
  conditions->clear();
  const auto listed = static_cast<uint16_t>(row);
  const Selection selected{&listed, 1};
  for (const IndexKey& key : search.keys) {
    BtreeCondition condition{key.column, key.op, 0, false};
    if (key.value != nullptr) {
      const Column* column = nullptr;
      RETURN_IF_ERROR(key.value->evaluate(outer, selected, scratch, &column));
      condition.is_null = column->nulls[row] != 0;
      if (!condition.is_null) condition.value = column->values[row];
    }
    conditions->push_back(condition);
  }
  if (!search.list.empty()) (*conditions)[search.list_key].value = search.list[0];
  return Status::ok;
}

Status IndexCursor::begin(const Batch& outer, uint32_t row) {
  RETURN_IF_ERROR(key_conditions(search_, outer, row, scratch_, &btree_conditions_));
  list_place_ = 0;
  begin_scan();
  return Status::ok;
}

void IndexCursor::begin_scan() {
  searches_++;
  count_index_scan(execution_.context, btree_);
  scan_ = std::make_unique<BtreeScan>(execution_.context.pool_of(btree_.temporary()), btree_,
                                      btree_conditions_, search_.direction,
                                      execution_.snapshot.serializable);
  scan_->give_entries_to(entries_.get());
}

// Of all searches for the values of a list.
Status IndexCursor::next_entry(ItemPointer* tid, bool* more) {
  for (;;) {
    RETURN_IF_ERROR(scan_->next(tid, more));
    if (*more || list_place_ + 1 >= search_.list.size()) return Status::ok;
    RETURN_IF_ERROR(scan_->mark_killed());
    btree_conditions_[search_.list_key].value = search_.list[++list_place_];
    begin_scan();
  }
}

// Tests the rows at hand and copies those that pass.
Status IndexCursor::flush() {
  if (at_hand_ == 0) return Status::ok;
  at_hand_ = 0;
  uint32_t removed = 0;
  RETURN_IF_ERROR(copier_.copy(conditions_, &removed));
  rows_removed_ += removed;
  return Status::ok;
}

Status IndexCursor::look_at(ItemPointer tid, HeapTuple* tuple, bool* found) {
  bool all_dead = false;
  RETURN_IF_ERROR(heap_hot_search(execution_.context, search_.table->heap(), tid, visibility_,
                                  &buffer_, tuple, found, &all_dead));
  count_entries(execution_.context, btree_, 1, *found ? 1 : 0);
  if (all_dead) scan_->kill(tid);
  return Status::ok;
}

Status IndexCursor::next_row(bool* more) {
  ItemPointer tid;
  RETURN_IF_ERROR(next_entry(&tid, more));
  if (!*more) return Status::ok;
  HeapTuple tuple;
  bool found = false;
  if (entries_) {
    found = entries_->is_visible(scan_->place());
    if (found) {
      count_entries(execution_.context, btree_, 1, 0);
    } else {
      heap_fetches_++;
      RETURN_IF_ERROR(look_at(tid, &tuple, &found));
    }
    if (!found) return Status::ok;
    at_hand_++;
    return entries_->add_row(scan_->place(), &copier_);
  }
  if (tid.block() != block_) RETURN_IF_ERROR(flush());
  block_ = tid.block();
  RETURN_IF_ERROR(look_at(tid, &tuple, &found));
  if (!found) return Status::ok;
  at_hand_++;
  return copier_.add(execution_.context, tuple);
}

Status IndexCursor::fill(uint32_t rows, bool* ended) {
  copier_.out().clear();
  *ended = false;
  bool more = true;
  while (batch().rows + at_hand_ < rows) {
    if (execution_.is_out_of_time()) break;
    RETURN_IF_ERROR(next_row(&more));
    if (!more) break;
    if (batch().rows + at_hand_ == rows) RETURN_IF_ERROR(flush());
  }
  RETURN_IF_ERROR(flush());
  *ended = !more;
  // Nobody may ask for more.
  return scan_->mark_killed();
}

}  // namespace pgdata
