// Accumulators by type, each a loop over the values of a column.
#include "table/accumulator.h"

#include <bit>
#include <cmath>
#include <type_traits>

namespace pgdata {

namespace {

__extension__ using Int128 = __int128;

uint32_t count_nulls(const Column& column, uint32_t rows) {
  uint32_t nulls = 0;
  for (uint32_t i = 0; i < rows; i++) nulls += column.nulls[i];
  return nulls;
}

template <typename T>
T value_of(Datum datum) {
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<float>(static_cast<uint32_t>(datum));
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<double>(datum);
  else
    return static_cast<T>(datum);
}

AggregateValue integer_value(Int128 value) {
  AggregateValue result;
  result.kind = AggregateValue::Kind::integer;
  result.integer = value;
  return result;
}
AggregateValue real_value(double value) {
  AggregateValue result;
  result.kind = AggregateValue::Kind::real;
  result.real = value;
  return result;
}

class Count final : public Accumulator {
 public:
  Status add(const Column& column, uint32_t rows) override {
    count_ += rows - count_nulls(column, rows);
    return Status::ok;
  }
  AggregateValue value() const override { return integer_value(static_cast<Int128>(count_)); }

 private:
  uint64_t count_ = 0;
};

// Sums and averages of integers.
template <typename T>
class IntegerSum final : public Accumulator {
 public:
  explicit IntegerSum(bool is_average) : is_average_(is_average) {}

  Status add(const Column& column, uint32_t rows) override {
    // Rows of a page cannot make more than 64 bits of smaller types.
    std::conditional_t<sizeof(T) == 8, Int128, int64_t> sum = 0;
    for (uint32_t i = 0; i < rows; i++) sum += value_of<T>(column.values[i]);
    sum_ += sum;
    count_ += rows - count_nulls(column, rows);
    return Status::ok;
  }
  AggregateValue value() const override {
    if (count_ == 0) return {};
    if (!is_average_) return integer_value(sum_);
    return real_value(static_cast<double>(sum_) / static_cast<double>(count_));
  }

 private:
  bool is_average_;
  Int128 sum_ = 0;
  uint64_t count_ = 0;
};

Status overflow() {
  return Status::error(ErrorCode::numeric_value_out_of_range, "value out of range: overflow");
}

// float4pl and float8pl: the sum has the argument's type, rounded after each row.
template <typename T>
class FloatSum final : public Accumulator {
 public:
  Status add(const Column& column, uint32_t rows) override {
    uint32_t i = 0;
    // The first value is taken as it is: minus zero, too.
    for (; i < rows && !has_any_; i++) {
      if (column.nulls[i] != 0) continue;
      sum_ = value_of<T>(column.values[i]);
      has_any_ = true;
    }
    T sum = sum_;
    if (count_nulls(column, rows) == 0) {
      for (uint32_t row = i; row < rows; row++) sum += value_of<T>(column.values[row]);
    } else {
      for (uint32_t row = i; row < rows; row++)
        if (column.nulls[row] == 0) sum += value_of<T>(column.values[row]);
    }
    // Once infinite or not a number it stays so: that is seen at the end, and looked into then.
    if (!std::isfinite(sum)) [[unlikely]]
      RETURN_IF_ERROR(check_overflow(column, i, rows));
    sum_ = sum;
    return Status::ok;
  }
  AggregateValue value() const override {
    if (!has_any_) return {};
    return real_value(sum_);
  }

 private:
  // Infinity is a sum only of what was infinite before.
  Status check_overflow(const Column& column, uint32_t from, uint32_t rows) const {
    T sum = sum_;
    for (uint32_t i = from; i < rows && std::isfinite(sum); i++) {
      if (column.nulls[i] != 0) continue;
      const T value = value_of<T>(column.values[i]);
      sum += value;
      if (std::isinf(sum) && !std::isinf(value)) return overflow();
    }
    return Status::ok;
  }

  T sum_ = 0;
  bool has_any_ = false;
};

// float4_accum and float8_accum, which keep the sum of squares, too: its overflow is an error of avg.
template <typename T>
class FloatAverage final : public Accumulator {
 public:
  Status add(const Column& column, uint32_t rows) override {
    for (uint32_t i = 0; i < rows; i++) {
      if (column.nulls[i] != 0) continue;
      const double value = value_of<T>(column.values[i]);
      const double before = sum_;
      count_ += 1;
      sum_ += value;
      if (count_ > 1) {
        const double difference = value * count_ - sum_;
        squares_ += difference * difference / (count_ * (count_ - 1));
        if (std::isinf(sum_) || std::isinf(squares_)) {
          if (!std::isinf(before) && !std::isinf(value)) return overflow();
          squares_ = std::nan("");
        }
      } else if (!std::isfinite(value)) {
        squares_ = std::nan("");
      }
    }
    return Status::ok;
  }
  AggregateValue value() const override {
    if (count_ == 0) return {};
    return real_value(sum_ / count_);
  }

 private:
  double count_ = 0;
  double sum_ = 0;
  double squares_ = 0;
};

// NaN is larger than every other number, as PostgreSQL orders it.
template <typename T>
bool is_before(T left, T right) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(left)) return false;
    if (std::isnan(right)) return true;
  }
  return left < right;
}

template <typename T, bool is_max>
class Extreme final : public Accumulator {
 public:
  Status add(const Column& column, uint32_t rows) override {
    for (uint32_t i = 0; i < rows; i++) {
      if (column.nulls[i] != 0) continue;
      const T value = value_of<T>(column.values[i]);
      // Of equal values the last one stays: zeroes have a sign.
      const bool stays = has_any_ && (is_max ? is_before(value, best_) : is_before(best_, value));
      if (!stays) best_ = value;
      has_any_ = true;
    }
    return Status::ok;
  }
  AggregateValue value() const override {
    if (!has_any_) return {};
    if constexpr (std::is_floating_point_v<T>)
      return real_value(best_);
    else
      return integer_value(best_);
  }

 private:
  T best_ = 0;
  bool has_any_ = false;
};

template <typename T>
std::unique_ptr<Accumulator> make(AggregateKind kind) {
  switch (kind) {
    case AggregateKind::min:
      return std::make_unique<Extreme<T, false>>();
    case AggregateKind::max:
      return std::make_unique<Extreme<T, true>>();
    case AggregateKind::avg:
      if constexpr (std::is_floating_point_v<T>)
        return std::make_unique<FloatAverage<T>>();
      else
        return std::make_unique<IntegerSum<T>>(true);
    default:
      if constexpr (std::is_floating_point_v<T>)
        return std::make_unique<FloatSum<T>>();
      else
        return std::make_unique<IntegerSum<T>>(false);
  }
}

}  // namespace

std::unique_ptr<Accumulator> make_accumulator(AggregateKind kind, Oid type) {
  if (kind == AggregateKind::count) return std::make_unique<Count>();
  switch (type) {
    case 21:
      return make<int16_t>(kind);
    case 23:
      return make<int32_t>(kind);
    case 20:
      return make<int64_t>(kind);
    case 26:
      return make<uint32_t>(kind);
    case 700:
      return make<float>(kind);
    case 701:
      return make<double>(kind);
    default:
      return nullptr;
  }
}

}  // namespace pgdata
