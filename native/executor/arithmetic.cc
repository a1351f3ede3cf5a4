// Arithmetic and casts between kinds of numbers, with PostgreSQL's errors.
// Source: src/backend/utils/adt/{int.c,int8.c,float.c}, PostgreSQL 18.
#include <bit>
#include <cmath>
#include <utility>

#include "executor/expression.h"
#include "executor/numeric.h"

namespace pgdata {

namespace {

enum class Fault : uint8_t { none, out_of_range, overflow, underflow, division_by_zero };

Status fault_error(Fault fault, const char* type) {
  switch (fault) {
    case Fault::division_by_zero:
      return Status::error(ErrorCode::division_by_zero, "division by zero");
    case Fault::overflow:
      return Status::error(ErrorCode::numeric_value_out_of_range, "value out of range: overflow");
    case Fault::underflow:
      return Status::error(ErrorCode::numeric_value_out_of_range, "value out of range: underflow");
    default:
      return Status::error(ErrorCode::numeric_value_out_of_range, "%s out of range", type);
  }
}

template <typename T>
T compute_integer(Arithmetic op, T a, T b, Fault* fault) {
  T result = 0;
  switch (op) {
    case Arithmetic::add:
      if (__builtin_add_overflow(a, b, &result)) *fault = Fault::out_of_range;
      return result;
    case Arithmetic::subtract:
      if (__builtin_sub_overflow(a, b, &result)) *fault = Fault::out_of_range;
      return result;
    case Arithmetic::multiply:
      if (__builtin_mul_overflow(a, b, &result)) *fault = Fault::out_of_range;
      return result;
    case Arithmetic::divide:
      if (b == 0) {
        *fault = Fault::division_by_zero;
      } else if (b == -1) {
        // The lowest number has no opposite.
        if (__builtin_sub_overflow(T{0}, a, &result)) *fault = Fault::out_of_range;
      } else {
        result = static_cast<T>(a / b);
      }
      return result;
    case Arithmetic::modulo:
      if (b == 0)
        *fault = Fault::division_by_zero;
      else if (b != -1)
        result = static_cast<T>(a % b);
      return result;
  }
  return result;
}

template <typename T>
T compute_float(Arithmetic op, T a, T b, Fault* fault) {
  T result = 0;
  switch (op) {
    case Arithmetic::add:
      result = a + b;
      break;
    case Arithmetic::subtract:
      result = a - b;
      break;
    case Arithmetic::multiply:
      result = a * b;
      if (result == 0 && a != 0 && b != 0) *fault = Fault::underflow;
      break;
    default:
      if (b == 0 && !std::isnan(a)) {
        *fault = Fault::division_by_zero;
        return 0;
      }
      result = a / b;
      if (result == 0 && a != 0 && !std::isinf(b)) *fault = Fault::underflow;
      break;
  }
  if (std::isinf(result) && !std::isinf(a) && !std::isinf(b)) *fault = Fault::overflow;
  return result;
}

template <typename T>
struct IntegerValues {
  static constexpr const char* name = sizeof(T) == 2   ? "smallint"
                                      : sizeof(T) == 4 ? "integer"
                                                       : "bigint";
  static T of(Datum datum) { return static_cast<T>(datum); }
  static Datum to(T value) { return static_cast<Datum>(static_cast<int64_t>(value)); }
  static T compute(Arithmetic op, T a, T b, Fault* fault) {
    return compute_integer(op, a, b, fault);
  }
};

struct Float4Values {
  static constexpr const char* name = "real";
  static float of(Datum datum) { return std::bit_cast<float>(static_cast<uint32_t>(datum)); }
  static Datum to(float value) { return std::bit_cast<uint32_t>(value); }
  static float compute(Arithmetic op, float a, float b, Fault* fault) {
    return compute_float(op, a, b, fault);
  }
};

struct Float8Values {
  static constexpr const char* name = "double precision";
  static double of(Datum datum) { return std::bit_cast<double>(datum); }
  static Datum to(double value) { return std::bit_cast<Datum>(value); }
  static double compute(Arithmetic op, double a, double b, Fault* fault) {
    return compute_float(op, a, b, fault);
  }
};

template <typename Values>
class Calculation final : public Computed {
 public:
  Calculation(Arithmetic op, ExpressionPointer left, ExpressionPointer right,
              MemoryAccount& account)
      : Computed(left->type(), account),
        op_(op),
        left_(std::move(left)),
        right_(std::move(right)) {}

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* left = nullptr;
    const Column* right = nullptr;
    RETURN_IF_ERROR(left_->evaluate(batch, rows, scratch, &left));
    RETURN_IF_ERROR(right_->evaluate(batch, rows, scratch, &right));
    Fault fault = Fault::none;
    switch (op_) {
      case Arithmetic::add:
        fault = run<Arithmetic::add>(rows, *left, *right);
        break;
      case Arithmetic::subtract:
        fault = run<Arithmetic::subtract>(rows, *left, *right);
        break;
      case Arithmetic::multiply:
        fault = run<Arithmetic::multiply>(rows, *left, *right);
        break;
      case Arithmetic::divide:
        fault = run<Arithmetic::divide>(rows, *left, *right);
        break;
      case Arithmetic::modulo:
        fault = run<Arithmetic::modulo>(rows, *left, *right);
        break;
    }
    if (fault != Fault::none) return fault_error(fault, Values::name);
    *result = column();
    return Status::ok;
  }

 private:
  // The first fault.
  template <Arithmetic op>
  Fault run(const Selection& rows, const Column& left, const Column& right) {
    Fault first = Fault::none;
    rows.for_each([&](uint32_t row) {
      const uint8_t is_null = left.nulls[row] | right.nulls[row];
      nulls()[row] = is_null;
      if (is_null != 0) return;
      Fault fault = Fault::none;
      values()[row] = Values::to(
          Values::compute(op, Values::of(left.values[row]), Values::of(right.values[row]), &fault));
      if (fault != Fault::none && first == Fault::none) first = fault;
    });
    return first;
  }

  Arithmetic op_;
  ExpressionPointer left_;
  ExpressionPointer right_;
};

class NumericCalculation final : public Computed {
 public:
  NumericCalculation(Arithmetic op, ExpressionPointer left, ExpressionPointer right,
                     MemoryAccount& account)
      : Computed(left->type(), account),
        op_(op),
        left_(std::move(left)),
        right_(std::move(right)) {}

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* left = nullptr;
    const Column* right = nullptr;
    RETURN_IF_ERROR(left_->evaluate(batch, rows, scratch, &left));
    RETURN_IF_ERROR(right_->evaluate(batch, rows, scratch, &right));
    Status status;
    rows.for_each([&](uint32_t row) {
      nulls()[row] = left->nulls[row] | right->nulls[row];
      if (nulls()[row] != 0 || !status.is_ok()) return;
      status = compute(left->values[row], right->values[row], scratch, &values()[row]);
    });
    *result = column();
    return status;
  }

 private:
  Status compute(Datum left, Datum right, Arena& scratch, Datum* to) {
    RETURN_IF_ERROR(Numeric::from_content(varlena_content(left), &a_));
    RETURN_IF_ERROR(Numeric::from_content(varlena_content(right), &b_));
    switch (op_) {
      case Arithmetic::add:
        return Numeric::add(a_, b_).to_datum(scratch, to);
      case Arithmetic::subtract:
        return Numeric::subtract(a_, b_).to_datum(scratch, to);
      case Arithmetic::multiply:
        return Numeric::multiply(a_, b_).to_datum(scratch, to);
      case Arithmetic::divide:
        RETURN_IF_ERROR(Numeric::divide(a_, b_, &result_));
        return result_.to_datum(scratch, to);
      case Arithmetic::modulo:
        RETURN_IF_ERROR(Numeric::modulo(a_, b_, &result_));
        return result_.to_datum(scratch, to);
    }
    return Status::ok;
  }

  Arithmetic op_;
  ExpressionPointer left_;
  ExpressionPointer right_;
  Numeric a_;
  Numeric b_;
  Numeric result_;
};

int64_t integer_of(Oid type, Datum datum) {
  switch (type) {
    case type_oid::int2:
      return static_cast<int16_t>(datum);
    case type_oid::int4:
      return static_cast<int32_t>(datum);
    default:
      return static_cast<int64_t>(datum);
  }
}

bool is_integer(Oid type) {
  return type == type_oid::int2 || type == type_oid::int4 || type == type_oid::int8;
}

class Cast final : public Computed {
 public:
  Cast(ExpressionPointer operand, const ValueType& type, MemoryAccount& account)
      : Computed(type, account), operand_(std::move(operand)) {}

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
    const Oid from = operand_->type().oid;
    switch (type().oid) {
      case type_oid::float4:
        *to = Float4Values::to(static_cast<float>(integer_of(from, datum)));
        return Status::ok;
      case type_oid::float8:
        if (from == type_oid::float4) {
          *to = Float8Values::to(static_cast<double>(Float4Values::of(datum)));
        } else if (from == type_oid::numeric) {
          RETURN_IF_ERROR(Numeric::from_content(varlena_content(datum), &numeric_));
          const double value = numeric_.to_double();
          if (std::isinf(value) && numeric_.is_finite()) return fault_error(Fault::overflow, "");
          *to = Float8Values::to(value);
        } else {
          *to = Float8Values::to(static_cast<double>(integer_of(from, datum)));
        }
        return Status::ok;
      case type_oid::numeric:
        return Numeric::from_integer(integer_of(from, datum)).to_datum(scratch, to);
      default:
        *to = static_cast<Datum>(integer_of(from, datum));
        return Status::ok;
    }
  }

  ExpressionPointer operand_;
  Numeric numeric_;
};

}  // namespace

Status make_arithmetic(Arithmetic op, ExpressionPointer left, ExpressionPointer right,
                       MemoryAccount& account, ExpressionPointer* made) {
  switch (left->type().oid) {
    case type_oid::int2:
      *made = std::make_unique<Calculation<IntegerValues<int16_t>>>(op, std::move(left),
                                                                    std::move(right), account);
      return Status::ok;
    case type_oid::int4:
      *made = std::make_unique<Calculation<IntegerValues<int32_t>>>(op, std::move(left),
                                                                    std::move(right), account);
      return Status::ok;
    case type_oid::int8:
      *made = std::make_unique<Calculation<IntegerValues<int64_t>>>(op, std::move(left),
                                                                    std::move(right), account);
      return Status::ok;
    case type_oid::float4:
      *made = std::make_unique<Calculation<Float4Values>>(op, std::move(left), std::move(right),
                                                          account);
      return Status::ok;
    case type_oid::float8:
      *made = std::make_unique<Calculation<Float8Values>>(op, std::move(left), std::move(right),
                                                          account);
      return Status::ok;
    case type_oid::numeric:
      *made = std::make_unique<NumericCalculation>(op, std::move(left), std::move(right), account);
      return Status::ok;
    default:
      return Status::error(ErrorCode::feature_not_supported,
                           "arithmetic on the type with OID %u is not supported", left->type().oid);
  }
}

Status make_cast(ExpressionPointer operand, const ValueType& type, MemoryAccount& account,
                 ExpressionPointer* made) {
  const Oid from = operand->type().oid;
  bool is_known = false;
  switch (type.oid) {
    case type_oid::int4:
    case type_oid::int8:
    case type_oid::float4:
    case type_oid::numeric:
      is_known = is_integer(from);
      break;
    case type_oid::float8:
      is_known = is_integer(from) || from == type_oid::float4 || from == type_oid::numeric;
      break;
    default:
      break;
  }
  if (!is_known)
    return Status::error(ErrorCode::feature_not_supported,
                         "casting the type with OID %u to that with OID %u is not supported", from,
                         type.oid);
  *made = std::make_unique<Cast>(std::move(operand), type, account);
  return Status::ok;
}

}  // namespace pgdata
