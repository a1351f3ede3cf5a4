// Reading and writing varlena headers, and the size and equality of a value of any type.
//
// These trust the header they read: a value that comes from disk was bounded when its tuple was
// deformed (deform.h checks that each value ends inside its tuple).
// Source: src/include/varatt.h, PostgreSQL 18.
#pragma once

#include <cstring>

#include "base/types.h"
#include "layout/varlena.h"
#include "tuple/tuple_desc.h"

namespace pgdata {

// Which header: decided by the first byte.
inline bool varlena_is_short_or_external(const std::byte* value) {
  return (static_cast<uint8_t>(*value) & 1) != 0;
}
inline bool varlena_is_external(const std::byte* value) {
  return static_cast<uint8_t>(*value) == 1;
}
inline bool varlena_is_short(const std::byte* value) {
  return varlena_is_short_or_external(value) && !varlena_is_external(value);
}
inline bool varlena_is_plain(const std::byte* value) {  // VARATT_IS_4B_U
  return (static_cast<uint8_t>(*value) & 3) == 0;
}
inline bool varlena_is_compressed(const std::byte* value) {  // VARATT_IS_4B_C, inline
  return (static_cast<uint8_t>(*value) & 3) == 2;
}
inline bool varlena_is_external_on_disk(const std::byte* value) {
  return varlena_is_external(value) && static_cast<uint8_t>(value[1]) == VARTAG_ONDISK;
}

// Size with a four-byte header; with a one-byte header.
inline uint32_t varlena_size_4b(const std::byte* value) { return load<uint32_t>(value) >> 2; }
inline uint32_t varlena_size_1b(const std::byte* value) {
  return static_cast<uint32_t>(static_cast<uint8_t>(*value)) >> 1;
}

// VARSIZE_ANY: all bytes of the value as it stands, header included. A pointer of an unknown tag
// has size 0.
inline uint32_t varlena_size(const std::byte* value) {
  if (!varlena_is_short_or_external(value)) return varlena_size_4b(value);
  if (!varlena_is_external(value)) return varlena_size_1b(value);
  return varlena_is_external_on_disk(value) ? TOAST_POINTER_SIZE : 0;
}
// VARDATA_ANY and VARSIZE_ANY_EXHDR, for a value that is neither compressed nor external.
inline const std::byte* varlena_data(const std::byte* value) {
  return value + (varlena_is_short_or_external(value) ? VARHDRSZ_SHORT : VARHDRSZ);
}
inline uint32_t varlena_data_size(const std::byte* value) {
  return varlena_is_short_or_external(value) ? varlena_size_1b(value) - VARHDRSZ_SHORT
                                             : varlena_size_4b(value) - VARHDRSZ;
}

inline void set_varlena_size_4b(std::byte* value, uint32_t size) {
  store<uint32_t>(value, size << 2);
}
inline void set_varlena_size_1b(std::byte* value, uint32_t size) {
  *value = static_cast<std::byte>((size << 1) | 1);
}
inline void set_varlena_size_compressed(std::byte* value, uint32_t size) {
  store<uint32_t>(value, (size << 2) | 2);
}

// Whether a four-byte header can become a one-byte one, and the size then.
inline bool varlena_can_be_short(const std::byte* value) {
  return varlena_is_plain(value) &&
         varlena_size_4b(value) - VARHDRSZ + VARHDRSZ_SHORT <= VARATT_SHORT_MAX;
}
inline uint32_t varlena_converted_short_size(const std::byte* value) {
  return varlena_size_4b(value) - VARHDRSZ + VARHDRSZ_SHORT;
}

// va_tcinfo of an inline compressed value.
inline uint32_t compressed_raw_size(const std::byte* value) {
  return load<uint32_t>(value + VARHDRSZ) & VARLENA_EXTSIZE_MASK;
}
inline uint8_t compressed_method(const std::byte* value) {
  return static_cast<uint8_t>(load<uint32_t>(value + VARHDRSZ) >> VARLENA_EXTSIZE_BITS);
}

// The toast pointer of an external value on disk.
inline varatt_external toast_pointer_of(const std::byte* value) {
  return load<varatt_external>(value + VARHDRSZ_EXTERNAL);
}
inline uint32_t external_size(const varatt_external& pointer) {
  return pointer.va_extinfo & VARLENA_EXTSIZE_MASK;
}
inline uint8_t external_method(const varatt_external& pointer) {
  return static_cast<uint8_t>(pointer.va_extinfo >> VARLENA_EXTSIZE_BITS);
}
// What is stored externally is compressed exactly when it is smaller than the data it makes.
inline bool external_is_compressed(const varatt_external& pointer) {
  return external_size(pointer) < static_cast<uint32_t>(pointer.va_rawsize) - VARHDRSZ;
}
inline void write_toast_pointer(std::byte* value, const varatt_external& pointer) {
  value[0] = std::byte{1};
  value[1] = static_cast<std::byte>(VARTAG_ONDISK);
  store(value + VARHDRSZ_EXTERNAL, pointer);
}

// toast_raw_datum_size: bytes the value has once detoasted, with a four-byte header.
inline uint32_t varlena_raw_size(const std::byte* value) {
  if (varlena_is_external(value)) return static_cast<uint32_t>(toast_pointer_of(value).va_rawsize);
  if (varlena_is_compressed(value)) return compressed_raw_size(value) + VARHDRSZ;
  if (varlena_is_short(value)) return varlena_size_1b(value) - VARHDRSZ_SHORT + VARHDRSZ;
  return varlena_size_4b(value);
}

// datumGetSize: bytes a value occupies as it stands.
inline size_t datum_size(int16_t attlen, Datum datum) {
  if (attlen > 0) return static_cast<size_t>(attlen);
  if (attlen == -1) return varlena_size(datum_pointer(datum));
  return std::strlen(reinterpret_cast<const char*>(datum_pointer(datum))) + 1;
}

// datumIsEqual: bit for bit, without detoasting, so equal values in different forms differ.
inline bool datum_bits_equal(bool attbyval, int16_t attlen, Datum a, Datum b) {
  if (attbyval) {
    switch (attlen) {
      case 1:
        return static_cast<uint8_t>(a) == static_cast<uint8_t>(b);
      case 2:
        return static_cast<uint16_t>(a) == static_cast<uint16_t>(b);
      case 4:
        return static_cast<uint32_t>(a) == static_cast<uint32_t>(b);
      default:
        return a == b;
    }
  }
  const size_t size = datum_size(attlen, a);
  return size == datum_size(attlen, b) &&
         std::memcmp(datum_pointer(a), datum_pointer(b), size) == 0;
}

}  // namespace pgdata
