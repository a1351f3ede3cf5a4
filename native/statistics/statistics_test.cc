// Tests of cumulative statistics.
// Goal: what sessions count arrives in the segment as PostgreSQL means it, whatever becomes of their transactions, from
// several threads at once, and comes back from the file. Method: sessions' counters by hand, on a segment of their own.
#include "statistics/statistics.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/invariant.h"
#include "base/test.h"
#include "shmem/segment.h"
#include "statistics/counting.h"
#include "statistics/session_counters.h"
#include "statistics/statistics_file.h"

namespace pgdata {
namespace {

constexpr Oid database = 5;
constexpr Oid table = 16384;
constexpr RelFileLocator file{1663, database, 16390};

struct Fixture {
  Fixture() {
    SegmentPlan plan;
    Statistics::plan(plan);
    const Status status = Segment::create("", plan, &segment);
    INVARIANT(status.is_ok());
    statistics = std::make_unique<Statistics>(*segment);
  }
  PgStat_StatTabEntry of(Oid relation = table) const {
    PgStat_StatTabEntry entry{};
    static_cast<void>(
        statistics->find(relation_statistics_key(database, relation), &entry, sizeof(entry)));
    return entry;
  }
  PgStat_StatDBEntry of_database() const {
    PgStat_StatDBEntry entry{};
    static_cast<void>(statistics->find(database_statistics_key(database), &entry, sizeof(entry)));
    return entry;
  }

  std::unique_ptr<Segment> segment;
  std::unique_ptr<Statistics> statistics;
};

TEST(rows_of_a_committed_transaction_are_live_or_dead) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::backend, database);
  counters.begin();
  counters.count_inserted(table, file, 10);
  counters.count_updated(table, file, true, false);
  counters.count_updated(table, file, false, true);
  counters.count_deleted(table, file);
  counters.end(true);
  counters.flush();
  const PgStat_StatTabEntry entry = fixture.of();
  EXPECT_EQ(entry.tuples_inserted, 10);
  EXPECT_EQ(entry.tuples_updated, 2);
  EXPECT_EQ(entry.tuples_hot_updated, 1);
  EXPECT_EQ(entry.tuples_newpage_updated, 1);
  EXPECT_EQ(entry.tuples_deleted, 1);
  EXPECT_EQ(entry.live_tuples, 9);
  EXPECT_EQ(entry.dead_tuples, 3);
  EXPECT_EQ(entry.mod_since_analyze, 13);
  EXPECT_EQ(entry.ins_since_vacuum, 10);
  EXPECT_EQ(fixture.of_database().xact_commit, 1);
  EXPECT_EQ(fixture.of_database().tuples_inserted, 10);
}

TEST(rows_of_a_transaction_that_was_rolled_back_are_dead) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::backend, database);
  counters.begin();
  counters.count_inserted(table, file, 10);
  counters.count_updated(table, file, false, false);
  counters.count_deleted(table, file);
  counters.end(false);
  counters.flush();
  const PgStat_StatTabEntry entry = fixture.of();
  EXPECT_EQ(entry.tuples_inserted, 10);
  EXPECT_EQ(entry.live_tuples, 0);
  EXPECT_EQ(entry.dead_tuples, 11);
  EXPECT_EQ(entry.mod_since_analyze, 0);
  EXPECT_EQ(fixture.of_database().xact_rollback, 1);
}

TEST(a_savepoint_that_is_rolled_back_leaves_dead_rows_in_a_committed_transaction) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::backend, database);
  counters.begin();
  counters.count_inserted(table, file, 1);
  counters.begin_level();
  counters.count_inserted(table, file, 10);
  counters.begin_level();
  counters.count_inserted(table, file, 100);
  counters.end_level(true);
  counters.end_level(false);
  counters.begin_level();
  counters.count_inserted(table, file, 1000);
  counters.end_level(true);
  counters.end(true);
  counters.flush();
  EXPECT_EQ(fixture.of().tuples_inserted, 1111);
  EXPECT_EQ(fixture.of().live_tuples, 1001);
  EXPECT_EQ(fixture.of().dead_tuples, 110);
}

TEST(a_truncated_table_begins_anew_unless_that_is_rolled_back) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::backend, database);
  counters.begin();
  counters.count_inserted(table, file, 10);
  counters.end(true);
  counters.begin();
  counters.count_inserted(table, file, 5);
  counters.begin_level();
  counters.count_truncated(table, file);
  counters.count_inserted(table, {1663, database, 16400}, 2);
  counters.end_level(false);
  counters.end(true);
  counters.flush();
  // What was inserted after truncating is forgotten with it, as PostgreSQL forgets it.
  EXPECT_EQ(fixture.of().live_tuples, 15);
  counters.begin();
  counters.count_truncated(table, file);
  counters.count_inserted(table, {1663, database, 16400}, 3);
  counters.end(true);
  counters.flush();
  EXPECT_EQ(fixture.of().live_tuples, 3);
  EXPECT_EQ(fixture.of().dead_tuples, 0);
}

TEST(statistics_go_with_what_is_dropped_or_was_never_made) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::backend, database);
  counters.begin();
  counters.created(table, false);
  counters.count_inserted(table, file, 10);
  EXPECT_EQ(counters.drops(false).size(), 1);
  EXPECT_EQ(counters.drops(true).size(), 0);
  counters.flush();
  counters.end(false);
  counters.flush();
  EXPECT_EQ(fixture.of().tuples_inserted, 0);
  counters.begin();
  counters.created(table, false);
  counters.count_inserted(table, file, 10);
  counters.end(true);
  counters.flush();
  EXPECT_EQ(fixture.of().tuples_inserted, 10);
  counters.begin();
  counters.begin_level();
  counters.dropped(table, false);
  counters.end_level(false);
  counters.end(true);
  counters.flush();
  EXPECT_EQ(fixture.of().tuples_inserted, 10);
  counters.begin();
  counters.begin_level();
  counters.dropped(table, false);
  counters.end_level(true);
  EXPECT_EQ(counters.drops(true).size(), 1);
  counters.end(true);
  counters.flush();
  EXPECT_EQ(fixture.of().tuples_inserted, 0);
}

TEST(blocks_are_counted_before_the_relation_is_known_by_name) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::backend, database);
  {
    const CountingScope scope(&counters);
    current_counters()->count_block(file, false, false);
    current_counters()->count_block(file, true, false);
  }
  EXPECT(current_counters() == nullptr);
  counters.flush();
  EXPECT_EQ(fixture.of().blocks_fetched, 0);
  counters.count_scan(table, file);
  counters.count_returned(table, file, 7);
  counters.count_block(file, true, false);
  counters.flush();
  EXPECT_EQ(fixture.of().blocks_fetched, 3);
  EXPECT_EQ(fixture.of().blocks_hit, 2);
  EXPECT_EQ(fixture.of().numscans, 1);
  EXPECT_NE(fixture.of().lastscan, 0);
  EXPECT_EQ(fixture.of().tuples_returned, 7);
}

TEST(what_a_prepared_transaction_changed_counts_when_it_ends) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::backend, database);
  counters.begin();
  counters.count_inserted(table, file, 10);
  const std::vector<TwoPhasePgStatRecord> changes = counters.changes();
  counters.handed_over();
  counters.flush();
  EXPECT_EQ(fixture.of().tuples_inserted, 0);
  SessionCounters::finish_prepared(*fixture.statistics, database, changes, {}, true);
  EXPECT_EQ(fixture.of().tuples_inserted, 10);
  EXPECT_EQ(fixture.of().live_tuples, 10);
  SessionCounters::finish_prepared(*fixture.statistics, database, changes, {}, false);
  EXPECT_EQ(fixture.of().dead_tuples, 10);
}

TEST(nothing_is_lost_between_threads) {
  const Fixture fixture;
  std::vector<std::thread> threads;
  for (uint32_t worker = 0; worker < 4; worker++) {
    threads.emplace_back([&fixture, worker] {
      SessionCounters counters(*fixture.statistics, BackendType::backend, database);
      for (uint32_t i = 0; i < 500; i++) {
        counters.begin();
        counters.count_inserted(table, file, 1);
        counters.count_inserted(table + 1 + worker, {1663, database, 17000 + worker}, 1);
        counters.count_io(IoObject::relation, IoContext::normal, IoOp::read, 1, 8192);
        counters.end(true);
        counters.flush();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fixture.of().tuples_inserted, 2000);
  EXPECT_EQ(fixture.of(table + 4).tuples_inserted, 500);
  EXPECT_EQ(fixture.of_database().xact_commit, 2000);
  const FixedStatistics fixed = fixture.statistics->fixed();
  EXPECT_EQ(fixed.io.stats[1].counts[0][3][6], 2000);
  EXPECT_EQ(fixed.io.stats[1].bytes[0][3][6], 2000 * 8192);
}

TEST(io_is_timed_where_it_is_wanted) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::backend, database);
  const CountingScope scope(&counters);
  const auto read_block = [](IoObject object) {
    CountedIo io(object);
    std::this_thread::sleep_for(std::chrono::microseconds(2));
    io.done(IoContext::normal, IoOp::read, 1, 8192);
  };
  const auto of = [&](IoObject object) {
    const FixedStatistics fixed = fixture.statistics->fixed();
    const PgStat_BktypeIO& io = fixed.io.stats[static_cast<size_t>(BackendType::backend)];
    return io.times[static_cast<size_t>(object)][static_cast<size_t>(IoContext::normal)]
                   [static_cast<size_t>(IoOp::read)];
  };
  read_block(IoObject::relation);
  read_block(IoObject::wal);
  counters.flush();
  EXPECT_EQ(of(IoObject::relation), 0);
  EXPECT_EQ(of(IoObject::wal), 0);

  fixture.statistics->io_timings().set(true, false);
  read_block(IoObject::relation);
  read_block(IoObject::wal);
  counters.flush();
  const int64_t first = of(IoObject::relation);
  EXPECT(first >= 2);
  EXPECT_EQ(of(IoObject::wal), 0);
  EXPECT_EQ(fixture.of_database().blk_read_time, first);
  EXPECT_EQ(fixture.of_database().blk_write_time, 0);

  // A session's own settings go before its process's.
  counters.set_io_timings(false, true);
  read_block(IoObject::relation);
  read_block(IoObject::wal);
  counters.flush();
  EXPECT_EQ(of(IoObject::relation), first);
  EXPECT(of(IoObject::wal) >= 2);
  EXPECT_EQ(fixture.of_database().blk_read_time, first);
}

TEST(times_below_a_microsecond_add_up) {
  const Fixture fixture;
  SessionCounters counters(*fixture.statistics, BackendType::wal_writer, invalid_oid);
  for (int i = 0; i < 10; i++) {
    counters.time_io(IoObject::wal, IoContext::normal, IoOp::fsync, 300);
    counters.flush();
  }
  const FixedStatistics fixed = fixture.statistics->fixed();
  EXPECT_EQ(fixed.io.stats[static_cast<size_t>(BackendType::wal_writer)].times[2][3][1], 3);
}

TEST(entries_are_used_again_and_the_table_may_be_full) {
  const Fixture fixture;
  const auto make = [&](Oid relation) {
    return fixture.statistics->change(relation_statistics_key(database, relation), true,
                                      [](std::byte*) {});
  };
  for (uint32_t i = 0; i < Statistics::entries_max; i++) ASSERT(make(table + i));
  EXPECT(!make(1));
  EXPECT(make(table));
  fixture.statistics->drop(relation_statistics_key(database, table + 77));
  EXPECT(make(1));
  EXPECT_EQ(fixture.statistics->keys().size(), size_t{Statistics::entries_max});
  fixture.statistics->drop_database(database);
  EXPECT(fixture.statistics->keys().empty());
}

TEST(areas_of_small_pages_are_counted_by_name_from_many_threads_and_reset_by_name) {
  const Fixture fixture;
  Statistics& statistics = *fixture.statistics;
  EXPECT(slru_area_named("notify") == SlruArea::notify);
  EXPECT(slru_area_named("clog") == SlruArea::other);
  for (size_t i = 0; i < SLRU_NUM_ELEMENTS; i++) {
    const auto area = static_cast<SlruArea>(i);
    EXPECT(slru_area_named(name_of(area)) == area);
  }
  std::vector<std::thread> threads;
  for (int worker = 0; worker < 4; worker++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; i++)
        statistics.slru_counters(SlruArea::transaction).add(SlruCount::blocks_hit);
    });
  }
  for (std::thread& thread : threads) thread.join();
  statistics.slru_counters(SlruArea::notify).add(SlruCount::truncate);
  const std::string text = format_statistics_file(statistics);
  const Fixture second;
  ASSERT_OK(parse_statistics_file(text, *second.statistics));
  const auto row = [](const Fixture& of, SlruArea area) {
    return of.statistics->fixed().slru[static_cast<size_t>(area)];
  };
  // What was counted before the file was written, and after it was read.
  second.statistics->slru_counters(SlruArea::transaction).add(SlruCount::blocks_hit);
  EXPECT_EQ(row(second, SlruArea::transaction).blocks_hit, 4001);
  EXPECT_EQ(row(second, SlruArea::notify).truncate, 1);
  EXPECT_EQ(row(second, SlruArea::notify).stat_reset_timestamp, 0);
  second.statistics->reset_slru(SlruArea::notify);
  EXPECT_EQ(row(second, SlruArea::notify).truncate, 0);
  EXPECT(row(second, SlruArea::notify).stat_reset_timestamp > 0);
  EXPECT_EQ(row(second, SlruArea::transaction).blocks_hit, 4001);
  second.statistics->reset();
  EXPECT_EQ(row(second, SlruArea::transaction).blocks_hit, 0);
}

TEST(the_file_gives_back_what_was_written_and_refuses_anything_else) {
  const Fixture fixture;
  fixture.statistics->reset();
  fixture.statistics->report_archived("000000010000000000000007", false);
  fixture.statistics->report_vacuum({database, table, false, true, 100, 3, 12});
  fixture.statistics->change({3, database, 99}, true,
                             [](std::byte* body) { std::memset(body, 1, 24); });
  fixture.statistics->change({4, 0, 0}, true, [](std::byte* body) { std::memset(body, 2, 136); });
  const std::string text = format_statistics_file(*fixture.statistics);
  const Fixture second;
  ASSERT_OK(parse_statistics_file(text, *second.statistics));
  EXPECT_EQ(format_statistics_file(*second.statistics), text);
  EXPECT_EQ(second.of().live_tuples, 100);
  EXPECT_EQ(second.of().autovacuum_count, 1);
  EXPECT_EQ(second.statistics->fixed().archiver.archived_count, 1);
  for (size_t cut = 0; cut < text.size(); cut += 97) {
    const Fixture third;
    EXPECT(
        !parse_statistics_file(std::string_view(text).substr(0, cut), *third.statistics).is_ok());
  }
  EXPECT(!parse_statistics_file(text + "E", *second.statistics).is_ok());
}

}  // namespace
}  // namespace pgdata
