// HashSetOp: INTERSECT and EXCEPT, with or without ALL, within work_mem times hash_mem_multiplier.
//
// The left rows make groups, which count their rows; right rows are counted where there is their group. Once there is no
// memory for further groups, rows of others go to temporary files, in parts by their hashes, from the left and then from
// the right; each part is done in turn, in the same way. Nulls are alike. Source: src/backend/executor/nodeSetOp.c,
// PostgreSQL 18, which does not spill.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "executor/group_table.h"
#include "executor/operator.h"
#include "executor/spilled_rows.h"

namespace pgdata {

enum class SetOpCommand : uint8_t { intersect, intersect_all, except, except_all };

class HashSetOp final : public Operator {
 public:
  // Both children give columns of these types.
  static Status create(Execution& execution, SetOpCommand command, OperatorPointer left,
                       OperatorPointer right, std::vector<ValueType> types, OperatorPointer* made);
  ~HashSetOp() override { account().give(charged_); }

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  void describe(OperatorReport* report) const override {
    report->peak_bytes = peak_bytes_;
    report->disk_bytes = spilled_bytes_;
    report->batches = passes_;
  }

 private:
  enum class Side : uint8_t { left, right };
  enum class Phase : uint8_t { left, right, groups };
  // Of a group: its rows on either side.
  struct Counts {
    uint64_t left = 0;
    uint64_t right = 0;
  };
  struct Pass {
    // Null: the children's, or, of the right one alone, none.
    std::unique_ptr<SpilledRows> left;
    std::unique_ptr<SpilledRows> right;
    uint32_t level = 0;
  };

  HashSetOp(Execution& execution, SetOpCommand command, Children children,
            std::vector<GroupKey> keys, std::vector<ValueType> types);
  // The next rows of one side; null where there are none.
  Status take_input(Side side, const Batch** from, Progress* progress);
  Status add_left(const Batch& from);
  Status add_right(const Batch& from);
  Status end_left();
  Status end_right();
  void begin_pass();
  bool has_room() const;
  void grow();
  void note_peak();
  uint64_t rows_of(const Counts& counts) const;
  void emit(const Batch** batch);
  std::unique_ptr<SpilledParts> new_parts();

  const SetOpCommand command_;
  const std::vector<ValueType> types_;
  GroupTable table_;
  std::vector<Counts> counts_;
  size_t charged_ = 0;  // for the counts
  const uint64_t memory_limit_;
  const size_t parts_;
  // Rows of groups that are not in memory.
  std::unique_ptr<SpilledParts> left_spilling_;
  std::unique_ptr<SpilledParts> right_spilling_;
  Pass pass_;
  std::vector<Pass> passes_left_;
  Phase phase_ = Phase::left;
  uint64_t spilled_bytes_ = 0;
  uint64_t peak_bytes_ = 0;
  uint32_t passes_ = 1;
  uint64_t hashes_[batch_rows_max];
  // What is given next, and how many rows of it were.
  size_t next_group_ = 0;
  uint64_t given_ = 0;
  BatchStorage out_;
};

}  // namespace pgdata
