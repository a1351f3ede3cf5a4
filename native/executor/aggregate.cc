// Aggregate functions, with the sums and the result types of PostgreSQL.
// Source: src/backend/utils/adt/{int8.c,float.c,numeric.c}, src/include/catalog/pg_aggregate.dat, PostgreSQL 18.
#include "executor/aggregate.h"

#include <bit>
#include <cmath>
#include <utility>

#include "executor/numeric.h"

namespace pgdata {

namespace {

Status overflow() {
  return Status::error(ErrorCode::numeric_value_out_of_range, "value out of range: overflow");
}

uint32_t group_of(const uint32_t* groups, uint32_t row) {
  return groups == nullptr ? 0 : groups[row];
}

uint32_t count_nulls(const Column& column, uint32_t rows) {
  uint32_t nulls = 0;
  for (uint32_t i = 0; i < rows; i++) nulls += column.nulls[i];
  return nulls;
}

// Aggregates with one state for each group.
template <typename State>
class Grouped : public Aggregate {
 public:
  void resize(size_t groups) override { states_.resize(groups); }
  void reserve(size_t groups) override { states_.reserve(groups); }
  void clear() override { states_.clear(); }
  size_t bytes() const override { return states_.capacity() * sizeof(State); }
  size_t state_bytes() const override { return sizeof(State); }

 protected:
  State& state(size_t group) { return states_[group]; }

 private:
  std::vector<State> states_;
};

class CountRows final : public Grouped<int64_t> {
 public:
  Status add(const Column*, uint32_t rows, const uint32_t* groups) override {
    if (groups == nullptr)
      state(0) += rows;
    else
      for (uint32_t i = 0; i < rows; i++) state(groups[i])++;
    return Status::ok;
  }
  Status remove(const Column*, uint32_t rows, const uint32_t* groups, bool* removed) override {
    for (uint32_t i = 0; i < rows; i++) state(groups[i])--;
    *removed = true;
    return Status::ok;
  }
  Status result(size_t group, Arena&, Datum* value, bool* is_null) override {
    *value = static_cast<Datum>(state(group));
    *is_null = false;
    return Status::ok;
  }
};

class Count final : public Grouped<int64_t> {
 public:
  Status add(const Column* argument, uint32_t rows, const uint32_t* groups) override {
    if (groups == nullptr)
      state(0) += rows - count_nulls(*argument, rows);
    else
      for (uint32_t i = 0; i < rows; i++) state(groups[i]) += 1 - argument->nulls[i];
    return Status::ok;
  }
  Status remove(const Column* argument, uint32_t rows, const uint32_t* groups,
                bool* removed) override {
    for (uint32_t i = 0; i < rows; i++) state(groups[i]) -= 1 - argument->nulls[i];
    *removed = true;
    return Status::ok;
  }
  Status result(size_t group, Arena&, Datum* value, bool* is_null) override {
    *value = static_cast<Datum>(state(group));
    *is_null = false;
    return Status::ok;
  }
};

Status average(const Numeric& sum, int64_t count, Arena& arena, Datum* value) {
  Numeric quotient;
  RETURN_IF_ERROR(Numeric::divide(sum, Numeric::from_integer(count), &quotient));
  return quotient.to_datum(arena, value);
}

struct IntegerSum {
  Int128 sum = 0;
  int64_t count = 0;
};

// Sums of int2 and int4 are int8, those of int8 numeric; averages are numeric.
template <typename T>
class SumOfIntegers final : public Grouped<IntegerSum> {
 public:
  explicit SumOfIntegers(bool is_average) : is_average_(is_average) {}

  Status add(const Column* argument, uint32_t rows, const uint32_t* groups) override {
    for (uint32_t i = 0; i < rows; i++) {
      if (argument->nulls[i] != 0) continue;
      IntegerSum& to = this->state(group_of(groups, i));
      to.sum += static_cast<T>(argument->values[i]);
      to.count++;
    }
    return Status::ok;
  }
  Status remove(const Column* argument, uint32_t rows, const uint32_t* groups,
                bool* removed) override {
    for (uint32_t i = 0; i < rows; i++) {
      if (argument->nulls[i] != 0) continue;
      IntegerSum& from = this->state(groups[i]);
      from.sum -= static_cast<T>(argument->values[i]);
      from.count--;
    }
    *removed = true;
    return Status::ok;
  }
  Status result(size_t group, Arena& arena, Datum* value, bool* is_null) override {
    const IntegerSum& of = this->state(group);
    *is_null = of.count == 0;
    if (*is_null) return Status::ok;
    if (is_average_) return average(Numeric::from_integer(of.sum), of.count, arena, value);
    if (sizeof(T) == 8) return Numeric::from_integer(of.sum).to_datum(arena, value);
    *value = static_cast<Datum>(static_cast<int64_t>(of.sum));
    return Status::ok;
  }

 private:
  bool is_average_;
};

class SumOfNumerics final : public Grouped<NumericSum> {
 public:
  explicit SumOfNumerics(bool is_average) : is_average_(is_average) {}

  Status add(const Column* argument, uint32_t rows, const uint32_t* groups) override {
    for (uint32_t i = 0; i < rows; i++) {
      if (argument->nulls[i] != 0) continue;
      RETURN_IF_ERROR(Numeric::from_content(varlena_content(argument->values[i]), &value_));
      digit_bytes_ += state(group_of(groups, i)).add(value_);
    }
    return Status::ok;
  }
  Status remove(const Column* argument, uint32_t rows, const uint32_t* groups,
                bool* removed) override {
    *removed = false;
    for (uint32_t i = 0; i < rows; i++) {
      if (argument->nulls[i] != 0) continue;
      RETURN_IF_ERROR(Numeric::from_content(varlena_content(argument->values[i]), &value_));
      if (!state(groups[i]).remove(value_)) return Status::ok;
    }
    *removed = true;
    return Status::ok;
  }
  void clear() override {
    Grouped::clear();
    digit_bytes_ = 0;
  }
  size_t bytes() const override { return Grouped::bytes() + digit_bytes_; }
  Status result(size_t group, Arena& arena, Datum* value, bool* is_null) override {
    const NumericSum& of = state(group);
    *is_null = of.count() == 0;
    if (*is_null) return Status::ok;
    if (is_average_) return average(of.total(), of.count(), arena, value);
    return of.total().to_datum(arena, value);
  }

 private:
  bool is_average_;
  Numeric value_;
  size_t digit_bytes_ = 0;
};

template <typename T>
T float_of(Datum datum) {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<float>(static_cast<uint32_t>(datum));
  else
    return std::bit_cast<double>(datum);
}

// The sum has the argument's type, rounded after each row.
template <typename T>
struct FloatSum {
  T sum = 0;
  bool has_any = false;
};

template <typename T>
class SumOfFloats final : public Grouped<FloatSum<T>> {
 public:
  Status add(const Column* argument, uint32_t rows, const uint32_t* groups) override {
    uint32_t i = 0;
    if (groups == nullptr && count_nulls(*argument, rows) == 0) i = add_finite(*argument, rows);
    for (; i < rows; i++) {
      if (argument->nulls[i] != 0) continue;
      FloatSum<T>& to = this->state(group_of(groups, i));
      const T value = float_of<T>(argument->values[i]);
      const T sum = to.has_any ? to.sum + value : value;
      if (std::isinf(sum) && !std::isinf(to.sum) && !std::isinf(value)) return overflow();
      to.sum = sum;
      to.has_any = true;
    }
    return Status::ok;
  }
  Status result(size_t group, Arena&, Datum* value, bool* is_null) override {
    const FloatSum<T>& of = this->state(group);
    *is_null = !of.has_any;
    if constexpr (sizeof(T) == 4)
      *value = std::bit_cast<uint32_t>(of.sum);
    else
      *value = std::bit_cast<Datum>(of.sum);
    return Status::ok;
  }

 private:
  // To the first group, all rows or none: that the sum stays finite is seen at the end.
  uint32_t add_finite(const Column& argument, uint32_t rows) {
    FloatSum<T>& to = this->state(0);
    if (!to.has_any) return 0;
    T sum = to.sum;
    for (uint32_t i = 0; i < rows; i++) sum += float_of<T>(argument.values[i]);
    if (!std::isfinite(sum)) return 0;
    to.sum = sum;
    return rows;
  }
};

// PostgreSQL's transition state keeps the sum of squares, too, whose overflow is an error of avg.
struct FloatMoments {
  double count = 0;
  double sum = 0;
  double squares = 0;
};

template <typename T>
class AverageOfFloats final : public Grouped<FloatMoments> {
 public:
  Status add(const Column* argument, uint32_t rows, const uint32_t* groups) override {
    for (uint32_t i = 0; i < rows; i++) {
      if (argument->nulls[i] != 0) continue;
      const double value = float_of<T>(argument->values[i]);
      FloatMoments& to = this->state(group_of(groups, i));
      const double before = to.sum;
      to.count += 1;
      to.sum += value;
      if (to.count > 1) {
        const double difference = value * to.count - to.sum;
        to.squares += difference * difference / (to.count * (to.count - 1));
        if (std::isinf(to.sum) || std::isinf(to.squares)) {
          if (!std::isinf(before) && !std::isinf(value)) return overflow();
          to.squares = std::nan("");
        }
      } else if (std::isnan(value) || std::isinf(value)) {
        to.squares = std::nan("");
      }
    }
    return Status::ok;
  }
  Status result(size_t group, Arena&, Datum* value, bool* is_null) override {
    const FloatMoments& of = this->state(group);
    *is_null = of.count == 0;
    if (!*is_null) *value = std::bit_cast<Datum>(of.sum / of.count);
    return Status::ok;
  }
};

struct Extreme {
  Datum value = 0;
  uint32_t room = 0;  // bytes that the value may take where it is
  bool has_any = false;
};

class Extremes final : public Grouped<Extreme> {
 public:
  Extremes(bool is_max, const ValueType& type, const KeyColumn& order, size_t block_bytes)
      : is_max_(is_max),
        keeps_first_(type.oid == type_oid::bpchar),
        type_(type),
        order_(order),
        arena_(account_, block_bytes) {}

  void clear() override {
    Grouped::clear();
    arena_.reset();
  }
  size_t bytes() const override { return Grouped::bytes() + arena_.held(); }
  Status add(const Column* argument, uint32_t rows, const uint32_t* groups) override {
    for (uint32_t i = 0; i < rows; i++) {
      if (argument->nulls[i] != 0) continue;
      Extreme& to = state(group_of(groups, i));
      const Datum value = argument->values[i];
      if (to.has_any) {
        const int order = order_.compare(to.value, value, order_);
        const int before = is_max_ ? order : -order;
        // Of equal values the last one stays, but of bpchar the first.
        if (before > 0 || (before == 0 && keeps_first_)) continue;
      }
      keep(value, &to);
    }
    return Status::ok;
  }
  Status result(size_t group, Arena& arena, Datum* value, bool* is_null) override {
    const Extreme& of = state(group);
    *is_null = !of.has_any;
    if (of.has_any) *value = type_.copy(of.value, arena);
    return Status::ok;
  }

 private:
  void keep(Datum value, Extreme* to) {
    to->has_any = true;
    if (type_.by_value) {
      to->value = value;
      return;
    }
    const size_t size = type_.size_of(value);
    if (size > to->room) {
      to->room = static_cast<uint32_t>(align_up(size, 8) * 2);
      to->value = pointer_datum(arena_.allocate(to->room));
    }
    std::memcpy(reinterpret_cast<std::byte*>(to->value), datum_pointer(value), size);
  }

  bool is_max_;
  bool keeps_first_;
  ValueType type_;
  KeyColumn order_;
  // Whoever has the states charges for `bytes`.
  MemoryAccount account_;
  Arena arena_;
};

std::unique_ptr<Aggregate> make_sum(bool is_average, Oid type) {
  switch (type) {
    case type_oid::int2:
      return std::make_unique<SumOfIntegers<int16_t>>(is_average);
    case type_oid::int4:
      return std::make_unique<SumOfIntegers<int32_t>>(is_average);
    case type_oid::int8:
      return std::make_unique<SumOfIntegers<int64_t>>(is_average);
    case type_oid::numeric:
      return std::make_unique<SumOfNumerics>(is_average);
    case type_oid::float4:
      if (is_average) return std::make_unique<AverageOfFloats<float>>();
      return std::make_unique<SumOfFloats<float>>();
    case type_oid::float8:
      if (is_average) return std::make_unique<AverageOfFloats<double>>();
      return std::make_unique<SumOfFloats<double>>();
    default:
      return nullptr;
  }
}

}  // namespace

Status make_aggregate(AggregateFunction function, const ValueType& type,
                      bool default_collation_is_bytewise, size_t block_bytes,
                      std::unique_ptr<Aggregate>* made) {
  switch (function) {
    case AggregateFunction::count_rows:
      *made = std::make_unique<CountRows>();
      return Status::ok;
    case AggregateFunction::count:
      *made = std::make_unique<Count>();
      return Status::ok;
    case AggregateFunction::min:
    case AggregateFunction::max: {
      KeyColumn order;
      RETURN_IF_ERROR(order_of_type(type, default_collation_is_bytewise, &order));
      *made =
          std::make_unique<Extremes>(function == AggregateFunction::max, type, order, block_bytes);
      return Status::ok;
    }
    default:
      *made = make_sum(function == AggregateFunction::avg, type.oid);
      if (*made != nullptr) return Status::ok;
      return Status::error(ErrorCode::feature_not_supported,
                           "adding up values of the type with OID %u is not supported", type.oid);
  }
}

}  // namespace pgdata
