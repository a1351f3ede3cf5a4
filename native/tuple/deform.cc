// Deforming tuples, with a fast path for the leading columns of fixed width.
#include "tuple/deform.h"

#include <cstring>

#include "base/invariant.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

inline Datum load_by_value(const std::byte* from, int16_t attlen) {
  switch (attlen) {
    case 1:
      return static_cast<Datum>(static_cast<int64_t>(load<int8_t>(from)));
    case 2:
      return static_cast<Datum>(static_cast<int64_t>(load<int16_t>(from)));
    case 4:
      return static_cast<Datum>(static_cast<int64_t>(load<int32_t>(from)));
    default:
      return load<Datum>(from);
  }
}

inline Datum load_fixed(const CompactAttribute& attribute, const std::byte* from) {
  return attribute.attbyval ? load_by_value(from, attribute.attlen) : pointer_datum(from);
}

inline bool is_null(const uint8_t* bitmap, int index) {
  return (bitmap[index >> 3] & (1u << (index & 7))) == 0;
}

[[gnu::cold]] Status column_overruns(const TupleLayout& layout, int index, size_t size) {
  const Attribute& attribute = layout.desc().attributes[static_cast<size_t>(index)];
  return Status::error(Status::data_corrupted,
                       "column \"%.64s\" ends outside its tuple of %zu data bytes",
                       attribute.attname, size);
}

[[gnu::cold]] Status bad_toast_pointer(const TupleLayout& layout, int index, unsigned tag) {
  const Attribute& attribute = layout.desc().attributes[static_cast<size_t>(index)];
  return Status::error(Status::data_corrupted, "column \"%.64s\" has unexpected TOAST tag %u",
                       attribute.attname, tag);
}

}  // namespace

Status deform_data_area(const TupleLayout& layout, const std::byte* data, size_t size,
                        const uint8_t* bitmap, int count, Datum* values, bool* nulls) {
  const CompactAttribute* attributes = layout.attributes();
  int i = 0;
  size_t offset = 0;
  if (bitmap == nullptr) {
    // No nulls: the columns of fixed width at the front need one check for all of them.
    const int fixed = count < layout.fixed_count() ? count : layout.fixed_count();
    if (fixed > 0) {
      const CompactAttribute& last = attributes[fixed - 1];
      const size_t end = static_cast<size_t>(last.cached_offset) + static_cast<size_t>(last.attlen);
      if (end > size) [[unlikely]]
        return column_overruns(layout, fixed - 1, size);
      for (; i < fixed; ++i) {
        values[i] = load_fixed(attributes[i], data + attributes[i].cached_offset);
        nulls[i] = false;
      }
      offset = end;
    }
  }
  for (; i < count; ++i) {
    if (bitmap != nullptr && is_null(bitmap, i)) {
      values[i] = 0;
      nulls[i] = true;
      continue;
    }
    nulls[i] = false;
    const CompactAttribute& attribute = attributes[i];
    if (attribute.attlen > 0) {
      offset = align_up(offset, attribute.alignment);
      const size_t end = offset + static_cast<size_t>(attribute.attlen);
      if (end > size) [[unlikely]]
        return column_overruns(layout, i, size);
      values[i] = load_fixed(attribute, data + offset);
      offset = end;
    } else if (attribute.attlen == -1) {
      if (offset >= size) [[unlikely]]
        return column_overruns(layout, i, size);
      // A zero byte is padding before an aligned four-byte header: a short header never is zero.
      if (data[offset] == std::byte{0}) offset = align_up(offset, attribute.alignment);
      if (offset >= size) [[unlikely]]
        return column_overruns(layout, i, size);
      const std::byte* value = data + offset;
      size_t length;
      if (!varlena_is_short_or_external(value)) {
        if (size - offset < VARHDRSZ) [[unlikely]]
          return column_overruns(layout, i, size);
        length = varlena_size_4b(value);
        const size_t least = varlena_is_compressed(value) ? VARHDRSZ_COMPRESSED : VARHDRSZ;
        if (length < least) [[unlikely]]
          return column_overruns(layout, i, size);
      } else if (!varlena_is_external(value)) {
        length = varlena_size_1b(value);
      } else {
        if (size - offset < TOAST_POINTER_SIZE) [[unlikely]]
          return column_overruns(layout, i, size);
        if (!varlena_is_external_on_disk(value)) [[unlikely]]
          return bad_toast_pointer(layout, i, static_cast<unsigned>(value[1]));
        length = TOAST_POINTER_SIZE;
      }
      if (length > size - offset) [[unlikely]]
        return column_overruns(layout, i, size);
      values[i] = pointer_datum(value);
      offset += length;
    } else {
      offset = align_up(offset, attribute.alignment);
      if (offset >= size) [[unlikely]]
        return column_overruns(layout, i, size);
      const void* end = std::memchr(data + offset, 0, size - offset);
      if (end == nullptr) [[unlikely]]
        return column_overruns(layout, i, size);
      values[i] = pointer_datum(data + offset);
      offset = static_cast<size_t>(static_cast<const std::byte*>(end) - data) + 1;
    }
  }
  return Status::ok;
}

Status deform_heap_tuple(const TupleLayout& layout, const std::byte* tuple, size_t length,
                         int count, Datum* values, bool* nulls) {
  INVARIANT(count <= layout.natts());
  const HeapTupleHeader& header = *reinterpret_cast<const HeapTupleHeader*>(tuple);
  if (!heap_tuple_header_is_sane(header, length)) [[unlikely]]
    return Status::error(
        Status::data_corrupted, "tuple of %zu bytes has data offset %u and %d columns", length,
        length >= heap_tuple_header_size ? unsigned{header.t_hoff} : 0u,
        length >= heap_tuple_header_size ? header.t_infomask2 & HEAP_NATTS_MASK : 0);
  const int present = header.t_infomask2 & HEAP_NATTS_MASK;
  const int stored = count < present ? count : present;
  RETURN_IF_ERROR(deform_data_area(layout, tuple + header.t_hoff, length - header.t_hoff,
                                   (header.t_infomask & HEAP_HASNULL) ? header.t_bits : nullptr,
                                   stored, values, nulls));
  for (int i = stored; i < count; ++i) {
    const Attribute& attribute = layout.desc().attributes[static_cast<size_t>(i)];
    values[i] = attribute.has_missing ? attribute.missing : 0;
    nulls[i] = !attribute.has_missing;
  }
  return Status::ok;
}

}  // namespace pgdata
