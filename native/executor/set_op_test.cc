// INTERSECT and EXCEPT.
// Goal: each row comes as often as it should, in memory and on disk. Method: against counts in a plain container.
#include <algorithm>
#include <map>
#include <random>

#include "base/test.h"
#include "executor/hash_set_op.h"
#include "executor/operator_fixture.h"

namespace pgdata {
namespace {

using test::OperatorFixture;
using test::TextRow;

const std::vector<ValueType> types = {test::int4_type, test::text_type};

std::vector<TextRow> random_rows(size_t count, unsigned different) {
  auto random = test::random_engine();
  random.discard(count);
  std::vector<TextRow> rows;
  for (size_t i = 0; i < count; i++) {
    const auto number = static_cast<unsigned>(random() % different);
    std::optional<std::string> text;
    if (number % 7 != 0) text = std::string("text ").append(std::to_string(number * number));
    rows.push_back({std::to_string(number), text});
  }
  return rows;
}

void expect_operation(SetOpCommand command, size_t left_count, size_t right_count,
                      const ExecutionLimits& limits) {
  const std::vector<TextRow> left = random_rows(left_count, 4'000);
  const std::vector<TextRow> right = random_rows(right_count, 5'000);
  std::map<TextRow, std::pair<size_t, size_t>> counts;
  for (const TextRow& row : left) counts[row].first++;
  for (const TextRow& row : right) counts[row].second++;
  std::vector<TextRow> wanted;
  for (const auto& [row, count] : counts) {
    const auto& [of_left, of_right] = count;
    size_t times = 0;
    switch (command) {
      case SetOpCommand::intersect:
        times = of_left > 0 && of_right > 0 ? 1 : 0;
        break;
      case SetOpCommand::intersect_all:
        times = std::min(of_left, of_right);
        break;
      case SetOpCommand::except:
        times = of_left > 0 && of_right == 0 ? 1 : 0;
        break;
      case SetOpCommand::except_all:
        times = of_left - std::min(of_left, of_right);
        break;
    }
    wanted.insert(wanted.end(), times, row);
  }
  OperatorFixture fixture(limits);
  Execution& execution = fixture.execution();
  OperatorPointer made;
  ASSERT_OK(HashSetOp::create(
      execution, command, std::make_unique<test::GivenRows>(execution, types, left),
      std::make_unique<test::GivenRows>(execution, types, right), types, &made));
  std::vector<TextRow> given = fixture.run(*made, types);
  std::sort(given.begin(), given.end());
  EXPECT(given == wanted);
  std::vector<OperatorReport> reports;
  made->report(&reports);
  const bool is_little = limits.hash_mem_bytes < (1 << 20);
  EXPECT_EQ(reports[0].disk_bytes > 0, is_little && left_count > 1'000);
  if (is_little) EXPECT(reports[0].peak_bytes <= limits.hash_mem_bytes);
}

TEST(every_row_comes_as_often_as_it_should) {
  constexpr ExecutionLimits little{128 << 10, 128 << 10};
  constexpr ExecutionLimits much{64 << 20, 64 << 20};
  for (const SetOpCommand command : {SetOpCommand::intersect, SetOpCommand::intersect_all,
                                     SetOpCommand::except, SetOpCommand::except_all}) {
    for (const ExecutionLimits& limits : {little, much}) {
      expect_operation(command, 9'000, 12'000, limits);
      expect_operation(command, 0, 500, limits);
      expect_operation(command, 500, 0, limits);
    }
  }
}

}  // namespace
}  // namespace pgdata
