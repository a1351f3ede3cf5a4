// One row of what several operators give first.
// Goal: each column has its child's value, or null. Method: children that give the rows of vectors, with pauses.
#include "executor/first_values.h"

#include <utility>
#include <vector>

#include "executor/operator_fixture.h"

namespace pgdata {
namespace {

using test::GivenRows;
using test::TextRow;

constexpr ExecutionLimits much = {4 << 20, 4 << 20};

TEST(first_values_of_children) {
  test::OperatorFixture fixture(much);
  Execution& execution = fixture.execution();
  const std::vector<ValueType> types = {test::int4_type, test::text_type, test::text_type,
                                        test::int8_type};
  const std::vector<std::vector<TextRow>> rows = {{{"7"}}, {{"a longer text"}}, {}, {{{}}}};
  Operator::Children children;
  for (size_t i = 0; i < types.size(); i++)
    children.push_back(
        std::make_unique<GivenRows>(execution, std::vector<ValueType>{types[i]}, rows[i]));
  FirstValues first(execution, std::move(children), types);
  const std::vector<TextRow> given = fixture.run(first, types);
  EXPECT_EQ(given.size(), size_t{1});
  EXPECT(given[0] == (TextRow{"7", "a longer text", std::nullopt, std::nullopt}));
}

}  // namespace
}  // namespace pgdata
