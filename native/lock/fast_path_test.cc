// Goal: weak locks on relations stay out of the table while nobody wants more, and exclude as all others do once somebody
// does. Method: sessions of one thread, and a look at where the table says each lock is; then threads that take turns at weak
// and strong levels, with a count that only the strong ones may change.
#include <algorithm>
#include <thread>

#include "base/test.h"
#include "lock/lock_fixture.h"

namespace pgdata {
namespace {

using test::LockFixture;
using enum LockLevel;

constexpr LockTag table_a = LockTag::relation(5, 16384);

// How many locks are held on the fast path, and how many in the table.
struct Places {
  uint32_t fast = 0;
  uint32_t table = 0;
};
Places places_of(LockFixture& fixture) {
  Places places;
  for (const LockEntry& entry : fixture.table().entries())
    (entry.fast_path ? places.fast : places.table)++;
  return places;
}

TEST(weak_locks_on_relations_take_the_fast_path_and_others_do_not) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  for (const LockLevel level : {access_share, row_share, row_exclusive}) {
    EXPECT(fixture.acquire(one, table_a, level) == LockOutcome::granted);
    EXPECT(fixture.acquire(two, table_a, level) == LockOutcome::granted);
  }
  EXPECT_EQ(places_of(fixture).fast, 6u);
  EXPECT(fixture.acquire(one, table_a, share_update_exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, LockTag::relation(0, 1262), access_share) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, LockTag::advisory(5, 0, 1, 1), access_share) == LockOutcome::granted);
  EXPECT_EQ(places_of(fixture).fast, 6u);
  EXPECT_EQ(places_of(fixture).table, 3u);
  one.locks->end_transaction();
  two.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_strong_lock_moves_the_weak_ones_into_the_table_and_waits_for_them) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  auto three = fixture.session();
  EXPECT(fixture.acquire(one, table_a, access_share) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_a, row_exclusive) == LockOutcome::granted);
  LockOutcome outcome{};
  ASSERT_OK(two.locks->acquire(table_a, access_exclusive, LockScope::transaction, false, &outcome));
  EXPECT(outcome == LockOutcome::not_available);
  EXPECT_EQ(places_of(fixture).table, 2u);
  ASSERT_OK(two.locks->acquire(table_a, access_exclusive, LockScope::transaction, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  // Who comes now queues up behind it.
  ASSERT_OK(three.locks->acquire(table_a, access_share, LockScope::transaction, false, &outcome));
  EXPECT(outcome == LockOutcome::not_available);
  EXPECT(one.locks->release(table_a, access_share, LockScope::transaction));
  EXPECT(fixture.table().wait_state(two.locks->slot()) == LockTable::WaitState::waiting);
  EXPECT(one.locks->release(table_a, row_exclusive, LockScope::transaction));
  EXPECT(fixture.table().wait_state(two.locks->slot()) == LockTable::WaitState::granted);
  two.locks->finish_wait();
  two.locks->end_transaction();
  // Nobody wants it strongly any more.
  EXPECT(fixture.acquire(three, table_a, access_share) == LockOutcome::granted);
  EXPECT_EQ(places_of(fixture).fast, 1u);
  three.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_strong_lock_given_up_opens_the_fast_path_again) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  EXPECT(fixture.acquire(one, table_a, row_exclusive) == LockOutcome::granted);
  LockOutcome outcome{};
  ASSERT_OK(two.locks->acquire(table_a, share, LockScope::transaction, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  two.locks->cancel_wait();
  EXPECT(fixture.acquire(two, table_a, access_share) == LockOutcome::granted);
  EXPECT_EQ(places_of(fixture).fast, 1u);
  EXPECT_EQ(places_of(fixture).table, 1u);
  one.locks->end_transaction();
  two.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(more_relations_than_a_slot_has_entries_go_to_the_table) {
  LockFixture fixture;
  auto one = fixture.session();
  for (uint32_t i = 0; i < FastPathLocks::entries_per_slot + 4; ++i)
    EXPECT(fixture.acquire(one, LockTag::relation(5, 20000 + i), access_share) ==
           LockOutcome::granted);
  EXPECT_EQ(places_of(fixture).fast, FastPathLocks::entries_per_slot);
  EXPECT_EQ(places_of(fixture).table, 4u);
  one.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(own_weak_locks_are_no_obstacle_to_a_strong_one) {
  LockFixture fixture;
  auto one = fixture.session();
  EXPECT(fixture.acquire(one, table_a, access_share) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_a, access_exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_a, row_exclusive) == LockOutcome::granted);
  EXPECT_EQ(places_of(fixture).table, 3u);
  EXPECT(one.locks->release(table_a, access_exclusive, LockScope::transaction));
  EXPECT_EQ(places_of(fixture).table, 2u);
  one.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_prepared_advisory_lock_of_the_same_numbers_takes_no_relation_along) {
  LockFixture fixture;
  auto one = fixture.session();
  const LockTag key = LockTag::advisory(table_a.field1, table_a.field2, 0, 1);
  EXPECT(fixture.acquire(one, key, exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_a, row_exclusive) == LockOutcome::granted);
  std::vector<TwoPhaseLockRecord> records;
  ASSERT_OK(one.locks->locks_to_prepare(&records));
  EXPECT_EQ(records.size(), 2u);
  for (const LockEntry& entry : fixture.table().entries())
    EXPECT(entry.level == (entry.tag == key ? exclusive : row_exclusive));
  EXPECT_EQ(places_of(fixture).table, 2u);
  EXPECT(one.locks->release(key, exclusive, LockScope::transaction));
  EXPECT(one.locks->release(table_a, row_exclusive, LockScope::transaction));
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_lock_for_a_moment_can_become_one_of_the_transaction) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  FastPathLocks& fast = fixture.table().fast_path();
  EXPECT(fast.acquire(one.locks->slot(), table_a, access_share));
  one.locks->adopt(table_a, access_share, LockScope::transaction);
  EXPECT(one.locks->holds(table_a, access_share));
  LockOutcome outcome{};
  ASSERT_OK(two.locks->acquire(table_a, access_exclusive, LockScope::transaction, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  one.locks->end_transaction();
  EXPECT(fixture.table().wait_state(two.locks->slot()) == LockTable::WaitState::granted);
  two.locks->finish_wait();
  two.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_lock_kept_ready_for_reading_is_in_nobodys_way) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  FastPathLocks& fast = fixture.table().fast_path();
  const int slot = one.locks->slot();
  for (int i = 0; i < 2; ++i) {
    EXPECT(fast.begin_read(slot, table_a));
    EXPECT_EQ(places_of(fixture).fast, 1u);
    fixture.table().end_read(slot, table_a);
    EXPECT_EQ(fixture.table().entries().size(), 0u);
  }
  EXPECT(fixture.acquire(two, table_a, access_exclusive) == LockOutcome::granted);
  EXPECT(!fast.begin_read(slot, table_a));
  two.locks->end_transaction();
  EXPECT(fast.begin_read(slot, table_a));
  fixture.table().end_read(slot, table_a);
  // Another relation takes its place.
  EXPECT(fast.begin_read(slot, LockTag::relation(5, 16385)));
  EXPECT(fixture.acquire(two, table_a, access_exclusive) == LockOutcome::granted);
  fixture.table().end_read(slot, LockTag::relation(5, 16385));
  two.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_strong_lock_waits_for_the_read_that_goes_on) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  const int slot = one.locks->slot();
  EXPECT(fixture.table().fast_path().begin_read(slot, table_a));
  LockOutcome outcome{};
  ASSERT_OK(two.locks->acquire(table_a, access_exclusive, LockScope::transaction, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  EXPECT_EQ(places_of(fixture).fast, 0u);
  fixture.table().end_read(slot, table_a);
  EXPECT(fixture.table().wait_state(two.locks->slot()) == LockTable::WaitState::granted);
  two.locks->finish_wait();
  two.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
  // What its owner left when it died.
  EXPECT(fixture.table().fast_path().begin_read(slot, table_a));
  fixture.table().release_all(slot);
  EXPECT(fixture.acquire(two, table_a, access_exclusive) == LockOutcome::granted);
  two.locks->end_transaction();
  EXPECT(fixture.table().fast_path().begin_read(slot, table_a));
  fixture.table().end_read(slot, table_a);
}

TEST(readers_and_strong_lockers_of_many_threads_never_meet) {
  LockFixture fixture;
  constexpr int threads = 4;
  constexpr int rounds = 3000;
  std::vector<decltype(fixture.session())> sessions;
  for (int i = 0; i < threads; ++i) sessions.push_back(fixture.session());
  std::atomic<int> readers{0};
  std::atomic<int> met{0};
  std::atomic<int> reads{0};
  std::atomic<int> strong_grants{0};
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      LockSession& locks = *sessions[static_cast<size_t>(i)].locks;
      for (int round = 0; round < rounds; ++round) {
        if ((round + i) % 7 != 0) {
          if (!fixture.table().fast_path().begin_read(locks.slot(), table_a)) continue;
          reads.fetch_add(1);
          readers.fetch_add(1);
          readers.fetch_sub(1);
          fixture.table().end_read(locks.slot(), table_a);
          continue;
        }
        LockOutcome outcome{};
        const Status status =
            locks.acquire(table_a, access_exclusive, LockScope::transaction, false, &outcome);
        if (!status.is_ok()) met.fetch_add(1);
        if (outcome != LockOutcome::granted) continue;
        strong_grants.fetch_add(1);
        if (readers.load() != 0) met.fetch_add(1);
        locks.end_transaction();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(met.load(), 0);
  EXPECT(reads.load() > 0);
  EXPECT(strong_grants.load() > 0);
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(weak_and_strong_lockers_of_many_threads_never_meet) {
  LockFixture fixture;
  constexpr int threads = 4;
  constexpr int rounds = 3000;
  std::vector<decltype(fixture.session())> sessions;
  for (int i = 0; i < threads; ++i) sessions.push_back(fixture.session());
  std::atomic<int> readers{0};
  std::atomic<int> met{0};
  std::atomic<int> strong_grants{0};
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      LockSession& locks = *sessions[static_cast<size_t>(i)].locks;
      for (int round = 0; round < rounds; ++round) {
        LockOutcome outcome{};
        const bool strong = (round + i) % 7 == 0;
        Status status = locks.acquire(table_a, strong ? access_exclusive : access_share,
                                      LockScope::transaction, false, &outcome);
        if (!status.is_ok()) met.fetch_add(1);
        if (outcome != LockOutcome::granted) continue;
        if (strong) {
          strong_grants.fetch_add(1);
          if (readers.load() != 0) met.fetch_add(1);
        } else {
          readers.fetch_add(1);
          readers.fetch_sub(1);
        }
        locks.end_transaction();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(met.load(), 0);
  EXPECT(strong_grants.load() > 0);
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

}  // namespace
}  // namespace pgdata
