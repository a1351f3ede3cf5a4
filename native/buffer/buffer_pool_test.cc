// The buffer pool, one behaviour a test, on real files below a temporary directory. Pages tell by
// their content which block and version they are, so that a mix-up shows.
#include "buffer/buffer_pool.h"

#include <fcntl.h>

#include <chrono>
#include <future>
#include <set>
#include <thread>

#include "base/test.h"
#include "buffer/pool_fixture.h"

namespace pgdata {
namespace {

using test::fill_page;
using test::page_is_whole;
using test::PoolFixture;
using test::test_relation;
using test::version_of;

constexpr ForkNumber main_fork = ForkNumber::main;

std::string relation_file(const PoolFixture& fixture) {
  return fixture.directory.path() + "/base/5/16384";
}

void overwrite(const std::string& path, uint64_t offset, unsigned char byte) {
  const int fd = open(path.c_str(), O_WRONLY);
  EXPECT(fd >= 0);
  EXPECT_EQ(pwrite(fd, &byte, 1, static_cast<off_t>(offset)), 1);
  close(fd);
}

TEST(extending_gives_a_zeroed_page_locked_and_the_file_is_longer) {
  PoolFixture fixture(16);
  BufferRef buffer;
  BlockNumber first{};
  ASSERT_OK(fixture.pool->extend(test_relation, main_fork, 3, nullptr, &buffer, &first));
  EXPECT_EQ(value_of(first), 0u);
  EXPECT(buffer.is_locked_exclusive());
  EXPECT(buffer.page().is_new());
  EXPECT_EQ(value_of(buffer.block()), 0u);
  EXPECT(buffer.relation() == test_relation);
  uint32_t blocks = 0;
  ASSERT_OK(fixture.storage->block_count(test_relation, main_fork, &blocks));
  EXPECT_EQ(blocks, 3u);
  BufferRef other;
  fixture.pool->find(test_relation, main_fork, BlockNumber{2}, &other);
  EXPECT(other.is_valid());
  EXPECT(other.page().is_new());
  EXPECT_EQ(fixture.pool->statistics().extends, 3u);
}

TEST(extending_by_more_than_the_pool_can_hold_makes_the_blocks_all_the_same) {
  PoolFixture fixture(16);
  BufferRef buffer;
  BlockNumber first{};
  ASSERT_OK(fixture.pool->extend(test_relation, main_fork, 500, nullptr, &buffer, &first));
  uint32_t blocks = 0;
  ASSERT_OK(fixture.storage->block_count(test_relation, main_fork, &blocks));
  EXPECT_EQ(blocks, 500u);
  BufferRef last;
  ASSERT_OK(fixture.read(499, &last));
  EXPECT(last.page().is_new());
}

TEST(extend_to_creates_the_fork_and_never_shortens_it) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.pool->extend_to(test_relation, ForkNumber::fsm, 4));
  ASSERT_OK(fixture.pool->extend_to(test_relation, ForkNumber::fsm, 2));
  uint32_t blocks = 0;
  ASSERT_OK(fixture.storage->block_count(test_relation, ForkNumber::fsm, &blocks));
  EXPECT_EQ(blocks, 4u);
}

TEST(a_second_read_is_a_hit_and_a_kept_pin_is_reused) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(2));
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  BufferRef buffer;
  ASSERT_OK(fixture.read(1, &buffer));
  EXPECT_EQ(fixture.pool->statistics().reads, 1u);
  EXPECT(page_is_whole(buffer.page(), BlockNumber{1}));
  buffer.lock(LockMode::shared);
  ASSERT_OK(fixture.read(1, &buffer));
  EXPECT(!buffer.is_locked());
  BufferRef again;
  ASSERT_OK(fixture.read(1, &again));
  EXPECT_EQ(again.page().bytes(), buffer.page().bytes());
  EXPECT_EQ(fixture.pool->statistics().reads, 1u);
  EXPECT_EQ(fixture.pool->statistics().hits, 2u);
}

TEST(changed_pages_survive_eviction_and_carry_a_right_checksum) {
  PoolFixture fixture(16);
  constexpr uint32_t blocks = 100;
  ASSERT_OK(fixture.add_pages(blocks));
  for (uint32_t i = 0; i < blocks; ++i) {
    BufferRef buffer;
    ASSERT_OK(fixture.read(i, &buffer));
    EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
  }
  EXPECT(fixture.pool->statistics().evictions >= blocks - 16);
  ASSERT_OK(fixture.pool->write_all_dirty());
  alignas(direct_io_alignment) std::byte bytes[default_block_size];
  std::byte* pages[] = {bytes};
  for (uint32_t i = 0; i < blocks; ++i) {
    ASSERT_OK(fixture.storage->read(test_relation, main_fork, BlockNumber{i}, pages, 1));
    EXPECT_OK(verify_page(bytes, sizeof(bytes), BlockNumber{i}, true, "x"));
    EXPECT_NE(Page(bytes, sizeof(bytes)).header().pd_checksum, 0);
  }
}

TEST(a_pool_whose_buffers_are_all_pinned_says_so) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(17));
  std::vector<BufferRef> pins(16);
  for (uint32_t i = 0; i < 16; ++i) ASSERT_OK(fixture.read(i, &pins[i]));
  BufferRef one_more;
  const Status status = fixture.read(16, &one_more);
  ASSERT(!status.is_ok());
  EXPECT_EQ(status.code(), ErrorCode::out_of_memory);
  EXPECT_EQ(status.report().message, std::string("no unpinned buffers available"));
  EXPECT(!one_more.is_valid());
  pins[3].release();
  EXPECT_OK(fixture.read(16, &one_more));
  EXPECT(page_is_whole(one_more.page(), BlockNumber{16}));
}

TEST(a_corrupted_page_is_reported_with_its_relation_or_zeroed_on_demand) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(3));
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  overwrite(relation_file(fixture), default_block_size + 4000, 0xFF);
  BufferRef buffer;
  const Status status = fixture.read(1, &buffer);
  ASSERT(!status.is_ok());
  EXPECT_EQ(status.code(), ErrorCode::data_corrupted);
  EXPECT_EQ(status.report().message,
            std::string("invalid page in block 1 of relation \"base/5/16384\""));
  EXPECT(!buffer.is_valid());
  EXPECT_OK(fixture.read(2, &buffer));
  EXPECT_OK(fixture.read(1, &buffer, ReadMode::zero_on_error));
  EXPECT(buffer.page().is_new());
}

TEST(reading_past_the_end_fails_except_in_forks_that_take_it_as_zeroes) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(1));
  BufferRef buffer;
  EXPECT_EQ(fixture.read(5, &buffer).code(), ErrorCode::data_corrupted);
  EXPECT_OK(fixture.read(5, &buffer, ReadMode::normal_no_log));
  EXPECT(buffer.page().is_new());
  EXPECT_EQ(fixture.pool
                ->read({default_tablespace_oid, 5, 99999}, main_fork, BlockNumber{0},
                       ReadMode::normal, nullptr, &buffer)
                .code(),
            ErrorCode::undefined_file);
}

TEST(a_failed_extension_leaves_nothing_in_the_way_of_the_next) {
  PoolFixture fixture(16);
  BufferRef buffer;
  BlockNumber first{};
  // Leaves a buffer for block 0, first not valid, then as zeroes.
  EXPECT(!fixture.read(0, &buffer).is_ok());
  EXPECT_OK(fixture.pool->extend(test_relation, main_fork, 1, nullptr, &buffer, &first));
  buffer.release();
  ASSERT_OK(fixture.read(1, &buffer, ReadMode::normal_no_log));
  buffer.release();
  ASSERT_OK(fixture.pool->extend(test_relation, main_fork, 1, nullptr, &buffer, &first));
  EXPECT_EQ(value_of(first), 1u);
  EXPECT(buffer.is_locked_exclusive());
}

TEST(zero_and_lock_reads_nothing) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(2));
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  BufferRef buffer;
  ASSERT_OK(fixture.read(0, &buffer, ReadMode::zero_and_lock));
  EXPECT(buffer.is_locked_exclusive());
  EXPECT(buffer.page().is_new());
  EXPECT_EQ(fixture.pool->statistics().reads, 0u);
  ASSERT_OK(fixture.read(1, &buffer));
  ASSERT_OK(fixture.read(1, &buffer, ReadMode::zero_and_lock));
  EXPECT(buffer.is_locked_exclusive());
  EXPECT_EQ(version_of(buffer.page()), 0u);
}

TEST(find_does_no_io) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(1));
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  BufferRef buffer;
  fixture.pool->find(test_relation, main_fork, BlockNumber{0}, &buffer);
  EXPECT(!buffer.is_valid());
  fixture.pool->prefetch(test_relation, main_fork, BlockNumber{0});
  ASSERT_OK(fixture.read(0, &buffer));
  buffer.release();
  fixture.pool->prefetch(test_relation, main_fork, BlockNumber{0});
  fixture.pool->find(test_relation, main_fork, BlockNumber{0}, &buffer);
  EXPECT(buffer.is_valid());
}

TEST(a_page_is_unchanged_until_it_is_locked_exclusively_or_leaves_its_buffer) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(64));
  const auto version_of = [&](uint32_t block) {
    BufferRef buffer;
    EXPECT(fixture.read(block, &buffer).is_ok());
    buffer.lock(LockMode::shared);
    return buffer.version();
  };
  const auto is_unchanged = [&](uint32_t block, PageVersion version) {
    return fixture.pool->is_unchanged(test_relation, BlockNumber{block}, version);
  };
  const PageVersion first = version_of(3);
  EXPECT(is_unchanged(3, first));
  EXPECT(!is_unchanged(4, first));
  EXPECT(!is_unchanged(3, PageVersion{}));
  EXPECT(!is_unchanged(3, PageVersion{first.changes, 16}));
  BufferRef buffer;
  ASSERT_OK(fixture.read(3, &buffer));
  buffer.lock(LockMode::shared);
  buffer.unlock();
  EXPECT(is_unchanged(3, first));
  buffer.lock(LockMode::exclusive);
  EXPECT(!is_unchanged(3, first));
  buffer.release();
  const PageVersion second = version_of(3);
  EXPECT(is_unchanged(3, second));
  fixture.pool->drop_relation(test_relation, main_fork, BlockNumber{3});
  EXPECT(!is_unchanged(3, second));
  const PageVersion third = version_of(2);
  for (uint32_t block = 0; block < 3; block++) version_of(block);
  EXPECT(is_unchanged(2, third));
  ASSERT_OK(fixture.add_pages(64));
  EXPECT(!is_unchanged(2, third));
}

TEST(a_moved_or_cloned_reference_gives_each_pin_back_once) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(1));
  BufferRef buffer;
  ASSERT_OK(fixture.read(0, &buffer));
  BufferRef second = buffer.clone();
  EXPECT(!second.try_lock_for_cleanup());
  BufferRef moved = std::move(second);
  EXPECT(!second.is_valid());
  moved.release();
  EXPECT(buffer.try_lock_for_cleanup());
  EXPECT(buffer.is_locked_exclusive());
  buffer = BufferRef();
  ASSERT_OK(fixture.read(0, &buffer));
  EXPECT(buffer.try_lock(LockMode::exclusive));
}

TEST(a_cleanup_lock_waits_for_the_last_other_pin) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(1));
  BufferRef reader;
  ASSERT_OK(fixture.read(0, &reader));
  std::atomic<bool> locked{false};
  std::thread cleaner([&] {
    BufferRef buffer;
    EXPECT_OK(fixture.read(0, &buffer));
    buffer.lock_for_cleanup();
    locked = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT(!locked);
  reader.release();
  cleaner.join();
  EXPECT(locked);
}

TEST(dropped_blocks_are_forgotten_and_others_stay) {
  PoolFixture fixture(16);
  constexpr RelFileLocator other{default_tablespace_oid, 5, 20000};
  ASSERT_OK(fixture.storage->create(other, main_fork));
  ASSERT_OK(fixture.add_pages(6));
  ASSERT_OK(fixture.add_pages(3, other));
  fixture.pool->drop_relation(test_relation, main_fork, BlockNumber{2});
  BufferRef buffer;
  for (uint32_t i = 0; i < 6; ++i) {
    fixture.pool->find(test_relation, main_fork, BlockNumber{i}, &buffer);
    EXPECT_EQ(buffer.is_valid(), i < 2);
  }
  buffer.release();
  ASSERT_OK(fixture.read(4, &buffer));
  EXPECT(buffer.page().is_new());  // what was dirty was not written
  buffer.release();
  fixture.pool->drop_relation(test_relation);
  fixture.pool->find(test_relation, main_fork, BlockNumber{0}, &buffer);
  EXPECT(!buffer.is_valid());
  fixture.pool->find(other, main_fork, BlockNumber{0}, &buffer);
  EXPECT(buffer.is_valid());
  buffer.release();
  fixture.pool->drop_database(5);
  fixture.pool->find(other, main_fork, BlockNumber{0}, &buffer);
  EXPECT(!buffer.is_valid());
}

TEST(a_checkpoint_writes_neighbours_together_and_nothing_twice) {
  PoolFixture fixture(64);
  ASSERT_OK(fixture.add_pages(40));
  fixture.files.writes = 0;
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.files.writes.load(), 3);  // 16 + 16 + 8
  EXPECT_EQ(fixture.pool->statistics().writes, 40u);
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.pool->statistics().writes, 40u);
  fixture.restart();
  for (uint32_t i = 0; i < 40; ++i) {
    BufferRef buffer;
    ASSERT_OK(fixture.read(i, &buffer));
    EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
  }
}

TEST(flushing_a_relation_or_database_leaves_others_dirty) {
  PoolFixture fixture(64);
  constexpr RelFileLocator shared{global_tablespace_oid, 0, 1262};
  std::filesystem::create_directories(fixture.directory.path() + "/global");
  constexpr RelFileLocator other{default_tablespace_oid, 5, 20000};
  ASSERT_OK(fixture.storage->create(shared, main_fork));
  ASSERT_OK(fixture.storage->create(other, main_fork));
  ASSERT_OK(fixture.add_pages(3));
  ASSERT_OK(fixture.add_pages(4, other));
  ASSERT_OK(fixture.add_pages(5, shared));
  ASSERT_OK(fixture.pool->flush_relation(test_relation));
  EXPECT_EQ(fixture.pool->statistics().writes, 3u);
  ASSERT_OK(fixture.pool->flush_database(5));
  EXPECT_EQ(fixture.pool->statistics().writes, 7u);
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.pool->statistics().writes, 12u);
}

TEST(the_background_writer_cleans_unused_buffers_ahead_of_the_hand) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(16));
  uint32_t written = 0;
  ASSERT_OK(fixture.pool->write_some(100, &written));
  EXPECT_EQ(written, 0u);  // all were used since the hand came by
  // One page more takes the hand once round, which lowers them all.
  ASSERT_OK(fixture.add_pages(1));
  ASSERT_OK(fixture.pool->write_some(5, &written));
  EXPECT_EQ(written, 5u);
  ASSERT_OK(fixture.pool->write_some(100, &written));
  EXPECT_EQ(written, 10u);
}

TEST(rounds_of_the_background_writer_keep_ahead_of_demand_within_their_limit) {
  PoolFixture fixture(64);
  ASSERT_OK(fixture.add_pages(64));
  WriteAheadLimits limits;
  limits.lru_maxpages = 4;
  WriteAhead memory;
  WriteAheadRound round;
  ASSERT_OK(fixture.pool->write_ahead(limits, &memory, &round));
  EXPECT_EQ(round.written, 0u);  // all are in use
  // Pages that are added take the hand round and lower the others.
  ASSERT_OK(fixture.add_pages(20));
  ASSERT_OK(fixture.pool->write_ahead(limits, &memory, &round));
  EXPECT_EQ(round.written, 4u);
  EXPECT(round.stopped_at_limit);
  limits.lru_maxpages = 1000;
  uint32_t written = 4;
  for (int i = 0; i < 1000 && !round.is_idle; ++i) {
    ASSERT_OK(fixture.pool->write_ahead(limits, &memory, &round));
    written += round.written;
  }
  EXPECT(round.is_idle);
  EXPECT(written <= 64u);
  limits.lru_maxpages = 0;
  ASSERT_OK(fixture.add_pages(20));
  ASSERT_OK(fixture.pool->write_ahead(limits, &memory, &round));
  EXPECT_EQ(round.written, 0u);
}

TEST(a_checkpoint_goes_at_the_pace_it_is_given_and_ends_with_its_error) {
  PoolFixture fixture(64);
  ASSERT_OK(fixture.add_pages(64));
  double last = 0;
  int calls = 0;
  uint64_t written = 0;
  const WritePace pace = [&](double done) {
    EXPECT(done > last);
    last = done;
    ++calls;
    return calls == 2 ? Status::error(ErrorCode::query_canceled, "enough") : Status();
  };
  EXPECT_EQ(fixture.pool->write_all_dirty(pace, &written).code(), ErrorCode::query_canceled);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(written, 32u);
  calls = 10;
  last = 0;
  written = 0;
  ASSERT_OK(fixture.pool->write_all_dirty(pace, &written));
  EXPECT_EQ(last, 1.0);
  EXPECT_EQ(written, 32u);
}

TEST(a_failed_write_leaves_the_page_dirty_and_the_next_may_succeed) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(16));
  std::atomic<bool> fail{true};
  fixture.files.before_write = [&](const std::string&, uint64_t, const IoSlice*, int) {
    return fail ? Status::error(ErrorCode::disk_full, "no space") : Status(Status::ok);
  };
  EXPECT_EQ(fixture.pool->write_all_dirty().code(), ErrorCode::disk_full);
  BufferRef buffer;
  EXPECT_EQ(fixture.read(16, &buffer).code(), ErrorCode::disk_full);  // eviction
  fail = false;
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  for (uint32_t i = 0; i < 16; ++i) {
    ASSERT_OK(fixture.read(i, &buffer));
    EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
  }
}

TEST(a_poisoned_cluster_writes_and_reads_nothing_more) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(4));
  fixture.files.writes = 0;
  fixture.state.poison("a test");
  EXPECT_EQ(fixture.pool->write_all_dirty().code(), ErrorCode::crash_shutdown);
  uint32_t written = 0;
  EXPECT_EQ(fixture.pool->write_some(10, &written).code(), ErrorCode::crash_shutdown);
  BufferRef buffer;
  EXPECT_EQ(fixture.read(10, &buffer).code(), ErrorCode::crash_shutdown);
  BlockNumber first{};
  EXPECT_EQ(fixture.pool->extend(test_relation, main_fork, 1, nullptr, &buffer, &first).code(),
            ErrorCode::crash_shutdown);
  EXPECT_EQ(fixture.files.writes.load(), 0);
}

TEST(a_read_only_pool_sets_no_hints_and_writes_nothing) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(2));
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.options.read_only = true;
  fixture.restart();
  fixture.files.writes = 0;
  BufferRef buffer;
  ASSERT_OK(fixture.read(0, &buffer));
  buffer.lock(LockMode::shared);
  fixture.pool->mark_dirty_hint(buffer, true);
  buffer.release();
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.files.writes.load(), 0);
}

TEST(a_bulk_read_takes_an_eighth_of_the_pool_at_most) {
  PoolFixture fixture(64);
  ASSERT_OK(fixture.add_pages(200));
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  BufferRef buffer;
  for (uint32_t i = 0; i < 40; ++i) ASSERT_OK(fixture.read(i, &buffer));
  BufferStrategy strategy(*fixture.pool, StrategyKind::bulk_read);
  for (uint32_t i = 50; i < 200; ++i) {
    ASSERT_OK(fixture.read(i, &buffer, ReadMode::normal, &strategy));
    EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
  }
  buffer.release();
  const uint64_t reads = fixture.pool->statistics().reads;
  for (uint32_t i = 0; i < 40; ++i) ASSERT_OK(fixture.read(i, &buffer));
  EXPECT_EQ(fixture.pool->statistics().reads, reads);
}

TEST(a_bulk_read_keeps_what_it_read_while_there_are_unused_buffers) {
  PoolFixture fixture(256);
  ASSERT_OK(fixture.add_pages(200));
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  BufferRef buffer;
  for (int round = 0; round < 2; ++round) {
    BufferStrategy strategy(*fixture.pool, StrategyKind::bulk_read);
    for (uint32_t i = 0; i < 200; ++i)
      ASSERT_OK(fixture.read(i, &buffer, ReadMode::normal, &strategy));
  }
  EXPECT_EQ(fixture.pool->statistics().reads, 200u);
}

TEST(a_scan_reads_several_blocks_at_once_and_none_twice) {
  for (StrategyKind kind : {StrategyKind::normal, StrategyKind::bulk_read}) {
    PoolFixture fixture(256);
    ASSERT_OK(fixture.add_pages(100));
    ASSERT_OK(fixture.pool->write_all_dirty());
    fixture.restart();
    fixture.files.reads = 0;
    BufferStrategy strategy(*fixture.pool, kind);
    BufferRef buffer;
    ASSERT_OK(fixture.read(40, &buffer));  // breaks a run
    for (uint32_t i = 0; i < 100; ++i) {
      ASSERT_OK(fixture.read(i, &buffer, ReadMode::normal, &strategy));
      EXPECT(buffer.block() == BlockNumber{i});
      EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
    }
    EXPECT_EQ(fixture.pool->statistics().reads, 100u);
    EXPECT_EQ(fixture.files.reads.load(), 8);  // 40; 0, 16, 32 to 39, 41, 57, 73, 89
  }
}

TEST(a_corrupted_page_read_ahead_is_reported_when_its_turn_comes) {
  PoolFixture fixture(256);
  ASSERT_OK(fixture.add_pages(20));
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  overwrite(relation_file(fixture), 5 * default_block_size + 4000, 0xFF);
  BufferStrategy strategy(*fixture.pool, StrategyKind::bulk_read);
  BufferRef buffer;
  for (uint32_t i = 0; i < 20; ++i) {
    const Status status = fixture.read(i, &buffer, ReadMode::normal, &strategy);
    EXPECT_EQ(status.code(), i == 5 ? ErrorCode::data_corrupted : Status::ok);
  }
}

TEST(a_bulk_write_ring_writes_its_own_pages_back) {
  PoolFixture fixture(64);
  BufferStrategy strategy(*fixture.pool, StrategyKind::bulk_write);
  for (uint32_t i = 0; i < 100; ++i) {
    BufferRef buffer;
    BlockNumber block{};
    ASSERT_OK(fixture.pool->extend(test_relation, main_fork, 1, &strategy, &buffer, &block));
    fill_page(buffer.page(), block, 7);
    fixture.pool->mark_dirty(buffer);
  }
  EXPECT_EQ(fixture.pool->statistics().evictions, 92u);  // all but a ring of 8
  for (uint32_t i = 0; i < 100; ++i) {
    BufferRef buffer;
    ASSERT_OK(fixture.read(i, &buffer));
    EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
    EXPECT_EQ(version_of(buffer.page()), 7u);
  }
}

TEST(who_finds_a_page_being_read_waits_for_it) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(8));
  ASSERT_OK(fixture.pool->write_all_dirty());
  for (int round = 0; round < 50; ++round) {
    fixture.restart();
    std::vector<std::thread> readers;
    for (int i = 0; i < 4; ++i) {
      readers.emplace_back([&] {
        BufferRef buffer;
        EXPECT_OK(fixture.read(3, &buffer));
        EXPECT(page_is_whole(buffer.page(), BlockNumber{3}));
      });
    }
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(fixture.pool->statistics().reads, 1u);
  }
}

TEST(extending_at_once_gives_everybody_other_blocks) {
  PoolFixture fixture(64);
  constexpr int threads = 4;
  constexpr int each = 50;
  std::vector<std::vector<uint32_t>> got(threads);
  std::vector<std::thread> extenders;
  for (size_t t = 0; t < threads; ++t) {
    extenders.emplace_back([&, t] {
      for (uint32_t i = 0; i < each; ++i) {
        BufferRef buffer;
        BlockNumber first{};
        const uint32_t count = 1 + i % 3;
        EXPECT_OK(fixture.pool->extend(test_relation, main_fork, count, nullptr, &buffer, &first));
        EXPECT(buffer.page().is_new());
        for (uint32_t j = 0; j < count; ++j) got[t].push_back(value_of(first) + j);
        fill_page(buffer.page(), first, t);
        fixture.pool->mark_dirty(buffer);
      }
    });
  }
  for (std::thread& extender : extenders) extender.join();
  std::set<uint32_t> all;
  size_t total = 0;
  for (const auto& blocks : got) {
    all.insert(blocks.begin(), blocks.end());
    total += blocks.size();
  }
  EXPECT_EQ(all.size(), total);
  uint32_t blocks = 0;
  ASSERT_OK(fixture.storage->block_count(test_relation, main_fork, &blocks));
  EXPECT_EQ(blocks, total);
}

}  // namespace
}  // namespace pgdata
