// Index tuples: making them from values, and walking over the columns of one.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "layout/btree_page.h"

namespace pgdata {

// Room for any index tuple. Bytes past the tuple's size are undefined.
struct IndexTupleBuffer {
  alignas(8) std::byte bytes[INDEX_SIZE_MASK + 1];

  IndexTupleHeader& header() { return *reinterpret_cast<IndexTupleHeader*>(bytes); }
  const IndexTupleHeader& header() const {
    return *reinterpret_cast<const IndexTupleHeader*>(bytes);
  }
  uint32_t size() const { return index_tuple_size(header().t_info); }
};

inline const IndexTupleHeader& index_tuple_header(const std::byte* tuple) {
  return *reinterpret_cast<const IndexTupleHeader*>(tuple);
}

// Makes the leaf tuple for a heap tuple. Long varlenas of compressible columns are compressed, as
// PostgreSQL does; values must not be stored out of line. program_limit_exceeded when the tuple is
// larger than a third of a page.
Status form_index_tuple(const BtreeIndex& index, const Datum* values, const bool* is_null,
                        ItemPointer heap_tid, IndexTupleBuffer* tuple);

// Keeps what had to be decompressed for as long as it lives. Costs nothing until used.
class DetoastArena {
 public:
  // False when the compressed bytes are damaged.
  bool decompress(const std::byte* varlena, size_t size, Datum* plain);
  void clear() { kept_.clear(); }

 private:
  std::vector<std::vector<std::byte>> kept_;
};

// The columns of one tuple in order. Bounds are checked: a damaged tuple yields `corrupt`.
class IndexTupleCursor {
 public:
  enum class Result : uint8_t { value, null, corrupt };

  // `size` bytes hold the tuple; compressed values go to `arena`.
  IndexTupleCursor(const BtreeIndex& index, const std::byte* tuple, uint32_t size,
                   DetoastArena* arena)
      : column_(index.columns()), tuple_(tuple), size_(size), arena_(arena) {
    has_nulls_ = (index_tuple_header(tuple).t_info & INDEX_NULL_MASK) != 0;
    position_ =
        static_cast<uint32_t>(has_nulls_ ? index_data_offset_with_nulls : index_data_offset);
  }

  Result next(Datum* value);
  // Where the column that `next` gave last ends in the tuple.
  uint32_t position() const { return position_; }

 private:
  Result next_varlena(Datum* value);

  const IndexColumn* column_;
  const std::byte* tuple_;
  uint32_t size_;
  uint32_t position_;
  uint32_t number_ = 0;
  bool has_nulls_;
  DetoastArena* arena_;
};

inline IndexTupleCursor::Result IndexTupleCursor::next(Datum* value) {
  const IndexColumn& column = *column_++;
  const uint32_t number = number_++;
  if (has_nulls_) {
    if (size_ < index_data_offset_with_nulls) return Result::corrupt;
    const auto bits = static_cast<uint8_t>(tuple_[sizeof(IndexTupleHeader) + (number >> 3)]);
    if ((bits & (1u << (number & 7))) == 0) return Result::null;
  }
  if (column.attlen < 0) {
    --column_;
    return next_varlena(value);
  }
  const auto at = static_cast<uint32_t>(align_up(position_, column.alignment));
  const auto length = static_cast<uint32_t>(column.attlen);
  if (at + length > size_) return Result::corrupt;
  position_ = at + length;
  const std::byte* bytes = tuple_ + at;
  if (!column.attbyval) {
    *value = pointer_datum(bytes);
    return Result::value;
  }
  switch (length) {
    case 1:
      *value = static_cast<Datum>(static_cast<int64_t>(load<int8_t>(bytes)));
      break;
    case 2:
      *value = static_cast<Datum>(static_cast<int64_t>(load<int16_t>(bytes)));
      break;
    case 4:
      *value = static_cast<Datum>(static_cast<int64_t>(load<int32_t>(bytes)));
      break;
    default:
      *value = load<uint64_t>(bytes);
      break;
  }
  return Result::value;
}

// Orders two values of a key column as the index does, nulls included.
inline int compare_keys(const KeyColumn& column, Datum left, bool left_null, Datum right,
                        bool right_null) {
  if (left_null || right_null) {
    if (left_null && right_null) return 0;
    return left_null == column.nulls_first ? -1 : 1;
  }
  const int order = column.compare(left, right, column);
  return column.descending ? (order < 0 ? 1 : order > 0 ? -1 : 0) : order;
}

// TIDs of a leaf tuple: one, or those of its posting list.
inline int leaf_tid_count(const IndexTupleHeader& tuple) {
  return btree_tuple_is_posting(tuple) ? btree_posting_count(tuple) : 1;
}
inline ItemPointer leaf_tid(const std::byte* tuple, int i) {
  const IndexTupleHeader& header = index_tuple_header(tuple);
  if (!btree_tuple_is_posting(header)) return header.t_tid;
  return load<ItemPointer>(tuple + btree_posting_offset(header) +
                           static_cast<size_t>(i) * sizeof(ItemPointer));
}
inline ItemPointer leaf_tid_first(const std::byte* tuple) { return leaf_tid(tuple, 0); }
inline ItemPointer leaf_tid_last(const std::byte* tuple) {
  return leaf_tid(tuple, leaf_tid_count(index_tuple_header(tuple)) - 1);
}
// Bytes of a leaf tuple before its posting list, if it has one: header, keys, and padding.
inline uint32_t leaf_key_size(const IndexTupleHeader& tuple) {
  return btree_tuple_is_posting(tuple) ? btree_posting_offset(tuple)
                                       : index_tuple_size(tuple.t_info);
}
// Whether a posting list lies within its tuple and the tuple in `size` bytes.
inline bool leaf_tuple_is_sane(const std::byte* tuple, uint32_t size) {
  const IndexTupleHeader& header = index_tuple_header(tuple);
  const uint32_t tuple_size = index_tuple_size(header.t_info);
  if (tuple_size < sizeof(IndexTupleHeader) || tuple_size > size) return false;
  if (!btree_tuple_is_posting(header)) return true;
  const uint32_t list = btree_posting_offset(header);
  const uint32_t count = btree_posting_count(header);
  return count > 0 && list >= sizeof(IndexTupleHeader) && list <= tuple_size &&
         count * sizeof(ItemPointer) <= tuple_size - list;
}

// The separator between two neighbouring leaf tuples: what of `first_right` distinguishes it from
// `last_left`, with the last TID of `last_left` when no key column does. index_corrupted when they
// are out of order in a way that no separator can express.
Status form_pivot(const BtreeIndex& index, const std::byte* last_left, const std::byte* first_right,
                  IndexTupleBuffer* pivot);

// How many leading key columns are needed to tell the tuples apart: 1 to nkeyatts, or nkeyatts + 1
// when all are equal. -1 when a tuple is damaged.
int columns_to_keep(const BtreeIndex& index, const std::byte* left, const std::byte* right);

// Posting lists. `base` gives the key; TIDs are ascending and distinct.
void form_posting(const std::byte* base, const ItemPointer* tids, int count,
                  IndexTupleBuffer* tuple);
// Puts `*tid` at place `place` of the posting list in `tuple` and gives back the TID that falls out
// at its end. False when `place` is not inside the list.
bool swap_posting(std::byte* tuple, int place, ItemPointer* tid);

}  // namespace pgdata
