// Goal: aggregates of columns are those of a plain loop over the values, to the last bit, whatever parts they come in; sums
// of floats that overflow are refused, and those of infinities are not. Method: random columns with nulls and special values.
#include "table/accumulator.h"

#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include "base/test.h"

namespace pgdata {
namespace {

constexpr Oid int4 = 23;
constexpr Oid int8 = 20;
constexpr Oid float4 = 700;
constexpr Oid float8 = 701;

template <typename T>
Datum datum_of(T value) {
  if constexpr (std::is_same_v<T, float>)
    return static_cast<Datum>(static_cast<int64_t>(std::bit_cast<int32_t>(value)));
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<Datum>(value);
  else
    return static_cast<Datum>(static_cast<int64_t>(value));
}

template <typename T>
using Values = std::vector<std::optional<T>>;

// In parts of random size.
template <typename T>
Status aggregate(AggregateKind kind, Oid type, const Values<T>& rows, std::mt19937_64& random,
                 AggregateValue* value) {
  std::vector<Datum> values;
  std::vector<uint8_t> nulls;
  for (const auto& row : rows) {
    values.push_back(row ? datum_of(*row) : 0);
    nulls.push_back(row ? 0 : 1);
  }
  const auto accumulator = make_accumulator(kind, type);
  for (size_t done = 0; done < rows.size();) {
    const size_t count = std::min<size_t>(random() % 40, rows.size() - done);
    RETURN_IF_ERROR(accumulator->add({values.data() + done, nulls.data() + done},
                                     static_cast<uint32_t>(count)));
    done += count;
  }
  *value = accumulator->value();
  return Status::ok;
}

bool same_bits(double left, double right) {
  return std::isnan(left) ? std::isnan(right)
                          : std::bit_cast<uint64_t>(left) == std::bit_cast<uint64_t>(right);
}

template <typename T>
Values<T> random_floats(std::mt19937_64& random, const std::vector<T>& special) {
  Values<T> rows(random() % 200);
  for (auto& row : rows) {
    if (random() % 5 == 0) continue;
    row = static_cast<T>(
        std::ldexp(static_cast<double>(random()) - 0x1p63, static_cast<int>(random() % 60) - 80));
    if (!special.empty() && random() % 20 == 0) row = special[random() % special.size()];
  }
  return rows;
}

template <typename T>
void compare_floats(Oid type, const std::vector<T>& special) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 300; ++round) {
    const Values<T> rows = random_floats<T>(random, special);
    bool has_any = false;
    T sum = 0, least = 0, greatest = 0;
    double total = 0, count = 0;
    for (const auto& row : rows) {
      if (!row) continue;
      sum = has_any ? sum + *row : *row;
      const auto greater = [](T left, T right) {
        return !std::isnan(right) && (std::isnan(left) || left > right);
      };
      if (!has_any || !greater(*row, least)) least = *row;
      if (!has_any || !greater(greatest, *row)) greatest = *row;
      total += *row;
      count += 1;
      has_any = true;
    }
    AggregateValue value;
    const auto expect = [&](AggregateKind kind, double expected) {
      ASSERT_OK(aggregate<T>(kind, type, rows, random, &value));
      EXPECT_EQ(value.kind == AggregateValue::Kind::null, !has_any);
      if (has_any) EXPECT(same_bits(value.real, expected));
    };
    expect(AggregateKind::sum, sum);
    expect(AggregateKind::min, least);
    expect(AggregateKind::max, greatest);
    expect(AggregateKind::avg, total / count);
    ASSERT_OK(aggregate<T>(AggregateKind::count, type, rows, random, &value));
    EXPECT(value.integer == static_cast<int64_t>(count));
  }
}

TEST(floats_are_added_up_in_order) {
  compare_floats<double>(float8, {});
  compare_floats<float>(float4, {});
  constexpr double infinity = std::numeric_limits<double>::infinity();
  compare_floats<double>(float8, {infinity, -infinity, std::nan(""), -0.0, 0.0});
  compare_floats<double>(float8, {infinity, -0.0});
  constexpr float small_infinity = std::numeric_limits<float>::infinity();
  compare_floats<float>(float4, {small_infinity, -small_infinity, std::nanf(""), -0.0f, 0.0f});
}

TEST(a_sum_of_finite_values_beyond_the_largest_is_refused) {
  std::mt19937_64 random = test::random_engine();
  constexpr double large = std::numeric_limits<double>::max();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  AggregateValue value;
  for (const AggregateKind kind : {AggregateKind::sum, AggregateKind::avg}) {
    const Status refused =
        aggregate<double>(kind, float8, {1, std::nullopt, large, large}, random, &value);
    ASSERT(!refused.is_ok());
    EXPECT_EQ(static_cast<int>(refused.code()),
              static_cast<int>(ErrorCode::numeric_value_out_of_range));
    EXPECT(refused.report().message == "value out of range: overflow");
  }
  // What is infinite already cannot overflow.
  ASSERT_OK(
      aggregate<double>(AggregateKind::sum, float8, {infinity, large, large}, random, &value));
  EXPECT(same_bits(value.real, infinity));
  ASSERT(!aggregate<float>(AggregateKind::sum, float4,
                           {std::numeric_limits<float>::max(), std::numeric_limits<float>::max()},
                           random, &value)
              .is_ok());
}

TEST(integers_are_added_up_exactly) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 200; ++round) {
    Values<int64_t> wide(random() % 100);
    Values<int32_t> narrow(wide.size());
    __int128 wide_sum = 0;
    int64_t narrow_sum = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < wide.size(); ++i) {
      if (random() % 4 == 0) continue;
      wide[i] = static_cast<int64_t>(random());
      narrow[i] = static_cast<int32_t>(random());
      wide_sum += *wide[i];
      narrow_sum += *narrow[i];
      ++count;
    }
    AggregateValue value;
    ASSERT_OK(aggregate<int64_t>(AggregateKind::sum, int8, wide, random, &value));
    EXPECT(value.integer == wide_sum);
    ASSERT_OK(aggregate<int32_t>(AggregateKind::sum, int4, narrow, random, &value));
    EXPECT(value.integer == narrow_sum);
    EXPECT_EQ(value.kind == AggregateValue::Kind::null, count == 0);
  }
}

TEST(other_types_are_only_counted) {
  EXPECT(make_accumulator(AggregateKind::sum, 25) == nullptr);
  EXPECT(make_accumulator(AggregateKind::count, 25) != nullptr);
}

}  // namespace
}  // namespace pgdata
