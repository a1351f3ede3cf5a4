// Comparison of values as PostgreSQL's btree operator classes order them.
//
// A KeyColumn is chosen once, by operator family and input type, and then compares values of one
// column through a function pointer. Values are Datums: by-value types in their low bytes, others by
// address, at any alignment. A varlena may have a short or a long header; it must be neither
// compressed nor out of line, and its header must have been checked against the bytes that hold it.
// What is inside (digits of a numeric, a jsonb tree, an array) is checked here: damaged values
// compare in some order and are never read beyond their end.
// Source: src/include/catalog/pg_opclass.dat and pg_amproc.dat, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "base/types.h"
#include "tuple/tuple_desc.h"

namespace pgdata {

struct KeyColumn;

// Negative, zero or positive as left is before, equal to or after right in ascending order.
using CompareFunction = int (*)(Datum left, Datum right, const KeyColumn& column);

// Shapes whose order a caller may compute in line, without the call.
enum class KeyShape : uint8_t {
  generic,
  int2,       // signed
  int4,       // signed: int4, date
  int8,       // signed: int8, time, timestamp, timestamptz, money
  unsigned4,  // oid
  unsigned8,  // xid8, pg_lsn
  bytes,      // varlena in byte order: text under a byte-wise collation, bytea
};

struct KeyColumn {
  CompareFunction compare = nullptr;
  KeyShape shape = KeyShape::generic;
  // Equal values have equal bytes, so that an index may merge them (support function 4).
  bool equal_image = false;
  // How index order differs from ascending: bits of pg_index.indoption.
  bool descending = false;
  bool nulls_first = false;
  Oid opcintype = invalid_oid;
  // Arrays: the column that compares elements, and how elements are stored.
  const KeyColumn* element = nullptr;
  int16_t element_length = 0;
  uint8_t element_alignment = 1;
};

// What decides how an index column is compared.
struct ComparatorRequest {
  Oid opfamily = invalid_oid;      // pg_opclass.opcfamily
  Oid opcintype = invalid_oid;     // pg_opclass.opcintype
  Oid collation = invalid_oid;     // pg_index.indcollation, 0 for types without
  Oid element_type = invalid_oid;  // pg_type.typelem of the column, for arrays
  // The database's default collation (OID 100) orders by bytes: C, POSIX or a builtin locale.
  bool default_collation_is_bytewise = false;
  // `collation` is one that the catalogs say orders by bytes. Those that initdb makes are known here.
  bool collation_is_bytewise = false;
};

// feature_not_supported, naming the type, for what we cannot order exactly as PostgreSQL does.
// Leaves `descending` and `nulls_first` as they are.
Status select_comparator(const ComparatorRequest& request, KeyColumn* column);

// The same for a type's default operator class.
Status select_default_comparator(Oid type, Oid collation, bool default_collation_is_bytewise,
                                 KeyColumn* column);

// Whether the collation orders by bytes whatever the machine: C, POSIX, ucs_basic, pg_c_utf8.
bool is_bytewise_collation(Oid collation, bool default_collation_is_bytewise);

// Eight bytes whose unsigned order agrees with the column's ascending order as far as they go;
// `abbreviation_is_exact` says that equal ones mean equal values.
uint64_t abbreviate(Datum value, const KeyColumn& column);
bool abbreviation_is_exact(const KeyColumn& column);

// The content of a varlena that is neither compressed nor out of line.
std::string_view varlena_content(Datum value);

inline int compare_bytes(std::string_view left, std::string_view right) {
  const size_t shared = left.size() < right.size() ? left.size() : right.size();
  const int order = shared == 0 ? 0 : std::memcmp(left.data(), right.data(), shared);
  if (order != 0) return order;
  return left.size() < right.size() ? -1 : left.size() > right.size() ? 1 : 0;
}

}  // namespace pgdata
