// The header of an index tuple, and the null bitmap that may follow it.
//
//   offset  size  field     meaning
//        0     6  t_tid     heap tuple the entry points to; other uses are the access method's
//        6     2  t_info    size in bytes (13 bits) | access method's bit | has varlenas | has nulls
//        8     4  bits[]    one bit a column, set when not null; only with INDEX_NULL_MASK
//     8/16        data      column values; starts at a multiple of 8
//
// Little-endian. Source: src/include/access/itup.h and src/include/pg_config_manual.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct IndexTupleHeader {
  ItemPointer t_tid;
  uint16_t t_info;
};
static_assert(sizeof(IndexTupleHeader) == 8);
static_assert(offsetof(IndexTupleHeader, t_info) == 6);
static_assert(std::has_unique_object_representations_v<IndexTupleHeader>,
              "padding bytes must not reach the disk");

inline constexpr uint16_t INDEX_SIZE_MASK = 0x1FFF;
inline constexpr uint16_t INDEX_AM_RESERVED_BIT = 0x2000;
inline constexpr uint16_t INDEX_VAR_MASK = 0x4000;
inline constexpr uint16_t INDEX_NULL_MASK = 0x8000;
inline constexpr int INDEX_MAX_KEYS = 32;

// Where the values start, with and without the null bitmap.
inline constexpr size_t index_data_offset = sizeof(IndexTupleHeader);
inline constexpr size_t index_data_offset_with_nulls =
    max_align(sizeof(IndexTupleHeader) + (INDEX_MAX_KEYS + 7) / 8);
static_assert(index_data_offset_with_nulls == 16);

constexpr uint32_t index_tuple_size(uint16_t t_info) { return t_info & INDEX_SIZE_MASK; }

// A varlena of more bytes than this is compressed before it goes into an index tuple:
// TOAST_INDEX_TARGET, a sixteenth of the largest heap tuple. Source: src/include/access/heaptoast.h.
constexpr uint32_t toast_index_target(uint32_t block_size) {
  const uint32_t heap_tuple_size_max = block_size - static_cast<uint32_t>(max_align(24 + 4));
  return heap_tuple_size_max / 16;
}
static_assert(toast_index_target(8192) == 510);

}  // namespace pgdata
