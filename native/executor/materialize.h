// Materialize: the rows of an operator, kept to be given again and again. Within work_mem; what needs more goes to a
// temporary file.
//
// Source: src/backend/executor/nodeMaterial.c, PostgreSQL 18.
#pragma once

#include <memory>
#include <vector>

#include "executor/operator.h"
#include "executor/spilled_rows.h"

namespace pgdata {

class Materialize final : public Operator {
 public:
  Materialize(Execution& execution, OperatorPointer child, std::vector<ValueType> types);
  bool can_rewind() const override { return true; }

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  Status restart() override;
  void describe(OperatorReport* report) const override {
    report->peak_bytes = peak_bytes_;
    report->disk_bytes = spilled_ == nullptr ? 0 : spilled_->size_bytes();
  }

 private:
  // Of the rows that are kept; null when all of them were given.
  Status next_kept(const Batch** batch);
  Status keep_pending(bool* done);
  bool fits(const Batch& batch) const;
  void copy(const Batch& batch);

  const std::vector<ValueType> types_;
  const uint64_t memory_limit_;
  Arena memory_;
  std::vector<Batch> kept_;  // their columns are in `memory_`
  size_t next_ = 0;          // of kept_: to be given
  size_t moved_ = 0;         // of kept_: is in the file
  std::unique_ptr<SpilledRows> spilled_;
  bool is_reading_ = false;         // the file
  const Batch* pending_ = nullptr;  // the child's, not kept yet
  bool is_child_done_ = false;
  uint64_t peak_bytes_ = 0;
};

}  // namespace pgdata
