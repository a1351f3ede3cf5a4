// Operations on tables: the steps.
#include "table/table_operation.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "heap/heap_scan.h"
#include "heap/heap_write.h"
#include "heap/visibility.h"
#include "table/row_source.h"
#include "table/table_read.h"
#include "tuple/deform.h"

namespace pgdata {

Status InsertOperation::step(bool* waiting) {
  *waiting = false;
  for (;;) {
    KeyWait wait;
    RETURN_IF_ERROR(writer_.insert_entries(*table_, &wait));
    if (!is_valid(wait.xid)) return Status::ok;
    RowWaiter::Outcome outcome{};
    RETURN_IF_ERROR(waiter_.wait_for_key(wait, &outcome));
    if (outcome == RowWaiter::Outcome::waiting) {
      *waiting = true;
      return Status::ok;
    }
  }
}

// heapam_tuple_lock with TUPLE_LOCK_FLAG_FIND_LAST_VERSION.
Status VersionChase::step(Backend& backend, HeapRelation& heap, RowLockMode mode,
                          bool follow_updates, RowWaiter& waiter, Outcome* outcome) {
  RowWaiter::Outcome waited{};
  const auto stopped = [&waited, outcome] {
    if (waited == RowWaiter::Outcome::ready) return false;
    *outcome = waited == RowWaiter::Outcome::waiting ? Outcome::waiting : Outcome::would_block;
    return true;
  };
  for (;;) {
    if (!locking_) {
      BufferRef buffer;
      HeapTuple tuple;
      bool found = false;
      DirtyVerdict verdict;
      RETURN_IF_ERROR(heap_fetch_dirty(backend, heap, tid_, &buffer, &tuple, &verdict, &found));
      *outcome = Outcome::gone;
      if (!found || tuple.header().t_xmin != prior_xmax_) return Status::ok;
      if (!verdict.visible) {
        if (verdict.next_tid == tid_ || !is_valid(verdict.update_xid)) return Status::ok;
        prior_xmax_ = verdict.update_xid;
        tid_ = verdict.next_tid;
        continue;
      }
      if (is_valid(verdict.xmin)) {
        return Status::error(ErrorCode::data_corrupted,
                             "t_xmin %u is uncommitted in tuple (%u,%u) to be updated in table "
                             "\"%s\"",
                             value_of(verdict.xmin), value_of(tid_.block()), tid_.offset(),
                             heap.name.c_str());
      }
      if (is_valid(verdict.xmax)) {
        RETURN_IF_ERROR(waiter.wait_for_transaction(verdict.xmax, &waited));
        if (stopped()) return Status::ok;
        continue;
      }
      // The own transaction made it after the version that it came from was changed.
      if (backend.is_current(prior_xmax_)) return Status::ok;
      locking_ = true;
      progress_ = RowLockProgress{};
    }
    ChangeOutcome change;
    RETURN_IF_ERROR(heap_lock_row(backend, heap, tid_, mode, follow_updates, &progress_, &change));
    switch (change.result) {
      case UpdateResult::ok:
        waiter.release();
        *outcome = Outcome::locked;
        return Status::ok;
      case UpdateResult::being_modified:
        RETURN_IF_ERROR(waiter.wait(change.wait, tid_, &waited));
        if (stopped()) return Status::ok;
        continue;
      case UpdateResult::updated:
        waiter.release();
        start(change.ctid, change.xmax);
        continue;
      case UpdateResult::deleted:
      case UpdateResult::invisible:
      case UpdateResult::self_modified:
        waiter.release();
        *outcome = Outcome::gone;
        return Status::ok;
    }
  }
}

Status RowOperation::refuse_concurrent(UpdateResult found, bool deleting_counts_as_update) const {
  if (!keeps_snapshot()) return Status::ok;
  const bool deleted = found == UpdateResult::deleted && !deleting_counts_as_update;
  return table_->with_names(Status::error(ErrorCode::serialization_failure,
                                          "could not serialize access due to concurrent %s",
                                          deleted ? "delete" : "update"));
}

Status RowOperation::go_on_with_newest(RowLockMode mode, bool follow_updates, bool* waiting) {
  VersionChase::Outcome outcome{};
  RETURN_IF_ERROR(table_->with_names(
      chase_.step(backend_, table_->heap(), mode, follow_updates, waiter_, &outcome)));
  *waiting = outcome == VersionChase::Outcome::waiting;
  if (*waiting) return Status::ok;
  chasing_ = false;
  switch (outcome) {
    case VersionChase::Outcome::waiting:
      break;
    case VersionChase::Outcome::would_block:
      result_ = UpdateResult::being_modified;
      break;
    case VersionChase::Outcome::gone:
      result_ = UpdateResult::deleted;
      break;
    case VersionChase::Outcome::locked: {
      bool meets = false;
      RETURN_IF_ERROR(still_meets(chase_.tid(), &meets));
      result_ = meets ? UpdateResult::ok : UpdateResult::invisible;
      tid_ = chase_.tid();
      break;
    }
  }
  return Status::ok;
}

// EvalPlanQual: would the row have been found in this version?
Status RowOperation::still_meets(ItemPointer newest, bool* meets) {
  const auto natts = static_cast<size_t>(table_->natts());
  struct Version {
    BufferRef buffer;
    HeapTuple tuple;
    std::vector<Datum> values;
    std::unique_ptr<bool[]> nulls;
  };
  const auto read = [&](ItemPointer tid, Version* version, bool* found) -> Status {
    RETURN_IF_ERROR(
        heap_fetch_any(backend_, table_->heap(), tid, &version->buffer, &version->tuple, found));
    if (!*found) return Status::ok;
    version->values.resize(natts);
    version->nulls.reset(new bool[natts + 1]);
    return deform_heap_tuple(table_->layout(), version->tuple.bytes, version->tuple.length,
                             version->values.data(), version->nulls.get());
  };
  *meets = false;
  Version now;
  bool found = false;
  RETURN_IF_ERROR(read(newest, &now, &found));
  if (!found) return Status::ok;
  if (check_.key_index >= 0) {
    Version was;
    RETURN_IF_ERROR(read(original_, &was, &found));
    if (!found) return Status::ok;
    const Table::Index& index = table_->indexes()[static_cast<size_t>(check_.key_index)];
    for (int i = 0; i < index.btree->nkeyatts(); i++) {
      const auto attribute =
          static_cast<size_t>(index.definition.columns[static_cast<size_t>(i)].attribute);
      if (was.nulls[attribute] != now.nulls[attribute]) return Status::ok;
      if (was.nulls[attribute]) continue;
      std::vector<std::byte> storage[2];
      Datum plain[2];
      RETURN_IF_ERROR(plain_value(backend_, *table_, static_cast<int>(attribute),
                                  was.values[attribute], &storage[0], &plain[0]));
      RETURN_IF_ERROR(plain_value(backend_, *table_, static_cast<int>(attribute),
                                  now.values[attribute], &storage[1], &plain[1]));
      const KeyColumn& key = index.btree->key(i);
      if (key.compare(plain[0], plain[1], key) != 0) return Status::ok;
    }
  }
  *meets = true;
  if (check_.filter == nullptr || check_.filter->is_empty()) return Status::ok;
  return check_.filter->matches(backend_, now.values.data(), now.nulls.get(), meets);
}

void UpdateOperation::detach() {
  if (!copy_.empty() || is_replaced()) return;
  copy_.assign(rows_, rows_ + size_);
  rows_ = copy_.data();
}

std::vector<int> UpdateOperation::attributes_of(const RowLayout& layout) {
  std::vector<int> attributes;
  for (const RowColumn& column : layout.columns()) attributes.push_back(column.attribute);
  return attributes;
}

Status UpdateOperation::replace(ChangeOutcome* outcome) {
  const RowReader reader(layout_, rows_, size_);
  return writer_.update_row(*table_, layout_, reader, row_, tid_, outcome);
}

ReplaceOperation::ReplaceOperation(Backend& backend, TableWriter& writer,
                                   std::shared_ptr<Table> table, const std::vector<int>& set,
                                   ItemPointer tid, RowCheck check, RowWaiter waiter)
    : RowOperation(backend, std::move(table), tid, std::move(check), std::move(waiter)),
      writer_(writer),
      mode_(update_lock_mode(*table_, set)) {}

RowLockMode update_lock_mode(const Table& table, const std::vector<int>& set) {
  const bool sets_key = std::any_of(set.begin(), set.end(), [&](int attribute) {
    return table.key_attributes()[static_cast<size_t>(attribute)];
  });
  return sets_key ? RowLockMode::exclusive : RowLockMode::no_key_exclusive;
}

Status ReplaceOperation::step(bool* waiting) {
  *waiting = false;
  for (;;) {
    if (chasing_) {
      RETURN_IF_ERROR(go_on_with_newest(mode_, false, waiting));
      if (*waiting || result_ != UpdateResult::ok) return Status::ok;
    }
    RowWaiter::Outcome waited{};
    if (!replaced_) {
      ChangeOutcome outcome;
      RETURN_IF_ERROR(replace(&outcome));
      result_ = outcome.result;
      if (result_ == UpdateResult::being_modified) {
        RETURN_IF_ERROR(waiter_.wait(outcome.wait, tid_, &waited));
        *waiting = waited == RowWaiter::Outcome::waiting;
        if (waited != RowWaiter::Outcome::ready) return Status::ok;
        continue;
      }
      waiter_.release();
      if (result_ == UpdateResult::updated || result_ == UpdateResult::deleted)
        RETURN_IF_ERROR(refuse_concurrent(result_, false));
      if (result_ == UpdateResult::updated) {
        chase_.start(outcome.ctid, outcome.xmax);
        chasing_ = true;
        continue;
      }
      if (result_ != UpdateResult::ok) return Status::ok;
      replaced_ = true;
      tid_ = outcome.new_tid;
    }
    KeyWait wait;
    RETURN_IF_ERROR(writer_.insert_entries(*table_, &wait));
    if (!is_valid(wait.xid)) return Status::ok;
    RETURN_IF_ERROR(waiter_.wait_for_key(wait, &waited));
    *waiting = waited == RowWaiter::Outcome::waiting;
    if (*waiting) return Status::ok;
  }
}

Status UpdateByKeyOperation::step(bool* waiting) {
  *waiting = false;
  const RowReader keys(*rows_.key_layout, rows_.keys, rows_.keys_size);
  for (; row_ < keys.rows(); row_++) {
    if (current_ == nullptr) {
      ItemPointer tid;
      bool found = false;
      RETURN_IF_ERROR(find(keys, &tid, &found));
      if (!found) continue;
      RowCheck check;
      check.key_index = static_cast<int>(rows_.index);
      current_ = std::make_unique<UpdateOperation>(
          backend_, writer_, table_, *rows_.layout, rows_.rows, rows_.rows_size, row_, tid,
          std::move(check), RowWaiter(backend_, locks_, *table_, policy_));
    }
    RETURN_IF_ERROR(current_->step(waiting));
    if (*waiting) return Status::ok;
    RETURN_IF_ERROR(finish_row());
  }
  return Status::ok;
}

Status UpdateByKeyOperation::find(const RowReader& keys, ItemPointer* tid, bool* found) {
  const Snapshot* snapshot = nullptr;
  RETURN_IF_ERROR(backend_.statement_snapshot(&snapshot));
  return find_row(ReadView{ReadContext(backend_), snapshot}, *table_, rows_.index,
                  *rows_.key_layout, keys, row_, tid, found);
}

Status UpdateByKeyOperation::finish_row() {
  const UpdateResult result = current_->result();
  current_.reset();
  switch (result) {
    case UpdateResult::ok:
      updated_++;
      break;
    case UpdateResult::deleted:
    case UpdateResult::invisible:
      break;
    case UpdateResult::self_modified:
    case UpdateResult::updated:
    case UpdateResult::being_modified:
      return table_->with_names(Status::error(
          ErrorCode::serialization_failure, "could not serialize access due to concurrent update"));
  }
  return backend_.advance_command();
}

void UpdateByKeyOperation::detach() {
  if (current_) current_->detach();
  if (!copies_[0].empty()) return;
  copies_[0].assign(rows_.keys, rows_.keys + rows_.keys_size);
  copies_[1].assign(rows_.rows, rows_.rows + rows_.rows_size);
  rows_.keys = copies_[0].data();
  rows_.rows = copies_[1].data();
}

Status DeleteOperation::step(bool* waiting) {
  *waiting = false;
  RETURN_IF_ERROR(table_->check_writable());
  for (;;) {
    if (chasing_) {
      RETURN_IF_ERROR(go_on_with_newest(RowLockMode::exclusive, false, waiting));
      if (*waiting || result_ != UpdateResult::ok) return Status::ok;
    }
    ChangeOutcome outcome;
    RETURN_IF_ERROR(table_->with_names(heap_delete(backend_, table_->heap(), tid_, &outcome)));
    result_ = outcome.result;
    if (result_ == UpdateResult::being_modified) {
      RowWaiter::Outcome waited{};
      RETURN_IF_ERROR(waiter_.wait(outcome.wait, tid_, &waited));
      *waiting = waited == RowWaiter::Outcome::waiting;
      if (waited != RowWaiter::Outcome::ready) return Status::ok;
      continue;
    }
    waiter_.release();
    if (result_ == UpdateResult::updated || result_ == UpdateResult::deleted)
      RETURN_IF_ERROR(refuse_concurrent(result_, false));
    if (result_ != UpdateResult::updated) return Status::ok;
    chase_.start(outcome.ctid, outcome.xmax);
    chasing_ = true;
  }
}

Status LockRowOperation::step(bool* waiting) {
  *waiting = false;
  for (;;) {
    if (chasing_) {
      RETURN_IF_ERROR(go_on_with_newest(mode_, true, waiting));
      *locked_tid_ = tid_;
      return Status::ok;
    }
    ChangeOutcome outcome;
    RETURN_IF_ERROR(table_->with_names(
        heap_lock_row(backend_, table_->heap(), tid_, mode_, true, &progress_, &outcome)));
    result_ = outcome.result;
    if (result_ == UpdateResult::being_modified) {
      RowWaiter::Outcome waited{};
      RETURN_IF_ERROR(waiter_.wait(outcome.wait, tid_, &waited));
      *waiting = waited == RowWaiter::Outcome::waiting;
      if (waited != RowWaiter::Outcome::ready) return Status::ok;
      continue;
    }
    waiter_.release();
    if (result_ == UpdateResult::updated || result_ == UpdateResult::deleted)
      RETURN_IF_ERROR(refuse_concurrent(result_, true));
    *locked_tid_ = tid_;
    if (result_ != UpdateResult::updated) return Status::ok;
    chase_.start(outcome.ctid, outcome.xmax);
    chasing_ = true;
  }
}

}  // namespace pgdata
