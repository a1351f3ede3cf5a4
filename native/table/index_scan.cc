// Scans of an index range: the rows of consecutive entries that lead to one page are looked up together.
#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "btree/btree_scan.h"
#include "heap/visibility.h"
#include "table/filtered_output.h"
#include "table/index_read.h"
#include "table/row_source.h"
#include "table/table_read.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

// So many entries at most are followed under one lock of a page.
constexpr size_t run_max = 64;

// Values of one end of an index range, in memory of their own.
struct Bound {
  int count = 0;
  bool inclusive = true;
  std::vector<Datum> values;
  std::unique_ptr<bool[]> nulls;
  std::vector<std::vector<std::byte>> bytes;
};

class IndexTableScan final : public TableScan {
 public:
  IndexTableScan(const ReadContext& context, const Snapshot& snapshot, std::shared_ptr<Table> table,
                 const RowLayout& layout, std::unique_ptr<Filter> filter, size_t index,
                 bool backward, Bound lower, Bound upper)
      : context_(context),
        snapshot_(snapshot),
        table_(table),
        output_(table, layout, std::move(filter)),
        btree_(*table->indexes()[index].btree),
        columns_(table->indexes()[index].definition.columns),
        lower_(std::move(lower)),
        upper_(std::move(upper)),
        visibility_(context_, &snapshot_) {
    make_conditions();
    scan_ = std::make_unique<BtreeScan>(context_.pool_of(btree_.temporary()), btree_, conditions_,
                                        backward ? ScanDirection::backward : ScanDirection::forward,
                                        snapshot_.serializable);
    if (needs_recheck_)
      for (int i = 0; i < std::max(lower_.count, upper_.count); i++)
        output_.need(columns_[static_cast<size_t>(i)].attribute + 1);
  }

  Status next(RowWriter* writer) override {
    if (!counted_) count_index_scan(context_, btree_);
    counted_ = true;
    Followed followed;
    Status status = fill(writer, &followed);
    count_entries(context_, btree_, followed.entries, followed.fetched);
    return status;
  }

 private:
  struct Followed {
    int64_t entries = 0;
    int64_t fetched = 0;
  };

  Status fill(RowWriter* writer, Followed* followed) {
    bool ended = false;
    bool fits = true;
    while (!writer->is_full() && fits) {
      std::span<const ItemPointer> run;
      RETURN_IF_ERROR(scan_->next_run(std::min<size_t>(writer->rows_left(), run_max), &run));
      ended = run.empty();
      if (ended) break;
      RETURN_IF_ERROR(heap_hot_search_page(context_, table_->heap(), run, visibility_, &buffer_,
                                           found_.data()));
      RETURN_IF_ERROR(write_run(run, writer, followed, &fits));
    }
    writer->finish(ended);
    buffer_.release();
    // Nobody may ask for more.
    return scan_->mark_killed();
  }

  // What was found of the run; entries from the one whose row did not fit on are looked up again for the next batch.
  Status write_run(std::span<const ItemPointer> run, RowWriter* writer, Followed* followed,
                   bool* fits) {
    size_t passed = 0;
    for (; passed < run.size(); ++passed) {
      const HotSearchResult& result = found_[passed];
      if (result.found) {
        RETURN_IF_ERROR(write(result.tuple, writer, fits));
        if (!*fits) break;
        followed->fetched++;
      }
      if (result.all_dead) scan_->kill(run[passed]);
    }
    followed->entries += static_cast<int64_t>(passed);
    scan_->pass(passed);
    return Status::ok;
  }

  Status write(const HeapTuple& tuple, RowWriter* writer, bool* fits) {
    RETURN_IF_ERROR(output_.deform(tuple));
    bool inside = true;
    if (needs_recheck_) RETURN_IF_ERROR(is_inside(&inside));
    if (!inside) return Status::ok;
    return output_.write(context_, tuple.self, writer, fits);
  }

  // The columns on which both ends agree become equalities, the next one a range; what further columns demand
  // is checked on the rows.
  void make_conditions() {
    int column = 0;
    for (; column < std::min(lower_.count, upper_.count); column++) {
      if (!lower_.inclusive || !upper_.inclusive || compare_bounds(column) != 0) break;
      const auto i = static_cast<size_t>(column);
      conditions_.push_back({column,
                             lower_.nulls[i] ? BtreeOperator::is_null : BtreeOperator::equal,
                             lower_.values[i], false});
    }
    add_range(lower_, column, true);
    add_range(upper_, column, false);
    if (lower_.count > column + 1 || upper_.count > column + 1) needs_recheck_ = true;
  }

  void add_range(const Bound& bound, int column, bool is_lower) {
    if (bound.count <= column) return;
    const auto i = static_cast<size_t>(column);
    // A null end cannot be said as a condition; the recheck does it.
    if (bound.nulls[i]) {
      needs_recheck_ = true;
      return;
    }
    const bool last = bound.count == column + 1;
    const bool exclusive = last && !bound.inclusive;
    // Larger in index order is smaller in value when the column descends.
    const bool greater = is_lower != btree_.key(column).descending;
    conditions_.push_back(
        {column,
         greater ? (exclusive ? BtreeOperator::greater : BtreeOperator::greater_or_equal)
                 : (exclusive ? BtreeOperator::less : BtreeOperator::less_or_equal),
         bound.values[i], false});
  }

  int compare(int column, Datum left, bool left_null, Datum right, bool right_null) const {
    const KeyColumn& key = btree_.key(column);
    if (left_null || right_null) {
      if (left_null == right_null) return 0;
      return left_null == key.nulls_first ? -1 : 1;
    }
    const int order = key.compare(left, right, key);
    return key.descending ? -order : order;
  }

  int compare_bounds(int column) const {
    const auto i = static_cast<size_t>(column);
    return compare(column, lower_.values[i], lower_.nulls[i], upper_.values[i], upper_.nulls[i]);
  }

  // The row against a bound, column by column in index order. Whether a null is before or after a value is unknown, as in
  // SQL, so that such a row is outside; so it is by the conditions on the column that they can be made of.
  Status compare_row(const Bound& bound, int* order, bool* unknown) {
    *order = 0;
    for (int column = 0; column < bound.count && *order == 0; column++) {
      const auto i = static_cast<size_t>(column);
      const int attribute = columns_[i].attribute;
      Datum plain = 0;
      const bool is_null = output_.nulls()[attribute];
      if (is_null && !bound.nulls[i]) {
        *unknown = true;
        return Status::ok;
      }
      if (!is_null)
        RETURN_IF_ERROR(plain_value(context_, *table_, attribute, output_.values()[attribute],
                                    &scratch_, &plain));
      *order = compare(column, plain, is_null, bound.values[i], bound.nulls[i]);
    }
    return Status::ok;
  }

  Status is_inside(bool* inside) {
    int order = 0;
    bool unknown = false;
    *inside = false;
    RETURN_IF_ERROR(compare_row(lower_, &order, &unknown));
    if (unknown) return Status::ok;
    if (lower_.count > 0 && (order < 0 || (order == 0 && !lower_.inclusive))) return Status::ok;
    RETURN_IF_ERROR(compare_row(upper_, &order, &unknown));
    if (unknown) return Status::ok;
    if (upper_.count > 0 && (order > 0 || (order == 0 && !upper_.inclusive))) return Status::ok;
    *inside = true;
    return Status::ok;
  }

  ReadContext context_;
  Snapshot snapshot_;
  std::shared_ptr<Table> table_;
  FilteredOutput output_;
  const BtreeIndex& btree_;
  const std::vector<TableIndexColumn>& columns_;
  Bound lower_;
  Bound upper_;
  Visibility visibility_;
  std::vector<BtreeCondition> conditions_;
  std::unique_ptr<BtreeScan> scan_;
  bool needs_recheck_ = false;
  bool counted_ = false;
  BufferRef buffer_;
  std::array<HotSearchResult, run_max> found_;
  std::vector<std::byte> scratch_;
};

Bound copy_bound(const Table& table, const RowLayout& layout, RowSource& source, int count,
                 bool inclusive) {
  Bound bound;
  bound.count = count;
  bound.inclusive = inclusive;
  const size_t columns = layout.columns().size();
  bound.values.resize(columns);
  bound.nulls.reset(new bool[columns + 1]());
  source.next_cells(bound.values.data(), bound.nulls.get());
  for (size_t i = 0; i < columns; i++) {
    const Attribute& attribute =
        table.desc().attributes[static_cast<size_t>(layout.columns()[i].attribute)];
    if (bound.nulls[i] || attribute.attbyval) continue;
    const std::byte* bytes = datum_pointer(bound.values[i]);
    bound.bytes.emplace_back(bytes, bytes + datum_size(attribute.attlen, bound.values[i]));
    bound.values[i] = pointer_datum(bound.bytes.back().data());
  }
  return bound;
}

}  // namespace

Status scan_index(const ReadContext& context, const Snapshot& snapshot,
                  std::shared_ptr<Table> table, const RowLayout& layout, const IndexRange& range,
                  const RowLayout& bounds_layout, const RowReader& bounds,
                  std::unique_ptr<Filter> filter, std::unique_ptr<TableScan>* scan) {
  RETURN_IF_ERROR(check_index(*table, range.index));
  const int key_columns = table->indexes()[range.index].btree->nkeyatts();
  INVARIANT(range.lower_count <= key_columns);
  INVARIANT(range.upper_count <= key_columns);
  INVARIANT(static_cast<int>(bounds_layout.columns().size()) == key_columns);
  INVARIANT(bounds.rows() == 2);
  RowSource source(*table, bounds_layout, bounds);
  Bound lower = copy_bound(*table, bounds_layout, source, range.lower_count, range.lower_inclusive);
  Bound upper = copy_bound(*table, bounds_layout, source, range.upper_count, range.upper_inclusive);
  *scan = std::make_unique<IndexTableScan>(context, snapshot, std::move(table), layout,
                                           std::move(filter), range.index, range.backward,
                                           std::move(lower), std::move(upper));
  return Status::ok;
}

}  // namespace pgdata
