// Table: from a description to heap, indexes and TOAST table.
#include "table/table.h"

#include <utility>

namespace pgdata {

namespace {

constexpr Oid name_type = 19;
constexpr Oid cstring_type = 2275;

// The key and included columns of an index, as its tuples hold them. A name is kept as a C string: the one
// B-tree operator class with another storage type (pg_opclass.opckeytype of name_ops).
Attribute index_attribute(const TableDefinition& definition, const TableIndexColumn& column,
                          bool is_key) {
  Attribute attribute = definition.columns[static_cast<size_t>(column.attribute)].attribute;
  if (is_key && column.opcintype == name_type) {
    attribute.atttypid = cstring_type;
    attribute.attlen = -2;
    attribute.attalign = 'c';
    attribute.attbyval = false;
  }
  attribute.attcollation = column.collation;
  attribute.attnotnull = false;
  attribute.has_missing = false;
  attribute.missing_bytes.clear();
  return attribute;
}

BtreeDefinition btree_definition(const TableDefinition& table, const TableIndexDefinition& index) {
  BtreeDefinition definition;
  definition.oid = index.oid;
  definition.relation = index.locator;
  definition.name = index.name;
  definition.unique = index.unique;
  definition.nulls_not_distinct = index.nulls_not_distinct;
  definition.fillfactor = index.fillfactor;
  definition.logged = table.logged;
  definition.temporary = table.temporary;
  for (const TableIndexColumn& column : index.columns) {
    const bool is_key = static_cast<int>(definition.keys.size()) < index.key_count;
    definition.columns.attributes.push_back(index_attribute(table, column, is_key));
    if (!is_key) continue;
    BtreeKeyDefinition key;
    key.comparator.opfamily = column.opfamily;
    key.comparator.opcintype = column.opcintype;
    key.comparator.collation = column.collation;
    key.comparator.element_type = table.columns[static_cast<size_t>(column.attribute)].element_type;
    key.comparator.default_collation_is_bytewise = table.bytewise_default_collation;
    key.indoption = static_cast<uint16_t>((column.descending ? INDOPTION_DESC : 0) |
                                          (column.nulls_first ? INDOPTION_NULLS_FIRST : 0));
    definition.keys.push_back(key);
  }
  return definition;
}

}  // namespace

Status Table::create(TableDefinition definition, uint32_t block_size,
                     std::shared_ptr<Table>* table) {
  std::shared_ptr<Table> made(new Table(std::move(definition)));
  RETURN_IF_ERROR(made->build(block_size));
  *table = std::move(made);
  return Status::ok;
}

Status Table::build(uint32_t block_size) {
  for (const TableColumn& column : definition_.columns) {
    desc_.attributes.push_back(column.attribute);
    Attribute& attribute = desc_.attributes.back();
    // A by-reference missing value points into the bytes that the copy now owns.
    if (attribute.has_missing && !attribute.attbyval)
      attribute.missing = pointer_datum(attribute.missing_bytes.data());
    lanes_.push_back(column.lane);
  }
  layout_ = std::make_unique<TupleLayout>(desc_);
  heap_ = std::make_unique<HeapRelation>(definition_.oid, definition_.locator, *layout_,
                                         definition_.name);
  heap_->logged = definition_.logged;
  heap_->temporary = definition_.temporary;
  heap_->fillfactor = definition_.fillfactor;
  if (definition_.has_toast) {
    RETURN_IF_ERROR(ToastTable::create(definition_.toast_oid, definition_.toast_locator,
                                       definition_.toast_index_oid, definition_.toast_index_locator,
                                       definition_.logged, definition_.temporary, block_size,
                                       &toast_));
    heap_->toast = &toast_->store();
  }
  indexed_attributes_.assign(static_cast<size_t>(natts()), false);
  key_attributes_.assign(static_cast<size_t>(natts()), false);
  for (TableIndexDefinition& index : definition_.indexes) {
    Index made;
    made.definition = index;
    for (const TableIndexColumn& column : index.columns)
      if (column.attribute >= 0) indexed_attributes_[static_cast<size_t>(column.attribute)] = true;
    for (int i = 0; index.usable && index.unique && i < index.key_count; i++)
      key_attributes_[static_cast<size_t>(index.columns[static_cast<size_t>(i)].attribute)] = true;
    if (!index.usable) {
      made.unusable_because = "it is not a plain B-tree index";
    } else {
      Status status =
          BtreeIndex::create(btree_definition(definition_, index), block_size, &made.btree);
      if (!status.is_ok()) {
        if (status.code() != ErrorCode::feature_not_supported) return status;
        made.unusable_because = status.report().message;
      }
    }
    indexes_.push_back(std::move(made));
  }
  return Status::ok;
}

Status Table::check_writable() const {
  for (const Index& index : indexes_) {
    if (index.btree) continue;
    Status status =
        Status::error(ErrorCode::feature_not_supported,
                      "relation \"%s\" cannot be written: its index \"%s\" cannot be maintained",
                      definition_.name.c_str(), index.definition.name.c_str())
            .with_detail(index.unusable_because);
    return with_names(std::move(status));
  }
  return Status::ok;
}

uint32_t Table::add_row_layout(std::unique_ptr<RowLayout> layout) {
  row_layouts_.push_back(std::move(layout));
  return static_cast<uint32_t>(row_layouts_.size() - 1);
}

Status Table::with_names(Status status) const {
  if (!status.is_ok()) {
    status.report().schema = definition_.schema;
    status.report().table = definition_.name;
  }
  return status;
}

Status column_comparator(const Table& table, int attribute, KeyColumn* column) {
  const TableColumn& source = table.definition().columns[static_cast<size_t>(attribute)];
  ComparatorRequest request;
  request.opcintype = source.attribute.atttypid;
  request.collation = source.attribute.attcollation;
  request.element_type = source.element_type;
  request.default_collation_is_bytewise = table.definition().bytewise_default_collation;
  Status status = select_comparator(request, column);
  if (!status.is_ok()) status.report().column = source.attribute.attname;
  return status;
}

}  // namespace pgdata
