// Writing tables: the heap first, then every index.
#include "table/table_write.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/invariant.h"
#include "btree/btree_build.h"
#include "btree/btree_insert.h"
#include "heap/heap_inplace.h"
#include "heap/heap_scan.h"
#include "heap/toast.h"
#include "table/filter.h"
#include "table/index_values.h"
#include "table/row_source.h"
#include "table/table_rebuild.h"
#include "table/table_upkeep.h"
#include "table/unique_check.h"
#include "tuple/deform.h"
#include "tuple/form.h"

namespace pgdata {

namespace {

// Batches from this many rows on go in bulk: a ring of buffers, and extension by many pages.
constexpr uint32_t bulk_rows = 100;

// Whether an update that sets these attributes sets one of the index's keys (index_unchanged_by_update in
// src/backend/executor/execIndexing.c, PostgreSQL 18).
bool sets_key(const std::vector<int>& set, const TableIndexDefinition& index) {
  const auto keys_end = index.columns.begin() + index.key_count;
  return std::any_of(index.columns.begin(), keys_end, [&](const TableIndexColumn& column) {
    return std::find(set.begin(), set.end(), column.attribute) != set.end();
  });
}

}  // namespace

void TableWriter::end_of_transaction() {
  inserted_.clear();
  refused_.clear();
  forget_values();
  bulk_.reset();
  bulk_table_ = nullptr;
}

Status TableWriter::insert_entries_of(Table& table, const Datum* values, const bool* nulls,
                                      ItemPointer tid, KeyWait* wait) {
  for (; entries_index_ < table.indexes().size(); entries_index_++) {
    const Table::Index& index = table.indexes()[entries_index_];
    IndexValues entry(backend_, table, index.definition);
    RETURN_IF_ERROR(entry.take(values, nulls));
    // A new version of a row whose key stays what it was.
    const bool is_unchanged = is_update_ && !sets_key(set_, index.definition);
    HeapUniqueChecker checker(backend_, table.heap());
    TableUpkeep upkeep(backend_, table.heap());
    BtreeInsertResult result;
    RETURN_IF_ERROR(btree_insert(backend_.services_of(index.btree->temporary()), backend_.xid(),
                                 *index.btree, entry.values(), entry.nulls(), tid,
                                 index.definition.unique ? &checker : nullptr, &result, &upkeep,
                                 is_unchanged, backend_.serializable()));
    if (result.conflict) return refuse_duplicate(table, index.definition, values, nulls);
    if (!result.inserted) {
      *wait = checker.wait();
      return Status::ok;
    }
  }
  entries_index_ = 0;
  return Status::ok;
}

Status TableWriter::insert_entries(Table& table, KeyWait* wait) {
  *wait = KeyWait{};
  const auto natts = static_cast<size_t>(table.natts());
  for (; entries_row_ < inserted_.size(); entries_row_++) {
    if (!is_update_) failed_row_ = static_cast<uint32_t>(entries_row_);
    const ItemPointer tid = inserted_[entries_row_];
    if (values_at_hand_) {
      const size_t first = entries_row_ * natts;
      RETURN_IF_ERROR(insert_entries_of(table, values_.data() + first,
                                        reinterpret_cast<bool*>(nulls_.data()) + first, tid, wait));
    } else {
      BufferRef buffer;
      HeapTuple tuple;
      bool found = false;
      RETURN_IF_ERROR(heap_fetch_any(backend_, table.heap(), tid, &buffer, &tuple, &found));
      INVARIANT(found);
      std::vector<Datum> values(natts);
      const std::unique_ptr<bool[]> nulls(new bool[natts + 1]);
      RETURN_IF_ERROR(
          deform_heap_tuple(table.layout(), tuple.bytes, tuple.length, values.data(), nulls.get()));
      RETURN_IF_ERROR(insert_entries_of(table, values.data(), nulls.get(), tid, wait));
    }
    if (is_valid(wait->xid)) break;
  }
  forget_values();
  return Status::ok;
}

void TableWriter::forget_values() {
  values_at_hand_ = false;
  source_.reset();
  old_row_.release();
}

Status TableWriter::insert_rows(Table& table, const RowLayout& layout, const RowReader& rows,
                                bool frozen) {
  failed_row_ = 0;
  inserted_.clear();
  batch_.clear();
  RETURN_IF_ERROR(rows.check());
  RETURN_IF_ERROR(table.check_writable());
  TransactionId xid;
  RETURN_IF_ERROR(backend_.assign_xid(&xid, table.heap().temporary));
  const auto natts = static_cast<size_t>(table.natts());
  const uint32_t count = rows.rows();
  values_.resize(natts * count);
  nulls_.resize(natts * count);
  static_assert(sizeof(bool) == sizeof(uint8_t));
  auto* nulls = reinterpret_cast<bool*>(nulls_.data());
  const uint32_t options = frozen ? HEAP_INSERT_FROZEN : 0;
  if (count >= bulk_rows && bulk_table_ != &table) {
    bulk_ = std::make_unique<BulkInsertState>(backend_.pool_of(table.heap().temporary));
    bulk_table_ = &table;
  }
  BulkInsertState* bulk = bulk_table_ == &table ? bulk_.get() : nullptr;

  source_ = std::make_unique<RowSource>(table, layout, rows);
  for (uint32_t row = 0; row < count; row++) {
    failed_row_ = row;
    Datum* row_values = values_.data() + row * natts;
    bool* row_nulls = nulls + row * natts;
    RETURN_IF_ERROR(source_->next(row_values, row_nulls));
    RETURN_IF_ERROR(table.with_names(
        heap_form_for_insert(backend_, table.heap(), row_values, row_nulls, options, &batch_)));
  }
  RETURN_IF_ERROR(
      table.with_names(heap_multi_insert(backend_, table.heap(), batch_.tuples(), options, bulk)));
  for (const NewTuple& tuple : batch_.tuples()) inserted_.push_back(tuple.self);
  is_update_ = false;
  entries_row_ = 0;
  entries_index_ = 0;
  values_at_hand_ = true;
  backend_.use_command();
  return Status::ok;
}

Status TableWriter::update_row(Table& table, const RowLayout& layout, const RowReader& rows,
                               uint32_t row, ItemPointer tid, ChangeOutcome* outcome) {
  failed_row_ = row;
  const size_t columns = layout.columns().size();
  std::vector<Datum> values(columns);
  const std::unique_ptr<bool[]> nulls(new bool[columns + 1]);
  source_ = std::make_unique<RowSource>(table, layout, rows, row);
  source_->next_cells(values.data(), nulls.get());
  std::vector<int> set;
  for (const RowColumn& column : layout.columns()) set.push_back(column.attribute);
  return update_values(table, set, values.data(), nulls.get(), tid, outcome);
}

Status TableWriter::update_values(Table& table, std::span<const int> set, const Datum* new_values,
                                  const bool* new_nulls, ItemPointer tid, ChangeOutcome* outcome) {
  inserted_.clear();
  *outcome = ChangeOutcome{};
  RETURN_IF_ERROR(table.check_writable());
  TransactionId xid;
  RETURN_IF_ERROR(backend_.assign_xid(&xid, table.heap().temporary));
  const auto natts = static_cast<size_t>(table.natts());
  HeapTuple old;
  bool found = false;
  RETURN_IF_ERROR(heap_fetch_any(backend_, table.heap(), tid, &old_row_, &old, &found));
  if (!found) {
    outcome->result = UpdateResult::invisible;
    forget_values();
    return Status::ok;
  }
  // The old values may point into the page: its pin is kept until the new row is written.
  values_.resize(natts);
  nulls_.resize(natts);
  auto* nulls = reinterpret_cast<bool*>(nulls_.data());
  RETURN_IF_ERROR(deform_heap_tuple(table.layout(), old.bytes, old.length, values_.data(), nulls));
  const Attribute* refused = nullptr;
  for (size_t i = 0; i < set.size(); i++) {
    const auto attribute = static_cast<size_t>(set[i]);
    const Attribute& column = table.desc().attributes[attribute];
    if (new_nulls[i] && column.attnotnull && refused == nullptr) refused = &column;
    values_[attribute] = new_values[i];
    nulls[attribute] = new_nulls[i];
  }
  if (refused != nullptr) {
    keep_refused(table, values_.data(), nulls);
    Status status =
        Status::error(ErrorCode::not_null_violation,
                      "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
                      refused->attname, table.definition().name.c_str());
    status.report().column = refused->attname;
    return table.with_names(std::move(status));
  }
  std::unique_ptr<bool[]> indexed(new bool[natts]);
  std::copy(table.indexed_attributes().begin(), table.indexed_attributes().end(), indexed.get());
  std::unique_ptr<bool[]> key(new bool[natts]);
  std::copy(table.key_attributes().begin(), table.key_attributes().end(), key.get());
  RETURN_IF_ERROR(
      table.with_names(heap_update(backend_, table.heap(), tid, values_.data(), nulls,
                                   {{indexed.get(), natts}, {key.get(), natts}}, outcome)));
  if (outcome->result != UpdateResult::ok) {
    forget_values();
    return Status::ok;
  }
  backend_.use_command();
  if (outcome->heap_only) {
    forget_values();
    return Status::ok;
  }
  inserted_.push_back(outcome->new_tid);
  is_update_ = true;
  set_.assign(set.begin(), set.end());
  entries_row_ = 0;
  entries_index_ = 0;
  values_at_hand_ = true;
  return Status::ok;
}

Status TableWriter::refuse_duplicate(const Table& table, const TableIndexDefinition& index,
                                     const Datum* values, const bool* nulls) {
  keep_refused(table, values, nulls);
  Status status =
      Status::error(ErrorCode::unique_violation,
                    "duplicate key value violates unique constraint \"%s\"", index.name.c_str());
  status.report().constraint = index.name;
  return table.with_names(std::move(status));
}

void TableWriter::keep_refused(const Table& table, const Datum* values, const bool* nulls) {
  const HeapTupleSize size = heap_tuple_size(table.layout(), values, nulls);
  refused_.resize(size.total());
  form_heap_tuple(table.layout(), values, nulls, size, refused_.data());
}

Status TableWriter::update_in_place(Table& table, const RowLayout& layout, const RowReader& rows,
                                    ItemPointer tid, UpdateResult* result) {
  RETURN_IF_ERROR(rows.check());
  const auto natts = static_cast<size_t>(table.natts());
  const Snapshot* snapshot = nullptr;
  RETURN_IF_ERROR(backend_.catalog_snapshot(&snapshot));
  BufferRef buffer;
  HeapTuple old;
  bool found = false;
  RETURN_IF_ERROR(heap_fetch(backend_, table.heap(), tid, *snapshot, &buffer, &old, &found));
  *result = UpdateResult::invisible;
  if (!found) return Status::ok;
  std::vector<Datum> values(natts);
  const std::unique_ptr<bool[]> nulls(new bool[natts]);
  RETURN_IF_ERROR(
      deform_heap_tuple(table.layout(), old.bytes, old.length, values.data(), nulls.get()));
  RowSource source(table, layout, rows);
  std::vector<Datum> new_values(natts);
  const std::unique_ptr<bool[]> new_nulls(new bool[natts]);
  source.next_cells(new_values.data(), new_nulls.get());
  for (size_t i = 0; i < layout.columns().size(); i++) {
    const auto attribute = static_cast<size_t>(layout.columns()[i].attribute);
    INVARIANT(table.desc().attributes[attribute].attbyval);
    INVARIANT(!nulls[attribute] && !new_nulls[i]);
    values[attribute] = new_values[i];
  }
  return table.with_names(
      heap_update_in_place(backend_, table.heap(), tid, values.data(), nulls.get(), result));
}

Status TableWriter::find_duplicates(const std::shared_ptr<Table>& table,
                                    const std::vector<ItemPointer>& roots) {
  const Snapshot* snapshot = nullptr;
  RETURN_IF_ERROR(backend_.catalog_snapshot(&snapshot));
  const Snapshot copy = *snapshot;
  Visibility visibility(backend_, &copy);
  inserted_.clear();
  for (const ItemPointer root : roots) {
    BufferRef buffer;
    HeapTuple tuple;
    bool found = false;
    RETURN_IF_ERROR(heap_hot_search(backend_, table->heap(), root, visibility, &buffer, &tuple,
                                    &found, nullptr));
    if (found) inserted_.push_back(tuple.self);
  }
  return Status::ok;
}

Status TableWriter::build_toast_index(Table& table) {
  INVARIANT(table.toast() != nullptr);
  TransactionId xid;
  RETURN_IF_ERROR(backend_.assign_xid(&xid));
  const BtreeIndex& index = table.toast()->index();
  RETURN_IF_ERROR(
      build_empty_btree(backend_.services_of(index.temporary()), xid, index, ForkNumber::main));
  return build_btree_init_fork(backend_.services_of(index.temporary()), xid, index);
}

}  // namespace pgdata
