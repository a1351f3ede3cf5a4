// Reading tables: lookups, scans, aggregates.
#include "table/table_read.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "btree/btree_count.h"
#include "btree/btree_kill.h"
#include "btree/btree_lookup.h"
#include "heap/serializable_read.h"
#include "heap/visibility.h"
#include "space/visibility_map.h"
#include "table/filtered_output.h"
#include "table/index_read.h"
#include "table/row_source.h"
#include "tuple/deform.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

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
    count_entries(view.context, btree, 1, *found ? 1 : 0);
    if (all_dead) dead.push_back(matches.tids[i]);
  }
  if (dead.empty()) [[likely]]
    return Status::ok;
  return mark_dead_entries(view.context.pool_of(btree.temporary()), btree, matches.leaf,
                           matches.lsn, &dead);
}

// The entries with one key.
Status find_entries(const ReadView& view, const BtreeIndex& btree, const BtreeSearchKey& key,
                    const BtreeStart& start, BtreeMatches* matches) {
  matches->count = 0;
  matches->more = false;
  // Nothing equals null.
  if (std::any_of(key.nulls, key.nulls + key.columns, [](bool null) { return null; }))
    return Status::ok;
  count_index_scan(view.context, btree);
  return btree_lookup(view.context.pool_of(btree.temporary()), btree, key, matches,
                      view.snapshot->serializable, start);
}

// The visible row that they lead to; `buffer` keeps its page.
Status find_by_entries(const ReadView& view, Table& table, Visibility& visibility,
                       const BtreeIndex& btree, const BtreeSearchKey& key,
                       const BtreeMatches& matches, BufferRef* buffer, HeapTuple* tuple,
                       bool* found) {
  RETURN_IF_ERROR(fetch_visible(view, table, visibility, btree, matches, buffer, tuple, found));
  if (*found || !matches.more) return Status::ok;
  // More dead versions than fit: walk them all.
  std::vector<BtreeCondition> conditions;
  for (int i = 0; i < key.columns; i++)
    conditions.push_back({i, BtreeOperator::equal, key.values[i], false});
  BtreeScan scan(view.context.pool_of(btree.temporary()), btree, conditions, ScanDirection::forward,
                 view.snapshot->serializable);
  ItemPointer tid;
  bool more = true;
  while (!*found) {
    RETURN_IF_ERROR(scan.next(&tid, &more));
    if (!more) break;
    bool all_dead = false;
    RETURN_IF_ERROR(heap_hot_search(view.context, table.heap(), tid, visibility, buffer, tuple,
                                    found, &all_dead));
    count_entries(view.context, btree, 1, *found ? 1 : 0);
    if (all_dead) scan.kill(tid);
  }
  return scan.mark_killed();
}

// So many keys are looked up side by side: what one needs is on its way into the caches while others are dealt with.
constexpr uint32_t keys_together = 16;

struct Lookup {
  BtreeSearchKey key;
  BtreeStart start;
  BtreeMatches matches;
};

Status find_all_entries(const ReadView& view, const Table& table, const BtreeIndex& btree,
                        std::span<Lookup> lookups) {
  const bool is_alone = lookups.size() == 1;
  for (Lookup& each : lookups)
    RETURN_IF_ERROR(start_btree_lookup(view.context.pool_of(btree.temporary()), btree, each.key,
                                       is_alone, &each.start));
  BufferPool& pool = view.context.pool_of(table.heap().temporary);
  const RelFileLocator& heap = table.heap().locator;
  for (Lookup& each : lookups) {
    RETURN_IF_ERROR(find_entries(view, btree, each.key, each.start, &each.matches));
    if (each.matches.count == 0) continue;
    const ItemPointer tid = each.matches.tids[0];
    const uint32_t place = line_pointer_place(tid.offset());
    if (is_alone)
      pool.prefetch_lines(heap, ForkNumber::main, tid.block(), {place});
    else
      pool.prefetch(heap, ForkNumber::main, tid.block(), {place});
  }
  if (is_alone) return Status::ok;
  for (const Lookup& each : lookups)
    if (each.matches.count != 0) pool.prefetch_item(heap, each.matches.tids[0]);
  return Status::ok;
}

// As `lookup_rows`, as many keys at a time as there are `lookups`.
Status look_up(const ReadView& view, Table& table, const BtreeIndex& btree, RowSource& source,
               uint32_t keys, std::span<Lookup> lookups, RowOutput& output, RowWriter* writer,
               uint8_t* hits, uint32_t* done) {
  Visibility visibility(view.context, view.snapshot);
  BufferRef buffer;
  bool fits = true;
  while (fits && *done < keys && !writer->is_full()) {
    const auto some = lookups.first(
        std::min({lookups.size(), size_t{keys - *done}, size_t{writer->rows_left()}}));
    for (Lookup& each : some) {
      each.key.columns = btree.nkeyatts();
      source.next_cells(each.key.values, each.key.nulls);
    }
    RETURN_IF_ERROR(find_all_entries(view, table, btree, some));
    for (const Lookup& each : some) {
      HeapTuple tuple;
      bool found = false;
      RETURN_IF_ERROR(find_by_entries(view, table, visibility, btree, each.key, each.matches,
                                      &buffer, &tuple, &found));
      if (found) {
        RETURN_IF_ERROR(output.write(view.context, tuple, writer, &fits));
        if (!fits) break;
      }
      if (hits != nullptr) hits[*done] = found ? 1 : 0;
      ++*done;
    }
  }
  return Status::ok;
}

}  // namespace

Status lookup_rows(const ReadView& view, Table& table, size_t index, const RowLayout& key_layout,
                   const RowReader& keys, RowOutput& output, RowWriter* writer, uint8_t* hits,
                   uint32_t* answered) {
  RETURN_IF_ERROR(check_index(table, index));
  const BtreeIndex& btree = *table.indexes()[index].btree;
  INVARIANT(static_cast<int>(key_layout.columns().size()) == btree.nkeyatts());
  RowSource source(table, key_layout, keys);
  *answered = 0;
  if (keys.rows() == 1) {
    Lookup one[1];
    RETURN_IF_ERROR(look_up(view, table, btree, source, 1, one, output, writer, hits, answered));
  } else {
    Lookup several[keys_together];
    RETURN_IF_ERROR(
        look_up(view, table, btree, source, keys.rows(), several, output, writer, hits, answered));
  }
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
  BtreeMatches matches;
  BtreeStart start;
  RETURN_IF_ERROR(
      start_btree_lookup(view.context.pool_of(btree.temporary()), btree, key, true, &start));
  RETURN_IF_ERROR(find_entries(view, btree, key, start, &matches));
  RETURN_IF_ERROR(
      find_by_entries(view, table, visibility, btree, key, matches, &buffer, &tuple, found));
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

}  // namespace

std::unique_ptr<TableScan> scan_heap(const ReadContext& context, const Snapshot& snapshot,
                                     std::shared_ptr<Table> table, const RowLayout& layout,
                                     std::unique_ptr<Filter> filter) {
  return std::make_unique<HeapTableScan>(context, snapshot, std::move(table), layout,
                                         std::move(filter));
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
  RETURN_IF_ERROR(view.context.pool_of(table.heap().temporary)
                      .storage()
                      .block_count(locator, ForkNumber::main, &blocks));
  return VisibilityMap(view.context.pool_of(table.heap().temporary), locator)
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
    RETURN_IF_ERROR(view.context.pool_of(table.heap().temporary)
                        .storage()
                        .block_count(index.btree->relation(), ForkNumber::main, &blocks));
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
  RETURN_IF_ERROR(count_btree_entries(view.context.pool_of(table.heap().temporary), *smallest,
                                      with_tuples, &entries));
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
