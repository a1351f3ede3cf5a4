// Numeric: results and display scales, compared with what PostgreSQL prints.
#include "executor/numeric.h"

#include <string>

#include "base/test.h"
#include "tuple/compare.h"
#include "tuple/varlena.h"

namespace pgdata {
namespace {

// Short-form content from a sign, a scale, a weight and digits.
std::string content(bool negative, int scale, int weight, const std::vector<int16_t>& digits) {
  std::string bytes(2 + digits.size() * 2, '\0');
  const auto header = static_cast<uint16_t>(0x8000 | (negative ? 0x2000 : 0) | (scale << 7) |
                                            (weight < 0 ? 0x40 : 0) | (weight & 0x3F));
  std::memcpy(bytes.data(), &header, 2);
  if (!digits.empty()) std::memcpy(bytes.data() + 2, digits.data(), digits.size() * 2);
  return bytes;
}

Numeric numeric_of(const std::string& bytes) {
  Numeric numeric;
  EXPECT_OK(Numeric::from_content(bytes, &numeric));
  return numeric;
}

std::string content_of(const Numeric& numeric) {
  MemoryAccount account;
  Arena arena(account);
  Datum datum = 0;
  EXPECT_OK(numeric.to_datum(arena, &datum));
  return std::string(varlena_content(datum));
}

TEST(integers_keep_their_digits) {
  EXPECT_EQ(content_of(Numeric::from_integer(0)), content(false, 0, 0, {}));
  EXPECT_EQ(content_of(Numeric::from_integer(-120000)), content(true, 0, 1, {12}));
  EXPECT_EQ(content_of(Numeric::from_integer(99990001)), content(false, 0, 1, {9999, 1}));
}

TEST(sums_carry_and_cancel) {
  const Numeric a = numeric_of(content(false, 2, 0, {9999, 9900}));  // 9999.99
  const Numeric b = numeric_of(content(false, 2, -1, {100}));        // 0.01
  EXPECT_EQ(content_of(Numeric::add(a, b)), content(false, 2, 1, {1}));
  EXPECT_EQ(content_of(Numeric::subtract(a, a)), content(false, 2, 0, {}));
  EXPECT_EQ(content_of(Numeric::subtract(b, a)), content(true, 2, 0, {9999, 9800}));
}

TEST(products_add_their_scales) {
  const Numeric a = numeric_of(content(true, 1, 0, {2, 5000}));  // -2.5
  EXPECT_EQ(content_of(Numeric::multiply(a, a)), content(false, 2, 0, {6, 2500}));
}

TEST(quotients_have_sixteen_digits) {
  Numeric result;
  // 1 / 3 is 0.33333333333333333333
  ASSERT_OK(Numeric::divide(Numeric::from_integer(1), Numeric::from_integer(3), &result));
  EXPECT_EQ(content_of(result), content(false, 20, -1, {3333, 3333, 3333, 3333, 3333}));
  // 2 / 3 is rounded
  ASSERT_OK(Numeric::divide(Numeric::from_integer(2), Numeric::from_integer(3), &result));
  EXPECT_EQ(content_of(result), content(false, 20, -1, {6666, 6666, 6666, 6666, 6667}));
  const Status status =
      Numeric::divide(Numeric::from_integer(2), Numeric::from_integer(0), &result);
  EXPECT(status.code() == ErrorCode::division_by_zero);
}

TEST(quotient_and_remainder_of_long_numbers_give_the_dividend_back) {
  auto random = test::random_engine();
  for (int i = 0; i < 2000; i++) {
    const auto integer = [&random] {
      Int128 value = static_cast<int64_t>(random());
      if (random() % 2 == 0) value *= static_cast<int64_t>(random() >> (1 + random() % 60));
      return value == 0 ? Int128{1} : value;
    };
    const Int128 left = integer();
    const Int128 right = integer();
    Numeric remainder;
    ASSERT_OK(
        Numeric::modulo(Numeric::from_integer(left), Numeric::from_integer(right), &remainder));
    EXPECT_EQ(content_of(remainder), content_of(Numeric::from_integer(left % right)));
  }
}

TEST(damaged_digits_are_reported) {
  Numeric numeric;
  EXPECT(Numeric::from_content(content(false, 0, 0, {10000}), &numeric).code() ==
         Status::data_corrupted);
  EXPECT(Numeric::from_content("x", &numeric).code() == Status::data_corrupted);
}

}  // namespace
}  // namespace pgdata
