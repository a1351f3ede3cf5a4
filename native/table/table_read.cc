// Reading tables: rows by their keys and addresses.
#include "table/table_read.h"

#include <algorithm>
#include <span>
#include <utility>

#include "btree/btree_kill.h"
#include "btree/btree_lookup.h"
#include "heap/visibility.h"
#include "table/index_read.h"
#include "table/row_source.h"

namespace pgdata {

namespace {

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

}  // namespace pgdata
