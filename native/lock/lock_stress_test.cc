// Goal: with many sessions that lock, upgrade, wait, time out and deadlock at once, no two ever hold what excludes
// each other, every wait ends, and nothing is left behind. Method: a thread for each session, a model outside the
// table that counts holders; the seed is the run's.
#include <array>
#include <thread>

#include "base/test.h"
#include "lock/lock_fixture.h"

namespace pgdata {
namespace {

using test::LockFixture;

constexpr uint32_t relations = 4;
constexpr int sessions_max = 6;

// Holders of each level of each relation, as those say who were granted it.
struct Model {
  std::array<std::array<std::atomic<int>, lock_levels_end>, relations> held{};
};

void run_one(LockFixture& fixture, LockFixture::Session& session, Model& model, uint64_t seed,
             int rounds) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    std::array<std::array<bool, lock_levels_end>, relations> mine{};
    const int wanted = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < wanted; ++i) {
      const auto relation = static_cast<uint32_t>(random() % relations);
      const auto level = static_cast<LockLevel>(1 + random() % 8);
      LockOutcome outcome{};
      Status status = session.locks->acquire(LockTag::relation(5, 16384 + relation), level,
                                             LockScope::transaction, true, &outcome);
      if (status.is_ok() && outcome == LockOutcome::waiting) {
        fixture.watch(session, 2, random() % 4 == 0 ? 3 : 0);
        status = fixture.result(session);
      }
      if (!status.is_ok()) {
        EXPECT(status.code() == ErrorCode::deadlock_detected ||
               status.code() == ErrorCode::lock_not_available);
        break;
      }
      if (std::exchange(mine[relation][value_of(level)], true)) continue;
      model.held[relation][value_of(level)]++;
      for (uint32_t other = 1; other < lock_levels_end; ++other) {
        if ((conflicts_of(level) >> other & 1) == 0) continue;
        EXPECT_EQ(model.held[relation][other].load(), mine[relation][other] ? 1 : 0);
      }
    }
    for (uint32_t relation = 0; relation < relations; ++relation) {
      for (uint32_t level = 1; level < lock_levels_end; ++level) {
        if (mine[relation][level]) model.held[relation][level]--;
      }
    }
    session.locks->end_transaction();
  }
}

TEST(random_lockers_never_hold_what_excludes_each_other) {
  LockFixture fixture;
  Model model;
  const uint64_t seed = test::random_engine()();
  std::vector<LockFixture::Session> sessions;
  for (int i = 0; i < sessions_max; ++i) sessions.push_back(fixture.session());
  std::vector<std::thread> threads;
  for (int i = 0; i < sessions_max; ++i) {
    threads.emplace_back([&, i] {
      run_one(fixture, sessions[static_cast<size_t>(i)], model, seed + static_cast<uint64_t>(i),
              300);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

// Each session runs transactions and waits for those of the others, in the order of their ids, so that nobody waits
// in a circle.
TEST(random_waits_for_transactions_all_end) {
  LockFixture fixture;
  std::array<std::atomic<uint32_t>, sessions_max> running{};
  std::vector<LockFixture::Session> sessions;
  for (int i = 0; i < sessions_max; ++i) sessions.push_back(fixture.session());
  const uint64_t seed = test::random_engine()();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < sessions.size(); ++i) {
    threads.emplace_back([&, i] {
      LockFixture::Session& me = sessions[i];
      std::mt19937_64 random(seed + i);
      for (int round = 0; round < 200; ++round) {
        const TransactionId xid = me.begin();
        running[i] = value_of(xid);
        const TransactionId other{running[random() % sessions_max].load()};
        if (is_valid(other) && precedes(other, xid)) {
          LockOutcome outcome{};
          const Status status = me.locks->await_transaction(other, true, &outcome);
          EXPECT(status.is_ok());
          if (outcome == LockOutcome::waiting) {
            fixture.watch(me, 50);
            EXPECT(fixture.result(me).is_ok());
          }
          int slot = 0;
          EXPECT_OK(fixture.cluster().transactions().slot_of(other, &slot));
          EXPECT(slot < 0);
        }
        if (random() % 2 == 0)
          me.commit();
        else
          me.abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fixture.table().entries().size(), 0u);
}

}  // namespace
}  // namespace pgdata
