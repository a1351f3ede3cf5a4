// TupleDesc: the columns of a heap or index tuple, as much as the data plane needs of pg_attribute.
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.h"

namespace pgdata {

// A value as PostgreSQL passes it: by-value types in the low bytes (sign-extended),
// others as the address of their bytes (a varlena with its header, a name, a C string).
using Datum = uint64_t;
inline const std::byte* datum_pointer(Datum datum) {
  return reinterpret_cast<const std::byte*>(static_cast<uintptr_t>(datum));
}
inline Datum pointer_datum(const void* bytes) {
  return static_cast<Datum>(reinterpret_cast<uintptr_t>(bytes));
}

struct Attribute {
  Oid atttypid = 0;
  int16_t attlen = 0;  // bytes, -1 varlena, -2 C string
  bool attbyval = false;
  char attalign = 'i';      // c, s, i, d
  char attstorage = 'p';    // p, e, m, x
  char attcompression = 0;  // 0 (default), p, l
  bool attnotnull = false;
  bool attisdropped = false;
  bool has_missing = false;  // atthasmissing: tuples older than the column have `missing`
  int32_t atttypmod = -1;
  Oid attcollation = 0;
  Datum missing = 0;  // owned by missing_bytes when by reference
  std::vector<std::byte> missing_bytes;
  char attname[64] = {};  // NAMEDATALEN, for messages

  uint32_t alignment() const {
    return attalign == 'd' ? 8u : attalign == 'i' ? 4u : attalign == 's' ? 2u : 1u;
  }
};

struct TupleDesc {
  std::vector<Attribute> attributes;
  int natts() const { return static_cast<int>(attributes.size()); }
};

}  // namespace pgdata
