// Array values: one size for each element, one pass to write them.
#include "tuple/array_value.h"

#include <cstring>

#include "layout/varlena.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

constexpr size_t fixed_content = 20;

size_t aligned(size_t offset, uint32_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

// Elements have four-byte headers.
size_t element_size(const Attribute& element, Datum value) {
  if (element.attlen == -1) return VARHDRSZ + varlena_data_size(datum_pointer(value));
  return datum_size(element.attlen, value);
}

void write_element(const Attribute& element, Datum value, size_t size, std::byte* at) {
  if (element.attbyval) {
    std::memcpy(at, &value, size);
  } else if (element.attlen == -1) {
    set_varlena_size_4b(at, static_cast<uint32_t>(size));
    std::memcpy(at + VARHDRSZ, varlena_data(datum_pointer(value)), size - VARHDRSZ);
  } else {
    std::memcpy(at, datum_pointer(value), size);
  }
}

}  // namespace

std::vector<std::byte> form_array(const Attribute& element, const std::vector<Datum>& values) {
  if (values.empty()) return {};
  const uint32_t alignment = element.alignment();
  size_t end = VARHDRSZ + fixed_content;
  for (const Datum value : values) end = aligned(end + element_size(element, value), alignment);
  std::vector<std::byte> content(end - VARHDRSZ);
  store<int32_t>(content.data(), 1);
  store<uint32_t>(content.data() + 8, element.atttypid);
  store<int32_t>(content.data() + 12, static_cast<int32_t>(values.size()));
  store<int32_t>(content.data() + 16, 1);
  size_t offset = VARHDRSZ + fixed_content;
  for (const Datum value : values) {
    const size_t size = element_size(element, value);
    write_element(element, value, size, content.data() + offset - VARHDRSZ);
    offset = aligned(offset + size, alignment);
  }
  return content;
}

}  // namespace pgdata
