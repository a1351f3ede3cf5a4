// The order of arrays: element by element (null is greater than any value), then by number of
// elements, dimensions, lengths and lower bounds.
//
//   offset  size  field       meaning (offsets count a 4-byte varlena header, which is not in the content)
//        4     4  ndim        number of dimensions, 0 for an empty array
//        8     4  dataoffset  offset of the elements, 0 when there is no null bitmap
//       12     4  elemtype    OID of the element type
//       16    4n  dim         length of each dimension
//    16+4n    4n  lbound      lower bound of each
//
// Source: src/include/utils/array.h, src/backend/utils/adt/arrayfuncs.c, PostgreSQL 18.
#include <cstdint>

#include "tuple/compare_nested.h"

namespace pgdata {
namespace {

constexpr int MAXDIM = 6;
constexpr size_t header_size = 4;  // the varlena header that the content lacks

struct ArrayView {
  std::string_view content;
  int32_t ndim = 0;
  uint32_t count = 0;
  size_t position = 0;             // of the next element, counted with the varlena header
  const uint8_t* nulls = nullptr;  // bit set: not null

  explicit ArrayView(std::string_view bytes) : content(bytes) {
    if (bytes.size() < 12) return;
    const int32_t dimensions = load<int32_t>(bytes.data());
    const int32_t data_offset = load<int32_t>(bytes.data() + 4);
    if (dimensions <= 0 || dimensions > MAXDIM) return;
    const size_t bounds_end = 12 + 8 * static_cast<size_t>(dimensions);
    if (bounds_end > bytes.size()) return;
    uint64_t items = 1;
    for (int i = 0; i < dimensions; ++i) {
      const int32_t length = load<int32_t>(bytes.data() + 12 + 4 * i);
      if (length < 0) return;
      items *= static_cast<uint64_t>(length);
      if (items > bytes.size() * 8) return;  // Each element has at least a bit.
    }
    if (data_offset != 0) {
      if (data_offset < 0 || static_cast<size_t>(data_offset) > bytes.size() + header_size) return;
      if (bounds_end + (items + 7) / 8 > bytes.size()) return;
      nulls = reinterpret_cast<const uint8_t*>(bytes.data() + bounds_end);
      position = static_cast<size_t>(data_offset);
    } else {
      position = max_align(bounds_end + header_size);
    }
    ndim = dimensions;
    count = static_cast<uint32_t>(items);
  }
  int32_t dim(int i) const { return load<int32_t>(content.data() + 12 + 4 * i); }
  int32_t lbound(int i) const { return load<int32_t>(content.data() + 12 + 4 * (ndim + i)); }
  bool is_null(uint32_t i) const {
    return nulls != nullptr && (nulls[i >> 3] & (1 << (i & 7))) == 0;
  }

  // False when the element does not lie within the array.
  bool next(const KeyColumn& column, Datum* value) {
    size_t at = align_up(position, column.element_alignment);
    if (at - header_size >= content.size()) return false;
    const char* bytes = content.data() + (at - header_size);
    const size_t available = content.size() - (at - header_size);
    size_t size = 0;
    if (column.element_length > 0) {
      size = static_cast<size_t>(column.element_length);
      if (size > available) return false;
      switch (size) {
        case 1:
          *value = static_cast<Datum>(static_cast<int64_t>(load<int8_t>(bytes)));
          break;
        case 2:
          *value = static_cast<Datum>(static_cast<int64_t>(load<int16_t>(bytes)));
          break;
        case 4:
          *value = static_cast<Datum>(static_cast<int64_t>(load<int32_t>(bytes)));
          break;
        case 8:
          *value = load<uint64_t>(bytes);
          break;
        default:
          *value = pointer_datum(bytes);
          break;
      }
    } else {
      const auto first = static_cast<uint8_t>(bytes[0]);
      if ((first & 1) != 0) {
        size = first >> 1;
        if (size < 1) return false;
      } else {
        if (available < 4 || (first & 3) != 0) return false;
        size = load<uint32_t>(bytes) >> 2;
        if (size < 4) return false;
      }
      if (size > available) return false;
      *value = pointer_datum(bytes);
    }
    position = at + size;
    return true;
  }
};

int order_of(int64_t left, int64_t right) { return left < right ? -1 : left > right ? 1 : 0; }

}  // namespace

int compare_array_content(std::string_view left, std::string_view right, const KeyColumn& column) {
  ArrayView a(left);
  ArrayView b(right);
  const uint32_t shared = a.count < b.count ? a.count : b.count;
  for (uint32_t i = 0; i < shared; ++i) {
    const bool a_null = a.is_null(i);
    const bool b_null = b.is_null(i);
    Datum a_value = 0;
    Datum b_value = 0;
    if (!a_null && !a.next(column, &a_value)) return -1;
    if (!b_null && !b.next(column, &b_value)) return 1;
    if (a_null && b_null) continue;
    if (a_null) return 1;
    if (b_null) return -1;
    const int order = column.element->compare(a_value, b_value, *column.element);
    if (order != 0) return order;
  }
  if (a.count != b.count) return order_of(a.count, b.count);
  if (a.ndim != b.ndim) return order_of(a.ndim, b.ndim);
  for (int i = 0; i < a.ndim; ++i)
    if (const int order = order_of(a.dim(i), b.dim(i)); order != 0) return order;
  for (int i = 0; i < a.ndim; ++i)
    if (const int order = order_of(a.lbound(i), b.lbound(i)); order != 0) return order;
  return 0;
}

bool element_storage(Oid type, int16_t* length, uint8_t* alignment) {
  struct Storage {
    Oid type;
    int16_t length;
    uint8_t alignment;
  };
  // pg_type.typlen and typalign of the types that have a comparator.
  static constexpr Storage table[] = {
      {16, 1, 1},
      {17, -1, 4},
      {18, 1, 1},
      {19, 64, 1},
      {20, 8, 8},
      {21, 2, 2},
      {23, 4, 4},
      {25, -1, 4},
      {26, 4, 4},
      {27, 6, 2},
      {700, 4, 4},
      {701, 8, 8},
      {790, 8, 8},
      {1042, -1, 4},
      {1043, -1, 4},
      {1082, 4, 4},
      {1083, 8, 8},
      {1114, 8, 8},
      {1184, 8, 8},
      {1186, 16, 8},
      {1266, 12, 8},
      {1700, -1, 4},
      {2950, 16, 1},
      {3220, 8, 8},
      {3802, -1, 4},
      {5069, 8, 8},
      // The reg* types, which are compared as oid.
      {24, 4, 4},
      {2202, 4, 4},
      {2203, 4, 4},
      {2204, 4, 4},
      {2205, 4, 4},
      {2206, 4, 4},
      {3734, 4, 4},
      {3769, 4, 4},
      {4089, 4, 4},
      {4096, 4, 4},
      {4191, 4, 4},
  };
  for (const Storage& entry : table) {
    if (entry.type != type) continue;
    *length = entry.length;
    *alignment = entry.alignment;
    return true;
  }
  return false;
}

}  // namespace pgdata
