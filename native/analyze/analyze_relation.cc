// A sample of the rows, then one column after the other.
#include "analyze/analyze_relation.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <span>

#include "analyze/row_sample.h"
#include "heap/toast.h"
#include "space/visibility_map.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

// Rows for each common value or bin (Chaudhuri, Motwani and Narasayya, SIGMOD 1998), and at least.
constexpr uint32_t rows_per_target = 300;
constexpr uint32_t rows_min = 100;
// Columns whose values are taken from the rows in one pass.
constexpr size_t columns_per_pass = 32;
constexpr size_t rows_per_pause = 1000;

// The values of some columns in all rows of a sample.
class Columns {
 public:
  Columns(const ReadContext& context, const Table& table, const RowSample& rows)
      : context_(context), table_(table), rows_(rows) {}

  Status read(std::span<const AnalyzedColumn> columns, const std::function<Status()>& pause) {
    found_.assign(columns.size(), {});
    int count = 0;
    for (const AnalyzedColumn& column : columns) count = std::max(count, column.attribute + 1);
    std::vector<Datum> values(static_cast<size_t>(count));
    const auto nulls = std::make_unique<bool[]>(static_cast<size_t>(count));
    for (size_t row = 0; row < rows_.rows.size(); row++) {
      if (row % rows_per_pause == 0) RETURN_IF_ERROR(pause());
      const std::vector<std::byte>& bytes = rows_.rows[row].bytes;
      RETURN_IF_ERROR(deform_heap_tuple(table_.layout(), bytes.data(), bytes.size(), count,
                                        values.data(), nulls.get()));
      for (size_t i = 0; i < columns.size(); i++) {
        const auto at = static_cast<size_t>(columns[i].attribute);
        if (!nulls[at]) found_[i].push_back(values[at]);
      }
    }
    return Status::ok;
  }

  // Of one of these columns, until the next one is asked for.
  Status sample(size_t i, const Attribute& attribute, ColumnMethod method, ColumnSample* sample) {
    detoasted_.clear();
    *sample = ColumnSample{};
    sample->rows = rows_.rows.size();
    sample->total_rows = rows_.live_rows;
    sample->nulls = sample->rows - found_[i].size();
    for (Datum value : found_[i]) {
      if (attribute.attlen < 0)
        sample->width_bytes += static_cast<double>(datum_size(attribute.attlen, value));
      if (method == ColumnMethod::trivial) continue;
      if (attribute.attlen == -1) {
        const std::byte* bytes = datum_pointer(value);
        if (varlena_raw_size(bytes) > wide_bytes) {
          sample->too_wide++;
          continue;
        }
        if (varlena_is_compressed(bytes) || varlena_is_external(bytes))
          RETURN_IF_ERROR(flatten(bytes, &value));
      }
      sample->values.push_back(value);
    }
    return Status::ok;
  }

 private:
  Status flatten(const std::byte* bytes, Datum* value) {
    std::vector<std::byte> storage;
    std::span<const std::byte> data;
    RETURN_IF_ERROR(detoast(context_, table_.heap(), bytes, &storage, &data));
    std::vector<std::byte>& made = detoasted_.emplace_back(VARHDRSZ + data.size());
    set_varlena_size_4b(made.data(), static_cast<uint32_t>(made.size()));
    std::copy(data.begin(), data.end(), made.begin() + VARHDRSZ);
    *value = pointer_datum(made.data());
    return Status::ok;
  }

  ReadContext context_;
  const Table& table_;
  const RowSample& rows_;
  // Values that are not null, by column, as they stand in the rows.
  std::vector<std::vector<Datum>> found_;
  // Values that were compressed or out of line.
  std::deque<std::vector<std::byte>> detoasted_;
};

}  // namespace

ColumnAnalysis column_analysis(const AnalyzedColumn& column) {
  ColumnAnalysis analysis;
  analysis.target = column.target;
  if (column.method == ColumnMethod::trivial) return analysis;
  ComparatorRequest request = column.order;
  if (request.opfamily != invalid_oid) {
    if (select_comparator(request, &analysis.order).is_ok()) {
      analysis.method = column.method;
      return analysis;
    }
    // The order of the collation is not ours, but what is equal is.
    request.collation_is_bytewise = true;
    request.default_collation_is_bytewise = true;
    if (column.collation_is_deterministic && select_comparator(request, &analysis.order).is_ok()) {
      analysis.method = ColumnMethod::distinct;
      return analysis;
    }
  }
  analysis.order = KeyColumn{};
  if (column.has_equal_image) analysis.method = ColumnMethod::distinct;
  return analysis;
}

Status analyze_relation(Backend& backend, const Table& table,
                        const std::vector<AnalyzedColumn>& columns, const CostSettings& settings,
                        AnalyzeProgress& progress, AnalyzeOutcome* outcome) {
  CostDelay delay(backend.services().state, settings, progress);
  // What the rows refer to in the TOAST table must stay until it was read.
  const Snapshot* snapshot = nullptr;
  RETURN_IF_ERROR(backend.statement_snapshot(&snapshot));
  uint32_t rows_wanted = rows_min;
  for (const AnalyzedColumn& column : columns)
    rows_wanted = std::max(rows_wanted, rows_per_target * column.target);

  SampleRandom random{std::random_device{}()};
  RowSample rows;
  progress.phase = AnalyzePhase::acquiring_sample_rows;
  const RowSampling sampling{rows_wanted, random, [&](uint32_t done, uint32_t total) {
                               progress.sample_blks_total = total;
                               progress.sample_blks_scanned = done;
                               return delay.pause(false);
                             }};
  RETURN_IF_ERROR(sample_rows(backend, table.heap(), sampling, &rows));

  progress.phase = AnalyzePhase::computing_statistics;
  const std::function<Status()> check = [&] { return delay.pause(false, true); };
  outcome->columns.resize(columns.size());
  Columns values(backend, table, rows);
  for (size_t first = 0; first < columns.size(); first += columns_per_pass) {
    const std::span<const AnalyzedColumn> some(columns.data() + first,
                                               std::min(columns_per_pass, columns.size() - first));
    RETURN_IF_ERROR(values.read(some, check));
    for (size_t i = 0; i < some.size(); i++) {
      const Attribute& attribute = table.desc().attributes[static_cast<size_t>(some[i].attribute)];
      const ColumnAnalysis analysis = column_analysis(some[i]);
      ColumnSample sample;
      RETURN_IF_ERROR(values.sample(i, attribute, analysis.method, &sample));
      RETURN_IF_ERROR(
          compute_statistics(attribute, analysis, sample, check, &outcome->columns[first + i]));
    }
  }

  progress.phase = AnalyzePhase::finalizing_analyze;
  outcome->rel_pages = rows.blocks;
  outcome->scanned_pages = rows.sampled_blocks;
  outcome->sampled_rows = static_cast<uint32_t>(rows.rows.size());
  outcome->live_rows = rows.live_rows;
  outcome->dead_rows = rows.dead_rows;
  BufferPool& pool = backend.pool_of(table.heap().temporary);
  RETURN_IF_ERROR(VisibilityMap(pool, table.heap().locator)
                      .count(&outcome->all_visible_pages, &outcome->all_frozen_pages));
  for (const Table::Index& index : table.indexes()) {
    uint32_t pages = 0;
    RETURN_IF_ERROR(pool.storage().block_count(index.definition.locator, ForkNumber::main, &pages));
    outcome->index_pages.push_back(pages);
  }
  return Status::ok;
}

}  // namespace pgdata
