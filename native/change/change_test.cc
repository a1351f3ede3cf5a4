// Change: what it does to pages and the log, in which order, and that giving up poisons.
#include "change/change.h"

#include <optional>
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

constexpr TransactionId xid{100};

struct ChangeFixture : PoolFixture {
  explicit ChangeFixture(uint32_t buffers = 16) : PoolFixture(buffers, Log::real) {
    services.emplace(StorageServices{state, *storage, *wal, *pool});
  }
  // Adds a logged page of version 1.
  Status add_page() {
    BufferRef buffer;
    BlockNumber block{};
    RETURN_IF_ERROR(pool->extend(test_relation, ForkNumber::main, 1, nullptr, &buffer, &block));
    Change change(*services, xid, RmgrId::heap, 0);
    change.block(0, buffer, REGBUF_FORCE_IMAGE);
    change.begin();
    fill_page(buffer.page(), block, 1);
    return change.finish();
  }
  Status read_exclusive(uint32_t block, BufferRef* buffer) {
    RETURN_IF_ERROR(read(block, buffer));
    buffer->lock(LockMode::exclusive);
    return Status::ok;
  }
  std::optional<StorageServices> services;
};

TEST(a_finished_change_is_logged_stamped_and_dirty) {
  ChangeFixture fixture;
  ASSERT_OK(fixture.add_page());
  ASSERT_OK(fixture.pool->write_all_dirty());
  BufferRef buffer;
  ASSERT_OK(fixture.read_exclusive(0, &buffer));
  const uint64_t records = fixture.wal->statistics().records;
  const char note[] = "note";
  Change change(*fixture.services, xid, RmgrId::heap, 0x10);
  change.block(0, buffer, 0);
  change.begin();
  fill_page(buffer.page(), BlockNumber{0}, 2);
  change.set_info(0x20);
  change.data(note, sizeof(note));
  change.block_data(0, note, sizeof(note));
  Lsn end = invalid_lsn;
  ASSERT_OK(change.finish(&end));
  EXPECT_EQ(fixture.wal->statistics().records, records + 1);
  EXPECT_EQ(end, fixture.wal->positions().insert);
  EXPECT_EQ(buffer.page().lsn(), end);
  EXPECT(buffer.is_locked_exclusive());
  buffer.unlock();
  const uint64_t writes = fixture.pool->statistics().writes;
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.pool->statistics().writes, writes + 1);
  EXPECT(fixture.wal->flushed() >= end);
}

TEST(flags_may_be_decided_while_modifying) {
  ChangeFixture fixture;
  ASSERT_OK(fixture.add_page());
  Lsn redo = invalid_lsn;
  ASSERT_OK(fixture.wal->begin_checkpoint(false, &redo));
  BufferRef buffer;
  ASSERT_OK(fixture.read_exclusive(0, &buffer));
  const uint64_t images = fixture.wal->statistics().full_page_images;
  Change change(*fixture.services, xid, RmgrId::heap, 0);
  change.block(0, buffer, REGBUF_STANDARD);
  change.begin();
  fill_page(buffer.page(), BlockNumber{0}, 2);
  change.block(0, buffer, REGBUF_STANDARD | REGBUF_WILL_INIT);
  ASSERT_OK(change.finish());
  EXPECT_EQ(fixture.wal->statistics().full_page_images, images);  // the page is made anew in redo
}

TEST(a_page_named_but_not_changed_is_neither_dirtied_nor_stamped) {
  ChangeFixture fixture;
  ASSERT_OK(fixture.add_page());
  ASSERT_OK(fixture.add_page());
  ASSERT_OK(fixture.pool->write_all_dirty());
  BufferRef changed;
  BufferRef named;
  ASSERT_OK(fixture.read_exclusive(0, &changed));
  ASSERT_OK(fixture.read(1, &named));
  named.lock(LockMode::shared);
  const Lsn before = named.page().lsn();
  Change change(*fixture.services, xid, RmgrId::heap, 0);
  change.block(0, changed, REGBUF_STANDARD);
  change.block(1, named, REGBUF_NO_CHANGE);
  change.begin();
  fill_page(changed.page(), BlockNumber{0}, 2);
  ASSERT_OK(change.finish());
  EXPECT_EQ(named.page().lsn(), before);
  changed.release();
  named.release();
  const uint64_t writes = fixture.pool->statistics().writes;
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.pool->statistics().writes, writes + 1);
}

TEST(a_change_that_is_not_logged_dirties_only) {
  ChangeFixture fixture;
  ASSERT_OK(fixture.add_page());
  ASSERT_OK(fixture.pool->write_all_dirty());
  BufferRef buffer;
  ASSERT_OK(fixture.read_exclusive(0, &buffer));
  const Lsn before = buffer.page().lsn();
  const uint64_t records = fixture.wal->statistics().records;
  Change change(*fixture.services, xid, RmgrId::heap, 0, false);
  change.block(0, buffer, REGBUF_STANDARD);
  change.begin();
  change.data(&before, sizeof(before));
  change.block_data(0, &before, sizeof(before));
  Lsn end = 1;
  ASSERT_OK(change.finish(&end));
  EXPECT_EQ(end, invalid_lsn);
  EXPECT_EQ(buffer.page().lsn(), before);
  EXPECT_EQ(fixture.wal->statistics().records, records);
  buffer.release();
  const uint64_t writes = fixture.pool->statistics().writes;
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.pool->statistics().writes, writes + 1);
}

TEST(a_change_given_up_between_modifying_and_logging_poisons) {
  ChangeFixture fixture;
  ASSERT_OK(fixture.add_page());
  BufferRef buffer;
  ASSERT_OK(fixture.read_exclusive(0, &buffer));
  {
    Change change(*fixture.services, xid, RmgrId::heap, 0);
    change.block(0, buffer, REGBUF_STANDARD);
  }
  EXPECT(!fixture.state.is_poisoned());  // nothing was modified yet
  {
    Change change(*fixture.services, xid, RmgrId::heap, 0);
    change.block(0, buffer, REGBUF_STANDARD);
    change.begin();
    fill_page(buffer.page(), BlockNumber{0}, 2);
  }
  EXPECT(fixture.state.is_poisoned());
  fixture.files.writes = 0;
  buffer.release();
  EXPECT_EQ(fixture.pool->write_all_dirty().code(), ErrorCode::crash_shutdown);
  EXPECT_EQ(fixture.files.writes.load(), 0);
}

TEST(a_change_of_a_poisoned_cluster_fails) {
  ChangeFixture fixture;
  ASSERT_OK(fixture.add_page());
  BufferRef buffer;
  ASSERT_OK(fixture.read_exclusive(0, &buffer));
  fixture.state.poison("a test");
  Change change(*fixture.services, xid, RmgrId::heap, 0);
  change.block(0, buffer, REGBUF_STANDARD);
  change.begin();
  EXPECT_EQ(change.finish().code(), ErrorCode::crash_shutdown);
}

TEST(log_new_page_makes_an_image_of_an_unchanged_page) {
  ChangeFixture fixture;
  ASSERT_OK(fixture.add_page());
  BufferRef buffer;
  ASSERT_OK(fixture.read_exclusive(0, &buffer));
  const uint64_t images = fixture.wal->statistics().full_page_images;
  ASSERT_OK(log_new_page(*fixture.services, xid, buffer, true));
  EXPECT_EQ(fixture.wal->statistics().full_page_images, images + 1);
  EXPECT_EQ(buffer.page().lsn(), fixture.wal->positions().insert);
}

// Goal: whatever is written to the relation's file could be torn, and recovery from the last
// finished checkpoint would mend it: the page's log is durable, and begins after that checkpoint's
// redo pointer. Method: threads change pages, set hints and make checkpoints in a pool of 16
// buffers; each write of a block is stopped and looked at.
TEST(every_page_written_is_covered_by_log_that_is_durable_and_recent) {
  ChangeFixture fixture;
  constexpr uint32_t blocks = 48;
  for (uint32_t i = 0; i < blocks; ++i) ASSERT_OK(fixture.add_page());

  std::atomic<Lsn> finished_redo{invalid_lsn};
  std::atomic<uint64_t> looked_at{0};
  fixture.files.before_write = [&](const std::string&, uint64_t offset, const IoSlice* slices,
                                   int count) {
    for (int i = 0; i < count; ++i) {
      const Page page(slices[i].bytes, default_block_size);
      const BlockNumber block{static_cast<uint32_t>(offset / default_block_size) +
                              static_cast<uint32_t>(i)};
      EXPECT(page.lsn() > finished_redo);
      EXPECT(page.lsn() <= fixture.wal->flushed());
      EXPECT(page_is_whole(page, block));
      EXPECT_OK(verify_page(page.bytes(), page.size(), block, true, "x"));
      ++looked_at;
    }
    return Status(Status::ok);
  };

  std::array<std::atomic<uint64_t>, blocks> versions;
  for (auto& version : versions) version = 1;
  std::mt19937_64 seeds = test::random_engine();
  std::vector<std::thread> threads;
  std::atomic<int> running{3};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, seed = seeds()] {
      std::mt19937_64 random(seed);
      for (int i = 0; i < 3000; ++i) {
        const BlockNumber block{static_cast<uint32_t>(random() % blocks)};
        BufferRef buffer;
        EXPECT_OK(fixture.read(value_of(block), &buffer));
        if (random() % 4 == 0) {
          buffer.lock(LockMode::exclusive);
          EXPECT_EQ(version_of(buffer.page()), versions[value_of(block)].load());
          Change change(*fixture.services, xid, RmgrId::heap, 0);
          change.block(0, buffer, REGBUF_STANDARD);
          change.begin();
          fill_page(buffer.page(), block, ++versions[value_of(block)]);
          EXPECT_OK(change.finish());
        } else {
          buffer.lock(LockMode::shared);
          EXPECT_EQ(version_of(buffer.page()), versions[value_of(block)].load());
          std::byte* hint = buffer.page().bytes() + test::hint_byte_at;
          __atomic_store_n(reinterpret_cast<unsigned char*>(hint),
                           static_cast<unsigned char>(random()), __ATOMIC_RELAXED);
          fixture.pool->mark_dirty_hint(buffer, true);
        }
      }
      --running;
    });
  }
  int checkpoints = 0;
  while (running > 0) {
    Lsn redo = invalid_lsn;
    EXPECT_OK(fixture.wal->begin_checkpoint(false, &redo));
    EXPECT_OK(fixture.pool->write_all_dirty());
    finished_redo = redo;
    ++checkpoints;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT(checkpoints > 3);
  EXPECT(looked_at > 100);

  ASSERT_OK(fixture.pool->write_all_dirty());
  fixture.files.before_write = nullptr;
  fixture.restart();
  for (uint32_t i = 0; i < blocks; ++i) {
    BufferRef buffer;
    ASSERT_OK(fixture.read(i, &buffer));
    EXPECT(page_is_whole(buffer.page(), BlockNumber{i}));
    EXPECT_EQ(version_of(buffer.page()), versions[i].load());
  }
}

}  // namespace
}  // namespace pgdata
