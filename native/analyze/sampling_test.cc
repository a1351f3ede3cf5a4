// Goal: every block and every row is as likely to be taken as any other, and so many are taken as were asked for.
// Method: many samples, and how often each number is in them.
#include "analyze/sampling.h"

#include <cmath>
#include <functional>
#include <set>
#include <vector>

#include "base/test.h"

namespace pgdata {
namespace {

// The greatest distance of a count from what is expected, in standard deviations.
double worst_deviation(const std::vector<uint32_t>& counts, double samples, double share) {
  const double deviation = std::sqrt(samples * share * (1 - share));
  double worst = 0;
  for (const uint32_t count : counts)
    worst = std::max(worst, std::abs(count - samples * share) / deviation);
  return worst;
}

}  // namespace

TEST(blocks_are_chosen_evenly) {
  SampleRandom random = test::random_engine();
  constexpr uint32_t blocks = 50;
  constexpr uint32_t wanted = 8;
  constexpr uint32_t samples = 20000;
  std::vector<uint32_t> counts(blocks);
  for (uint32_t i = 0; i < samples; i++) {
    BlockSampler sampler(blocks, wanted, random);
    EXPECT_EQ(sampler.total(), wanted);
    std::optional<uint32_t> last;
    while (const std::optional<uint32_t> block = sampler.next()) {
      if (last && *block <= *last) EXPECT(*block > *last);
      last = block;
      counts.at(*block)++;
    }
    EXPECT_EQ(sampler.selected(), wanted);
  }
  EXPECT(worst_deviation(counts, samples, double{wanted} / blocks) < 6);
}

TEST(all_blocks_of_a_small_table_are_chosen) {
  SampleRandom random = test::random_engine();
  for (const uint32_t blocks : {0u, 1u, 7u, 8u}) {
    BlockSampler sampler(blocks, 8, random);
    for (uint32_t block = 0; block < blocks; block++) EXPECT_EQ(sampler.next().value(), block);
    EXPECT(!sampler.next());
    EXPECT_EQ(sampler.selected(), blocks);
  }
}

TEST(rows_are_taken_evenly) {
  SampleRandom random = test::random_engine();
  // Vitter's algorithm X alone, and Z, which begins after 22 times the size.
  for (const uint32_t rows : {60u, 1000u}) {
    constexpr uint32_t size = 10;
    constexpr uint32_t samples = 4000;
    std::vector<uint32_t> counts(rows);
    for (uint32_t i = 0; i < samples; i++) {
      RowReservoir reservoir(size, random);
      std::vector<uint32_t> sample(size);
      for (uint32_t row = 0; row < rows; row++)
        if (const std::optional<uint32_t> place = reservoir.next()) sample.at(*place) = row;
      EXPECT_EQ(reservoir.filled(), size);
      EXPECT_EQ(std::set<uint32_t>(sample.begin(), sample.end()).size(), size);
      for (const uint32_t row : sample) counts.at(row)++;
    }
    EXPECT(worst_deviation(counts, samples, double{size} / rows) < 7);
  }
}

TEST(a_few_rows_are_all_taken_in_order) {
  SampleRandom random = test::random_engine();
  RowReservoir reservoir(100, random);
  for (uint32_t row = 0; row < 100; row++) EXPECT_EQ(reservoir.next().value(), row);
}

}  // namespace pgdata
