// What gives addresses of rows, put together.
// Goal: trees of and, or give what their sources have all or any of, whatever memory there is, and ask no further where nothing is
// left. Method: against sets, with sources that give the addresses of vectors.
#include "executor/bitmap_source.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "executor/operator_fixture.h"

namespace pgdata {
namespace {

using Tids = std::vector<ItemPointer>;
using TidSet = std::set<ItemPointer>;

constexpr ExecutionLimits much = {16 << 20, 16 << 20};
constexpr ExecutionLimits little = {8 << 10, 8 << 10};

// Gives the addresses of a vector, a few at a time.
class GivenTids final : public BitmapSource {
 public:
  GivenTids(Execution& execution, Tids tids) : BitmapSource(execution), tids_(std::move(tids)) {}

 protected:
  Status add(TidBitmap& bitmap, bool* ended) override {
    const size_t count = std::min<size_t>(150, tids_.size() - next_);
    bitmap.add(std::span(tids_).subspan(next_, count));
    next_ += count;
    *ended = count == 0;
    return Status::ok;
  }

 private:
  const Tids tids_;
  size_t next_ = 0;
};

Tids random_tids(std::mt19937_64& random, size_t count, uint32_t blocks) {
  Tids tids;
  for (size_t i = 0; i < count; i++) {
    const BlockNumber block{static_cast<uint32_t>(random() % blocks)};
    tids.emplace_back(block, static_cast<OffsetNumber>(1 + random() % 60));
  }
  return tids;
}

TidSet set_of(const Tids& tids) { return TidSet(tids.begin(), tids.end()); }

TidSet both_of(const TidSet& left, const TidSet& right) {
  TidSet both;
  for (const ItemPointer& tid : left)
    if (right.contains(tid)) both.insert(tid);
  return both;
}

TidSet either_of(TidSet left, TidSet right) {
  left.merge(right);
  return left;
}

std::unique_ptr<BitmapSource> given(Execution& execution, const Tids& tids) {
  return std::make_unique<GivenTids>(execution, tids);
}

template <typename Junction>
std::unique_ptr<BitmapSource> of(Execution& execution, std::unique_ptr<BitmapSource> left,
                                 std::unique_ptr<BitmapSource> right) {
  BitmapSources sources;
  sources.push_back(std::move(left));
  sources.push_back(std::move(right));
  return std::make_unique<Junction>(execution, std::move(sources));
}

// What a source gives are these, or, where it is not certain, others of the same blocks, too.
void expect_gives(Execution& execution, BitmapSource& source, const TidSet& meant,
                  bool is_certain) {
  MemoryAccount account;
  TidBitmap bitmap(account, execution.work_mem_bytes());
  bool ended = false;
  while (!ended) test::TestCluster::must(source.add_to(bitmap, &ended));
  bitmap.finish();
  TidSet given;
  std::set<BlockNumber> lossy;
  while (bitmap.next_block()) {
    EXPECT(!is_certain || !bitmap.is_uncertain());
    if (bitmap.is_lossy()) lossy.insert(bitmap.block());
    for (const ItemPointer& tid : bitmap.tids()) {
      EXPECT(meant.contains(tid) || bitmap.is_uncertain());
      given.insert(tid);
    }
  }
  for (const ItemPointer& tid : meant) EXPECT(given.contains(tid) || lossy.contains(tid.block()));
  if (is_certain) EXPECT_EQ(given.size(), meant.size());
}

TEST(bitmaps_of_several_sources) {
  auto random = test::random_engine();
  for (const bool is_certain : {true, false}) {
    test::OperatorFixture fixture(is_certain ? much : little);
    Execution& execution = fixture.execution();
    const Tids a = random_tids(random, 4'000, 200);
    const Tids b = random_tids(random, 3'000, 150);
    const Tids c = random_tids(random, 500, 300);
    const TidSet a_set = set_of(a);
    const TidSet b_set = set_of(b);
    const TidSet c_set = set_of(c);
    const auto any =
        of<BitmapOr>(execution, given(execution, a),
                     of<BitmapAnd>(execution, given(execution, b), given(execution, c)));
    expect_gives(execution, *any, either_of(a_set, both_of(b_set, c_set)), is_certain);
    const auto all =
        of<BitmapAnd>(execution, of<BitmapOr>(execution, given(execution, b), given(execution, c)),
                      given(execution, a));
    expect_gives(execution, *all, both_of(either_of(b_set, c_set), a_set), is_certain);
    const auto three =
        of<BitmapAnd>(execution, of<BitmapAnd>(execution, given(execution, c), given(execution, a)),
                      given(execution, b));
    expect_gives(execution, *three, both_of(both_of(c_set, a_set), b_set), is_certain);
  }
}

TEST(an_and_of_nothing_asks_no_further) {
  auto random = test::random_engine();
  test::OperatorFixture fixture(much);
  Execution& execution = fixture.execution();
  const auto all = of<BitmapAnd>(
      execution,
      of<BitmapAnd>(execution, given(execution, random_tids(random, 100, 5)), given(execution, {})),
      given(execution, random_tids(random, 100, 5)));
  expect_gives(execution, *all, {}, true);
  std::vector<OperatorReport> reports;
  all->report(&reports);
  std::vector<uint64_t> loops;
  for (const OperatorReport& report : reports) loops.push_back(report.counters.loops);
  EXPECT(loops == (std::vector<uint64_t>{1, 1, 1, 1, 0}));
}

}  // namespace
}  // namespace pgdata
