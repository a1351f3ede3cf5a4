// The pool and the log: hint bits are logged as full-page images when they must be, and no page
// reaches its file before the log that it depends on. On a real log in a temporary directory.
#include "base/test.h"
#include "buffer/buffer_pool.h"
#include "buffer/pool_fixture.h"

namespace pgdata {
namespace {

using test::PoolFixture;
using test::test_relation;

void set_hint(BufferPool& pool, BufferRef& buffer, std::byte value) {
  buffer.page().bytes()[test::hint_byte_at] = value;
  pool.mark_dirty_hint(buffer, true);
}

Status start_checkpoint(PoolFixture& fixture) {
  Lsn redo = invalid_lsn;
  RETURN_IF_ERROR(fixture.wal->begin_checkpoint(false, &redo));
  return fixture.pool->write_all_dirty();
}

// Clean pages from before the last checkpoint's redo pointer.
struct HintFixture : PoolFixture {
  HintFixture() : PoolFixture(16, Log::real) {
    require(add_pages(8));
    require(start_checkpoint(*this));
    images_before = wal->statistics().full_page_images;
    require(read(3, &buffer));
    buffer.lock(LockMode::shared);
  }
  uint64_t images() const { return wal->statistics().full_page_images - images_before; }

  uint64_t images_before = 0;
  BufferRef buffer;
};

TEST(the_first_hint_after_a_checkpoint_is_logged_as_an_image_and_stamped) {
  HintFixture fixture;
  set_hint(*fixture.pool, fixture.buffer, std::byte{1});
  EXPECT_EQ(fixture.images(), 1u);
  EXPECT_EQ(fixture.buffer.page().lsn(), fixture.wal->positions().insert);
  set_hint(*fixture.pool, fixture.buffer, std::byte{3});
  EXPECT_EQ(fixture.images(), 1u);
}

TEST(a_hint_on_a_page_changed_since_the_redo_pointer_needs_no_image) {
  HintFixture fixture;
  set_hint(*fixture.pool, fixture.buffer, std::byte{1});
  fixture.buffer.unlock();
  ASSERT_OK(fixture.pool->write_all_dirty());
  const uint64_t writes = fixture.pool->statistics().writes;
  fixture.buffer.lock(LockMode::shared);
  set_hint(*fixture.pool, fixture.buffer, std::byte{3});
  fixture.buffer.unlock();
  EXPECT_EQ(fixture.images(), 1u);
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.pool->statistics().writes, writes + 1);
  ASSERT_OK(start_checkpoint(fixture));
  fixture.buffer.lock(LockMode::shared);
  set_hint(*fixture.pool, fixture.buffer, std::byte{7});
  EXPECT_EQ(fixture.images(), 2u);
}

TEST(a_hint_of_a_cluster_without_checksums_is_not_logged) {
  PoolFixture fixture(16, PoolFixture::Log::real);
  fixture.options.data_checksums = false;
  fixture.options.log_hints = false;
  fixture.pool = std::make_unique<BufferPool>(*fixture.segment, *fixture.storage, fixture.wal.get(),
                                              fixture.state, fixture.options);
  ASSERT_OK(fixture.add_pages(1));
  ASSERT_OK(start_checkpoint(fixture));
  const uint64_t records = fixture.wal->statistics().records;
  BufferRef buffer;
  ASSERT_OK(fixture.read(0, &buffer));
  buffer.lock(LockMode::shared);
  set_hint(*fixture.pool, buffer, std::byte{1});
  buffer.release();
  EXPECT_EQ(fixture.wal->statistics().records, records);
  const uint64_t writes = fixture.pool->statistics().writes;
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(fixture.pool->statistics().writes, writes + 1);
}

TEST(a_hint_that_the_log_cannot_take_leaves_the_page_clean) {
  HintFixture fixture;
  fixture.state.poison("a test");
  set_hint(*fixture.pool, fixture.buffer, std::byte{1});
  EXPECT_EQ(fixture.images(), 0u);
  EXPECT(fixture.buffer.page().lsn() < fixture.wal->positions().redo);
}

TEST(the_log_is_flushed_before_a_page_is_written) {
  PoolFixture fixture(16, PoolFixture::Log::real);
  ASSERT_OK(fixture.add_pages(16));
  Lsn newest = invalid_lsn;
  for (uint32_t i = 0; i < 16; ++i) {
    BufferRef buffer;
    ASSERT_OK(fixture.read(i, &buffer));
    buffer.lock(LockMode::exclusive);
    WalRecord record;
    record.begin(RmgrId::heap, 0, first_normal_transaction_id);
    record.block(0, test_relation, ForkNumber::main, buffer.block(), buffer.page(),
                 REGBUF_STANDARD);
    fixture.pool->mark_dirty(buffer);
    ASSERT_OK(fixture.wal->insert(record, &newest));
    buffer.page().set_lsn(newest);
  }
  EXPECT(fixture.wal->flushed() < newest);
  int written = 0;
  fixture.files.before_write = [&](const std::string&, uint64_t, const IoSlice* slices, int count) {
    for (int i = 0; i < count; ++i) {
      EXPECT(Page(slices[i].bytes, default_block_size).lsn() <= fixture.wal->flushed());
      ++written;
    }
    return Status(Status::ok);
  };
  // Half by eviction, the rest by a checkpoint.
  BufferRef buffer;
  for (uint32_t i = 16; i < 24; ++i) ASSERT_OK(fixture.read(i, &buffer, ReadMode::normal_no_log));
  EXPECT(written >= 8);
  EXPECT(written < 16);
  ASSERT_OK(fixture.pool->write_all_dirty());
  EXPECT_EQ(written, 16);
  EXPECT(fixture.wal->flushed() >= newest);
}

TEST(a_bulk_read_lets_go_of_a_page_whose_log_is_not_flushed) {
  PoolFixture fixture(64, PoolFixture::Log::real);
  ASSERT_OK(fixture.add_pages(40));
  ASSERT_OK(start_checkpoint(fixture));
  fixture.pool->drop_relation(test_relation);
  BufferStrategy strategy(*fixture.pool, StrategyKind::bulk_read);
  BufferRef buffer;
  const Lsn flushed = fixture.wal->flushed();
  for (uint32_t i = 0; i < 40; ++i) {
    ASSERT_OK(fixture.read(i, &buffer, ReadMode::normal, &strategy));
    buffer.lock(LockMode::shared);
    set_hint(*fixture.pool, buffer, std::byte{1});
  }
  EXPECT(buffer.page().lsn() > flushed);
  EXPECT_EQ(fixture.wal->flushed(), flushed);
}

}  // namespace
}  // namespace pgdata
