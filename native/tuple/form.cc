// Forming tuples: sizes, alignment, short headers, null bitmap.
#include "tuple/form.h"

#include <cstring>

#include "base/invariant.h"
#include "layout/heap_tuple.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

// Zeroes up to the next multiple of `alignment`; returns it.
inline size_t pad(std::byte* data, size_t offset, size_t alignment) {
  const size_t aligned = align_up(offset, alignment);
  for (size_t i = offset; i < aligned; ++i) data[i] = std::byte{0};
  return aligned;
}

inline void store_by_value(std::byte* to, int16_t attlen, Datum value) {
  switch (attlen) {
    case 1:
      store(to, static_cast<uint8_t>(value));
      break;
    case 2:
      store(to, static_cast<uint16_t>(value));
      break;
    case 4:
      store(to, static_cast<uint32_t>(value));
      break;
    default:
      store(to, value);
      break;
  }
}

}  // namespace

size_t data_area_size(const TupleLayout& layout, const Datum* values, const bool* nulls) {
  const CompactAttribute* attributes = layout.attributes();
  const int natts = layout.natts();
  size_t size = 0;
  int i = 0;
  if (nulls == nullptr) {
    i = layout.fixed_count();
    size = layout.fixed_end();
  }
  for (; i < natts; ++i) {
    if (nulls != nullptr && nulls[i]) continue;
    const CompactAttribute& attribute = attributes[i];
    if (attribute.attlen > 0) {
      size = align_up(size, attribute.alignment) + static_cast<size_t>(attribute.attlen);
    } else if (attribute.attlen == -1) {
      const std::byte* value = datum_pointer(values[i]);
      if (varlena_is_short_or_external(value)) {
        size += varlena_size(value);
      } else if (attribute.packable && varlena_can_be_short(value)) {
        size += varlena_converted_short_size(value);
      } else {
        size = align_up(size, attribute.alignment) + varlena_size_4b(value);
      }
    } else {
      size = align_up(size, attribute.alignment) + datum_size(-2, values[i]);
    }
  }
  return size;
}

uint16_t form_data_area(const TupleLayout& layout, const Datum* values, const bool* nulls,
                        std::byte* data, size_t size, uint8_t* bitmap) {
  const CompactAttribute* attributes = layout.attributes();
  const int natts = layout.natts();
  uint16_t flags = 0;
  size_t offset = 0;
  if (bitmap != nullptr) std::memset(bitmap, 0, null_bitmap_size(natts));
  for (int i = 0; i < natts; ++i) {
    if (nulls != nullptr && nulls[i]) {
      INVARIANT(bitmap != nullptr);
      flags |= HEAP_HASNULL;
      continue;
    }
    if (bitmap != nullptr) bitmap[i >> 3] = static_cast<uint8_t>(bitmap[i >> 3] | (1u << (i & 7)));
    const CompactAttribute& attribute = attributes[i];
    if (attribute.attbyval) {
      offset = pad(data, offset, attribute.alignment);
      store_by_value(data + offset, attribute.attlen, values[i]);
      offset += static_cast<size_t>(attribute.attlen);
      continue;
    }
    const std::byte* value = datum_pointer(values[i]);
    if (attribute.attlen > 0) {
      offset = pad(data, offset, attribute.alignment);
      std::memcpy(data + offset, value, static_cast<size_t>(attribute.attlen));
      offset += static_cast<size_t>(attribute.attlen);
    } else if (attribute.attlen == -1) {
      flags |= HEAP_HASVARWIDTH;
      if (varlena_is_short_or_external(value)) {
        if (varlena_is_external(value)) {
          INVARIANT(varlena_is_external_on_disk(value));
          flags |= HEAP_HASEXTERNAL;
        }
        const uint32_t length = varlena_size(value);
        std::memcpy(data + offset, value, length);
        offset += length;
      } else if (attribute.packable && varlena_can_be_short(value)) {
        const uint32_t length = varlena_converted_short_size(value);
        set_varlena_size_1b(data + offset, length);
        std::memcpy(data + offset + VARHDRSZ_SHORT, value + VARHDRSZ, length - VARHDRSZ_SHORT);
        offset += length;
      } else {
        offset = pad(data, offset, attribute.alignment);
        const uint32_t length = varlena_size_4b(value);
        std::memcpy(data + offset, value, length);
        offset += length;
      }
    } else {
      flags |= HEAP_HASVARWIDTH;
      offset = pad(data, offset, attribute.alignment);
      const size_t length = datum_size(-2, values[i]);
      std::memcpy(data + offset, value, length);
      offset += length;
    }
  }
  INVARIANT(offset == size);
  return flags;
}

HeapTupleSize heap_tuple_size(const TupleLayout& layout, const Datum* values, const bool* nulls) {
  HeapTupleSize size;
  const int natts = layout.natts();
  if (nulls != nullptr && natts > 0) {
    size.has_nulls = std::memchr(nulls, 1, static_cast<size_t>(natts)) != nullptr;
  }
  const uint32_t header = heap_tuple_header_size + (size.has_nulls ? null_bitmap_size(natts) : 0u);
  size.t_hoff = static_cast<uint32_t>(max_align(header));
  size.data = data_area_size(layout, values, size.has_nulls ? nulls : nullptr);
  return size;
}

void form_heap_tuple(const TupleLayout& layout, const Datum* values, const bool* nulls,
                     const HeapTupleSize& size, std::byte* tuple) {
  std::memset(tuple, 0, size.t_hoff);
  HeapTupleHeader* header = reinterpret_cast<HeapTupleHeader*>(tuple);
  header->t_ctid = ItemPointer();
  header->t_infomask2 = static_cast<uint16_t>(layout.natts());
  header->t_hoff = static_cast<uint8_t>(size.t_hoff);
  header->t_infomask =
      form_data_area(layout, values, size.has_nulls ? nulls : nullptr, tuple + size.t_hoff,
                     size.data, size.has_nulls ? header->t_bits : nullptr);
}

}  // namespace pgdata
