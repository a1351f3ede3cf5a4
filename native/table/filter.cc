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

bool holds(FilterOperator op, int order) {
  switch (op) {
    case FilterOperator::equal:
      return order == 0;
    case FilterOperator::not_equal:
      return order != 0;
    case FilterOperator::less:
      return order < 0;
    case FilterOperator::less_or_equal:
      return order <= 0;
    case FilterOperator::greater:
      return order > 0;
    default:
      return order >= 0;
  }
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
    if (!holds(test.condition.op, test.comparator.compare(plain, test.constant, test.comparator)))
      return Status::ok;
  }
  *result = true;
  return Status::ok;
}

}  // namespace pgdata
