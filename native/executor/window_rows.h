// WindowRows: functions of the rows from the start of a partition to the end of a unit of it, as further columns.
//
// Rows come ordered by partition and then by peers. A unit is a row, the rows that are peers, or the partition; all its rows
// get the same results, which are known at its end. Until then they are kept, within work_mem, and in a temporary
// file beyond it; nothing is kept of earlier units. Source: src/backend/executor/nodeWindowAgg.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "executor/operator.h"
#include "executor/packed_row.h"
#include "executor/spilled_rows.h"
#include "executor/window_call.h"
#include "executor/window_keys.h"

namespace pgdata {

enum class WindowUnit : uint8_t { row, peers, partition };

class WindowRows final : public Operator {
 public:
  // `types`: of the child's columns; the batches have those, then the calls' results.
  WindowRows(Execution& execution, OperatorPointer child, std::vector<ValueType> types,
             WindowKeys partition, WindowKeys peers, WindowUnit unit,
             std::vector<WindowCall> calls);
  ~WindowRows() override;

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  void describe(OperatorReport* report) const override {
    report->peak_bytes = peak_bytes_;
    report->disk_bytes = spilled_bytes_;
  }

 private:
  // A value of the partition's rows; null until there is one.
  struct KeptValue {
    explicit KeptValue(MemoryAccount& account) : memory(account) {}
    bool is_null = true;
    Datum value = 0;
    Arena memory;
  };
  // A row that is kept, before its bytes.
  struct KeptRow {
    KeptRow* next = nullptr;
  };
  enum class Phase : uint8_t { taking, giving };
  // Whether row number `row_` of the input begins another unit than that which is being taken.
  bool begins_unit() const;
  Status count_row();
  void keep_value(size_t call);
  Status keep_row();
  Status compute_results();
  Status end_unit();
  Status give_kept();
  void give(const std::vector<Column>& columns, uint32_t row);
  void put_results(uint32_t row);
  void charge_aggregates();

  const std::vector<ValueType> types_;
  // Of the last row that was taken.
  KeptKeys partition_;
  KeptKeys peers_;
  const WindowUnit unit_;
  std::vector<WindowCall> calls_;
  RowPacker packer_;

  const Batch* input_ = nullptr;
  uint32_t row_ = 0;
  bool is_input_ended_ = false;
  // Of the calls that give one of the rows' values.
  std::vector<std::unique_ptr<KeptValue>> values_;
  int64_t row_number_ = 0;
  int64_t rank_ = 0;
  int64_t dense_rank_ = 0;

  // The rows of the unit, in memory and then in the file.
  Phase phase_ = Phase::taking;
  Arena kept_;
  KeptRow* first_ = nullptr;
  KeptRow* last_ = nullptr;
  uint64_t rows_kept_ = 0;
  std::unique_ptr<SpilledRows> spilled_;
  const Batch* from_file_ = nullptr;
  uint32_t next_from_file_ = 0;
  uint64_t spilled_bytes_ = 0;
  uint64_t peak_bytes_ = 0;
  size_t charged_ = 0;  // for the aggregates

  Arena results_memory_;
  std::vector<Datum> results_;
  std::vector<uint8_t> result_nulls_;
  BatchStorage out_;
};

}  // namespace pgdata
