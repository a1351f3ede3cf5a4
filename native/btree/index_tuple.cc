// Index tuples: forming, reading varlena columns, truncation to pivots, posting lists.
#include "btree/index_tuple.h"

#include "base/invariant.h"
#include "tuple/compression.h"
#include "tuple/form.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

// PostgreSQL's message for a leaf tuple that is larger than a third of a page.
Status row_too_large(const BtreeIndex& index, uint32_t size) {
  return Status::error(ErrorCode::program_limit_exceeded,
                       "index row size %u exceeds btree version %u maximum %u for index \"%s\"",
                       size, BTREE_VERSION, btree_item_size_max(index.block_size()), index.name())
      .with_hint(
          "Values larger than 1/3 of a buffer page cannot be indexed.\nConsider a function index "
          "of "
          "an MD5 hash of the value, or use full text indexing.");
}

}  // namespace

Status form_index_tuple(const BtreeIndex& index, const Datum* values, const bool* is_null,
                        ItemPointer heap_tid, IndexTupleBuffer* tuple) {
  const int natts = index.natts();
  Datum forms[INDEX_MAX_KEYS];
  std::vector<std::vector<std::byte>> compressed;
  bool has_nulls = false;
  for (int i = 0; i < natts; ++i) {
    forms[i] = values[i];
    if (is_null[i]) {
      has_nulls = true;
      continue;
    }
    if (index.columns()[i].attlen != -1) continue;
    const std::byte* value = datum_pointer(values[i]);
    INVARIANT(!varlena_is_external(value));
    const char storage = index.definition().columns.attributes[static_cast<size_t>(i)].attstorage;
    if (!varlena_is_plain(value) || (storage != TYPSTORAGE_EXTENDED && storage != TYPSTORAGE_MAIN))
      continue;
    if (varlena_size_4b(value) <= toast_index_target(index.block_size())) continue;
    std::vector<std::byte> smaller;
    if (!compress_varlena(value, &smaller)) continue;
    compressed.push_back(std::move(smaller));
    forms[i] = pointer_datum(compressed.back().data());
  }

  const bool* nulls = has_nulls ? is_null : nullptr;
  const size_t data_offset = has_nulls ? index_data_offset_with_nulls : index_data_offset;
  const size_t data_size = data_area_size(index.layout(), forms, nulls);
  const size_t size = max_align(data_offset + data_size);
  if (size > INDEX_SIZE_MASK)
    return Status::error(ErrorCode::program_limit_exceeded,
                         "index row requires %zu bytes, maximum size is %zu", size,
                         size_t{INDEX_SIZE_MASK});
  if (size > btree_item_size_max(index.block_size()))
    return row_too_large(index, static_cast<uint32_t>(size));

  std::memset(tuple->bytes, 0, data_offset);
  auto* bitmap =
      has_nulls ? reinterpret_cast<uint8_t*>(tuple->bytes + sizeof(IndexTupleHeader)) : nullptr;
  form_data_area(index.layout(), forms, nulls, tuple->bytes + data_offset, data_size, bitmap);
  std::memset(tuple->bytes + data_offset + data_size, 0, size - data_offset - data_size);

  uint16_t t_info = static_cast<uint16_t>(size | (has_nulls ? INDEX_NULL_MASK : 0));
  for (int i = 0; i < natts; ++i)
    if (!is_null[i] && index.columns()[i].attlen < 0) t_info |= INDEX_VAR_MASK;
  tuple->header() = {heap_tid, t_info};
  return Status::ok;
}

bool DetoastArena::decompress(const std::byte* varlena, size_t size, Datum* plain) {
  if (size < VARHDRSZ_COMPRESSED) return false;
  std::vector<std::byte> raw;
  if (!decompress_varlena(varlena, &raw).is_ok()) return false;
  kept_.push_back(std::move(raw));
  *plain = pointer_datum(kept_.back().data());
  return true;
}

IndexTupleCursor::Result IndexTupleCursor::next_varlena(Datum* value) {
  const IndexColumn& column = *column_++;
  if (position_ >= size_) return Result::corrupt;
  if (column.attlen == -2) {
    const auto at = static_cast<uint32_t>(align_up(position_, column.alignment));
    if (at >= size_) return Result::corrupt;
    const void* end = std::memchr(tuple_ + at, 0, size_ - at);
    if (end == nullptr) return Result::corrupt;
    position_ = static_cast<uint32_t>(static_cast<const std::byte*>(end) - tuple_) + 1;
    *value = pointer_datum(tuple_ + at);
    return Result::value;
  }
  // A byte other than zero is a short header, which is not aligned; padding is zeroes.
  uint32_t at = position_;
  if (tuple_[at] == std::byte{0}) at = static_cast<uint32_t>(align_up(at, column.alignment));
  if (at >= size_) return Result::corrupt;
  const std::byte* bytes = tuple_ + at;
  uint32_t length;
  if (varlena_is_short_or_external(bytes)) {
    length = varlena_size_1b(bytes);
    if (length < VARHDRSZ_SHORT || varlena_is_external(bytes)) return Result::corrupt;
  } else {
    if (size_ - at < VARHDRSZ) return Result::corrupt;
    length = varlena_size_4b(bytes);
    if (length < VARHDRSZ) return Result::corrupt;
  }
  if (length > size_ - at) return Result::corrupt;
  position_ = at + length;
  if (varlena_is_compressed(bytes)) [[unlikely]]
    return arena_->decompress(bytes, length, value) ? Result::value : Result::corrupt;
  *value = pointer_datum(bytes);
  return Result::value;
}

int columns_to_keep(const BtreeIndex& index, const std::byte* left, const std::byte* right) {
  DetoastArena arena;
  IndexTupleCursor left_cursor(index, left, leaf_key_size(index_tuple_header(left)), &arena);
  IndexTupleCursor right_cursor(index, right, leaf_key_size(index_tuple_header(right)), &arena);
  for (int i = 0; i < index.nkeyatts(); ++i) {
    Datum left_value = 0;
    Datum right_value = 0;
    const auto left_result = left_cursor.next(&left_value);
    const auto right_result = right_cursor.next(&right_value);
    if (left_result == IndexTupleCursor::Result::corrupt ||
        right_result == IndexTupleCursor::Result::corrupt)
      return -1;
    if (compare_keys(index.key(i), left_value, left_result == IndexTupleCursor::Result::null,
                     right_value, right_result == IndexTupleCursor::Result::null) != 0)
      return i + 1;
  }
  return index.nkeyatts() + 1;
}

Status form_pivot(const BtreeIndex& index, const std::byte* last_left, const std::byte* first_right,
                  IndexTupleBuffer* pivot) {
  const int keep = columns_to_keep(index, last_left, first_right);
  const int columns = keep > index.nkeyatts() ? index.nkeyatts() : keep;
  const IndexTupleHeader& source = index_tuple_header(first_right);
  const uint32_t source_size = leaf_key_size(source);

  // Find the end of the columns that stay, and whether the null bitmap does.
  DetoastArena arena;
  IndexTupleCursor cursor(index, first_right, source_size, &arena);
  bool has_nulls = false;
  bool has_varlenas = false;
  bool corrupt = keep < 0;
  for (int i = 0; i < columns && !corrupt; ++i) {
    Datum ignored;
    const auto result = cursor.next(&ignored);
    corrupt = result == IndexTupleCursor::Result::corrupt;
    has_nulls = has_nulls || result == IndexTupleCursor::Result::null;
    has_varlenas = has_varlenas ||
                   (result == IndexTupleCursor::Result::value && index.columns()[i].attlen < 0);
  }
  const bool needs_tid = keep > index.nkeyatts();
  if (!corrupt && needs_tid) corrupt = !(leaf_tid_last(last_left) < leaf_tid_first(first_right));
  if (corrupt)
    return Status::error(ErrorCode::index_corrupted,
                         "cannot separate neighbouring tuples in index \"%s\"", index.name())
        .with_hint("Please REINDEX it.");

  const size_t source_offset =
      (source.t_info & INDEX_NULL_MASK) != 0 ? index_data_offset_with_nulls : index_data_offset;
  const size_t data_offset = has_nulls ? index_data_offset_with_nulls : index_data_offset;
  const size_t data_size = cursor.position() - source_offset;
  size_t size = max_align(data_offset + data_size);
  std::memset(pivot->bytes, 0, size + 8);
  if (has_nulls) {
    for (int i = 0; i < columns; ++i) {
      const size_t byte = sizeof(IndexTupleHeader) + static_cast<size_t>(i / 8);
      pivot->bytes[byte] |= first_right[byte] & static_cast<std::byte>(1 << (i % 8));
    }
  }
  std::memcpy(pivot->bytes + data_offset, first_right + source_offset, data_size);
  if (needs_tid) {
    size += 8;
    store(pivot->bytes + size - sizeof(ItemPointer), leaf_tid_last(last_left));
  }
  pivot->header() = {source.t_tid, static_cast<uint16_t>(size | (has_nulls ? INDEX_NULL_MASK : 0) |
                                                         (has_varlenas ? INDEX_VAR_MASK : 0))};
  btree_set_pivot(pivot->header(), columns, needs_tid);
  return Status::ok;
}

void form_posting(const std::byte* base, const ItemPointer* tids, int count,
                  IndexTupleBuffer* tuple) {
  INVARIANT(count > 0);
  INVARIANT(count <= BT_OFFSET_MASK);
  const IndexTupleHeader& header = index_tuple_header(base);
  const uint32_t key_size = leaf_key_size(header);
  INVARIANT(key_size == max_align(key_size));
  const size_t list_size = count > 1 ? static_cast<size_t>(count) * sizeof(ItemPointer) : 0;
  const size_t size = max_align(key_size + list_size);
  INVARIANT(size <= INDEX_SIZE_MASK);
  std::memcpy(tuple->bytes, base, key_size);
  std::memset(tuple->bytes + key_size, 0, size - key_size);
  IndexTupleHeader& made = tuple->header();
  btree_set_size(made, static_cast<uint32_t>(size));
  if (count > 1) {
    btree_set_posting(made, count, key_size);
    std::memcpy(tuple->bytes + key_size, tids, list_size);
  } else {
    made.t_info &= static_cast<uint16_t>(~INDEX_ALT_TID_MASK);
    made.t_tid = tids[0];
  }
}

bool swap_posting(std::byte* tuple, int place, ItemPointer* tid) {
  const IndexTupleHeader& header = index_tuple_header(tuple);
  if (!btree_tuple_is_posting(header)) return false;
  const int count = btree_posting_count(header);
  if (place <= 0 || place >= count) return false;
  std::byte* list = tuple + btree_posting_offset(header);
  const ItemPointer last = leaf_tid(tuple, count - 1);
  const auto at = static_cast<size_t>(place) * sizeof(ItemPointer);
  std::memmove(list + at + sizeof(ItemPointer), list + at,
               static_cast<size_t>(count - place - 1) * sizeof(ItemPointer));
  store(list + at, *tid);
  *tid = last;
  return true;
}

}  // namespace pgdata
