// WritingOperator: an operator that changes rows, and gives those that RETURNING asks for.
//
// It may have to wait for another transaction: then it comes back with `paused` and `is_waiting`, the session being in
// the queue of a lock. Once that was granted, `go_on` lets it work again. After an error the caller must roll back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "executor/operator.h"
#include "executor/row_copier.h"
#include "lock/lock_session.h"
#include "table/row_waiter.h"
#include "table/table.h"
#include "table/table_write.h"
#include "xact/backend.h"

namespace pgdata {

// Who writes.
struct WriteContext {
  Backend& backend;
  LockSession& locks;
  TableWriter& writer;
  WaitPolicy policy;
};

class WritingOperator : public Operator {
 public:
  // Rows inserted, updated or deleted.
  uint64_t changed() const { return changed_; }
  bool is_waiting() const { return waiting_; }
  void go_on() { waiting_ = false; }
  // Of one that inserts: the next rows, staged for `of`, once those before have been dealt with. They are copied.
  virtual Status supply(const Table& of, const RowLayout& layout, const std::byte* bytes,
                        size_t size);
  // It came to a row that it had written itself, where it must not change that again: the statement has failed, which the
  // caller words (cardinality_violation).
  bool has_met_own() const { return met_own_; }

 protected:
  // `returning`: the attributes (from 0) of the rows that it gives; none: no rows.
  WritingOperator(Execution& execution, const WriteContext& context, std::shared_ptr<Table> table,
                  std::optional<std::vector<int>> returning, Children children);

  Status produce(const Batch** batch, Progress* progress) final;
  // Changes the next row, or does a part of that and sets `*waiting`. `*progress`: rows to go on, paused or ended.
  virtual Status change_next(bool* waiting, Progress* progress) = 0;
  void meet_own() { met_own_ = true; }
  // There is more to do, after `change_next` said that it had ended.
  void begin_again() { ended_ = false; }
  // The row at `tid` was written, or deleted.
  Status row_changed(ItemPointer tid);

  const WriteContext& context() const { return context_; }
  const std::shared_ptr<Table>& table() const { return table_; }
  RowWaiter waiter() const { return {context_.backend, context_.locks, *table_, context_.policy}; }

 private:
  WriteContext context_;
  std::shared_ptr<Table> table_;
  std::unique_ptr<RowCopier> returning_;
  Conditions all_;
  uint64_t changed_ = 0;
  bool waiting_ = false;
  bool met_own_ = false;
  bool ended_ = false;
};

}  // namespace pgdata
