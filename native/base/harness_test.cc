// Tests of the unit test harness itself.
// Goal: a check that should fail is seen to fail. Method: call the check functions with a failure recorded
// elsewhere, and compare what they return and print.
#include <cstdint>

#include "base/test.h"

namespace pgdata {
namespace {

enum class Fruit : uint8_t { apple = 7 };

struct Pair {
  uint8_t first;
  uint8_t second;
};

TEST(integers_of_different_signs_are_compared_by_value) {
  EXPECT(test::equal(3u, 3));
  EXPECT(test::equal(int64_t{3}, uint8_t{3}));
  EXPECT(!test::equal(-1, UINT32_MAX));
  EXPECT(!test::equal(UINT64_MAX, -1));
}

TEST(values_are_shown_in_a_readable_form) {
  EXPECT_EQ(test::show(true), std::string("true"));
  EXPECT_EQ(test::show(uint8_t{65}), std::string("65"));
  EXPECT_EQ(test::show(Fruit::apple), std::string("7"));
  EXPECT_EQ(test::show(std::string("a")), std::string("\"a\""));
  EXPECT_EQ(test::show(Pair{1, 0xAB}), std::string("bytes 1 ab"));
}

TEST(random_engine_repeats_within_a_test) {
  std::mt19937_64 first = test::random_engine();
  std::mt19937_64 second = test::random_engine();
  EXPECT_EQ(first(), second());
}

}  // namespace
}  // namespace pgdata
