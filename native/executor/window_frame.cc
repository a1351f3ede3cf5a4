// WindowFrame: distances between values.
#include "executor/window_frame.h"

#include <bit>
#include <cmath>

#include "executor/numeric.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

bool is_integer_in_range(int64_t value, int64_t base, int64_t distance, bool subtracts, bool less) {
  int64_t bound = 0;
  const bool overflows = subtracts ? __builtin_sub_overflow(base, distance, &bound)
                                   : __builtin_add_overflow(base, distance, &bound);
  if (overflows) return subtracts != less;
  return less ? value <= bound : value >= bound;
}

bool is_float_in_range(double value, double base, double distance, bool subtracts, bool less) {
  // NaN is above all others.
  if (std::isnan(value)) return std::isnan(base) || !less;
  if (std::isnan(base)) return less;
  if (std::isinf(distance) && std::isinf(base) && (subtracts ? base > 0 : base < 0)) return true;
  const double bound = subtracts ? base - distance : base + distance;
  return less ? value <= bound : value >= bound;
}

}  // namespace

Oid RangeOrder::offset_type() const {
  switch (type.oid) {
    case type_oid::int2:
    case type_oid::int4:
    case type_oid::int8:
      return type_oid::int8;
    case type_oid::float4:
    case type_oid::float8:
      return type_oid::float8;
    case type_oid::numeric:
      return type_oid::numeric;
    default:
      return invalid_oid;
  }
}

Status RangeOrder::is_in_range(Datum value, Datum base, Datum distance, bool subtracts, bool less,
                               bool* result) const {
  const auto as_int64 = [](Datum datum) { return static_cast<int64_t>(datum); };
  const auto as_double = [](Datum datum) { return std::bit_cast<double>(datum); };
  const auto of_float4 = [](Datum datum) {
    return double{std::bit_cast<float>(static_cast<uint32_t>(datum))};
  };
  switch (type.oid) {
    case type_oid::int2:
      *result = is_integer_in_range(static_cast<int16_t>(value), static_cast<int16_t>(base),
                                    as_int64(distance), subtracts, less);
      return Status::ok;
    case type_oid::int4:
      *result = is_integer_in_range(static_cast<int32_t>(value), static_cast<int32_t>(base),
                                    as_int64(distance), subtracts, less);
      return Status::ok;
    case type_oid::int8:
      *result =
          is_integer_in_range(as_int64(value), as_int64(base), as_int64(distance), subtracts, less);
      return Status::ok;
    case type_oid::float4:
      *result = is_float_in_range(of_float4(value), of_float4(base), as_double(distance), subtracts,
                                  less);
      return Status::ok;
    case type_oid::float8:
      *result = is_float_in_range(as_double(value), as_double(base), as_double(distance), subtracts,
                                  less);
      return Status::ok;
    default:
      break;
  }
  Numeric from;
  Numeric by;
  RETURN_IF_ERROR(Numeric::from_content(varlena_content(base), &from));
  RETURN_IF_ERROR(Numeric::from_content(varlena_content(distance), &by));
  const Numeric bound = subtracts ? Numeric::subtract(from, by) : Numeric::add(from, by);
  if (bound.is_nan() && !from.is_nan()) {
    // An infinite distance from the infinity on the other side: everything lies within it.
    Numeric of;
    RETURN_IF_ERROR(Numeric::from_content(varlena_content(value), &of));
    *result = !of.is_nan() || !less;
    return Status::ok;
  }
  MemoryAccount account;
  Arena arena(account);
  Datum datum = 0;
  RETURN_IF_ERROR(bound.to_datum(arena, &datum));
  const int compared = order.compare(value, datum, order);
  *result = less ? compared <= 0 : compared >= 0;
  return Status::ok;
}

}  // namespace pgdata
