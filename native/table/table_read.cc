// Reading tables: lookups, scans, aggregates.
#include "table/table_read.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "btree/btree_count.h"
#include "btree/btree_kill.h"
#include "btree/btree_search.h"
#include "heap/serializable_read.h"
#include "heap/visibility.h"
#include "space/visibility_map.h"
#include "table/row_source.h"
#include "tuple/deform.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

SessionCounters* counters_of(const ReadContext& context) {
  return context.backend == nullptr ? nullptr : context.backend->counters();
}

Status check_index(const Table& table, size_t index) {
  INVARIANT(index < table.indexes().size());
  const Table::Index& wanted = table.indexes()[index];
  if (wanted.btree) return Status::ok;
  return table.with_names(Status::error(ErrorCode::feature_not_supported,
                                        "index \"%s\" cannot be used",
                                        wanted.definition.name.c_str())
                              .with_detail(wanted.unusable_because));
}

// An index's entry was followed; `found`: to a row that is visible.
void count_entry(const ReadContext& context, const BtreeIndex& btree, bool found) {
  SessionCounters* const counters = counters_of(context);
  if (counters == nullptr) return;
  counters->count_returned(btree.definition().oid, btree.relation(), 1);
  if (found) counters->count_fetched(btree.definition().oid, btree.relation());
}

void count_index_scan(const ReadContext& context, const BtreeIndex& btree) {
  if (SessionCounters* const counters = counters_of(context))
    counters->count_scan(btree.definition().oid, btree.relation());
}

void count_heap_scan(const ReadContext& context, const HeapRelation& heap) {
  if (SessionCounters* const counters = counters_of(context))
    counters->count_scan(heap.oid, heap.locator);
}

void count_heap_rows(const ReadContext& context, const HeapRelation& heap, uint64_t rows) {
  if (SessionCounters* const counters = counters_of(context))
    counters->count_returned(heap.oid, heap.locator, static_cast<int64_t>(rows));
}

// The visible row among the versions that an index's entries lead to.
Status fetch_visible(const ReadView& view, const Table& table, Visibility& visibility,
                     const BtreeIndex& btree, const BtreeMatches& matches, BufferRef* buffer,
                     HeapTuple* tuple, bool* found) {
  *found = false;
  std::vector<ItemPointer> dead;
  for (int i = 0; i < matches.count && !*found; i++) {
    bool all_dead = false;
    RETURN_IF_ERROR(heap_hot_search(view.context, table.heap(), matches.tids[i], visibility, buffer,
                                    tuple, found, &all_dead));
    count_entry(view.context, btree, *found);
    if (all_dead) dead.push_back(matches.tids[i]);
  }
  if (dead.empty()) [[likely]]
    return Status::ok;
  return mark_dead_entries(view.context.pool, btree, matches.leaf, matches.lsn, &dead);
}

// The visible row with one key; `buffer` keeps its page.
Status find_by_key(const ReadView& view, Table& table, Visibility& visibility,
                   const BtreeIndex& btree, const BtreeSearchKey& key, BufferRef* buffer,
                   HeapTuple* tuple, bool* found) {
  *found = false;
  // Nothing equals null.
  if (std::any_of(key.nulls, key.nulls + key.columns, [](bool null) { return null; }))
    return Status::ok;
  BtreeMatches matches;
  count_index_scan(view.context, btree);
  RETURN_IF_ERROR(
      btree_lookup(view.context.pool, btree, key, &matches, view.snapshot->serializable));
  RETURN_IF_ERROR(fetch_visible(view, table, visibility, btree, matches, buffer, tuple, found));
  if (*found || !matches.more) return Status::ok;
  // More dead versions than fit: walk them all.
  std::vector<BtreeCondition> conditions;
  for (int i = 0; i < key.columns; i++)
    conditions.push_back({i, BtreeOperator::equal, key.values[i], false});
  BtreeScan scan(view.context.pool, btree, conditions, ScanDirection::forward,
                 view.snapshot->serializable);
  ItemPointer tid;
  bool more = true;
  while (!*found) {
    RETURN_IF_ERROR(scan.next(&tid, &more));
    if (!more) break;
    bool all_dead = false;
    RETURN_IF_ERROR(heap_hot_search(view.context, table.heap(), tid, visibility, buffer, tuple,
                                    found, &all_dead));
    count_entry(view.context, btree, *found);
    if (all_dead) scan.kill(tid);
  }
  return scan.mark_killed();
}

}  // namespace

Status lookup_rows(const ReadView& view, Table& table, size_t index, const RowLayout& key_layout,
                   const RowReader& keys, RowOutput& output, RowWriter* writer, uint8_t* hits,
                   uint32_t* answered) {
  RETURN_IF_ERROR(check_index(table, index));
  const BtreeIndex& btree = *table.indexes()[index].btree;
  INVARIANT(static_cast<int>(key_layout.columns().size()) == btree.nkeyatts());
  RowSource source(table, key_layout, keys);
  Visibility visibility(view.context, view.snapshot);
  BtreeSearchKey key;
  key.columns = btree.nkeyatts();
  BufferRef buffer;
  uint32_t done = 0;
  for (; done < keys.rows() && !writer->is_full(); done++) {
    source.next_cells(key.values, key.nulls);
    HeapTuple tuple;
    bool found = false;
    RETURN_IF_ERROR(find_by_key(view, table, visibility, btree, key, &buffer, &tuple, &found));
    if (found) {
      bool fits = false;
      RETURN_IF_ERROR(output.write(view.context, tuple, writer, &fits));
      if (!fits) break;
    }
    if (hits != nullptr) hits[done] = found ? 1 : 0;
  }
  *answered = done;
  writer->finish(true);
  return Status::ok;
}

Status find_row(const ReadView& view, Table& table, size_t index, const RowLayout& key_layout,
                const RowReader& keys, uint32_t row, ItemPointer* tid, bool* found) {
  RETURN_IF_ERROR(check_index(table, index));
  const BtreeIndex& btree = *table.indexes()[index].btree;
  INVARIANT(static_cast<int>(key_layout.columns().size()) == btree.nkeyatts());
  RowSource source(table, key_layout, keys, row);
  Visibility visibility(view.context, view.snapshot);
  BtreeSearchKey key;
  key.columns = btree.nkeyatts();
  source.next_cells(key.values, key.nulls);
  BufferRef buffer;
  HeapTuple tuple;
  RETURN_IF_ERROR(find_by_key(view, table, visibility, btree, key, &buffer, &tuple, found));
  if (*found) *tid = tuple.self;
  return Status::ok;
}

Status read_row(Backend& backend, Table& table, ItemPointer tid, RowOutput& output,
                RowWriter* writer, bool* fits) {
  BufferRef buffer;
  HeapTuple tuple;
  bool found = false;
  RETURN_IF_ERROR(heap_fetch_any(backend, table.heap(), tid, &buffer, &tuple, &found));
  if (!found) return heap_item_corrupted(table.heap(), tid);
  RETURN_IF_ERROR(output.write(backend, tuple, writer, fits));
  writer->finish(true);
  return Status::ok;
}

namespace {

// Writes tuples that pass a filter; keeps one that did not fit for the next batch.
class FilteredOutput {
 public:
  FilteredOutput(std::shared_ptr<Table> table, const RowLayout& layout,
                 std::unique_ptr<Filter> filter)
      : table_(std::move(table)),
        output_(*table_, layout),
        filter_(std::move(filter)),
        needed_(std::max(layout.attributes_needed(), filter_->attributes_needed())),
        values_(static_cast<size_t>(table_->natts())),
        nulls_(new bool[static_cast<size_t>(table_->natts())]) {}

  const Table& table() const { return *table_; }
  void need(int attributes) { needed_ = std::max(needed_, attributes); }
  const Datum* values() const { return values_.data(); }
  const bool* nulls() const { return nulls_.get(); }

  Status deform(const HeapTuple& tuple) {
    return deform_heap_tuple(table_->layout(), tuple.bytes, tuple.length, needed_, values_.data(),
                             nulls_.get());
  }
  // Of the deformed row.
  Status write(const ReadContext& context, ItemPointer tid, RowWriter* writer, bool* fits) {
    *fits = true;
    if (!filter_->is_empty()) {
      bool passes = false;
      RETURN_IF_ERROR(filter_->matches(context, values_.data(), nulls_.get(), &passes));
      if (!passes) return Status::ok;
    }
    return output_.write_values(context, values_.data(), nulls_.get(), tid, writer, fits);
  }

 private:
  std::shared_ptr<Table> table_;
  RowOutput output_;
  std::unique_ptr<Filter> filter_;
  int needed_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
};

class HeapTableScan final : public TableScan {
 public:
  HeapTableScan(const ReadContext& context, const Snapshot& snapshot, std::shared_ptr<Table> table,
                const RowLayout& layout, std::unique_ptr<Filter> filter)
      : context_(context),
        snapshot_(snapshot),
        output_(table, layout, std::move(filter)),
        scan_(context_, table->heap(), snapshot_) {}

  Status next(RowWriter* writer) override {
    if (!begun_) {
      begun_ = true;
      RETURN_IF_ERROR(scan_.begin());
      count_heap_scan(context_, output_.table().heap());
    }
    uint64_t rows = 0;
    Status status = fill(writer, &rows);
    count_heap_rows(context_, output_.table().heap(), rows);
    return status;
  }

 private:
  Status fill(RowWriter* writer, uint64_t* rows) {
    RETURN_IF_ERROR(scan_.resume());
    if (has_tuple_) tuple_ = scan_.current();
    while (!writer->is_full()) {
      if (!has_tuple_) {
        RETURN_IF_ERROR(scan_.next(&tuple_, &has_tuple_));
        if (!has_tuple_) {
          scan_.end();
          writer->finish(true);
          return Status::ok;
        }
        ++*rows;
      }
      RETURN_IF_ERROR(output_.deform(tuple_));
      bool fits = false;
      RETURN_IF_ERROR(output_.write(context_, tuple_.self, writer, &fits));
      if (!fits) break;
      has_tuple_ = false;
    }
    writer->finish(false);
    scan_.pause();
    return Status::ok;
  }

  ReadContext context_;
  Snapshot snapshot_;
  FilteredOutput output_;
  HeapScan scan_;
  HeapTuple tuple_;
  bool has_tuple_ = false;  // tuple_ is still to be written
  bool begun_ = false;
};

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
    scan_ = std::make_unique<BtreeScan>(context_.pool, btree_, conditions_,
                                        backward ? ScanDirection::backward : ScanDirection::forward,
                                        snapshot_.serializable);
    if (needs_recheck_)
      for (int i = 0; i < std::max(lower_.count, upper_.count); i++)
        output_.need(columns_[static_cast<size_t>(i)].attribute + 1);
  }

  Status next(RowWriter* writer) override {
    if (!counted_) count_index_scan(context_, btree_);
    counted_ = true;
    while (!writer->is_full()) {
      bool more = true;
      // An entry whose row did not fit into the last batch is looked up again.
      const bool is_first_time = !std::exchange(again_, false);
      if (is_first_time) RETURN_IF_ERROR(scan_->next(&tid_, &more));
      if (!more) {
        buffer_.release();
        writer->finish(true);
        return Status::ok;
      }
      bool found = false;
      bool all_dead = false;
      RETURN_IF_ERROR(heap_hot_search(context_, table_->heap(), tid_, visibility_, &buffer_,
                                      &tuple_, &found, &all_dead));
      if (is_first_time) count_entry(context_, btree_, found);
      if (all_dead) scan_->kill(tid_);
      if (!found) continue;
      RETURN_IF_ERROR(output_.deform(tuple_));
      bool fits = true;
      bool inside = true;
      if (needs_recheck_) RETURN_IF_ERROR(is_inside(&inside));
      if (inside) RETURN_IF_ERROR(output_.write(context_, tuple_.self, writer, &fits));
      again_ = !fits;
      if (again_) break;
    }
    writer->finish(false);
    buffer_.release();
    // Nobody may ask for more.
    return scan_->mark_killed();
  }

 private:
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
  HeapTuple tuple_;
  ItemPointer tid_;
  bool again_ = false;
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

std::unique_ptr<TableScan> scan_heap(const ReadContext& context, const Snapshot& snapshot,
                                     std::shared_ptr<Table> table, const RowLayout& layout,
                                     std::unique_ptr<Filter> filter) {
  return std::make_unique<HeapTableScan>(context, snapshot, std::move(table), layout,
                                         std::move(filter));
}

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

namespace {

enum class Numeric : uint8_t { none, int2, int4, int8, oid, float4, float8 };

Numeric numeric_of(Oid type) {
  switch (type) {
    case 21:
      return Numeric::int2;
    case 23:
      return Numeric::int4;
    case 20:
      return Numeric::int8;
    case 26:
      return Numeric::oid;
    case 700:
      return Numeric::float4;
    case 701:
      return Numeric::float8;
    default:
      return Numeric::none;
  }
}

// One running aggregate. NaN is larger than every other number, as PostgreSQL orders it.
class Accumulator {
 public:
  Accumulator(AggregateRequest request, Numeric numeric) : request_(request), numeric_(numeric) {}

  // Of a count of rows: that many more.
  void add_rows(uint64_t rows) {
    INVARIANT(request_.attribute < 0);
    count_ += rows;
  }
  void add(const Datum* values, const bool* nulls) {
    if (request_.attribute < 0) {
      count_++;
      return;
    }
    if (nulls[request_.attribute]) return;
    const bool first = count_++ == 0;
    if (request_.kind == AggregateKind::count) return;
    const Datum value = values[request_.attribute];
    if (numeric_ == Numeric::float4 || numeric_ == Numeric::float8)
      add_real(real_of(value), first);
    else
      add_integer(integer_of(value), first);
  }

  AggregateValue value() const {
    AggregateValue result;
    if (request_.kind == AggregateKind::count) {
      result.kind = AggregateValue::Kind::integer;
      result.integer = static_cast<__int128>(count_);
      return result;
    }
    if (count_ == 0) return result;
    const bool is_real = numeric_ == Numeric::float4 || numeric_ == Numeric::float8;
    if (request_.kind == AggregateKind::avg) {
      result.kind = AggregateValue::Kind::real;
      result.real = (is_real ? real_ : static_cast<double>(integer_)) / static_cast<double>(count_);
      return result;
    }
    result.kind = is_real ? AggregateValue::Kind::real : AggregateValue::Kind::integer;
    result.integer = integer_;
    result.real = real_;
    return result;
  }

 private:
  double real_of(Datum value) const {
    if (numeric_ == Numeric::float8) return load<double>(&value);
    return static_cast<double>(load<float>(&value));
  }
  int64_t integer_of(Datum value) const {
    switch (numeric_) {
      case Numeric::int2:
        return static_cast<int16_t>(value);
      case Numeric::int4:
        return static_cast<int32_t>(value);
      case Numeric::oid:
        return static_cast<uint32_t>(value);
      default:
        return static_cast<int64_t>(value);
    }
  }
  static bool real_less(double left, double right) {
    if (std::isnan(left)) return false;
    return std::isnan(right) || left < right;
  }
  void add_real(double value, bool first) {
    switch (request_.kind) {
      case AggregateKind::min:
        if (first || real_less(value, real_)) real_ = value;
        break;
      case AggregateKind::max:
        if (first || real_less(real_, value)) real_ = value;
        break;
      default:
        real_ = first ? value : real_ + value;
        break;
    }
  }
  void add_integer(int64_t value, bool first) {
    switch (request_.kind) {
      case AggregateKind::min:
        if (first || value < integer_) integer_ = value;
        break;
      case AggregateKind::max:
        if (first || value > integer_) integer_ = value;
        break;
      default:
        integer_ += value;
        break;
    }
  }

  AggregateRequest request_;
  Numeric numeric_;
  uint64_t count_ = 0;
  __int128 integer_ = 0;
  double real_ = 0;
};

}  // namespace

namespace {

// So many blocks may be counted row by row when the index counts the others.
constexpr size_t not_visible_max = 32;

Status find_not_visible(const ReadView& view, const Table& table, std::vector<BlockNumber>* found) {
  uint32_t blocks = 0;
  const RelFileLocator& locator = table.heap().locator;
  RETURN_IF_ERROR(view.context.pool.storage().block_count(locator, ForkNumber::main, &blocks));
  return VisibilityMap(view.context.pool, locator)
      .find_not_visible(blocks, not_visible_max + 1, found);
}

// Counts the entries of the smallest index, as an index-only scan does, but for those of the few heap blocks that are
// not visible to all, whose rows are looked at. Who adds or deletes a row clears its block's bit before the index
// learns of it, and while the snapshot is held no vacuum sets it again: a bit that is set afterwards was set all along.
Status count_by_index(const ReadView& view, const Table& table, uint64_t* rows, bool* counted) {
  *counted = false;
  // A serializable reader notes each page that it looks at. The map of a directory that is only looked into may be
  // ahead of its heap.
  if (view.context.backend == nullptr || view.snapshot->all_committed ||
      notes_reads(table.heap(), view.snapshot))
    return Status::ok;
  const BtreeIndex* smallest = nullptr;
  uint32_t least = 0;
  for (const Table::Index& index : table.indexes()) {
    if (!index.btree) continue;
    uint32_t blocks = 0;
    RETURN_IF_ERROR(view.context.pool.storage().block_count(index.btree->relation(),
                                                            ForkNumber::main, &blocks));
    if (smallest != nullptr && blocks >= least) continue;
    smallest = index.btree.get();
    least = blocks;
  }
  if (smallest == nullptr) return Status::ok;
  std::vector<BlockNumber> looked_at;
  RETURN_IF_ERROR(find_not_visible(view, table, &looked_at));
  if (looked_at.size() > not_visible_max) return Status::ok;
  std::vector<BlockNumber> empty;
  std::vector<BlockNumber> with_tuples;
  uint64_t total = 0;
  uint64_t of_block = 0;
  bool is_empty = false;
  for (const BlockNumber block : looked_at) {
    RETURN_IF_ERROR(
        heap_count_block(view.context, table.heap(), *view.snapshot, block, &of_block, &is_empty));
    total += of_block;
    (is_empty ? empty : with_tuples).push_back(block);
  }
  uint64_t entries = 0;
  RETURN_IF_ERROR(count_btree_entries(view.context.pool, *smallest, with_tuples, &entries));
  // Empty blocks must be so still: they have no bit that would tell.
  for (const BlockNumber block : empty) {
    RETURN_IF_ERROR(
        heap_count_block(view.context, table.heap(), *view.snapshot, block, &of_block, &is_empty));
    if (!is_empty) return Status::ok;
  }
  std::vector<BlockNumber> afterwards;
  RETURN_IF_ERROR(find_not_visible(view, table, &afterwards));
  *counted =
      std::includes(looked_at.begin(), looked_at.end(), afterwards.begin(), afterwards.end());
  *rows = total + entries;
  // As an index-only scan counts itself.
  if (SessionCounters* const counters = counters_of(view.context);
      counters != nullptr && *counted) {
    counters->count_scan(smallest->definition().oid, smallest->relation());
    counters->count_returned(smallest->definition().oid, smallest->relation(),
                             static_cast<int64_t>(*rows));
  }
  return Status::ok;
}

}  // namespace

Status aggregate_rows(const ReadView& view, Table& table,
                      const std::vector<AggregateRequest>& requests, Filter& filter,
                      std::vector<AggregateValue>* results) {
  std::vector<Accumulator> accumulators;
  int needed = filter.attributes_needed();
  for (const AggregateRequest& request : requests) {
    Numeric numeric = Numeric::none;
    if (request.attribute >= 0) {
      needed = std::max(needed, request.attribute + 1);
      const Attribute& attribute = table.desc().attributes[static_cast<size_t>(request.attribute)];
      numeric = numeric_of(attribute.atttypid);
      if (numeric == Numeric::none && request.kind != AggregateKind::count) {
        Status status = Status::error(ErrorCode::feature_not_supported,
                                      "aggregating column \"%s\" is not supported for its type",
                                      attribute.attname);
        status.report().column = attribute.attname;
        return table.with_names(std::move(status));
      }
    }
    accumulators.emplace_back(request, numeric);
  }
  if (needed == 0 && filter.is_empty()) {
    uint64_t rows = 0;
    bool counted = false;
    RETURN_IF_ERROR(table.with_names(count_by_index(view, table, &rows, &counted)));
    if (!counted) {
      count_heap_scan(view.context, table.heap());
      RETURN_IF_ERROR(
          heap_count(view.context, table.heap(), *view.snapshot, &table.page_counts(), &rows));
      count_heap_rows(view.context, table.heap(), rows);
    }
    for (Accumulator& accumulator : accumulators) {
      accumulator.add_rows(rows);
      results->push_back(accumulator.value());
    }
    return Status::ok;
  }
  std::vector<Datum> values(static_cast<size_t>(table.natts()));
  std::unique_ptr<bool[]> nulls(new bool[static_cast<size_t>(table.natts()) + 1]);
  HeapScan scan(view.context, table.heap(), *view.snapshot);
  RETURN_IF_ERROR(scan.begin());
  count_heap_scan(view.context, table.heap());
  HeapTuple tuple;
  bool found = false;
  uint64_t rows = 0;
  for (;;) {
    RETURN_IF_ERROR(scan.next(&tuple, &found));
    if (!found) break;
    rows++;
    if (needed != 0)
      RETURN_IF_ERROR(deform_heap_tuple(table.layout(), tuple.bytes, tuple.length, needed,
                                        values.data(), nulls.get()));
    if (!filter.is_empty()) {
      bool passes = false;
      RETURN_IF_ERROR(filter.matches(view.context, values.data(), nulls.get(), &passes));
      if (!passes) continue;
    }
    for (Accumulator& accumulator : accumulators) accumulator.add(values.data(), nulls.get());
  }
  count_heap_rows(view.context, table.heap(), rows);
  for (const Accumulator& accumulator : accumulators) results->push_back(accumulator.value());
  return Status::ok;
}

}  // namespace pgdata
