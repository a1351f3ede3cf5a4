// The headers of variable-length values ("varlena") and of pointers to values stored out of line.
//
// The first byte tells which of four headers a value has (little-endian):
//
//   first byte   header   meaning
//   xxxxxx00     4 bytes  va_header: length including the header << 2; data follows, aligned
//   xxxxxx10     4 bytes  as above, then va_tcinfo and compressed data
//   xxxxxxx1     1 byte   va_header: length including the header << 1 | 1, at most 127; unaligned
//   00000001     2 bytes  va_tag, then what the tag says; unaligned
//
// va_tcinfo holds the uncompressed size without header in its low 30 bits, the compression method
// in its high 2.
//
// A value on disk that is stored out of line (va_tag VARTAG_ONDISK, 18 bytes in all), unaligned:
//
//   offset  size  field          meaning
//        0     4  va_rawsize     original size of the value, header included
//        4     4  va_extinfo     size stored externally (30 bits, no header) | method << 30
//        8     4  va_valueid     the value's id in the TOAST table
//       12     4  va_toastrelid  OID of the TOAST table
//
// Source: src/include/varatt.h, src/include/access/toast_compression.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct varatt_external {
  int32_t va_rawsize;
  uint32_t va_extinfo;
  Oid va_valueid;
  Oid va_toastrelid;
};
static_assert(sizeof(varatt_external) == 16);
static_assert(offsetof(varatt_external, va_extinfo) == 4);
static_assert(offsetof(varatt_external, va_valueid) == 8);
static_assert(offsetof(varatt_external, va_toastrelid) == 12);
static_assert(std::has_unique_object_representations_v<varatt_external>,
              "padding bytes must not reach the disk");

inline constexpr uint8_t VARTAG_INDIRECT = 1;
inline constexpr uint8_t VARTAG_EXPANDED_RO = 2;
inline constexpr uint8_t VARTAG_EXPANDED_RW = 3;
inline constexpr uint8_t VARTAG_ONDISK = 18;

inline constexpr uint32_t VARHDRSZ = 4;
inline constexpr uint32_t VARHDRSZ_SHORT = 1;
inline constexpr uint32_t VARHDRSZ_EXTERNAL = 2;
inline constexpr uint32_t VARHDRSZ_COMPRESSED = 8;
inline constexpr uint32_t VARATT_SHORT_MAX = 0x7F;
// A toast pointer with its two-byte header.
inline constexpr uint32_t TOAST_POINTER_SIZE = VARHDRSZ_EXTERNAL + sizeof(varatt_external);

inline constexpr int VARLENA_EXTSIZE_BITS = 30;
inline constexpr uint32_t VARLENA_EXTSIZE_MASK = (1u << VARLENA_EXTSIZE_BITS) - 1;

// The largest value that the 30 bits can say.
inline constexpr uint32_t varlena_size_max = VARLENA_EXTSIZE_MASK;

// As stored in va_tcinfo and va_extinfo.
enum class CompressionMethod : uint8_t { pglz = 0, lz4 = 1 };

// As stored in pg_attribute.attcompression.
inline constexpr char TOAST_PGLZ_COMPRESSION = 'p';
inline constexpr char TOAST_LZ4_COMPRESSION = 'l';

// As stored in pg_attribute.attstorage.
inline constexpr char TYPSTORAGE_PLAIN = 'p';
inline constexpr char TYPSTORAGE_EXTERNAL = 'e';
inline constexpr char TYPSTORAGE_EXTENDED = 'x';
inline constexpr char TYPSTORAGE_MAIN = 'm';

}  // namespace pgdata
