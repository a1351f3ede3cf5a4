// Assignment casts, row by row.
// Source: src/backend/utils/adt/{int.c,int8.c,float.c,numeric.c,varchar.c}, PostgreSQL 18.
#include "executor/assignment.h"

#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "executor/numeric.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

constexpr Oid varchar_oid = 1043;

const char* integer_name(Oid type) {
  return type == type_oid::int2 ? "smallint" : type == type_oid::int4 ? "integer" : "bigint";
}

Status out_of_range(const char* type) {
  return Status::error(ErrorCode::numeric_value_out_of_range, "%s out of range", type);
}

Status to_integer(Oid type, int64_t value, Datum* to) {
  const bool fits = type == type_oid::int2   ? value == static_cast<int16_t>(value)
                    : type == type_oid::int4 ? value == static_cast<int32_t>(value)
                                             : true;
  if (!fits) return out_of_range(integer_name(type));
  *to = static_cast<Datum>(value);
  return Status::ok;
}

Status double_to_integer(Oid type, double value, Datum* to) {
  // Halves to the even number. The upper bound is a power of two, which a double has exactly.
  const double whole = std::rint(value);
  constexpr double bound = 9223372036854775808.0;
  if (std::isnan(whole) || whole < -bound || whole >= bound)
    return out_of_range(integer_name(type));
  return to_integer(type, static_cast<int64_t>(whole), to);
}

Status double_to_float4(double value, Datum* to) {
  const auto result = static_cast<float>(value);
  if (std::isinf(result) && !std::isinf(value))
    return Status::error(ErrorCode::numeric_value_out_of_range, "value out of range: overflow");
  if (result == 0 && value != 0)
    return Status::error(ErrorCode::numeric_value_out_of_range, "value out of range: underflow");
  *to = std::bit_cast<uint32_t>(result);
  return Status::ok;
}

class NumberAssignment final : public Computed {
 public:
  NumberAssignment(ExpressionPointer operand, const ValueType& type, int32_t typmod,
                   MemoryAccount& account)
      : Computed(type, account), operand_(std::move(operand)), typmod_(typmod) {}

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* of = nullptr;
    RETURN_IF_ERROR(operand_->evaluate(batch, rows, scratch, &of));
    Status status;
    rows.for_each([&](uint32_t row) {
      nulls()[row] = of->nulls[row];
      if (nulls()[row] == 0 && status.is_ok())
        status = convert(of->values[row], scratch, &values()[row]);
    });
    *result = column();
    return status;
  }

 private:
  Status convert(Datum datum, Arena& scratch, Datum* to) {
    switch (operand_->type().oid) {
      case type_oid::int2:
        return from_integer(static_cast<int16_t>(datum), scratch, to);
      case type_oid::int4:
        return from_integer(static_cast<int32_t>(datum), scratch, to);
      case type_oid::int8:
        return from_integer(static_cast<int64_t>(datum), scratch, to);
      case type_oid::float4:
        return from_float(static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(datum))),
                          std::numeric_limits<float>::digits10, scratch, to);
      case type_oid::float8:
        return from_float(std::bit_cast<double>(datum), std::numeric_limits<double>::digits10,
                          scratch, to);
      default:
        RETURN_IF_ERROR(Numeric::from_content(varlena_content(datum), &numeric_));
        return from_numeric(scratch, to);
    }
  }

  Status from_integer(int64_t value, Arena& scratch, Datum* to) {
    switch (type().oid) {
      case type_oid::float4:
        *to = std::bit_cast<uint32_t>(static_cast<float>(value));
        return Status::ok;
      case type_oid::float8:
        *to = std::bit_cast<Datum>(static_cast<double>(value));
        return Status::ok;
      case type_oid::numeric:
        numeric_ = Numeric::from_integer(value);
        return from_numeric(scratch, to);
      default:
        return to_integer(type().oid, value, to);
    }
  }

  // `digits`: how many of them count when it becomes a numeric.
  Status from_float(double value, int digits, Arena& scratch, Datum* to) {
    switch (type().oid) {
      case type_oid::float4:
        return double_to_float4(value, to);
      case type_oid::float8:
        *to = std::bit_cast<Datum>(value);
        return Status::ok;
      case type_oid::numeric:
        numeric_ = Numeric::from_double(value, digits);
        return from_numeric(scratch, to);
      default:
        return double_to_integer(type().oid, value, to);
    }
  }

  Status from_numeric(Arena& scratch, Datum* to) {
    switch (type().oid) {
      case type_oid::float4: {
        const double value = numeric_.to_double();
        return double_to_float4(value, to);
      }
      case type_oid::float8: {
        const double value = numeric_.to_double();
        if (std::isinf(value) && numeric_.is_finite())
          return Status::error(ErrorCode::numeric_value_out_of_range,
                               "value out of range: overflow");
        *to = std::bit_cast<Datum>(value);
        return Status::ok;
      }
      case type_oid::numeric:
        if (typmod_ >= 0) RETURN_IF_ERROR(numeric_.limit(typmod_));
        return numeric_.to_datum(scratch, to);
      default: {
        int64_t value = 0;
        RETURN_IF_ERROR(numeric_.to_int64(integer_name(type().oid), &value));
        return to_integer(type().oid, value, to);
      }
    }
  }

  ExpressionPointer operand_;
  int32_t typmod_;
  Numeric numeric_;
};

// A text as a varchar(n): what is too long by blanks alone is cut off.
class VarcharAssignment final : public Computed {
 public:
  VarcharAssignment(ExpressionPointer operand, const ValueType& type, int32_t typmod,
                    MemoryAccount& account)
      : Computed(type, account), operand_(std::move(operand)), length_max_(typmod - VARHDRSZ) {}

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* of = nullptr;
    RETURN_IF_ERROR(operand_->evaluate(batch, rows, scratch, &of));
    Status status;
    rows.for_each([&](uint32_t row) {
      nulls()[row] = of->nulls[row];
      if (nulls()[row] == 0 && status.is_ok())
        status = limit(of->values[row], scratch, &values()[row]);
    });
    *result = column();
    return status;
  }

 private:
  Status limit(Datum datum, Arena& scratch, Datum* to) const {
    *to = datum;
    const std::string_view text = varlena_content(datum);
    if (text.size() <= static_cast<size_t>(length_max_)) return Status::ok;
    size_t end = 0;
    for (int32_t characters = 0; end < text.size(); end++) {
      const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
      if (begins && characters++ == length_max_) break;
    }
    if (end == text.size()) return Status::ok;
    if (text.find_first_not_of(' ', end) != std::string_view::npos)
      return Status::error(ErrorCode::string_data_right_truncation,
                           "value too long for type character varying(%d)", length_max_);
    std::byte* const cut = scratch.allocate(VARHDRSZ + end);
    set_varlena_size_4b(cut, static_cast<uint32_t>(VARHDRSZ + end));
    std::memcpy(cut + VARHDRSZ, text.data(), end);
    *to = pointer_datum(cut);
    return Status::ok;
  }

  ExpressionPointer operand_;
  int32_t length_max_;
};

bool is_number(Oid type) {
  switch (type) {
    case type_oid::int2:
    case type_oid::int4:
    case type_oid::int8:
    case type_oid::float4:
    case type_oid::float8:
    case type_oid::numeric:
      return true;
    default:
      return false;
  }
}

}  // namespace

Status make_assignment(ExpressionPointer operand, const ValueType& type, int32_t typmod,
                       MemoryAccount& account, ExpressionPointer* made) {
  const Oid from = operand->type().oid;
  const bool is_text = from == type_oid::text || from == varchar_oid;
  if (is_number(from) && is_number(type.oid)) {
    *made = std::make_unique<NumberAssignment>(std::move(operand), type, typmod, account);
  } else if (is_text && type.oid == varchar_oid && typmod >= static_cast<int32_t>(VARHDRSZ)) {
    *made = std::make_unique<VarcharAssignment>(std::move(operand), type, typmod, account);
  } else {
    return Status::error(ErrorCode::feature_not_supported,
                         "assigning the type with OID %u to that with OID %u is not supported",
                         from, type.oid);
  }
  return Status::ok;
}

}  // namespace pgdata
