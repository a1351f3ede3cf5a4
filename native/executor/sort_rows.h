// SortRows: ORDER BY, within work_mem.
#pragma once

#include <vector>

#include "executor/operator.h"
#include "executor/packed_row.h"
#include "sort/tuple_sort.h"

namespace pgdata {

struct SortKey {
  size_t column = 0;
  KeyColumn order;  // with its direction, and where nulls come
};

// Packed rows by what the leading key of a TupleSort does not tell.
class PackedRowOrder final : public TupleOrder {
 public:
  PackedRowOrder(const RowPacker& packer, std::vector<SortKey> keys);

  LeadingKey leading_key(const std::vector<Column>& columns, uint32_t row) const;
  int compare(TupleView left, TupleView right) override;
  bool are_equal(LeadingKey key) const override;

 private:
  const RowPacker& packer_;
  std::vector<SortKey> keys_;
  bool leading_is_exact_;
};

class SortRows final : public Operator {
 public:
  // `wanted`: only so many of the first rows will be asked for; 0: all.
  SortRows(Execution& execution, OperatorPointer child, std::vector<ValueType> types,
           std::vector<SortKey> keys, uint64_t wanted);
  ~SortRows() override { account().give(charged_); }

 protected:
  Status produce(const Batch** batch, Progress* progress) override;
  void describe(OperatorReport* report) const override;

 private:
  enum class Phase : uint8_t { adding, sorting, reading };
  Status add(const Batch& batch);
  void charge();

  RowPacker packer_;
  PackedRowOrder order_;
  TupleSort sort_;
  Phase phase_ = Phase::adding;
  size_t charged_ = 0;
  BatchStorage out_;
};

}  // namespace pgdata
