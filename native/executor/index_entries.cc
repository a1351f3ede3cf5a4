// IndexEntries: copying tuples of a leaf, taking them apart.
#include "executor/index_entries.h"

#include <algorithm>
#include <utility>

namespace pgdata {

IndexEntries::IndexEntries(const ReadContext& context, const Snapshot& snapshot,
                           RelFileLocator heap, const BtreeIndex& btree, std::vector<int> columns,
                           MemoryAccount& account)
    : btree_(btree),
      columns_(std::move(columns)),
      believes_map_(context.backend != nullptr && !snapshot.all_committed &&
                    snapshot.serializable == nullptr),
      map_(context.pool_of(btree.temporary()), heap),
      memory_(account),
      row_values_(columns_.size()),
      row_nulls_(columns_.size()) {
  for (const int column : columns_) needed_ = std::max(needed_, column + 1);
  values_.resize(static_cast<size_t>(needed_));
  nulls_.resize(static_cast<size_t>(needed_));
}

void IndexEntries::begin_leaf() {
  memory_.reset();
  entries_.clear();
  block_ = invalid_block_number;
}

Status IndexEntries::read_entry(std::span<const std::byte> tuple,
                                std::span<const ItemPointer> tids) {
  Entry entry;
  entry.size = static_cast<uint32_t>(tuple.size());
  if (needed_ > 0) entry.tuple = memory_.copy(tuple.data(), tuple.size());
  for (const ItemPointer& tid : tids) {
    if (believes_map_ && tid.block() != block_) {
      uint8_t flags = 0;
      RETURN_IF_ERROR(map_.status_of(tid.block(), &map_page_, &flags));
      block_ = tid.block();
      is_block_visible_ = (flags & VISIBILITYMAP_ALL_VISIBLE) != 0;
    }
    entry.is_visible = is_block_visible_;
    entries_.push_back(entry);
  }
  return Status::ok;
}

Status IndexEntries::add_row(size_t place, RowCopier* copier) {
  const Entry& entry = entries_[place];
  plain_.clear();
  if (needed_ > 0) {
    IndexTupleCursor cursor(btree_, entry.tuple, entry.size, &plain_);
    for (size_t i = 0; i < values_.size(); i++) {
      const IndexTupleCursor::Result result = cursor.next(&values_[i]);
      if (result == IndexTupleCursor::Result::corrupt)
        return Status::error(ErrorCode::index_corrupted, "index \"%s\" has a damaged tuple",
                             btree_.name());
      nulls_[i] = result == IndexTupleCursor::Result::null ? 1 : 0;
    }
  }
  for (size_t i = 0; i < columns_.size(); i++) {
    const auto column = static_cast<size_t>(columns_[i]);
    row_values_[i] = values_[column];
    row_nulls_[i] = nulls_[column];
  }
  copier->add_values(row_values_, row_nulls_);
  return Status::ok;
}

}  // namespace pgdata
