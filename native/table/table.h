// Table: a heap with its indexes and its TOAST table, as one thing to read and write.
//
// Made once from a description that TypeScript builds from the catalogs, and immutable after; sessions of one
// process share it. Heap and btree do not know of each other: what connects them is here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "change/change.h"
#include "heap/heap_count.h"
#include "heap/heap_relation.h"
#include "table/row_layout.h"
#include "table/toast_table.h"
#include "tuple/compare.h"
#include "tuple/tuple_desc.h"
#include "tuple/tuple_layout.h"

namespace pgdata {

struct TableColumn {
  Attribute attribute;
  Lane lane = Lane::bytes;
  Oid element_type = invalid_oid;  // pg_type.typelem of an array
};

struct TableIndexColumn {
  int attribute = 0;  // from 0
  Oid opfamily = invalid_oid;
  Oid opcintype = invalid_oid;
  Oid collation = invalid_oid;
  bool descending = false;
  bool nulls_first = false;
};

struct TableIndexDefinition {
  Oid oid = invalid_oid;
  std::string name;
  RelFileLocator locator;
  bool unique = false;
  bool nulls_not_distinct = false;
  // False for an index that we cannot maintain (not a B-tree, on an expression, …): writing the table is refused.
  bool usable = true;
  int key_count = 0;
  int fillfactor = 90;
  std::vector<TableIndexColumn> columns;
};

struct TableDefinition {
  Oid oid = invalid_oid;
  std::string schema;
  std::string name;
  RelFileLocator locator;
  bool logged = true;
  bool temporary = false;
  uint32_t fillfactor = 100;
  bool bytewise_default_collation = false;
  std::vector<TableColumn> columns;
  std::vector<TableIndexDefinition> indexes;
  bool has_toast = false;
  Oid toast_oid = invalid_oid;
  RelFileLocator toast_locator;
  Oid toast_index_oid = invalid_oid;
  RelFileLocator toast_index_locator;
};

class Table {
 public:
  struct Index {
    TableIndexDefinition definition;
    std::unique_ptr<BtreeIndex> btree;  // null when the index cannot be used
    std::string unusable_because;
  };

  static Status create(TableDefinition definition, uint32_t block_size,
                       std::shared_ptr<Table>* table);
  Table(const Table&) = delete;

  const TableDefinition& definition() const { return definition_; }
  const TupleDesc& desc() const { return desc_; }
  const TupleLayout& layout() const { return *layout_; }
  const std::vector<Lane>& lanes() const { return lanes_; }
  int natts() const { return desc_.natts(); }
  HeapRelation& heap() const { return *heap_; }
  ToastTable* toast() const { return toast_.get(); }
  const std::vector<Index>& indexes() const { return indexes_; }
  // Can every index be maintained? If not, the table must not be written.
  Status check_writable() const;
  // Is the attribute (from 0) a column of any index?
  const std::vector<bool>& indexed_attributes() const { return indexed_attributes_; }
  // Is it a key column of a unique index, so that a foreign key may refer to it (INDEX_ATTR_BITMAP_KEY)?
  const std::vector<bool>& key_attributes() const { return key_attributes_; }

  // Layouts of row batches for this table, by number.
  uint32_t add_row_layout(std::unique_ptr<RowLayout> layout);
  const RowLayout* row_layout(uint32_t id) const {
    return id < row_layouts_.size() ? row_layouts_[id].get() : nullptr;
  }

  // Row counts of the heap's pages.
  PageCounts& page_counts() { return page_counts_; }

  // Fills in schema and table of an error about this table.
  Status with_names(Status status) const;

 private:
  explicit Table(TableDefinition definition) : definition_(std::move(definition)) {}
  Status build(uint32_t block_size);

  TableDefinition definition_;
  TupleDesc desc_;
  std::vector<Lane> lanes_;
  std::unique_ptr<TupleLayout> layout_;
  std::unique_ptr<ToastTable> toast_;
  std::unique_ptr<HeapRelation> heap_;
  std::vector<Index> indexes_;
  std::vector<bool> indexed_attributes_;
  std::vector<bool> key_attributes_;
  std::vector<std::unique_ptr<RowLayout>> row_layouts_;
  PageCounts page_counts_;
};

// The comparator of one of a table's columns for filters and aggregates.
Status column_comparator(const Table& table, int attribute, KeyColumn* column);

}  // namespace pgdata
