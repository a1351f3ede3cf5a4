// The comparators of scalar types, and the choice of one by operator family and input type.
#include "tuple/compare.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>

#include "tuple/compare_nested.h"

namespace pgdata {
namespace {

template <typename T>
int order_of(T left, T right) {
  return left < right ? -1 : left > right ? 1 : 0;
}

template <typename T>
int compare_integers(Datum left, Datum right, const KeyColumn&) {
  return order_of(static_cast<T>(left), static_cast<T>(right));
}

// NaN is greater than all others and equal to itself; -0 equals 0.
template <typename T>
int compare_floats(T left, T right) {
  if (std::isnan(left)) return std::isnan(right) ? 0 : 1;
  if (std::isnan(right)) return -1;
  return order_of(left, right);
}
int compare_float4(Datum left, Datum right, const KeyColumn&) {
  return compare_floats(std::bit_cast<float>(static_cast<uint32_t>(left)),
                        std::bit_cast<float>(static_cast<uint32_t>(right)));
}
int compare_float8(Datum left, Datum right, const KeyColumn&) {
  return compare_floats(std::bit_cast<double>(left), std::bit_cast<double>(right));
}

int compare_varlena_bytes(Datum left, Datum right, const KeyColumn&) {
  return compare_bytes(varlena_content(left), varlena_content(right));
}

std::string_view without_trailing_blanks(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}
int compare_bpchar(Datum left, Datum right, const KeyColumn&) {
  return compare_bytes(without_trailing_blanks(varlena_content(left)),
                       without_trailing_blanks(varlena_content(right)));
}

constexpr size_t name_data_length = 64;  // NAMEDATALEN
int compare_name(Datum left, Datum right, const KeyColumn&) {
  return std::strncmp(reinterpret_cast<const char*>(datum_pointer(left)),
                      reinterpret_cast<const char*>(datum_pointer(right)), name_data_length);
}

template <size_t size>
int compare_fixed_bytes(Datum left, Datum right, const KeyColumn&) {
  return std::memcmp(datum_pointer(left), datum_pointer(right), size);
}

// 64-bit microseconds, 32-bit zone in seconds west: by instant, then by zone.
int compare_timetz(Datum left, Datum right, const KeyColumn&) {
  constexpr int64_t second = 1000000;
  const std::byte* a = datum_pointer(left);
  const std::byte* b = datum_pointer(right);
  const int32_t a_zone = load<int32_t>(a + 8);
  const int32_t b_zone = load<int32_t>(b + 8);
  const int order =
      order_of(load<int64_t>(a) + a_zone * second, load<int64_t>(b) + b_zone * second);
  return order != 0 ? order : order_of(a_zone, b_zone);
}

// 64-bit microseconds, 32-bit days, 32-bit months: a month counts as 30 days of 24 hours.
__extension__ using Int128 = __int128;
Int128 interval_span(const std::byte* interval) {
  constexpr int64_t day = 86400000000;
  const int64_t days = load<int32_t>(interval + 8) + int64_t{load<int32_t>(interval + 12)} * 30;
  return load<int64_t>(interval) + static_cast<Int128>(days) * day;
}
int compare_interval(Datum left, Datum right, const KeyColumn&) {
  return order_of(interval_span(datum_pointer(left)), interval_span(datum_pointer(right)));
}

int compare_tid(Datum left, Datum right, const KeyColumn&) {
  const auto order =
      load<ItemPointer>(datum_pointer(left)) <=> load<ItemPointer>(datum_pointer(right));
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

// An oidvector is an array of one dimension; shorter ones come first. Content offsets: length 12, values 20.
int compare_oidvector(Datum left, Datum right, const KeyColumn&) {
  const std::string_view a = varlena_content(left);
  const std::string_view b = varlena_content(right);
  const auto count_of = [](std::string_view vector) -> int64_t {
    if (vector.size() < 20) return 0;
    const int32_t dim = load<int32_t>(vector.data() + 12);
    const int64_t room = static_cast<int64_t>((vector.size() - 20) / 4);
    return dim < 0 ? 0 : dim > room ? room : dim;
  };
  const int64_t count = count_of(a);
  if (const int order = order_of(count, count_of(b)); order != 0) return order;
  for (int64_t i = 0; i < count; ++i) {
    const int order =
        order_of(load<uint32_t>(a.data() + 20 + 4 * i), load<uint32_t>(b.data() + 20 + 4 * i));
    if (order != 0) return order;
  }
  return 0;
}

int compare_numeric(Datum left, Datum right, const KeyColumn&) {
  return compare_numeric_content(varlena_content(left), varlena_content(right));
}
int compare_jsonb(Datum left, Datum right, const KeyColumn&) {
  return compare_jsonb_content(varlena_content(left), varlena_content(right));
}
int compare_array(Datum left, Datum right, const KeyColumn& column) {
  return compare_array_content(varlena_content(left), varlena_content(right), column);
}

enum class Needs : uint8_t { nothing, bytewise_collation, bytewise_default, element };

struct OperatorClass {
  Oid opfamily;
  Oid opcintype;
  CompareFunction compare;
  KeyShape shape;
  bool equal_image;
  Needs needs;
};

// pg_opclass.opcfamily and opcintype, and whether support function 4 (btequalimage,
// btvarstrequalimage) is there.
constexpr OperatorClass operator_classes[] = {
    {1976, 20, compare_integers<int64_t>, KeyShape::int8, true, Needs::nothing},
    {1976, 23, compare_integers<int32_t>, KeyShape::int4, true, Needs::nothing},
    {1976, 21, compare_integers<int16_t>, KeyShape::int2, true, Needs::nothing},
    {1989, 26, compare_integers<uint32_t>, KeyShape::unsigned4, true, Needs::nothing},
    {1994, 25, compare_varlena_bytes, KeyShape::bytes, true, Needs::bytewise_collation},
    {1994, 19, compare_name, KeyShape::generic, true, Needs::bytewise_collation},
    {426, 1042, compare_bpchar, KeyShape::generic, true, Needs::bytewise_collation},
    {2095, 25, compare_varlena_bytes, KeyShape::bytes, true, Needs::nothing},
    {2097, 1042, compare_bpchar, KeyShape::generic, true, Needs::nothing},
    {428, 17, compare_varlena_bytes, KeyShape::bytes, true, Needs::nothing},
    {424, 16, compare_integers<uint8_t>, KeyShape::generic, true, Needs::nothing},
    {429, 18, compare_integers<uint8_t>, KeyShape::generic, true, Needs::nothing},
    {1970, 700, compare_float4, KeyShape::generic, false, Needs::nothing},
    {1970, 701, compare_float8, KeyShape::generic, false, Needs::nothing},
    {1988, 1700, compare_numeric, KeyShape::generic, false, Needs::nothing},
    {434, 1082, compare_integers<int32_t>, KeyShape::int4, true, Needs::nothing},
    {434, 1114, compare_integers<int64_t>, KeyShape::int8, true, Needs::nothing},
    {434, 1184, compare_integers<int64_t>, KeyShape::int8, true, Needs::nothing},
    {1996, 1083, compare_integers<int64_t>, KeyShape::int8, true, Needs::nothing},
    {2000, 1266, compare_timetz, KeyShape::generic, true, Needs::nothing},
    {1982, 1186, compare_interval, KeyShape::generic, false, Needs::nothing},
    {2968, 2950, compare_fixed_bytes<16>, KeyShape::generic, true, Needs::nothing},
    {3253, 3220, compare_integers<uint64_t>, KeyShape::unsigned8, true, Needs::nothing},
    {5067, 5069, compare_integers<uint64_t>, KeyShape::unsigned8, true, Needs::nothing},
    {2789, 27, compare_tid, KeyShape::generic, true, Needs::nothing},
    {1991, 30, compare_oidvector, KeyShape::generic, true, Needs::nothing},
    {2099, 790, compare_integers<int64_t>, KeyShape::int8, true, Needs::nothing},
    {4033, 3802, compare_jsonb, KeyShape::generic, false, Needs::bytewise_default},
    {397, 2277, compare_array, KeyShape::generic, false, Needs::element},
};

constexpr Oid any_array = 2277;

// The class that orders a type by default: domains aside, what pg_opclass.opcdefault says.
const OperatorClass* default_class(Oid type) {
  switch (type) {
    case 1043:  // varchar
      type = 25;
      break;
    case 24:    // regproc
    case 2202:  // regprocedure
    case 2203:  // regoper
    case 2204:  // regoperator
    case 2205:  // regclass
    case 2206:  // regtype
    case 3734:  // regconfig
    case 3769:  // regdictionary
    case 4089:  // regnamespace
    case 4096:  // regrole
    case 4191:  // regcollation
      type = 26;
      break;
    default:
      break;
  }
  for (const OperatorClass& candidate : operator_classes)
    if (candidate.opcintype == type && candidate.opfamily != 2095 && candidate.opfamily != 2097)
      return &candidate;
  return nullptr;
}

// Element comparators live for the program, since a KeyColumn refers to them. Indexed as operator_classes.
constexpr size_t class_count = std::size(operator_classes);
constexpr auto element_columns = [] {
  std::array<KeyColumn, class_count> columns{};
  for (size_t i = 0; i < class_count; ++i) {
    columns[i].compare = operator_classes[i].compare;
    columns[i].shape = operator_classes[i].shape;
    columns[i].equal_image = operator_classes[i].equal_image;
    columns[i].opcintype = operator_classes[i].opcintype;
  }
  return columns;
}();

Status unsupported_collation(Oid collation) {
  return Status::error(ErrorCode::feature_not_supported,
                       "index order under the collation with OID %u is not supported", collation);
}

Status apply(const OperatorClass& chosen, const ComparatorRequest& request, KeyColumn* column) {
  const bool bytewise =
      request.collation_is_bytewise ||
      is_bytewise_collation(request.collation, request.default_collation_is_bytewise);
  if (chosen.needs == Needs::bytewise_collation && !bytewise)
    return unsupported_collation(request.collation);
  if (chosen.needs == Needs::bytewise_default && !request.default_collation_is_bytewise)
    return unsupported_collation(100);
  column->compare = chosen.compare;
  column->shape = chosen.shape;
  column->equal_image = chosen.equal_image;
  column->opcintype = chosen.opcintype;
  column->element = nullptr;
  if (chosen.needs != Needs::element) return Status::ok;

  const OperatorClass* element = default_class(request.element_type);
  if (element == nullptr || element->needs == Needs::element ||
      !element_storage(request.element_type, &column->element_length, &column->element_alignment))
    return Status::error(ErrorCode::feature_not_supported,
                         "index order of arrays of the type with OID %u is not supported",
                         request.element_type);
  if (element->needs == Needs::bytewise_collation && !bytewise)
    return unsupported_collation(request.collation);
  if (element->needs == Needs::bytewise_default && !request.default_collation_is_bytewise)
    return unsupported_collation(100);
  column->element = &element_columns[static_cast<size_t>(element - operator_classes)];
  return Status::ok;
}

}  // namespace

std::string_view varlena_content(Datum value) {
  const char* bytes = reinterpret_cast<const char*>(datum_pointer(value));
  const auto first = static_cast<uint8_t>(bytes[0]);
  if ((first & 1) != 0) return {bytes + 1, static_cast<size_t>(first >> 1) - 1};
  return {bytes + 4, (load<uint32_t>(bytes) >> 2) - size_t{4}};
}

bool is_bytewise_collation(Oid collation, bool default_collation_is_bytewise) {
  switch (collation) {
    case 100:  // default
      return default_collation_is_bytewise;
    case 811:  // pg_c_utf8
    case 950:  // C
    case 951:  // POSIX
    case 962:  // ucs_basic
      return true;
    default:
      return false;
  }
}

Status select_comparator(const ComparatorRequest& request, KeyColumn* column) {
  if (request.opfamily == invalid_oid) {
    const OperatorClass* chosen = default_class(request.opcintype);
    if (chosen == nullptr && request.element_type != invalid_oid) chosen = default_class(any_array);
    if (chosen != nullptr) return apply(*chosen, request, column);
  }
  for (const OperatorClass& candidate : operator_classes)
    if (candidate.opfamily == request.opfamily && candidate.opcintype == request.opcintype)
      return apply(candidate, request, column);
  return Status::error(
      ErrorCode::feature_not_supported,
      "index order of the type with OID %u under the operator family with OID %u is not supported",
      request.opcintype, request.opfamily);
}

Status select_default_comparator(Oid type, Oid collation, bool default_collation_is_bytewise,
                                 KeyColumn* column) {
  const OperatorClass* chosen = default_class(type);
  if (chosen == nullptr || chosen->needs == Needs::element)
    return Status::error(ErrorCode::feature_not_supported,
                         "index order of the type with OID %u is not supported", type);
  ComparatorRequest request;
  request.opfamily = chosen->opfamily;
  request.opcintype = chosen->opcintype;
  request.collation = collation;
  request.default_collation_is_bytewise = default_collation_is_bytewise;
  return apply(*chosen, request, column);
}

uint64_t abbreviate(Datum value, const KeyColumn& column) {
  constexpr uint64_t sign = 1ULL << 63;
  switch (column.shape) {
    case KeyShape::int2:
      return static_cast<uint64_t>(int64_t{static_cast<int16_t>(value)}) ^ sign;
    case KeyShape::int4:
      return static_cast<uint64_t>(int64_t{static_cast<int32_t>(value)}) ^ sign;
    case KeyShape::int8:
      return value ^ sign;
    case KeyShape::unsigned4:
      return static_cast<uint32_t>(value);
    case KeyShape::unsigned8:
      return value;
    case KeyShape::bytes: {
      const std::string_view text = varlena_content(value);
      unsigned char first[8] = {};
      if (!text.empty()) std::memcpy(first, text.data(), text.size() < 8 ? text.size() : 8);
      uint64_t key = 0;
      for (unsigned char byte : first) key = key << 8 | byte;
      return key;
    }
    case KeyShape::generic:
      break;
  }
  if (column.compare == compare_float8) {
    const auto number = std::bit_cast<double>(value);
    if (std::isnan(number)) return ~uint64_t{0};
    const uint64_t bits = std::bit_cast<uint64_t>(number == 0 ? 0.0 : number);
    return (bits & sign) != 0 ? ~bits : bits | sign;
  }
  if (column.compare == compare_fixed_bytes<16>) {
    uint64_t key = 0;
    for (int i = 0; i < 8; ++i) key = key << 8 | static_cast<uint8_t>(datum_pointer(value)[i]);
    return key;
  }
  if (column.compare == compare_name) {
    uint64_t key = 0;
    bool ended = false;
    for (int i = 0; i < 8; ++i) {
      const uint8_t byte = ended ? 0 : static_cast<uint8_t>(datum_pointer(value)[i]);
      ended = ended || byte == 0;
      key = key << 8 | byte;
    }
    return key;
  }
  return 0;
}

bool abbreviation_is_exact(const KeyColumn& column) {
  switch (column.shape) {
    case KeyShape::int2:
    case KeyShape::int4:
    case KeyShape::int8:
    case KeyShape::unsigned4:
    case KeyShape::unsigned8:
      return true;
    default:
      return column.compare == compare_float8;
  }
}

}  // namespace pgdata
