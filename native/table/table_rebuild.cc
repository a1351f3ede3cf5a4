// Rebuilding indexes and heaps.
#include "table/table_rebuild.h"

#include <algorithm>
#include <utility>

#include "base/invariant.h"
#include "tuple/deform.h"
#include "xact/process_array.h"

namespace pgdata {

namespace {

constexpr int toast_key_columns = 2;
// So that a step of sorting takes about as long as one of reading.
constexpr uint64_t tuples_per_page = 200;

TransactionId oldest_xmin_of(Backend& backend, const HeapRelation& heap) {
  const RemovalHorizons horizons =
      backend.transactions().processes().removal_horizons(backend.database());
  return heap.is_shared() ? horizons.shared : horizons.database;
}

}  // namespace

IndexRebuild::IndexRebuild(Backend& backend, std::shared_ptr<Table> table, const HeapRelation& heap,
                           const BtreeIndex& btree, const TableIndexDefinition* definition,
                           TransactionId xid, uint64_t memory_bytes)
    : backend_(backend),
      table_(std::move(table)),
      heap_(heap),
      btree_(btree),
      xid_(xid),
      definition_(definition),
      versions_(backend, heap, oldest_xmin_of(backend, heap)),
      builder_(backend.services_of(btree.temporary()), xid, btree, backend.temporary_files(),
               memory_bytes),
      values_(static_cast<size_t>(heap.layout->natts())),
      nulls_(new bool[static_cast<size_t>(heap.layout->natts()) + 1]) {
  if (definition_ == nullptr) {
    attributes_needed_ = toast_key_columns;
    return;
  }
  entry_ = std::make_unique<IndexValues>(backend_, *table_, *definition_);
  for (const TableIndexColumn& column : definition_->columns)
    attributes_needed_ = std::max(attributes_needed_, column.attribute + 1);
}

IndexRebuild::IndexRebuild(Backend& backend, std::shared_ptr<Table> table, size_t index,
                           TransactionId xid, uint64_t memory_bytes)
    : IndexRebuild(backend, table, table->heap(), *table->indexes()[index].btree,
                   &table->indexes()[index].definition, xid, memory_bytes) {}

std::unique_ptr<IndexRebuild> IndexRebuild::of_toast(Backend& backend, std::shared_ptr<Table> table,
                                                     TransactionId xid, uint64_t memory_bytes) {
  ToastTable* toast = table->toast();
  INVARIANT(toast != nullptr);
  return std::unique_ptr<IndexRebuild>(new IndexRebuild(
      backend, std::move(table), toast->heap(), toast->index(), nullptr, xid, memory_bytes));
}

Status IndexRebuild::step(uint32_t pages, bool* done) {
  *done = false;
  if (is_read_) return finish(pages, done);
  SessionCounters* const counters = backend_.counters();
  if (!std::exchange(begun_, true)) {
    RETURN_IF_ERROR(versions_.begin());
    if (counters != nullptr) counters->count_scan(heap_.oid, heap_.locator);
  }
  for (; pages > 0; pages--) {
    bool found = false;
    RETURN_IF_ERROR(versions_.next_page(&found));
    if (counters != nullptr)
      counters->count_returned(heap_.oid, heap_.locator,
                               static_cast<int64_t>(versions_.versions().size()));
    if (!found) {
      is_read_ = true;
      break;
    }
    for (const HeapVersion& version : versions_.versions()) RETURN_IF_ERROR(add(version));
  }
  versions_.release();
  return Status::ok;
}

Status IndexRebuild::add(const HeapVersion& version) {
  bool live = false;
  switch (version.verdict) {
    case VacuumVerdict::dead:
      return Status::ok;
    case VacuumVerdict::live:
    case VacuumVerdict::insert_in_progress:
      live = true;
      break;
    case VacuumVerdict::recently_dead:
    case VacuumVerdict::delete_in_progress:
      if (version.hot_updated) {
        has_broken_chains_ = true;
        return Status::ok;
      }
      break;
  }
  if (live) live_rows_++;
  if (version.root == invalid_offset_number)
    return Status::error(
        ErrorCode::data_corrupted,
        "failed to find parent tuple for heap-only tuple at (%u,%u) in table \"%s\"",
        value_of(version.tuple.self.block()), unsigned{version.tuple.self.offset()},
        heap_.name.c_str());
  RETURN_IF_ERROR(deform_heap_tuple(*heap_.layout, version.tuple.bytes, version.tuple.length,
                                    attributes_needed_, values_.data(), nulls_.get()));
  const ItemPointer root(version.tuple.self.block(), version.root);
  if (entry_ == nullptr) return builder_.add(values_.data(), nulls_.get(), root, live);
  RETURN_IF_ERROR(entry_->take(values_.data(), nulls_.get()));
  return builder_.add(entry_->values(), entry_->nulls(), root, live);
}

Status IndexRebuild::finish(uint32_t pages, bool* done) {
  bool is_built = false;
  RETURN_IF_ERROR(builder_.finish(uint64_t{pages} * tuples_per_page, &result_, &is_built));
  if (!is_built) return Status::ok;
  *done = true;
  if (!result_.duplicate) return build_btree_init_fork(backend_.services(), xid_, btree_);
  if (definition_ == nullptr)
    return Status::error(ErrorCode::data_corrupted, "a chunk of a value is there twice in \"%s\"",
                         heap_.name.c_str());
  duplicates_.assign(std::begin(result_.duplicate_tids), std::end(result_.duplicate_tids));
  Status status = Status::error(ErrorCode::unique_violation, "could not create unique index \"%s\"",
                                definition_->name.c_str());
  status.report().constraint = definition_->name;
  return table_->with_names(std::move(status));
}

HeapCopy::HeapCopy(Backend& backend, const HeapRelation& source, const HeapRelation& target,
                   const BtreeIndex* order, const VacuumCutoffs& cutoffs)
    : cutoffs_(cutoffs),
      versions_(backend, source, cutoffs.OldestXmin),
      rewrite_(backend, target, cutoffs_) {
  if (order != nullptr)
    scan_ = std::make_unique<BtreeScan>(backend.pool_of(order->temporary()), *order,
                                        std::span<const BtreeCondition>{}, ScanDirection::forward);
}

Status HeapCopy::step(uint32_t pages, bool* done) {
  *done = false;
  if (!std::exchange(begun_, true)) RETURN_IF_ERROR(versions_.begin());
  for (; pages > 0; pages--) {
    bool found = false;
    RETURN_IF_ERROR(scan_ != nullptr ? next_of_index(&found) : next_page(&found));
    if (found) continue;
    *done = true;
    RETURN_IF_ERROR(rewrite_.finish());
    break;
  }
  versions_.release();
  return Status::ok;
}

Status HeapCopy::next_page(bool* found) {
  RETURN_IF_ERROR(versions_.next_page(found));
  for (const HeapVersion& version : versions_.versions()) RETURN_IF_ERROR(rewrite_.add(version));
  return Status::ok;
}

// What the entries of one leaf lead to.
Status HeapCopy::next_of_index(bool* found) {
  std::span<const ItemPointer> tids;
  RETURN_IF_ERROR(scan_->next_batch(&tids));
  *found = !tids.empty();
  for (const ItemPointer root : tids) {
    RETURN_IF_ERROR(versions_.go_to(root.block()));
    for (const HeapVersion& version : versions_.versions())
      if (version.root == root.offset()) RETURN_IF_ERROR(rewrite_.add(version));
  }
  return Status::ok;
}

}  // namespace pgdata
