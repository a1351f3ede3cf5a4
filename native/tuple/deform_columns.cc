// ColumnDeformer: the walk, and the way row by row for what it does not deal with.
#include "tuple/deform_columns.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/invariant.h"
#include "tuple/deform.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

// The null bitmap of a tuple without one.
constexpr auto all_present = [] {
  std::array<uint8_t, null_bitmap_size(tuple_attributes_max)> bitmap{};
  bitmap.fill(0xFF);
  return bitmap;
}();

inline bool is_null(const uint8_t* bitmap, int attribute) {
  return (bitmap[attribute >> 3] & (1u << (attribute & 7))) == 0;
}

// Are the first `count` columns all there?
inline bool has_all(const uint8_t* bitmap, int count) {
  int at = 0;
  for (; at + 8 <= count; at += 8)
    if (bitmap[at >> 3] != 0xFF) return false;
  const auto rest = static_cast<uint8_t>((1u << (count & 7)) - 1);
  return rest == 0 || (bitmap[at >> 3] & rest) == rest;
}

// The size of a varlena with any header but a short one, of which `room` bytes are left; 0 for one that is not right.
[[gnu::noinline]] uint32_t size_of_long(const std::byte* value, uint32_t room) {
  if (varlena_is_external(value)) {
    if (room < TOAST_POINTER_SIZE || !varlena_is_external_on_disk(value)) return 0;
    return TOAST_POINTER_SIZE;
  }
  if (room < VARHDRSZ) return 0;
  const uint32_t size = varlena_size_4b(value);
  return size < (varlena_is_compressed(value) ? VARHDRSZ_COMPRESSED : VARHDRSZ) ? 0 : size;
}

// What a column of fixed width is read as.
template <typename T>
Datum by_value(const std::byte* from) {
  return static_cast<Datum>(static_cast<int64_t>(load<T>(from)));
}

// Calls `body` with the function that reads a value of the column.
template <typename Body>
auto with_reader(const CompactAttribute& attribute, Body&& body) {
  if (!attribute.attbyval) return body([](const std::byte* from) { return pointer_datum(from); });
  switch (attribute.attlen) {
    case 1:
      return body([](const std::byte* from) { return by_value<int8_t>(from); });
    case 2:
      return body([](const std::byte* from) { return by_value<int16_t>(from); });
    case 4:
      return body([](const std::byte* from) { return by_value<int32_t>(from); });
    default:
      return body([](const std::byte* from) { return load<Datum>(from); });
  }
}

}  // namespace

// How far the walk of each tuple is.
struct ColumnDeformer::Places {
  uint32_t count;
  const std::byte* data[tuples_max];
  uint32_t size[tuples_max];
  uint32_t offset[tuples_max];
  const uint8_t* bitmap[tuples_max];
};

ColumnDeformer::ColumnDeformer(const TupleLayout& layout, std::span<const int> attributes)
    : layout_(layout),
      columns_(attributes.size()),
      row_values_(static_cast<size_t>(layout.natts())),
      row_nulls_(new bool[static_cast<size_t>(layout.natts())]) {
  std::vector<int> column_of(static_cast<size_t>(layout.natts()), no_column);
  for (size_t i = 0; i < attributes.size(); i++) {
    const int attribute = attributes[i];
    INVARIANT(attribute >= 0);
    INVARIANT(attribute < layout.natts());
    int& column = column_of[static_cast<size_t>(attribute)];
    if (column == no_column)
      column = static_cast<int>(i);
    else
      repeated_.emplace_back(column, static_cast<int>(i));
    needed_ = std::max(needed_, attribute + 1);
  }
  for (int i = 0; i < needed_; i++) {
    const Step step{i, column_of[static_cast<size_t>(i)], layout.attribute(i)};
    all_steps_.push_back(step);
    if (step.compact.attlen == -2) is_by_row_ = true;
    if (i >= layout.fixed_count()) {
      steps_.push_back(step);
      continue;
    }
    fixed_end_ = static_cast<uint32_t>(step.compact.cached_offset + step.compact.attlen);
    if (step.column != no_column) fixed_steps_.push_back(step);
  }
}

// False when a value is not within its tuple.
template <bool has_nulls>
bool ColumnDeformer::walk(Places& places, const Column* columns, uint32_t first) const {
  const uint32_t count = places.count;
  if constexpr (!has_nulls) {
    for (const Step& step : fixed_steps_) {
      const Column& to = columns[step.column];
      const auto at = static_cast<uint32_t>(step.compact.cached_offset);
      Datum* const values = to.values + first;
      with_reader(step.compact, [&](auto read) {
        for (uint32_t i = 0; i < count; i++) values[i] = read(places.data[i] + at);
      });
      std::memset(to.nulls + first, 0, count);
    }
  }
  for (const Step& step : has_nulls ? all_steps_ : steps_) {
    Datum* values = nullptr;
    uint8_t* nulls = nullptr;
    if (step.column != no_column) {
      values = columns[step.column].values + first;
      nulls = columns[step.column].nulls + first;
      if (!has_nulls) std::memset(nulls, 0, count);
    }
    const auto passes_null = [&](uint32_t i) {
      if (!has_nulls || !is_null(places.bitmap[i], step.attribute)) {
        if (has_nulls && nulls != nullptr) nulls[i] = 0;
        return false;
      }
      if (nulls != nullptr) {
        nulls[i] = 1;
        values[i] = 0;
      }
      return true;
    };
    const uint32_t alignment = step.compact.alignment;
    if (step.compact.attlen > 0) {
      const auto width = static_cast<uint32_t>(step.compact.attlen);
      const bool fits = with_reader(step.compact, [&](auto read) {
        for (uint32_t i = 0; i < count; i++) {
          if (passes_null(i)) continue;
          const auto at = static_cast<uint32_t>(align_up(places.offset[i], alignment));
          places.offset[i] = at + width;
          if (at + width > places.size[i]) [[unlikely]]
            return false;
          if (values != nullptr) values[i] = read(places.data[i] + at);
        }
        return true;
      });
      if (!fits) return false;
      continue;
    }
    for (uint32_t i = 0; i < count; i++) {
      if (passes_null(i)) continue;
      const uint32_t size = places.size[i];
      uint32_t at = places.offset[i];
      if (at >= size) [[unlikely]]
        return false;
      const std::byte* value = places.data[i] + at;
      // A zero byte is padding before an aligned four-byte header: a short header never is zero.
      if (*value == std::byte{0}) {
        at = static_cast<uint32_t>(align_up(at, alignment));
        if (at >= size) [[unlikely]]
          return false;
        value = places.data[i] + at;
      }
      const uint32_t room = size - at;
      const uint32_t length =
          varlena_is_short(value) ? varlena_size_1b(value) : size_of_long(value, room);
      if (length == 0 || length > room) [[unlikely]]
        return false;
      places.offset[i] = at + length;
      if (values != nullptr) values[i] = pointer_datum(value);
    }
  }
  return true;
}

Status ColumnDeformer::deform(const TupleBytes* tuples, uint32_t count, const Column* columns,
                              uint32_t first) {
  INVARIANT(count <= tuples_max);
  if (columns_ == 0) return Status::ok;
  bool is_plain = !is_by_row_;
  bool has_nulls = false;
  Places places;
  places.count = count;
  for (uint32_t i = 0; i < count; i++) {
    const auto& header = *reinterpret_cast<const HeapTupleHeader*>(tuples[i].bytes);
    const uint32_t length = tuples[i].length;
    if (!heap_tuple_header_is_sane(header, length) ||
        (header.t_infomask2 & HEAP_NATTS_MASK) < needed_) [[unlikely]] {
      is_plain = false;
      break;
    }
    places.data[i] = tuples[i].bytes + header.t_hoff;
    places.size[i] = length - header.t_hoff;
    places.offset[i] = 0;
    places.bitmap[i] = all_present.data();
    if ((header.t_infomask & HEAP_HASNULL) != 0) {
      places.bitmap[i] = header.t_bits;
      has_nulls = has_nulls || !has_all(header.t_bits, needed_);
    }
  }
  if (is_plain && !has_nulls) {
    for (uint32_t i = 0; i < count; i++) {
      places.offset[i] = fixed_end_;
      is_plain = is_plain && fixed_end_ <= places.size[i];
    }
    is_plain = is_plain && walk<false>(places, columns, first);
  } else if (is_plain) {
    is_plain = walk<true>(places, columns, first);
  }
  if (!is_plain) [[unlikely]]
    RETURN_IF_ERROR(deform_rows(tuples, count, columns, first));
  for (const auto& [from, to] : repeated_) {
    std::copy_n(columns[from].values + first, count, columns[to].values + first);
    std::copy_n(columns[from].nulls + first, count, columns[to].nulls + first);
  }
  return Status::ok;
}

// For tuples that are too old to have all columns, and those that are damaged, which deforming reports.
Status ColumnDeformer::deform_rows(const TupleBytes* tuples, uint32_t count, const Column* columns,
                                   uint32_t first) {
  for (uint32_t i = 0; i < count; i++) {
    RETURN_IF_ERROR(deform_heap_tuple(layout_, tuples[i].bytes, tuples[i].length, needed_,
                                      row_values_.data(), row_nulls_.get()));
    for (const Step& step : all_steps_) {
      if (step.column == no_column) continue;
      const auto attribute = static_cast<size_t>(step.attribute);
      columns[step.column].nulls[first + i] = row_nulls_[attribute] ? 1 : 0;
      columns[step.column].values[first + i] = row_nulls_[attribute] ? 0 : row_values_[attribute];
    }
  }
  return Status::ok;
}

}  // namespace pgdata
