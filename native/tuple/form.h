// Forming: column values to the bytes of a tuple.
//
// Nothing here allocates: ask for the size, then fill memory you own. Values are taken as they
// stand (compressed and external ones included); a varlena whose column is not of plain storage
// gets a one-byte header when it is short enough.
// Source: src/backend/access/common/heaptuple.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "tuple/tuple_desc.h"
#include "tuple/tuple_layout.h"

namespace pgdata {

// Bytes that the columns' data takes, from offset 0 of the (aligned) data area.
// `nulls` may be null when no value is.
size_t data_area_size(const TupleLayout& layout, const Datum* values, const bool* nulls);

// Writes the data area, `size` bytes as data_area_size said, padding zeroed. With `bitmap` (which
// must be given if any value is null) also the null bitmap. Returns which of HEAP_HASNULL,
// HEAP_HASVARWIDTH and HEAP_HASEXTERNAL apply. Shared with index tuples.
uint16_t form_data_area(const TupleLayout& layout, const Datum* values, const bool* nulls,
                        std::byte* data, size_t size, uint8_t* bitmap);

// Size of a heap tuple, in two parts.
struct HeapTupleSize {
  uint32_t t_hoff = 0;
  size_t data = 0;
  bool has_nulls = false;
  size_t total() const { return t_hoff + data; }
};
HeapTupleSize heap_tuple_size(const TupleLayout& layout, const Datum* values, const bool* nulls);

// Writes a whole heap tuple of `size.total()` bytes at `tuple` (8-byte aligned). Its transaction
// fields are zero, t_ctid is invalid: inserting sets them.
void form_heap_tuple(const TupleLayout& layout, const Datum* values, const bool* nulls,
                     const HeapTupleSize& size, std::byte* tuple);

}  // namespace pgdata
