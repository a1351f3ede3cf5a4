// UpdateRows, DeleteRows: the operation of each row is that of table/table_operation.h, with the conditions of a query.
#include "executor/update_rows.h"

#include <utility>

#include "heap/heap_scan.h"

namespace pgdata {

Status RowRecheck::test(const ReadContext& context, ItemPointer tid, bool* meets) {
  copier_.out().clear();
  BufferRef buffer;
  HeapTuple tuple;
  RETURN_IF_ERROR(heap_fetch_any(context, table_.heap(), tid, &buffer, &tuple, meets));
  if (!*meets) return Status::ok;
  RETURN_IF_ERROR(copier_.add(context, tuple));
  uint32_t removed = 0;
  RETURN_IF_ERROR(copier_.copy(conditions_, &removed));
  *meets = removed == 0;
  return Status::ok;
}

ChangeRows::ChangeRows(Execution& execution, const WriteContext& context,
                       std::shared_ptr<Table> table, OperatorPointer child, FoundRows rows,
                       std::optional<std::vector<int>> returning)
    : WritingOperator(execution, context, std::move(table), std::move(returning),
                      only(std::move(child))),
      recheck_(*this->table(), std::move(rows), account()) {}

Status ChangeRows::change_next(bool* waiting, Progress* progress) {
  *waiting = false;
  if (batch_ == nullptr || row_ == batch_->rows) {
    batch_ = nullptr;
    RETURN_IF_ERROR(child().next(&batch_, progress));
    if (*progress != Progress::rows) {
      batch_ = nullptr;
      return Status::ok;
    }
    row_ = 0;
    RETURN_IF_ERROR(begin_batch(*batch_));
  }
  *progress = Progress::rows;
  if (current_ == nullptr) current_ = begin_row(unpack_tid(batch_->columns[0].values[row_]), row_);
  RETURN_IF_ERROR(current_->step(waiting));
  if (*waiting) return Status::ok;
  // Any other result: the row is gone, or does not meet the conditions any more, or this statement has changed it already.
  const bool is_changed = current_->result() == UpdateResult::ok;
  const ItemPointer tid = current_->tid();
  current_.reset();
  row_++;
  return is_changed ? row_changed(tid) : Status();
}

Status Assignments::evaluate(const Batch& batch) {
  scratch_.reset();
  for (size_t i = 0; i < expressions_.size(); i++)
    RETURN_IF_ERROR(
        expressions_[i]->evaluate(batch, {nullptr, batch.rows}, scratch_, &columns_[i]));
  return Status::ok;
}

void Assignments::take_row(uint32_t row, std::vector<Datum>* values,
                           std::unique_ptr<bool[]>* nulls) const {
  for (size_t i = 0; i < columns_.size(); i++) {
    (*values)[i] = columns_[i]->values[row];
    (*nulls)[i] = columns_[i]->nulls[row] != 0;
  }
}

class UpdateRows::Row final : public ReplaceOperation {
 public:
  Row(UpdateRows& owner, ItemPointer tid)
      : ReplaceOperation(owner.context().backend, owner.context().writer, owner.table(), owner.set_,
                         tid, {}, owner.waiter()),
        owner_(owner) {}

 protected:
  Status replace(ChangeOutcome* outcome) override {
    return writer_.update_values(*table_, owner_.set_, owner_.values_.data(), owner_.nulls_.get(),
                                 tid_, outcome);
  }
  Status still_meets(ItemPointer newest, bool* meets) override {
    RowRecheck& recheck = owner_.recheck();
    RETURN_IF_ERROR(recheck.test(backend_, newest, meets));
    if (!*meets) return Status::ok;
    RETURN_IF_ERROR(owner_.again_.evaluate(recheck.batch()));
    owner_.again_.take_row(0, &owner_.values_, &owner_.nulls_);
    return Status::ok;
  }

 private:
  UpdateRows& owner_;
};

UpdateRows::UpdateRows(Execution& execution, const WriteContext& context,
                       std::shared_ptr<Table> table, OperatorPointer child, FoundRows rows,
                       NewValues values, std::optional<std::vector<int>> returning)
    : ChangeRows(execution, context, std::move(table), std::move(child), std::move(rows),
                 std::move(returning)),
      set_(std::move(values.set)),
      assignments_(std::move(values.expressions), account()),
      again_(std::move(values.again), account()),
      values_(set_.size()),
      nulls_(new bool[set_.size() + 1]) {}

std::unique_ptr<RowOperation> UpdateRows::begin_row(ItemPointer tid, uint32_t row) {
  assignments_.take_row(row, &values_, &nulls_);
  return std::make_unique<Row>(*this, tid);
}

class DeleteRows::Row final : public DeleteOperation {
 public:
  Row(DeleteRows& owner, ItemPointer tid)
      : DeleteOperation(owner.context().backend, owner.table(), tid, {}, owner.waiter()),
        owner_(owner) {}

 protected:
  Status still_meets(ItemPointer newest, bool* meets) override {
    return owner_.recheck().test(backend_, newest, meets);
  }

 private:
  DeleteRows& owner_;
};

std::unique_ptr<RowOperation> DeleteRows::begin_row(ItemPointer tid, uint32_t) {
  return std::make_unique<Row>(*this, tid);
}

}  // namespace pgdata
