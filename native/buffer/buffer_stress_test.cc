// Goal: no interleaving of readers, writers, evictions, extensions, drops and checkpoints loses a
// change or shows a wrong page. Method: a pool far smaller than the data, so that everything is
// evicted all the time; each page says which block and version it is, and a model kept outside
// says which version it must be. Threads stand for processes (two pools on one segment); the last
// test uses real ones.
#include <sys/wait.h>

#include <array>
#include <thread>

#include "base/test.h"
#include "buffer/buffer_pool.h"
#include "buffer/pool_fixture.h"

namespace pgdata {
namespace {

using test::fill_page;
using test::page_is_whole;
using test::PoolFixture;
using test::test_relation;
using test::version_of;

constexpr ForkNumber main_fork = ForkNumber::main;
constexpr uint32_t blocks_max = 96;

struct Model {
  std::array<std::atomic<uint64_t>, blocks_max> versions{};
  std::atomic<uint32_t> blocks{0};
};

void expect_as_in_model(const BufferRef& buffer, BlockNumber block, const Model& model) {
  EXPECT(buffer.block() == block);
  EXPECT(buffer.relation() == test_relation);
  EXPECT(page_is_whole(buffer.page(), block));
  EXPECT_EQ(version_of(buffer.page()), model.versions[value_of(block)].load());
}

void change(BufferPool& pool, BufferRef& buffer, BlockNumber block, Model& model) {
  expect_as_in_model(buffer, block, model);
  fill_page(buffer.page(), block, ++model.versions[value_of(block)]);
  pool.mark_dirty(buffer);
}

void set_hint(BufferPool& pool, BufferRef& buffer) {
  std::byte* hint = buffer.page().bytes() + test::hint_byte_at;
  __atomic_store_n(reinterpret_cast<unsigned char*>(hint), 1, __ATOMIC_RELAXED);
  pool.mark_dirty_hint(buffer, true);
}

// A relation that one thread makes, fills, checks and drops again.
void use_private_relation(BufferPool& pool, Oid number, uint64_t version) {
  const RelFileLocator relation{default_tablespace_oid, 5, number};
  EXPECT_OK(pool.storage().create(relation, main_fork, true));
  BufferRef buffer;
  BlockNumber first{};
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_OK(pool.extend(relation, main_fork, 1, nullptr, &buffer, &first));
    EXPECT_EQ(value_of(first), i);
    EXPECT(buffer.page().is_new());
    fill_page(buffer.page(), first, version);
    pool.mark_dirty(buffer);
    buffer.release();
  }
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_OK(pool.read(relation, main_fork, BlockNumber{i}, ReadMode::normal, nullptr, &buffer));
    EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
    EXPECT_EQ(version_of(buffer.page()), version);
  }
  buffer.release();
  pool.drop_relation(relation);
  EXPECT_OK(pool.storage().truncate(relation, main_fork, 0));
}

void run_one(BufferPool& pool, Model& model, std::mt19937_64& random, Oid private_relation,
             int operations) {
  BufferStrategy bulk(pool, StrategyKind::bulk_read);
  BufferStrategy scan(pool, StrategyKind::normal);
  uint32_t scanned = 0;
  BufferRef buffer;
  for (int i = 0; i < operations; ++i) {
    BlockNumber block{static_cast<uint32_t>(random() % model.blocks.load())};
    const uint64_t choice = random() % 100;
    if (choice < 10) block = BlockNumber{scanned++ % model.blocks.load()};
    if (choice < 40) {
      BufferStrategy* strategy = choice < 5 ? &bulk : choice < 10 ? &scan : nullptr;
      EXPECT_OK(pool.read(test_relation, main_fork, block, ReadMode::normal, strategy, &buffer));
      buffer.lock(LockMode::shared);
      expect_as_in_model(buffer, block, model);
      if (choice < 15) set_hint(pool, buffer);
    } else if (choice < 70) {
      EXPECT_OK(pool.read(test_relation, main_fork, block, ReadMode::normal, nullptr, &buffer));
      buffer.lock(LockMode::exclusive);
      change(pool, buffer, block, model);
    } else if (choice < 75) {
      EXPECT_OK(pool.read(test_relation, main_fork, block, ReadMode::normal, nullptr, &buffer));
      if (buffer.try_lock_for_cleanup()) change(pool, buffer, block, model);
    } else if (choice < 80) {
      pool.find(test_relation, main_fork, block, &buffer);
      if (buffer.is_valid() && buffer.try_lock(LockMode::shared))
        expect_as_in_model(buffer, block, model);
    } else if (choice < 83) {
      pool.prefetch(test_relation, main_fork, block);
    } else if (choice < 86) {
      EXPECT_OK(pool.read(test_relation, main_fork, block, ReadMode::normal, nullptr, &buffer));
      const BufferRef second = buffer.clone();
      buffer.release();
      EXPECT(second.block() == block);
    } else if (choice < 89) {
      BlockNumber first{};
      buffer.release();
      if (model.blocks.load() < blocks_max - 8) {
        EXPECT_OK(pool.extend(test_relation, main_fork, 1, nullptr, &buffer, &first));
        EXPECT(buffer.page().is_new());
        model.versions[value_of(first)] = 1;
        fill_page(buffer.page(), first, 1);
        pool.mark_dirty(buffer);
        buffer.release();
        // Readers may choose from here on what all extenders have filled.
        uint32_t expected = value_of(first);
        while (!model.blocks.compare_exchange_weak(expected, value_of(first) + 1)) {
          expected = value_of(first);
          std::this_thread::yield();
        }
      }
    } else if (choice < 92) {
      buffer.release();
      use_private_relation(pool, private_relation, static_cast<uint64_t>(i));
    } else if (choice < 94) {
      buffer.release();
      EXPECT_OK(pool.write_all_dirty());
    } else if (choice < 96) {
      buffer.release();
      EXPECT_OK(pool.flush_relation(test_relation));
    } else {
      uint32_t written = 0;
      buffer.release();
      EXPECT_OK(pool.write_some(4, &written));
    }
    if (random() % 4 != 0) buffer.release();
    if (buffer.is_locked()) buffer.unlock();
  }
}

TEST(nothing_is_lost_or_mixed_up_when_everything_is_evicted_all_the_time) {
  PoolFixture fixture(16);
  Model model;
  ASSERT_OK(fixture.add_pages(40));
  for (size_t i = 0; i < 40; ++i) model.versions[i] = 1;
  model.blocks = 40;
  Storage other_storage(fixture.files, fixture.storage_options);
  BufferPool other_pool(*fixture.segment, other_storage, nullptr, fixture.state, fixture.options);

  std::mt19937_64 seeds = test::random_engine();
  std::vector<std::thread> threads;
  for (Oid t = 0; t < 5; ++t) {
    threads.emplace_back([&, t, seed = seeds()] {
      std::mt19937_64 random(seed);
      run_one(t % 2 == 0 ? *fixture.pool : other_pool, model, random, 30000 + t, 6000);
    });
  }
  for (std::thread& thread : threads) thread.join();

  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  for (uint32_t i = 0; i < model.blocks; ++i) {
    BufferRef buffer;
    ASSERT_OK(fixture.read(i, &buffer));
    expect_as_in_model(buffer, BlockNumber{i}, model);
  }
}

TEST(cleanup_lockers_and_readers_of_one_page_all_get_through) {
  PoolFixture fixture(16);
  ASSERT_OK(fixture.add_pages(1));
  Model model;
  model.versions[0] = 1;
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int i = 0; i < 300; ++i) {
      BufferRef buffer;
      EXPECT_OK(fixture.read(0, &buffer));
      buffer.lock_for_cleanup();
      change(*fixture.pool, buffer, BlockNumber{0}, model);
    }
  });
  std::atomic<bool> stop{false};
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        BufferRef buffer;
        EXPECT_OK(fixture.read(0, &buffer));
        buffer.lock(LockMode::shared);
        expect_as_in_model(buffer, BlockNumber{0}, model);
        buffer.release();
        std::this_thread::yield();
      }
    });
  }
  threads[0].join();
  stop = true;
  threads[1].join();
  threads[2].join();
  EXPECT_EQ(model.versions[0].load(), 301u);
}

TEST(processes_share_the_pool) {
  constexpr uint32_t blocks = 24;
  constexpr int processes = 3;
  constexpr int changes_each = 400;
  PoolFixture fixture(16, PoolFixture::Log::none, PoolFixture::Memory::shared);
  ASSERT_OK(fixture.add_pages(blocks));
  const uint64_t seed = test::seed();
  std::vector<pid_t> children;
  for (uint64_t p = 0; p < processes; ++p) {
    const pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
      std::unique_ptr<Segment> segment;
      if (!Segment::attach(fixture.segment->id(), fixture.directory.path(), &segment).is_ok())
        _exit(2);
      ClusterState state;
      Storage storage(posix_file_system(), fixture.storage_options);
      BufferPool pool(*segment, storage, nullptr, state, fixture.options);
      std::mt19937_64 random(seed + p);
      for (int i = 0; i < changes_each; ++i) {
        const BlockNumber block{static_cast<uint32_t>(random() % blocks)};
        BufferRef buffer;
        if (!pool.read(test_relation, main_fork, block, ReadMode::normal, nullptr, &buffer).is_ok())
          _exit(3);
        buffer.lock(LockMode::exclusive);
        if (!page_is_whole(buffer.page(), block)) _exit(4);
        fill_page(buffer.page(), block, version_of(buffer.page()) + 1);
        pool.mark_dirty(buffer);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.restart();
  uint64_t versions = 0;
  for (uint32_t i = 0; i < blocks; ++i) {
    BufferRef buffer;
    ASSERT_OK(fixture.read(i, &buffer));
    EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
    versions += version_of(buffer.page());
  }
  EXPECT_EQ(versions, blocks + uint64_t{processes} * changes_each);
}

}  // namespace
}  // namespace pgdata
