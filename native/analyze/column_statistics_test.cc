// Goal: the numbers of a column follow from its sample as the formulas say, and values that are damaged do no harm.
// Method: small samples whose statistics are worked out by hand. That they are stock's test/oracle/analyze.test.ts shows.
#include "analyze/column_statistics.h"

#include <cstring>

#include "base/test.h"
#include "base/types.h"

namespace pgdata {
namespace {

Attribute int4_attribute() {
  Attribute attribute;
  attribute.atttypid = 23;
  attribute.attlen = 4;
  attribute.attbyval = true;
  attribute.attalign = 'i';
  return attribute;
}

ColumnSample sample_of(const std::vector<int32_t>& values, uint64_t nulls, double total_rows) {
  ColumnSample sample;
  for (const int32_t value : values) sample.values.push_back(static_cast<Datum>(int64_t{value}));
  sample.rows = values.size() + nulls;
  sample.nulls = nulls;
  sample.total_rows = total_rows;
  return sample;
}

ColumnAnalysis int4_analysis(ColumnMethod method, uint32_t target = 100) {
  ColumnAnalysis analysis;
  analysis.method = method;
  analysis.target = target;
  EXPECT_OK(select_default_comparator(23, 0, true, &analysis.order));
  return analysis;
}

ColumnStatistics computed(const ColumnAnalysis& analysis, ColumnSample sample) {
  ColumnStatistics statistics;
  EXPECT_OK(compute_statistics(
      int4_attribute(), analysis, sample, [] { return Status(); }, &statistics));
  return statistics;
}

std::vector<int32_t> elements(const std::vector<std::byte>& array) {
  std::vector<int32_t> found(static_cast<size_t>(load<int32_t>(array.data() + 12)));
  std::memcpy(found.data(), array.data() + 20, found.size() * sizeof(int32_t));
  return found;
}

}  // namespace

TEST(an_ordered_column) {
  // 5 three times, 1 twice, the others once; one row of nine is null.
  const ColumnStatistics found =
      computed(int4_analysis(ColumnMethod::scalar), sample_of({5, 1, 9, 5, 7, 1, 5, 3}, 1, 9));
  EXPECT(found.valid);
  EXPECT_EQ(found.null_fraction, static_cast<float>(1.0 / 9));
  EXPECT_EQ(found.width, 4);
  // All rows were seen: five distinct values in nine rows.
  EXPECT_EQ(found.distinct, static_cast<float>(-(5.0 / 9)));
  ASSERT_EQ(found.slots.size(), 3u);
  EXPECT(found.slots[0].kind == StatisticKind::mcv);
  EXPECT_EQ(elements(found.slots[0].values), (std::vector<int32_t>{5, 1}));
  EXPECT_EQ(found.slots[0].numbers[0], static_cast<float>(3.0 / 9));
  EXPECT(found.slots[1].kind == StatisticKind::histogram);
  EXPECT_EQ(elements(found.slots[1].values), (std::vector<int32_t>{3, 7, 9}));
  EXPECT(found.slots[2].kind == StatisticKind::correlation);
}

TEST(values_in_their_order_correlate_fully) {
  const auto correlation = [](const std::vector<int32_t>& values) {
    return computed(int4_analysis(ColumnMethod::scalar), sample_of(values, 0, 100))
        .slots.back()
        .numbers[0];
  };
  EXPECT_EQ(correlation({1, 2, 3, 4, 5}), 1.0f);
  EXPECT_EQ(correlation({5, 4, 3, 2, 1}), -1.0f);
}

TEST(a_column_of_which_only_equality_is_known) {
  const ColumnStatistics found =
      computed(int4_analysis(ColumnMethod::distinct), sample_of({4, 8, 4, 8, 8, 4, 8}, 0, 7));
  EXPECT_EQ(found.distinct, -(2.0f / 7.0f));
  ASSERT_EQ(found.slots.size(), 1u);
  EXPECT_EQ(elements(found.slots[0].values), (std::vector<int32_t>{8, 4}));
}

TEST(nulls_alone_and_nothing_at_all) {
  const ColumnStatistics nulls =
      computed(int4_analysis(ColumnMethod::scalar), sample_of({}, 12, 12));
  EXPECT(nulls.valid);
  EXPECT_EQ(nulls.null_fraction, 1.0f);
  EXPECT_EQ(nulls.distinct, 0.0f);
  EXPECT(!computed(int4_analysis(ColumnMethod::scalar), sample_of({}, 0, 0)).valid);
}

TEST(values_that_are_hardly_common_are_not_listed) {
  // 20 of 1000 rows of a million; the other values take as many on the average.
  EXPECT_EQ(worthy_common_values({20, 20, 20}, 50, 0, 1000, 1e6), 0u);
  EXPECT_EQ(worthy_common_values({400, 20, 20}, 50, 0, 1000, 1e6), 1u);
  // Of a table that was seen whole, all are.
  EXPECT_EQ(worthy_common_values({2, 2, 2}, 400, 0, 1000, 1000), 3u);
}

}  // namespace pgdata
