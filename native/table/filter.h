// Filter: conditions `column op constant` on a row, all of which must hold.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "table/row_layout.h"
#include "table/table.h"
#include "tuple/compare.h"
#include "tuple/deform_columns.h"

namespace pgdata {

enum class FilterOperator : uint8_t {
  equal,
  not_equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
  is_null,
  is_not_null
};

struct FilterCondition {
  int attribute = 0;  // from 0
  FilterOperator op = FilterOperator::equal;
};

class Filter {
 public:
  // The constants of the conditions that take one are row 0 of `constants`, in order; they are copied.
  static Status create(const Table& table, const std::vector<FilterCondition>& conditions,
                       const RowLayout* layout, const RowReader* constants,
                       std::unique_ptr<Filter>* filter);

  bool is_empty() const { return tests_.empty(); }
  // Attributes 0 .. this-1 must be deformed.
  int attributes_needed() const { return attributes_needed_; }
  // The column of each condition, from 0.
  std::vector<int> attributes() const;
  // A comparison with a null value is not true.
  Status matches(const ReadContext& context, const Datum* values, const bool* nulls, bool* result);
  // The same for several rows at once: of the `*count` rows whose numbers are in `rows`, those that pass stay there.
  // `columns` has one for each of `attributes()`.
  Status select(const ReadContext& context, const Column* columns, uint16_t* rows, uint32_t* count);

 private:
  explicit Filter(const Table& table) : table_(table) {}
  struct Test {
    FilterCondition condition;
    KeyColumn comparator;
    Datum constant = 0;
    bool never = false;  // the constant is null
    bool is_varlena = false;
    std::vector<std::byte> bytes;
  };
  Status select_by(const ReadContext& context, const Test& test, const Column& column,
                   uint16_t* rows, uint32_t* count);

  const Table& table_;
  std::vector<Test> tests_;
  int attributes_needed_ = 0;
  std::vector<std::byte> scratch_;
};

// A value as comparisons take it: a varlena that is compressed or stored out of line is fetched into `storage`.
Status plain_value(const ReadContext& context, const Table& table, int attribute, Datum value,
                   std::vector<std::byte>* storage, Datum* plain);

}  // namespace pgdata
