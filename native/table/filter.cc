// Filter: evaluation against deformed rows.
#include "table/filter.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "heap/toast.h"
#include "table/row_source.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

bool takes_constant(FilterOperator op) {
  return op != FilterOperator::is_null && op != FilterOperator::is_not_null;
}

// Which orders of value and constant an operator accepts: a bit each for before, equal and after.
uint32_t accepted_by(FilterOperator op) {
  switch (op) {
    case FilterOperator::equal:
      return 0b010;
    case FilterOperator::not_equal:
      return 0b101;
    case FilterOperator::less:
      return 0b001;
    case FilterOperator::less_or_equal:
      return 0b011;
    case FilterOperator::greater:
      return 0b100;
    default:
      return 0b110;
  }
}

// 1 or 0.
uint32_t holds(uint32_t accepted, int order) {
  return accepted >> (1 + (order > 0 ? 1 : 0) - (order < 0 ? 1 : 0)) & 1;
}

}  // namespace

Status plain_value(const ReadContext& context, const Table& table, int attribute, Datum value,
                   std::vector<std::byte>* storage, Datum* plain) {
  *plain = value;
  if (table.desc().attributes[static_cast<size_t>(attribute)].attlen != -1) return Status::ok;
  const std::byte* bytes = datum_pointer(value);
  if (varlena_is_plain(bytes) || varlena_is_short(bytes)) [[likely]]
    return Status::ok;
  std::vector<std::byte> fetched;
  std::span<const std::byte> data;
  RETURN_IF_ERROR(detoast(context, table.heap(), bytes, &fetched, &data));
  storage->resize(VARHDRSZ + data.size());
  set_varlena_size_4b(storage->data(), static_cast<uint32_t>(storage->size()));
  if (!data.empty()) std::memcpy(storage->data() + VARHDRSZ, data.data(), data.size());
  *plain = pointer_datum(storage->data());
  return Status::ok;
}

Status Filter::create(const Table& table, const std::vector<FilterCondition>& conditions,
                      const RowLayout* layout, const RowReader* constants,
                      std::unique_ptr<Filter>* filter) {
  std::unique_ptr<Filter> made(new Filter(table));
  const size_t wanted = static_cast<size_t>(std::count_if(
      conditions.begin(), conditions.end(), [](const auto& c) { return takes_constant(c.op); }));
  std::vector<Datum> values(wanted);
  std::unique_ptr<bool[]> nulls(new bool[wanted + 1]);
  std::unique_ptr<RowSource> source;
  if (wanted != 0) {
    INVARIANT(layout != nullptr);
    INVARIANT(constants != nullptr);
    INVARIANT(layout->columns().size() == wanted);
    INVARIANT(constants->rows() >= 1);
    source = std::make_unique<RowSource>(table, *layout, *constants);
    source->next_cells(values.data(), nulls.get());
  }
  size_t next_constant = 0;
  for (const FilterCondition& condition : conditions) {
    Test test;
    test.condition = condition;
    test.is_varlena =
        table.desc().attributes[static_cast<size_t>(condition.attribute)].attlen == -1;
    made->attributes_needed_ = std::max(made->attributes_needed_, condition.attribute + 1);
    if (takes_constant(condition.op)) {
      RETURN_IF_ERROR(column_comparator(table, condition.attribute, &test.comparator));
      const size_t i = next_constant++;
      test.never = nulls[i];
      test.constant = values[i];
      const Attribute& attribute =
          table.desc().attributes[static_cast<size_t>(condition.attribute)];
      if (!test.never && !attribute.attbyval) {
        const std::byte* bytes = datum_pointer(values[i]);
        test.bytes.assign(bytes, bytes + datum_size(attribute.attlen, values[i]));
        test.constant = pointer_datum(test.bytes.data());
      }
    }
    made->tests_.push_back(std::move(test));
    // The vector's move keeps the bytes where they are, so the pointer stays right.
  }
  *filter = std::move(made);
  return Status::ok;
}

Status Filter::matches(const ReadContext& context, const Datum* values, const bool* nulls,
                       bool* result) {
  *result = false;
  for (const Test& test : tests_) {
    const int attribute = test.condition.attribute;
    const bool is_null = nulls[attribute];
    if (test.condition.op == FilterOperator::is_null) {
      if (!is_null) return Status::ok;
      continue;
    }
    if (test.condition.op == FilterOperator::is_not_null) {
      if (is_null) return Status::ok;
      continue;
    }
    if (is_null || test.never) return Status::ok;
    Datum plain = values[attribute];
    if (test.is_varlena)
      RETURN_IF_ERROR(plain_value(context, table_, attribute, plain, &scratch_, &plain));
    const int order = test.comparator.compare(plain, test.constant, test.comparator);
    if (holds(accepted_by(test.condition.op), order) == 0) return Status::ok;
  }
  *result = true;
  return Status::ok;
}

std::vector<int> Filter::attributes() const {
  std::vector<int> attributes;
  for (const Test& test : tests_) attributes.push_back(test.condition.attribute);
  return attributes;
}

Status Filter::select(const ReadContext& context, const Column* columns, uint16_t* rows,
                      uint32_t* count) {
  for (size_t i = 0; i < tests_.size() && *count > 0; i++)
    RETURN_IF_ERROR(select_by(context, tests_[i], columns[i], rows, count));
  return Status::ok;
}

Status Filter::select_by(const ReadContext& context, const Test& test, const Column& column,
                         uint16_t* rows, uint32_t* count) {
  uint32_t kept = 0;
  if (!takes_constant(test.condition.op)) {
    const uint8_t wanted = test.condition.op == FilterOperator::is_null ? 1 : 0;
    for (uint32_t i = 0; i < *count; i++) {
      const uint16_t row = rows[i];
      rows[kept] = row;
      kept += column.nulls[row] == wanted ? 1 : 0;
    }
    *count = kept;
    return Status::ok;
  }
  const uint32_t accepted = accepted_by(test.condition.op);
  for (uint32_t i = 0; i < *count && !test.never; i++) {
    const uint16_t row = rows[i];
    if (column.nulls[row] != 0) continue;
    Datum plain = column.values[row];
    if (test.is_varlena)
      RETURN_IF_ERROR(
          plain_value(context, table_, test.condition.attribute, plain, &scratch_, &plain));
    rows[kept] = row;
    kept += holds(accepted, test.comparator.compare(plain, test.constant, test.comparator));
  }
  *count = kept;
  return Status::ok;
}

}  // namespace pgdata
