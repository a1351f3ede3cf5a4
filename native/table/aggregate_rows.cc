// Aggregates over a table: the columns of a page's rows at once.
#include <numeric>
#include <span>
#include <utility>

#include "heap/heap_scan.h"
#include "table/accumulator.h"
#include "table/count_rows.h"
#include "table/page_columns.h"
#include "table/read_counting.h"
#include "table/table_read.h"

namespace pgdata {

namespace {

constexpr size_t rows_max = heap_tuples_per_page_max(block_size_max);

AggregateValue count_value(uint64_t rows) {
  AggregateValue value;
  value.kind = AggregateValue::Kind::integer;
  value.integer = static_cast<__int128>(rows);
  return value;
}

// One for each request; null for count(*). Their columns are listed in `attributes`.
Status make_accumulators(const Table& table, const std::vector<AggregateRequest>& requests,
                         std::vector<std::unique_ptr<Accumulator>>* accumulators,
                         std::vector<int>* attributes) {
  for (const AggregateRequest& request : requests) {
    accumulators->push_back(nullptr);
    if (request.attribute < 0) continue;
    const Attribute& attribute = table.desc().attributes[static_cast<size_t>(request.attribute)];
    accumulators->back() = make_accumulator(request.kind, attribute.atttypid);
    if (accumulators->back() == nullptr) {
      Status status = Status::error(ErrorCode::feature_not_supported,
                                    "aggregating column \"%s\" is not supported for its type",
                                    attribute.attname);
      status.report().column = attribute.attname;
      return table.with_names(std::move(status));
    }
    attributes->push_back(request.attribute);
  }
  return Status::ok;
}

}  // namespace

Status aggregate_rows(const ReadView& view, Table& table,
                      const std::vector<AggregateRequest>& requests, Filter& filter,
                      std::vector<AggregateValue>* results) {
  std::vector<std::unique_ptr<Accumulator>> accumulators;
  std::vector<int> attributes;
  RETURN_IF_ERROR(make_accumulators(table, requests, &accumulators, &attributes));
  const size_t arguments = attributes.size();
  for (const int attribute : filter.attributes()) attributes.push_back(attribute);
  uint64_t rows = 0;  // that pass
  if (attributes.empty()) {
    RETURN_IF_ERROR(count_rows(view, table, &rows));
    results->assign(requests.size(), count_value(rows));
    return Status::ok;
  }
  ColumnDeformer deformer(table.layout(), attributes);
  const PageColumns page(attributes.size(), rows_max);
  uint16_t passing[rows_max];
  HeapScan scan(view.context, table.heap(), *view.snapshot);
  RETURN_IF_ERROR(scan.begin());
  count_heap_scan(view.context, table.heap());
  uint64_t read = 0;
  bool found = false;
  for (;;) {
    RETURN_IF_ERROR(scan.next_page(&found));
    if (!found) break;
    RETURN_IF_ERROR(scan.deform(deformer, 0, scan.tuple_count(), page.columns(), 0));
    auto count = static_cast<uint32_t>(scan.tuple_count());
    read += count;
    if (!filter.is_empty()) {
      std::iota(passing, passing + count, uint16_t{0});
      RETURN_IF_ERROR(filter.select(view.context, page.columns() + arguments, passing, &count));
      page.keep(arguments, passing, count);
    }
    rows += count;
    const Column* column = page.columns();
    for (const auto& accumulator : accumulators)
      if (accumulator != nullptr) RETURN_IF_ERROR(accumulator->add(*column++, count));
  }
  count_heap_rows(view.context, table.heap(), read);
  for (const auto& accumulator : accumulators)
    results->push_back(accumulator == nullptr ? count_value(rows) : accumulator->value());
  return Status::ok;
}

}  // namespace pgdata
