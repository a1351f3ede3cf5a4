// Deforming: the bytes of a tuple to column values.
//
// By-reference values point into the tuple, so its page must stay pinned while they are used.
// The bytes are disk input: every value is checked to end inside the tuple, and data_corrupted
// says so if one does not. A varlena given out therefore has a header that can be trusted, and
// its external form is a toast pointer of the known kind.
// Source: src/backend/access/common/heaptuple.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "layout/heap_tuple.h"
#include "tuple/tuple_desc.h"
#include "tuple/tuple_layout.h"

namespace pgdata {

// The first `count` columns of a data area of `size` bytes; `bitmap` null when nothing is null.
// Shared with index tuples.
Status deform_data_area(const TupleLayout& layout, const std::byte* data, size_t size,
                        const uint8_t* bitmap, int count, Datum* values, bool* nulls);

// The first `count` columns of a heap tuple of `length` bytes. Columns that the tuple is too old
// to have get their missing value, or null.
Status deform_heap_tuple(const TupleLayout& layout, const std::byte* tuple, size_t length,
                         int count, Datum* values, bool* nulls);
inline Status deform_heap_tuple(const TupleLayout& layout, const std::byte* tuple, size_t length,
                                Datum* values, bool* nulls) {
  return deform_heap_tuple(layout, tuple, length, layout.natts(), values, nulls);
}

// Whether the header is one that deforming can rely on: t_hoff between the header with its bitmap
// and the tuple's end.
inline bool heap_tuple_header_is_sane(const HeapTupleHeader& header, size_t length) {
  if (length < heap_tuple_header_size || header.t_hoff > length) return false;
  const int natts = header.t_infomask2 & HEAP_NATTS_MASK;
  const uint32_t least =
      heap_tuple_header_size + ((header.t_infomask & HEAP_HASNULL) ? null_bitmap_size(natts) : 0u);
  return header.t_hoff >= least;
}

}  // namespace pgdata
