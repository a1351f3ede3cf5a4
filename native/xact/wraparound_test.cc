// Ids that run out: limits, their arithmetic over the wrap, and members of multixacts on both sides of it.
#include <string>
#include <vector>

#include "base/test.h"
#include "xact/test_cluster.h"
#include "xact/wraparound_limits.h"

namespace pgdata {
namespace {

using test::TestCluster;

// Of 8 kB pages.
constexpr uint32_t members_per_page = 1636;
constexpr uint32_t members_per_segment = 32 * members_per_page;

TEST(limits_stand_before_the_wrap) {
  const XidLimits low = xid_limits(TransactionId{3}, 200'000'000);
  EXPECT_EQ(value_of(low.wrap), 0x80000002u);
  EXPECT_EQ(value_of(low.stop), 0x80000002u - 3'000'000);
  EXPECT_EQ(value_of(low.warn), 0x80000002u - 40'000'000);
  EXPECT_EQ(value_of(low.vacuum), 200'000'003u);
  // Permanent ids are passed over, upwards and downwards.
  EXPECT_EQ(value_of(xid_limits(TransactionId{0x80000001u}, 1).wrap), 3u);
  EXPECT_EQ(value_of(xid_limits(TransactionId{0x80000001u + 3'000'001}, 1).stop), 0xFFFFFFFEu);
  EXPECT_EQ(value_of(xid_limits(TransactionId{0xFFFFFFFFu}, 2).vacuum), 4u);
  const MultiXactLimits multi = multixact_limits(1, 400'000'000);
  EXPECT_EQ(multi.wrap, 0x80000000u);
  EXPECT_EQ(multi.stop, 0x80000000u - 3'000'000);
  EXPECT_EQ(multi.vacuum, 400'000'001u);
  EXPECT_EQ(multixact_limits(0x80000001u, 1).wrap, 1u);
}

TEST(ranges_of_members_reach_a_boundary_over_the_wrap) {
  EXPECT(!members_reach(100, 90, 9));
  EXPECT(members_reach(100, 90, 10));
  EXPECT(!members_reach(100, 200, 50));
  EXPECT(!members_reach(100, 0xFFFFFFF0u, 50));
  EXPECT(members_reach(100, 0xFFFFFFF0u, 116));
  EXPECT(members_reach(0xFFFFFFFFu, 0xFFFFFFF0u, 15));
  EXPECT_EQ(member_stop_limit(0, members_per_segment), 0u - members_per_segment);
  EXPECT_EQ(member_stop_limit(5 * members_per_segment + 7, members_per_segment),
            4 * members_per_segment);
}

std::vector<MultiXactMember> members_of(uint32_t first, uint32_t count) {
  std::vector<MultiXactMember> members;
  for (uint32_t i = 0; i < count; i++)
    members.push_back({TransactionId{first + i}, MultiXactStatus::for_share});
  return members;
}

TEST(members_are_refused_before_they_reach_the_oldest) {
  TransactionCounters counters;
  counters.nextXid = 1000;
  counters.oldestMulti = 1;
  counters.nextMulti = 2;
  // Multixact 1 begins at 0, so the segment before the wrap is left free.
  constexpr uint32_t stop = 0u - members_per_segment;
  counters.nextMultiOffset = stop - stop % members_per_page;
  TestCluster cluster({}, counters);
  std::vector<std::string> warnings;
  cluster.transactions().on_notice(
      [&](Status notice) { warnings.push_back(notice.report().message); });
  uint32_t left = stop % members_per_page;
  for (MultiXactId multi = 0; left > 2; left -= 2) {
    ASSERT_OK(
        cluster.transactions().create_multixact(TransactionId{999}, members_of(500, 2), &multi));
    EXPECT_EQ(warnings.back(), "database with OID 1 must be vacuumed before " +
                                   std::to_string(left + 2) + " more multixact members are used");
  }
  MultiXactId multi = 0;
  const Status status =
      cluster.transactions().create_multixact(TransactionId{999}, members_of(500, 2), &multi);
  EXPECT_EQ(status.code(), ErrorCode::program_limit_exceeded);
  if (status.is_ok()) return;
  EXPECT_EQ(status.report().message, "multixact \"members\" limit exceeded");
  EXPECT_EQ(status.report().detail,
            "This command would create a multixact with 2 members, but the remaining space is only "
            "enough for 1 member.");
}

TEST(members_go_on_at_the_beginning_after_the_last_offset) {
  TransactionCounters counters;
  counters.nextXid = 1000;
  counters.oldestMulti = 2;
  counters.nextMulti = 2;
  // The last page is not a whole one.
  counters.nextMultiOffset = 0xFFFFFFFFu - 0xFFFFFFFFu % members_per_page;
  TestCluster cluster({}, counters);
  constexpr uint32_t count = 700;
  std::vector<MultiXactId> multis(count);
  for (uint32_t i = 0; i < count; i++)
    ASSERT_OK(cluster.transactions().create_multixact(TransactionId{999}, members_of(100 + i, 3),
                                                      &multis[i]));
  EXPECT(cluster.transactions().counters().nextMultiOffset < counters.nextMultiOffset);
  const auto check = [&] {
    for (uint32_t i = 0; i < count; i++) {
      std::vector<MultiXactMember> members;
      ASSERT_OK(cluster.transactions().multixact_members(multis[i], &members));
      ASSERT_EQ(members.size(), size_t{3});
      for (uint32_t k = 0; k < 3; k++) EXPECT_EQ(value_of(members[k].xid), 100 + i + k);
    }
  };
  check();
  cluster.restart();
  check();
}

}  // namespace
}  // namespace pgdata
