// InsertRows: a row's way through the phases, which it leaves wherever it has to wait.
#include "executor/insert_rows.h"

#include <algorithm>
#include <utility>

#include "base/invariant.h"
#include "btree/btree_insert.h"
#include "heap/heap_scan.h"
#include "heap/heap_write.h"
#include "heap/speculative.h"
#include "lock/lock_tag.h"
#include "table/index_values.h"
#include "table/table_upkeep.h"

namespace pgdata {

namespace {

Status concurrent(const Table& table, const char* change) {
  return table.with_names(Status::error(ErrorCode::serialization_failure,
                                        "could not serialize access due to concurrent %s", change));
}

}  // namespace

// Of the row that is there, which is locked.
class InsertRows::Update final : public ReplaceOperation {
 public:
  Update(InsertRows& owner, ItemPointer tid)
      : ReplaceOperation(owner.context().backend, owner.context().writer, owner.table(),
                         owner.on_conflict_->set, tid, {}, owner.waiter()),
        owner_(owner) {}

 protected:
  Status replace(ChangeOutcome* outcome) override {
    return writer_.update_values(*table_, owner_.on_conflict_->set, owner_.new_values_.data(),
                                 owner_.new_nulls_.get(), tid_, outcome);
  }

 private:
  InsertRows& owner_;
};

InsertRows::InsertRows(Execution& execution, const WriteContext& context,
                       std::shared_ptr<Table> table, std::optional<OnConflict> on_conflict,
                       std::optional<std::vector<int>> returning)
    : WritingOperator(execution, context, std::move(table), std::move(returning), {}),
      on_conflict_(std::move(on_conflict)),
      waiter_(waiter()),
      values_(static_cast<size_t>(this->table()->natts())),
      nulls_(new bool[values_.size() + 1]) {
  if (!on_conflict_ || !on_conflict_->updates) return;
  OnConflict& given = *on_conflict_;
  existing_ = std::make_unique<RowCopier>(*this->table(), given.existing, account());
  conditions_ = std::make_unique<Conditions>(std::move(given.conditions), account());
  assignments_ = std::make_unique<Assignments>(std::move(given.expressions), account());
  excluded_values_.resize(given.excluded.size());
  excluded_nulls_.resize(given.excluded.size());
  meeting_.columns = existing_->out().batch().columns;
  for (size_t i = 0; i < given.excluded.size(); i++)
    meeting_.columns.push_back({&excluded_values_[i], &excluded_nulls_[i]});
  new_values_.resize(given.set.size());
  new_nulls_.reset(new bool[given.set.size() + 1]);
}

Status InsertRows::supply(const Table& of, const RowLayout& layout, const std::byte* bytes,
                          size_t size) {
  if (&of != table().get() || phase_ != Phase::next_row)
    return Status::error(ErrorCode::internal_error, "the statement takes no such rows");
  source_.reset();
  rows_.assign(bytes, bytes + size);
  layout_ = &layout;
  reader_.emplace(layout, rows_.data(), rows_.size());
  RETURN_IF_ERROR(reader_->check());
  row_ = 0;
  begin_again();
  if (on_conflict_) {
    source_.emplace(*table(), layout, *reader_);
    return Status::ok;
  }
  phase_ = Phase::whole_batch;
  // This is work of the statement, too.
  execution().begin_call();
  const WorkTimer timer(execution(), counted());
  return context().writer.insert_rows(*table(), layout, *reader_, false);
}

Status InsertRows::change_next(bool* waiting, Progress* progress) {
  *waiting = false;
  *progress = Progress::rows;
  for (;;) {
    switch (phase_) {
      case Phase::whole_batch:
        RETURN_IF_ERROR(insert_batch(waiting));
        if (*waiting) return Status::ok;
        break;
      case Phase::returning:
      case Phase::next_row:
        return take_row(progress);
      case Phase::find_conflict:
        RETURN_IF_ERROR(find_conflict(waiting));
        break;
      case Phase::lock:
        RETURN_IF_ERROR(lock(waiting));
        break;
      case Phase::compute:
        RETURN_IF_ERROR(compute());
        break;
      case Phase::update:
        RETURN_IF_ERROR(update(waiting));
        break;
      case Phase::entries:
        RETURN_IF_ERROR(insert_entries(waiting));
        break;
    }
    if (*waiting || has_met_own() || phase_ == Phase::next_row) return Status::ok;
  }
}

Status InsertRows::insert_batch(bool* waiting) {
  KeyWait wait;
  do {
    RETURN_IF_ERROR(context().writer.insert_entries(*table(), &wait));
    if (!is_valid(wait.xid)) break;
    RETURN_IF_ERROR(wait_for(wait, waiting));
  } while (!*waiting);
  if (!*waiting) phase_ = Phase::returning;
  return Status::ok;
}

Status InsertRows::take_row(Progress* progress) {
  if (!reader_ || row_ == reader_->rows()) {
    phase_ = Phase::next_row;
    *progress = Progress::ended;
    return Status::ok;
  }
  const uint32_t row = row_++;
  if (phase_ == Phase::returning) return row_changed(context().writer.inserted()[row]);
  waiter_.release();
  context().writer.begin_row(row);
  source_->clear();
  RETURN_IF_ERROR(source_->next(values_.data(), nulls_.get()));
  phase_ = Phase::find_conflict;
  return Status::ok;
}

bool InsertRows::is_arbiter(size_t index) const {
  return std::find(on_conflict_->arbiters.begin(), on_conflict_->arbiters.end(), index) !=
         on_conflict_->arbiters.end();
}

Status InsertRows::wait_for(const KeyWait& wait, bool* waiting) {
  RowWaiter::Outcome outcome{};
  RETURN_IF_ERROR(waiter_.wait_for_key(wait, &outcome));
  *waiting = outcome == RowWaiter::Outcome::waiting;
  return Status::ok;
}

// ExecCheckIndexConstraints.
Status InsertRows::find_conflict(bool* waiting) {
  Backend& backend = context().backend;
  for (const size_t arbiter : on_conflict_->arbiters) {
    const Table::Index& index = table()->indexes()[arbiter];
    IndexValues entry(backend, *table(), index.definition);
    RETURN_IF_ERROR(entry.take(values_.data(), nulls_.get()));
    HeapUniqueChecker checker(backend, table()->heap());
    BtreeInsertResult result;
    RETURN_IF_ERROR(btree_find_conflict(backend.services_of(index.btree->temporary()), *index.btree,
                                        entry.values(), entry.nulls(), checker, &result));
    if (is_valid(result.wait_xid)) return wait_for(checker.wait(), waiting);
    if (!result.conflict) continue;
    conflict_ = checker.found();
    return conflict_met();
  }
  return insert_speculatively();
}

Status InsertRows::conflict_met() {
  if (on_conflict_->updates) {
    lock_progress_ = RowLockProgress{};
    phase_ = Phase::lock;
    return Status::ok;
  }
  phase_ = Phase::next_row;
  conflicts_++;
  return refuse_invisible(conflict_);
}

Status InsertRows::is_own(ItemPointer tid, bool* own) {
  BufferRef buffer;
  HeapTuple tuple;
  bool found = false;
  RETURN_IF_ERROR(
      heap_fetch_any(execution().context, table()->heap(), tid, &buffer, &tuple, &found));
  *own = found && context().backend.is_current(tuple.header().t_xmin);
  return Status::ok;
}

// ExecCheckTupleVisible: where the transaction has one snapshot, a row that it does not see must not decide.
Status InsertRows::refuse_invisible(ItemPointer tid) {
  if (context().backend.isolation() == IsolationLevel::read_committed) return Status::ok;
  BufferRef buffer;
  HeapTuple tuple;
  bool found = false;
  RETURN_IF_ERROR(heap_fetch(execution().context, table()->heap(), tid, execution().snapshot,
                             &buffer, &tuple, &found));
  bool own = false;
  if (!found) RETURN_IF_ERROR(is_own(tid, &own));
  return found || own ? Status() : concurrent(*table(), "update");
}

Status InsertRows::lock(bool* waiting) {
  Backend& backend = context().backend;
  ChangeOutcome outcome;
  RETURN_IF_ERROR(table()->with_names(heap_lock_row(backend, table()->heap(), conflict_,
                                                    update_lock_mode(*table(), on_conflict_->set),
                                                    false, &lock_progress_, &outcome)));
  if (outcome.result == UpdateResult::being_modified) {
    RowWaiter::Outcome waited{};
    RETURN_IF_ERROR(waiter_.wait(outcome.wait, conflict_, &waited));
    *waiting = waited == RowWaiter::Outcome::waiting;
    return Status::ok;
  }
  waiter_.release();
  bool own = false;
  switch (outcome.result) {
    case UpdateResult::ok:
      phase_ = Phase::compute;
      return refuse_invisible(conflict_);
    case UpdateResult::invisible:
      RETURN_IF_ERROR(is_own(conflict_, &own));
      if (!own) break;
      meet_own();
      return Status::ok;
    case UpdateResult::updated:
    case UpdateResult::deleted:
      if (backend.isolation() != IsolationLevel::read_committed)
        return concurrent(*table(), outcome.result == UpdateResult::updated ? "update" : "delete");
      // Another row may have the key by now, or none.
      phase_ = Phase::find_conflict;
      return Status::ok;
    case UpdateResult::self_modified:
    case UpdateResult::being_modified:
      break;
  }
  return Status::error(ErrorCode::internal_error, "attempted to lock a row that is not there");
}

Status InsertRows::compute() {
  existing_->out().clear();
  {
    BufferRef buffer;
    HeapTuple tuple;
    bool found = false;
    RETURN_IF_ERROR(
        heap_fetch_any(execution().context, table()->heap(), conflict_, &buffer, &tuple, &found));
    INVARIANT(found);
    RETURN_IF_ERROR(existing_->add(execution().context, tuple));
    Conditions none({}, account());
    uint32_t removed = 0;
    RETURN_IF_ERROR(existing_->copy(none, &removed));
  }
  meeting_.rows = 1;
  for (size_t i = 0; i < on_conflict_->excluded.size(); i++) {
    const auto attribute = static_cast<size_t>(on_conflict_->excluded[i]);
    excluded_values_[i] = values_[attribute];
    excluded_nulls_[i] = nulls_[attribute] ? 1 : 0;
  }
  phase_ = Phase::next_row;
  conflicts_++;
  if (!conditions_->is_empty()) {
    Selection selected;
    RETURN_IF_ERROR(conditions_->select(meeting_, &selected));
    // It stays as it is, locked.
    if (selected.count == 0) {
      counted().rows_removed++;
      return Status::ok;
    }
  }
  RETURN_IF_ERROR(assignments_->evaluate(meeting_));
  assignments_->take_row(0, &new_values_, &new_nulls_);
  update_ = std::make_unique<Update>(*this, conflict_);
  phase_ = Phase::update;
  return Status::ok;
}

Status InsertRows::update(bool* waiting) {
  RETURN_IF_ERROR(update_->step(waiting));
  if (*waiting) return Status::ok;
  const bool is_changed = update_->result() == UpdateResult::ok;
  const ItemPointer tid = update_->tid();
  update_.reset();
  phase_ = Phase::next_row;
  return is_changed ? row_changed(tid) : Status();
}

Status InsertRows::insert_speculatively() {
  Backend& backend = context().backend;
  TransactionId xid;
  RETURN_IF_ERROR(backend.assign_xid(&xid, table()->heap().temporary));
  token_ = context().writer.next_speculative_token();
  LockOutcome got{};
  RETURN_IF_ERROR(context().locks.acquire(LockTag::speculative_token(xid, token_),
                                          LockLevel::exclusive, LockScope::transaction, false,
                                          &got));
  INVARIANT(got == LockOutcome::granted);
  RETURN_IF_ERROR(table()->with_names(heap_insert(backend, table()->heap(), values_.data(),
                                                  nulls_.get(), 0, nullptr, &inserted_, token_)));
  entries_ = 0;
  phase_ = Phase::entries;
  return Status::ok;
}

Status InsertRows::insert_entries(bool* waiting) {
  Backend& backend = context().backend;
  while (entries_ < table()->indexes().size()) {
    const Table::Index& index = table()->indexes()[entries_];
    const bool decides = is_arbiter(entries_);
    IndexValues entry(backend, *table(), index.definition);
    RETURN_IF_ERROR(entry.take(values_.data(), nulls_.get()));
    HeapUniqueChecker checker(backend, table()->heap(), decides);
    TableUpkeep upkeep(backend, table()->heap());
    BtreeInsertResult result;
    RETURN_IF_ERROR(btree_insert(backend.services_of(index.btree->temporary()), backend.xid(),
                                 *index.btree, entry.values(), entry.nulls(), inserted_,
                                 index.definition.unique ? &checker : nullptr, &result, &upkeep,
                                 false, backend.serializable()));
    const bool is_met = result.conflict || is_valid(result.wait_xid);
    if (!is_met) {
      entries_++;
      continue;
    }
    if (decides) return end_speculation(false);
    if (result.conflict)
      return context().writer.refuse_duplicate(*table(), index.definition, values_.data(),
                                               nulls_.get());
    RETURN_IF_ERROR(wait_for(checker.wait(), waiting));
    if (*waiting) return Status::ok;
  }
  return end_speculation(true);
}

Status InsertRows::end_speculation(bool is_confirmed) {
  Backend& backend = context().backend;
  RETURN_IF_ERROR(is_confirmed ? heap_confirm_speculative(backend, table()->heap(), inserted_)
                               : heap_abort_speculative(backend, table()->heap(), inserted_));
  context().locks.release(LockTag::speculative_token(backend.xid(), token_), LockLevel::exclusive,
                          LockScope::transaction);
  if (!is_confirmed) {
    phase_ = Phase::find_conflict;
    return Status::ok;
  }
  phase_ = Phase::next_row;
  return row_changed(inserted_);
}

}  // namespace pgdata
