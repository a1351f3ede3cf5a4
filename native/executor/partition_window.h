// PartitionWindow: functions of any rows of a partition, as further columns.
//
// Rows come ordered by partition and then by peers, and are kept as long as a row may ask for them, within work_mem and in
// a temporary file beyond it. A row is given once all that its functions are of have come: for some that is the end of the
// partition. Frames only go forward; what leaves a frame is taken out of an aggregate where that can be done, and otherwise
// the frame is added up anew. WindowRows is faster where a frame begins with the partition and ends with the row, its
// peers or the partition. Source: src/backend/executor/nodeWindowAgg.c, src/backend/utils/adt/windowfuncs.c, PostgreSQL 18.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "executor/operator.h"
#include "executor/partition_rows.h"
#include "executor/window_call.h"
#include "executor/window_frame.h"
#include "executor/window_keys.h"

namespace pgdata {

class PartitionWindow final : public Operator {
 public:
  // `types`: of the child's columns; the batches have those, then the calls' results. The frame is copied with its distances.
  PartitionWindow(Execution& execution, OperatorPointer child, std::vector<ValueType> types,
                  WindowKeys partition, WindowKeys peers, const WindowFrame& frame,
                  std::vector<WindowCall> calls);
  ~PartitionWindow() override;

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  void describe(OperatorReport* report) const override {
    report->peak_bytes = rows_.peak_bytes();
    report->disk_bytes = rows_.disk_bytes();
  }

 private:
  using Reader = PartitionRows::Reader;
  // Rows from `first` to before `end`.
  struct Span {
    uint64_t first = 0;
    uint64_t end = 0;
  };
  // A row, or the end of the rows, and how many groups of peers begin after the first row and not after that one.
  struct GroupCursor {
    GroupCursor(PartitionRows& rows, MemoryAccount& account)
        : left(rows, account), right(rows, account) {}
    uint64_t row = 0;
    uint64_t group = 0;
    Reader left;
    Reader right;
  };
  // A row of the frame's edge in a range with a distance.
  struct RangeCursor {
    RangeCursor(PartitionRows& rows, MemoryAccount& account) : reader(rows, account) {}
    uint64_t row = 0;
    Reader reader;
  };
  // What an aggregate has been given.
  struct Given {
    Span span;
    uint64_t row = 0;  // for which row of the partition
    bool begun = false;
  };

  void begin_partition();
  bool has_come(uint64_t row) const { return row < rows_.rows(); }
  // After so many steps of a cursor.
  bool is_time_up(uint64_t steps);
  // Whether all is there that the current row asks for, and was found before the time was up; its frame then is known.
  Status locate(bool* known);
  Status locate_group(bool* known);
  Status locate_start(bool* known);
  Status locate_end(bool* known);
  Status advance(GroupCursor* cursor, bool* known);
  Status advance_past(GroupCursor* cursor, uint64_t groups, bool* known);
  Status advance_range(RangeCursor* cursor, const FrameBound& bound, bool is_start, bool* known);
  void cut_frame();

  // False: the time is up.
  Status fill(size_t call, bool* done);
  Status feed(const WindowCall& call, Span rows, bool removes, bool* done);
  Status give_row(bool* done);
  Status compute(size_t call, const std::byte* current, Datum* value, bool* is_null);
  // The frame's row of that number, from 0; false if it has none.
  bool row_of_frame(uint64_t number, uint64_t* row) const;
  Status value_at(uint64_t row, int column, const ValueType& type, Datum* value, bool* is_null);
  uint64_t first_needed() const;
  void charge_aggregates();

  const std::vector<ValueType> types_;
  KeptKeys partition_;
  const WindowKeys peers_;
  WindowFrame frame_;
  Arena distances_;  // of the frame, where they are by reference
  std::vector<WindowCall> calls_;
  // What the calls ask for.
  bool needs_all_ = false;
  bool needs_groups_ = false;
  bool needs_frame_ = false;
  bool reads_values_of_frame_ = false;
  uint64_t lead_ = 0;
  uint64_t lag_ = 0;

  const Batch* input_ = nullptr;
  uint32_t row_ = 0;
  bool is_input_ended_ = false;

  // Of the partition.
  PartitionRows rows_;
  bool is_complete_ = false;
  bool is_time_up_ = false;
  uint64_t current_ = 0;
  uint64_t group_ = 0;
  uint64_t group_start_ = 0;
  uint64_t group_end_ = 0;
  uint64_t frame_start_ = 0;
  uint64_t frame_end_ = 0;
  // The frame without what is excluded.
  std::array<Span, 3> spans_;
  size_t span_count_ = 0;
  std::vector<Given> given_;
  GroupCursor next_group_;
  GroupCursor start_group_;
  GroupCursor end_group_;
  RangeCursor start_range_;
  RangeCursor end_range_;
  Reader current_reader_;
  Reader value_reader_;
  Reader argument_reader_;

  ColumnStorage argument_;
  std::unique_ptr<uint32_t[]> groups_;  // all zero
  size_t charged_ = 0;                  // for the aggregates
  BatchStorage out_;
};

}  // namespace pgdata
