// Question: what does a heavyweight lock of a relation cost a transaction that nobody is in the way of, when another
// thread locks the same relation and when it locks another one?
//
// Predicted: some 100 ns alone, for six lightweight locks and a few dependent loads; three times that when two threads
// share a partition.
#include <chrono>
#include <cstdio>
#include <thread>

#include "lock/lock_fixture.h"

namespace {

using Clock = std::chrono::steady_clock;
using pgdata::LockLevel;
using pgdata::LockOutcome;
using pgdata::LockScope;
using pgdata::LockTag;
using pgdata::test::LockFixture;

constexpr int rounds = 500000;

void report(const char* name, Clock::time_point start, int threads) {
  const double elapsed = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  std::printf("%-44s %8.1f ns\n", name, elapsed / rounds / threads);
}

void take(LockFixture::Session& session, pgdata::Oid relation) {
  const LockTag tag = LockTag::relation(5, relation);
  for (int i = 0; i < rounds; i++) {
    LockOutcome outcome{};
    const pgdata::Status status = session.locks->acquire(tag, LockLevel::access_share,
                                                         LockScope::transaction, false, &outcome);
    if (!status.is_ok() || outcome != LockOutcome::granted) std::abort();
    session.locks->end_transaction();
  }
}

}  // namespace

int main() {
  LockFixture fixture;
  LockFixture::Session one = fixture.session();
  LockFixture::Session two = fixture.session();
  Clock::time_point start = Clock::now();
  take(one, 16384);
  report("alone", start, 1);
  for (const pgdata::Oid other : {16384u, 16390u}) {
    start = Clock::now();
    std::thread thread([&] { take(two, other); });
    take(one, 16384);
    thread.join();
    report(other == 16384 ? "two threads, one relation" : "two threads, two relations", start, 2);
  }
  return 0;
}
