// BtreeIndex::create: the catalogs' view of an index made ready for use.
#include "btree/btree_index.h"

#include "base/invariant.h"

namespace pgdata {

Status BtreeIndex::create(BtreeDefinition definition, uint32_t block_size,
                          std::unique_ptr<BtreeIndex>* index) {
  INVARIANT(!definition.keys.empty());
  INVARIANT(definition.keys.size() <= definition.columns.attributes.size());
  if (definition.columns.attributes.size() > INDEX_MAX_KEYS)
    return Status::error(ErrorCode::too_many_columns,
                         "number of index columns (%zu) exceeds limit (%d)",
                         definition.columns.attributes.size(), INDEX_MAX_KEYS);
  std::unique_ptr<BtreeIndex> made(new BtreeIndex);
  made->block_size_ = block_size;
  made->nkeyatts_ = static_cast<int>(definition.keys.size());

  for (const Attribute& attribute : definition.columns.attributes) {
    IndexColumn column;
    column.attlen = attribute.attlen;
    column.attbyval = attribute.attbyval;
    column.alignment = static_cast<uint8_t>(attribute.alignment());
    made->columns_.push_back(column);
  }

  made->allequalimage_ = definition.keys.size() == definition.columns.attributes.size();
  for (const BtreeKeyDefinition& key : definition.keys) {
    KeyColumn column;
    RETURN_IF_ERROR(select_comparator(key.comparator, &column));
    column.descending = (key.indoption & INDOPTION_DESC) != 0;
    column.nulls_first = (key.indoption & INDOPTION_NULLS_FIRST) != 0;
    made->allequalimage_ = made->allequalimage_ && column.equal_image;
    made->keys_.push_back(column);
  }
  made->definition_ = std::move(definition);
  made->layout_ = std::make_unique<TupleLayout>(made->definition_.columns);
  *index = std::move(made);
  return Status::ok;
}

}  // namespace pgdata
