// Counting rows.
#include "table/count_rows.h"

#include <algorithm>
#include <vector>

#include "btree/btree_count.h"
#include "heap/serializable_read.h"
#include "space/visibility_map.h"
#include "table/read_counting.h"

namespace pgdata {

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

Status count_rows(const ReadView& view, Table& table, uint64_t* rows) {
  bool counted = false;
  RETURN_IF_ERROR(table.with_names(count_by_index(view, table, rows, &counted)));
  if (counted) return Status::ok;
  count_heap_scan(view.context, table.heap());
  RETURN_IF_ERROR(
      heap_count(view.context, table.heap(), *view.snapshot, &table.page_counts(), rows));
  count_heap_rows(view.context, table.heap(), *rows);
  return Status::ok;
}

}  // namespace pgdata
