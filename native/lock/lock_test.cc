// Goal: locks exclude each other as PostgreSQL's table says, queues are fair, whoever owns a lock gives it back when
// it ends, and every wait ends: by a grant, a deadlock found, a time that is up, or a cancel. Method: sessions of one
// thread, whose waits the WaitThread reports.
#include <array>
#include <thread>

#include "base/test.h"
#include "lock/lock_fixture.h"

namespace pgdata {
namespace {

using test::LockFixture;
using enum LockLevel;

constexpr LockTag table_a = LockTag::relation(5, 16384);
constexpr LockTag table_b = LockTag::relation(5, 16385);
constexpr LockTag table_c = LockTag::relation(5, 16386);

TEST(levels_exclude_each_other_as_documented) {
  // Rows and columns from AccessShareLock to AccessExclusiveLock; table 13.2 of the documentation.
  constexpr std::array<const char*, 8> expected = {".......x", "......xx", "....xxxx", "...xxxxx",
                                                   "..xx.xxx", "..xxxxxx", ".xxxxxxx", "xxxxxxxx"};
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  for (uint32_t held = 1; held <= 8; ++held) {
    for (uint32_t wanted = 1; wanted <= 8; ++wanted) {
      LockOutcome outcome{};
      ASSERT_OK(one.locks->acquire(table_a, LockLevel{static_cast<uint8_t>(held)},
                                   LockScope::transaction, false, &outcome));
      EXPECT(outcome == LockOutcome::granted);
      ASSERT_OK(two.locks->acquire(table_a, LockLevel{static_cast<uint8_t>(wanted)},
                                   LockScope::transaction, false, &outcome));
      EXPECT_EQ(outcome == LockOutcome::granted, expected[held - 1][wanted - 1] == '.');
      two.locks->end_transaction();
      one.locks->end_transaction();
    }
  }
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(own_locks_are_no_obstacle_and_are_counted) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  EXPECT(fixture.acquire(one, table_a, access_exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_a, access_share) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_a, access_share) == LockOutcome::granted);
  EXPECT_EQ(fixture.table().entries().size(), 2u);
  EXPECT(one.locks->release(table_a, access_share, LockScope::transaction));
  EXPECT_EQ(fixture.table().entries().size(), 2u);
  EXPECT(one.locks->release(table_a, access_share, LockScope::transaction));
  EXPECT_EQ(fixture.table().entries().size(), 1u);
  EXPECT(!one.locks->release(table_a, access_share, LockScope::transaction));
  EXPECT(!one.locks->release(table_a, access_exclusive, LockScope::session));
  EXPECT(one.locks->holds(table_a, access_exclusive));
  LockOutcome outcome{};
  ASSERT_OK(two.locks->acquire(table_a, access_share, LockScope::transaction, false, &outcome));
  EXPECT(outcome == LockOutcome::not_available);
  EXPECT_EQ(fixture.table().entries().size(), 1u);
}

TEST(who_comes_later_does_not_overtake) {
  LockFixture fixture;
  auto reader = fixture.session();
  auto writer = fixture.session();
  auto late = fixture.session();
  EXPECT(fixture.acquire(reader, table_a, access_share) == LockOutcome::granted);
  EXPECT(fixture.acquire(writer, table_a, access_exclusive) == LockOutcome::waiting);
  // Would not conflict with the reader, but with who waits already.
  EXPECT(fixture.acquire(late, table_a, access_share) == LockOutcome::waiting);
  reader.locks->end_transaction();
  ASSERT_OK(fixture.result(writer));
  EXPECT(fixture.still_waits(late));
  writer.locks->end_transaction();
  ASSERT_OK(fixture.result(late));
  late.locks->end_transaction();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_holder_goes_before_those_who_wait_for_it) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  auto three = fixture.session();
  EXPECT(fixture.acquire(one, table_a, share) == LockOutcome::granted);
  EXPECT(fixture.acquire(two, table_a, share) == LockOutcome::granted);
  EXPECT(fixture.acquire(three, table_a, access_exclusive) == LockOutcome::waiting);
  // At the end of the queue it would wait for three, and three for it.
  EXPECT(fixture.acquire(one, table_a, row_exclusive) == LockOutcome::waiting);
  two.locks->end_transaction();
  ASSERT_OK(fixture.result(one));
  EXPECT(fixture.still_waits(three));
  one.locks->end_transaction();
  ASSERT_OK(fixture.result(three));
}

TEST(a_cancelled_wait_lets_others_pass) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  auto three = fixture.session();
  EXPECT(fixture.acquire(one, table_a, access_share) == LockOutcome::granted);
  EXPECT(!fixture.table().has_waiters(table_a));
  EXPECT(fixture.acquire(two, table_a, access_exclusive) == LockOutcome::waiting);
  EXPECT(fixture.table().has_waiters(table_a));
  EXPECT(!fixture.table().has_waiters(table_b));
  EXPECT(fixture.acquire(three, table_a, access_share) == LockOutcome::waiting);
  EXPECT(fixture.thread().forget(two.ticket));
  two.locks->cancel_wait();
  ASSERT_OK(fixture.result(three));
  EXPECT(!fixture.table().has_waiters(table_a));
  EXPECT(!two.locks->holds(table_a, access_exclusive));
  EXPECT(fixture.acquire(two, table_b, access_exclusive) == LockOutcome::granted);
}

TEST(a_lock_timeout_ends_a_wait) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  EXPECT(fixture.acquire(one, table_a, exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(two, table_a, exclusive, 1000, 20) == LockOutcome::waiting);
  const Status status = fixture.result(two);
  EXPECT(status.code() == ErrorCode::lock_not_available);
  EXPECT_EQ(status.report().message, "canceling statement due to lock timeout");
  EXPECT_EQ(fixture.table().entries().size(), 1u);
}

TEST(a_synchronous_reader_holds_out_for_a_brief_lock) {
  LockFixture fixture;
  auto holder = fixture.session();
  auto reader = fixture.session();
  LockOutcome outcome{};
  const auto read = [&](int patience_ms) {
    return reader.locks->acquire_soon(table_a, access_share, LockScope::session, patience_ms,
                                      &outcome);
  };
  EXPECT(fixture.acquire(holder, table_a, access_exclusive) == LockOutcome::granted);
  ASSERT_OK(read(1));
  EXPECT(outcome == LockOutcome::not_available);
  EXPECT(!reader.locks->is_waiting());
  EXPECT_EQ(fixture.table().entries().size(), 1u);
  std::thread ends([&] {
    while (!fixture.table().has_waiters(table_a)) std::this_thread::yield();
    holder.locks->end_transaction();
  });
  // Long, for slow machines.
  const Status status = read(60'000);
  ends.join();
  ASSERT_OK(status);
  EXPECT(outcome == LockOutcome::granted);
  EXPECT(reader.locks->release(table_a, access_share, LockScope::session));
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_synchronous_reader_does_not_wait_for_its_own_waiter) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  EXPECT(fixture.acquire(one, table_a, share) == LockOutcome::granted);
  EXPECT(fixture.acquire(two, table_b, access_exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(two, table_a, access_exclusive) == LockOutcome::waiting);
  LockOutcome outcome{};
  ASSERT_OK(one.locks->acquire_soon(table_b, access_share, LockScope::session, 5, &outcome));
  EXPECT(outcome == LockOutcome::not_available);
  EXPECT(fixture.still_waits(two));
  one.locks->end_transaction();
  ASSERT_OK(fixture.result(two));
}

TEST(a_deadlock_of_two_is_found_and_told) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  EXPECT(fixture.acquire(one, table_a, exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(two, table_b, exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_b, share, 60'000) == LockOutcome::waiting);
  EXPECT(fixture.acquire(two, table_a, share, 10) == LockOutcome::waiting);
  const Status status = fixture.result(two);
  EXPECT(status.code() == ErrorCode::deadlock_detected);
  EXPECT_EQ(status.report().message, "deadlock detected");
  EXPECT_EQ(status.report().detail,
            "Process 2 waits for ShareLock on relation 16384 of database 5; blocked by process 1.\n"
            "Process 1 waits for ShareLock on relation 16385 of database 5; blocked by process 2.");
  two.locks->end_transaction();
  ASSERT_OK(fixture.result(one));
}

TEST(a_deadlock_of_three_is_found) {
  LockFixture fixture;
  std::array<LockFixture::Session, 3> sessions = {fixture.session(), fixture.session(),
                                                  fixture.session()};
  const std::array<LockTag, 3> tags = {table_a, table_b, table_c};
  for (size_t i = 0; i < 3; ++i)
    EXPECT(fixture.acquire(sessions[i], tags[i], exclusive) == LockOutcome::granted);
  for (size_t i = 0; i < 3; ++i)
    EXPECT(fixture.acquire(sessions[i], tags[(i + 1) % 3], exclusive, i == 2 ? 10 : 60'000) ==
           LockOutcome::waiting);
  EXPECT(fixture.result(sessions[2]).code() == ErrorCode::deadlock_detected);
  sessions[2].locks->end_transaction();
  ASSERT_OK(fixture.result(sessions[1]));
  sessions[1].locks->end_transaction();
  ASSERT_OK(fixture.result(sessions[0]));
}

TEST(two_upgrades_of_one_lock_are_a_deadlock_at_once) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  EXPECT(fixture.acquire(one, table_a, share) == LockOutcome::granted);
  EXPECT(fixture.acquire(two, table_a, share) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_a, exclusive, 60'000) == LockOutcome::waiting);
  LockOutcome outcome{};
  const Status status =
      two.locks->acquire(table_a, exclusive, LockScope::transaction, true, &outcome);
  EXPECT(status.code() == ErrorCode::deadlock_detected);
  two.locks->end_transaction();
  ASSERT_OK(fixture.result(one));
}

// One of the two waits is soft: turning the queue around breaks the cycle, and nobody fails.
TEST(a_soft_deadlock_is_broken_by_turning_the_queue) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  auto three = fixture.session();
  EXPECT(fixture.acquire(one, table_a, access_share) == LockOutcome::granted);
  EXPECT(fixture.acquire(two, table_b, access_share) == LockOutcome::granted);
  // two waits for one; three queues behind two on a, and holds what one will want.
  EXPECT(fixture.acquire(three, table_c, exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(two, table_a, access_exclusive, 60'000) == LockOutcome::waiting);
  EXPECT(fixture.acquire(three, table_a, access_share, 60'000) == LockOutcome::waiting);
  EXPECT(fixture.acquire(one, table_c, exclusive, 10) == LockOutcome::waiting);
  // one waits for three (hard), three for two in the queue (soft), two for one (hard).
  ASSERT_OK(fixture.result(three));
  EXPECT(fixture.still_waits(two));
  three.locks->end_transaction();
  ASSERT_OK(fixture.result(one));
  one.locks->end_transaction();
  ASSERT_OK(fixture.result(two));
}

TEST(the_end_of_a_transaction_is_awaited) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  auto three = fixture.session();
  const TransactionId xid = one.begin();
  two.begin();
  three.begin();
  LockOutcome outcome{};
  for (auto* waiter : {&two, &three}) {
    ASSERT_OK(waiter->locks->await_transaction(xid, true, &outcome));
    EXPECT(outcome == LockOutcome::waiting);
    fixture.watch(*waiter);
  }
  EXPECT(fixture.still_waits(two));
  one.commit();
  ASSERT_OK(fixture.result(two));
  ASSERT_OK(fixture.result(three));
  // It has ended.
  ASSERT_OK(two.locks->await_transaction(xid, true, &outcome));
  EXPECT(outcome == LockOutcome::granted);
  EXPECT_EQ(fixture.table().entries().size(), 0u);
  const TransactionId running = one.begin();
  ASSERT_OK(two.locks->await_transaction(running, false, &outcome));
  EXPECT(outcome == LockOutcome::not_available);
  one.abort();
  two.abort();
  three.abort();
}

TEST(the_end_of_a_virtual_transaction_is_awaited) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  const int slot = one.locks->slot();
  one.locks->begin_transaction();
  const uint32_t number = fixture.table().local_transaction(slot);
  EXPECT(number != 0);
  const LockTag tag = LockTag::virtual_transaction(static_cast<uint32_t>(slot) + 1, number);
  // Nobody waits for it: it is shown, but nowhere in the table.
  std::vector<LockEntry> entries = fixture.table().entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT(entries[0].tag == tag);
  EXPECT(entries[0].fast_path && entries[0].granted);
  EXPECT(entries[0].level == exclusive);
  EXPECT_EQ(entries[0].local_transaction, number);

  LockOutcome outcome{};
  ASSERT_OK(two.locks->await_virtual_transaction(slot, number, false, &outcome));
  EXPECT(outcome == LockOutcome::not_available);
  ASSERT_OK(two.locks->await_virtual_transaction(slot, number, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  fixture.watch(two);
  entries = fixture.table().entries();
  ASSERT_EQ(entries.size(), 2u);
  for (const LockEntry& entry : entries) {
    EXPECT(entry.tag == tag);
    EXPECT(!entry.fast_path);
    EXPECT_EQ(entry.granted, entry.slot == slot);
    EXPECT_EQ(entry.wait_start > 0, entry.slot != slot);
  }
  one.locks->end_transaction();
  ASSERT_OK(fixture.result(two));
  EXPECT_EQ(fixture.table().entries().size(), 0u);
  // The next one has another number.
  one.locks->begin_transaction();
  EXPECT(fixture.table().local_transaction(slot) != number);
  ASSERT_OK(two.locks->await_virtual_transaction(slot, number, true, &outcome));
  EXPECT(outcome == LockOutcome::granted);
  one.locks->end_transaction();
}

TEST(transactions_that_wait_for_each_other_are_a_deadlock) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  const TransactionId first = one.begin();
  const TransactionId second = two.begin();
  LockOutcome outcome{};
  ASSERT_OK(one.locks->await_transaction(second, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  fixture.watch(one, 60'000);
  ASSERT_OK(two.locks->await_transaction(first, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  fixture.watch(two, 10);
  const Status status = fixture.result(two);
  EXPECT(status.code() == ErrorCode::deadlock_detected);
  two.abort();
  ASSERT_OK(fixture.result(one));
  one.commit();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(locks_of_a_subtransaction_go_with_it) {
  LockFixture fixture;
  auto one = fixture.session();
  EXPECT(fixture.acquire(one, table_a, share) == LockOutcome::granted);
  one.locks->begin_subtransaction();
  EXPECT(fixture.acquire(one, table_a, share) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_a, exclusive) == LockOutcome::granted);
  EXPECT(fixture.acquire(one, table_b, exclusive) == LockOutcome::granted);
  one.locks->begin_subtransaction();
  EXPECT(fixture.acquire(one, table_c, exclusive) == LockOutcome::granted);
  one.locks->commit_subtransaction();
  EXPECT(one.locks->holds(table_c, exclusive));
  ASSERT_OK(one.locks->abort_subtransaction());
  EXPECT(one.locks->holds(table_a, share));
  EXPECT(!one.locks->holds(table_a, exclusive));
  EXPECT(!one.locks->holds(table_b, exclusive));
  EXPECT(!one.locks->holds(table_c, exclusive));
  EXPECT_EQ(fixture.table().entries().size(), 1u);
}

TEST(who_waits_for_a_subtransaction_goes_on_when_it_is_rolled_back) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  auto three = fixture.session();
  const TransactionId whole = one.begin();
  ASSERT_OK(one.backend->begin_subtransaction(false));
  one.locks->begin_subtransaction();
  TransactionId part;
  ASSERT_OK(one.backend->assign_xid(&part));
  LockOutcome outcome{};
  ASSERT_OK(two.locks->await_transaction(part, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  fixture.watch(two);
  ASSERT_OK(three.locks->await_transaction(whole, true, &outcome));
  EXPECT(outcome == LockOutcome::waiting);
  fixture.watch(three);
  one.backend->abort_subtransaction();
  ASSERT_OK(one.locks->abort_subtransaction());
  ASSERT_OK(fixture.result(two));
  EXPECT(fixture.still_waits(three));
  one.abort();
  ASSERT_OK(fixture.result(three));
}

TEST(session_locks_outlive_transactions) {
  LockFixture fixture;
  auto one = fixture.session();
  const LockTag key = LockTag::advisory(5, 0, 42, 1);
  LockOutcome outcome{};
  ASSERT_OK(one.locks->acquire(key, exclusive, LockScope::session, true, &outcome));
  ASSERT_OK(one.locks->acquire(key, exclusive, LockScope::transaction, true, &outcome));
  one.locks->end_transaction();
  EXPECT(one.locks->holds(key, exclusive));
  EXPECT(one.locks->release(key, exclusive, LockScope::session));
  EXPECT(!one.locks->holds(key, exclusive));
  ASSERT_OK(one.locks->acquire(key, exclusive, LockScope::session, true, &outcome));
  one.locks->release_session_locks(LockTagType::advisory);
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

TEST(a_prepared_transaction_keeps_its_locks) {
  LockFixture fixture;
  auto one = fixture.session();
  auto two = fixture.session();
  const int prepared = 9;
  fixture.table().open_slot(prepared, 0, 10);
  EXPECT(fixture.acquire(one, table_a, exclusive) == LockOutcome::granted);
  one.locks->hand_over(prepared);
  EXPECT(fixture.acquire(one, table_a, exclusive) == LockOutcome::waiting);
  EXPECT(fixture.acquire(two, table_a, exclusive) == LockOutcome::waiting);
  EXPECT_EQ(fixture.table().held_by(prepared).size(), 1u);
  fixture.table().release_all(prepared);
  ASSERT_OK(fixture.result(one));
  one.locks->end_transaction();
  ASSERT_OK(fixture.result(two));
}

TEST(a_session_keeps_its_own_locks_when_its_transaction_is_prepared) {
  LockFixture fixture;
  auto one = fixture.session();
  const int prepared = 9;
  fixture.table().open_slot(prepared, 0, 10);
  const LockTag of_session = LockTag::advisory(5, 0, 1, 1);
  const LockTag of_transaction = LockTag::advisory(5, 0, 2, 1);
  LockOutcome outcome{};
  ASSERT_OK(one.locks->acquire(of_session, exclusive, LockScope::session, true, &outcome));
  ASSERT_OK(one.locks->acquire(of_transaction, share, LockScope::transaction, true, &outcome));
  ASSERT_OK(one.locks->acquire(of_transaction, exclusive, LockScope::transaction, true, &outcome));
  std::vector<TwoPhaseLockRecord> records;
  ASSERT_OK(one.locks->locks_to_prepare(&records));
  ASSERT_EQ(records.size(), 2u);
  EXPECT(LockTag::from_record(records[0]) == of_transaction);
  EXPECT_EQ(records[0].lockmode, 5);
  EXPECT_EQ(records[1].lockmode, 7);
  one.locks->hand_over(prepared);
  EXPECT(one.locks->holds(of_session, exclusive));
  EXPECT(!one.locks->holds(of_transaction));
  EXPECT_EQ(fixture.table().held_by(prepared).size(), 2u);
  EXPECT(one.locks->release(of_session, exclusive, LockScope::session));
  fixture.table().release_all(prepared);
  EXPECT_EQ(fixture.table().entries().size(), 0u);
  // One lock cannot be both.
  ASSERT_OK(one.locks->acquire(of_session, exclusive, LockScope::session, true, &outcome));
  ASSERT_OK(one.locks->acquire(of_session, share, LockScope::transaction, true, &outcome));
  EXPECT(one.locks->locks_to_prepare(&records).code() == ErrorCode::feature_not_supported);
}

TEST(a_full_table_is_an_error_and_harms_nobody) {
  LockFixture fixture(4, 8);
  auto one = fixture.session();
  auto two = fixture.session();
  LockOutcome outcome{};
  for (uint32_t i = 0; i < fixture.table().locks_max(); ++i)
    ASSERT_OK(one.locks->acquire(LockTag::relation(5, 20000 + i), share, LockScope::transaction,
                                 true, &outcome));
  const Status status =
      two.locks->acquire(LockTag::relation(5, 1), share, LockScope::transaction, true, &outcome);
  EXPECT(status.code() == ErrorCode::out_of_memory);
  EXPECT_EQ(status.report().message, "out of shared memory");
  one.locks->end_transaction();
  ASSERT_OK(
      two.locks->acquire(LockTag::relation(5, 1), share, LockScope::transaction, true, &outcome));
  EXPECT(outcome == LockOutcome::granted);
}

TEST(tags_are_described_as_postgresql_does) {
  EXPECT_EQ(LockTag::transaction(TransactionId{750}).describe(), "transaction 750");
  EXPECT_EQ(LockTag::tuple(5, 16384, ItemPointer(BlockNumber{0}, 3)).describe(),
            "tuple (0,3) of relation 16384 of database 5");
  EXPECT_EQ(LockTag::advisory(5, 1, 2, 2).describe(), "advisory lock [5,1,2,2]");
  EXPECT_EQ(std::string(name_of(share_row_exclusive)), "ShareRowExclusiveLock");
}

}  // namespace
}  // namespace pgdata
