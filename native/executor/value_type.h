// ValueType: what the operators of a query must know of a column's type.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "executor/arena.h"
#include "tuple/compare.h"
#include "tuple/varlena.h"

namespace pgdata {

// OIDs of pg_type. Source: src/include/catalog/pg_type.dat, PostgreSQL 18.
namespace type_oid {
constexpr Oid boolean = 16;
constexpr Oid int8 = 20;
constexpr Oid int2 = 21;
constexpr Oid int4 = 23;
constexpr Oid text = 25;
constexpr Oid json = 114;
constexpr Oid float4 = 700;
constexpr Oid float8 = 701;
constexpr Oid bpchar = 1042;
constexpr Oid numeric = 1700;
constexpr Oid jsonb = 3802;
}  // namespace type_oid

struct ValueType {
  Oid oid = invalid_oid;
  int16_t length = 0;  // pg_type.typlen
  bool by_value = false;
  Oid collation = invalid_oid;
  Oid element_type = invalid_oid;

  size_t size_of(Datum value) const { return by_value ? 0 : datum_size(length, value); }
  Datum copy(Datum value, Arena& arena) const {
    if (by_value) return value;
    return pointer_datum(arena.copy(datum_pointer(value), datum_size(length, value)));
  }
};

// How values of the type are ordered. feature_not_supported where that depends on a collation that we do not have.
Status order_of_type(const ValueType& type, bool default_collation_is_bytewise, KeyColumn* column);
// Whether they are equal: by bytes under any collation, since deterministic ones call nothing else equal.
Status equality_of_type(const ValueType& type, KeyColumn* column);

}  // namespace pgdata
