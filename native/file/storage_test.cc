// Goal: a fork is an array of blocks whatever its segments are, files get the names
// and fates that PostgreSQL gives them, and a checkpoint syncs all that was written.
// Method: the real file system in a temporary directory, segments of a few blocks,
// and random operations against a vector of blocks.
#include "file/storage.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/test.h"
#include "file/faulty_file_system.h"

namespace pgdata {

namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/pgdata_file_test.XXXXXX";
    path_ = mkdtemp(name);
    for (const char* below : {"/base", "/base/5", "/global", "/pg_tblspc"})
      std::filesystem::create_directory(path_ + below);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  bool has(const std::string& below) const { return std::filesystem::exists(path_ + "/" + below); }
  uint64_t size_of(const std::string& below) const {
    return std::filesystem::file_size(path_ + "/" + below);
  }

 private:
  std::string path_;
};

// Blocks aligned for direct IO.
class Blocks {
 public:
  Blocks(int count, uint32_t block_size)
      : bytes_(static_cast<std::byte*>(
            std::aligned_alloc(4096, align_up(static_cast<size_t>(count) * block_size, 4096)))) {
    for (int i = 0; i < count; i++) pages_.push_back(bytes_ + static_cast<size_t>(i) * block_size);
    std::memset(bytes_, 0xEE, static_cast<size_t>(count) * block_size);
  }
  ~Blocks() { std::free(bytes_); }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  std::byte* const* pages() const { return pages_.data(); }
  std::byte* page(int i) const { return pages_[static_cast<size_t>(i)]; }

 private:
  std::byte* bytes_;
  std::vector<std::byte*> pages_;
};

StorageOptions small_segments(const TemporaryDirectory& directory) {
  StorageOptions options;
  options.data_directory = directory.path();
  options.segment_blocks = 4;
  return options;
}

constexpr RelFileLocator table{default_tablespace_oid, 5, 16384};

}  // namespace

TEST(relation_paths_are_those_of_postgres) {
  const TemporaryDirectory directory;
  const Storage storage(posix_file_system(), small_segments(directory));
  EXPECT_EQ(storage.relation_path(table, ForkNumber::main), std::string("base/5/16384"));
  EXPECT_EQ(storage.relation_path({global_tablespace_oid, 0, 1262}, ForkNumber::fsm),
            std::string("global/1262_fsm"));
  EXPECT_EQ(storage.relation_path({16400, 5, 16384}, ForkNumber::visibility_map),
            std::string("pg_tblspc/16400/PG_18_202506291/5/16384_vm"));
  EXPECT_EQ(storage.relation_path(table, ForkNumber::init), std::string("base/5/16384_init"));
  EXPECT_EQ(storage.database_path(5, default_tablespace_oid), std::string("base/5"));
}

TEST(created_fork_exists_and_is_empty) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  bool exists = true;
  ASSERT_OK(storage.exists(table, ForkNumber::main, &exists));
  EXPECT(!exists);
  uint32_t blocks = 99;
  EXPECT_EQ(storage.block_count(table, ForkNumber::main, &blocks).code(),
            ErrorCode::undefined_file);
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_OK(storage.exists(table, ForkNumber::main, &exists));
  EXPECT(exists);
  ASSERT_OK(storage.block_count(table, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 0);
  EXPECT_EQ(storage.create(table, ForkNumber::main).code(), ErrorCode::duplicate_file);
  EXPECT_OK(storage.create(table, ForkNumber::main, true));
  struct stat found;
  ASSERT_EQ(stat((directory.path() + "/base/5/16384").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600);
}

TEST(first_relation_of_a_database_in_a_tablespace_makes_its_directory) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  std::filesystem::create_directories(directory.path() + "/pg_tblspc/16400/PG_18_202506291");
  ASSERT_OK(storage.create({16400, 5, 16384}, ForkNumber::main));
  EXPECT(directory.has("pg_tblspc/16400/PG_18_202506291/5/16384"));
  ASSERT_OK(storage.sync_pending());
  // A tablespace that is not there at all is an error.
  EXPECT_EQ(storage.create({16401, 5, 16384}, ForkNumber::main).code(), ErrorCode::undefined_file);
}

TEST(blocks_cross_segments) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{0}, 3));
  ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{3}, 7));
  EXPECT_EQ(directory.size_of("base/5/16384"), 4 * 8192);
  EXPECT_EQ(directory.size_of("base/5/16384.1"), 4 * 8192);
  EXPECT_EQ(directory.size_of("base/5/16384.2"), 2 * 8192);
  const Blocks written(10, 8192);
  for (int i = 0; i < 10; i++) std::memset(written.page(i), 'a' + i, 8192);
  ASSERT_OK(storage.write(table, ForkNumber::main, BlockNumber{0}, written.pages(), 10));
  const Blocks back(10, 8192);
  ASSERT_OK(storage.read(table, ForkNumber::main, BlockNumber{2}, back.pages(), 7));
  for (int i = 0; i < 7; i++) EXPECT_EQ(std::memcmp(back.page(i), written.page(i + 2), 8192), 0);
  uint32_t blocks = 0;
  ASSERT_OK(storage.block_count(table, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 10);
}

TEST(reading_past_the_end_is_corruption) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{0}, 2));
  const Blocks back(4, 8192);
  Status status = storage.read(table, ForkNumber::main, BlockNumber{2}, back.pages(), 1);
  ASSERT(!status.is_ok());
  EXPECT_EQ(status.code(), ErrorCode::data_corrupted);
  EXPECT_EQ(status.report().message,
            std::string(
                "could not read block 2 of relation \"base/5/16384\": read only 0 of 8192 bytes"));
  status = storage.read(table, ForkNumber::main, BlockNumber{1}, back.pages(), 3);
  ASSERT(!status.is_ok());
  EXPECT_EQ(status.report().message,
            std::string("could not read blocks 1..3 of relation \"base/5/16384\": read only 8192 "
                        "of 24576 bytes"));
  status = storage.read(table, ForkNumber::main, BlockNumber{4}, back.pages(), 1);
  EXPECT_EQ(status.code(), ErrorCode::undefined_file);
}

TEST(truncation_leaves_empty_segments_behind) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{0}, 11));
  EXPECT_EQ(storage.truncate(table, ForkNumber::main, 12).code(), ErrorCode::internal_error);
  ASSERT_OK(storage.truncate(table, ForkNumber::main, 3));
  EXPECT_EQ(directory.size_of("base/5/16384"), 3 * 8192);
  EXPECT_EQ(directory.size_of("base/5/16384.1"), 0);
  EXPECT_EQ(directory.size_of("base/5/16384.2"), 0);
  uint32_t blocks = 0;
  ASSERT_OK(storage.block_count(table, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 3);
  ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{3}, 2));
  ASSERT_OK(storage.truncate(table, ForkNumber::main, 4));
  ASSERT_OK(storage.block_count(table, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 4);
  ASSERT_OK(storage.truncate(table, ForkNumber::main, 0));
  EXPECT_EQ(directory.size_of("base/5/16384"), 0);
}

TEST(dropped_relation_keeps_its_number_until_the_next_checkpoint) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  for (ForkNumber fork : {ForkNumber::main, ForkNumber::fsm, ForkNumber::visibility_map}) {
    ASSERT_OK(storage.create(table, fork));
    ASSERT_OK(storage.extend(table, fork, BlockNumber{0}, 9));
  }
  storage.begin_checkpoint();
  ASSERT_OK(storage.unlink(table, false));
  EXPECT_EQ(directory.size_of("base/5/16384"), 0);
  for (const char* gone : {"base/5/16384.1", "base/5/16384.2", "base/5/16384_fsm",
                           "base/5/16384_fsm.1", "base/5/16384_vm"})
    EXPECT(!directory.has(gone));
  // The checkpoint that had begun before leaves it, the next one does not.
  ASSERT_OK(storage.sync_pending());
  ASSERT_OK(storage.remove_unlinked());
  EXPECT(directory.has("base/5/16384"));
  storage.begin_checkpoint();
  ASSERT_OK(storage.sync_pending());
  ASSERT_OK(storage.remove_unlinked());
  EXPECT(!directory.has("base/5/16384"));
}

TEST(unlink_that_fails_is_tried_again_at_the_next_checkpoint) {
  FaultyFileSystem files;
  for (const char* path : {"/d", "/d/base", "/d/base/5"}) ASSERT_OK(files.make_directory(path));
  StorageOptions options;
  options.data_directory = "/d";
  Storage storage(files, options);
  const RelFileLocator table{default_tablespace_oid, 5, 16384};
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_OK(storage.unlink(table, false));
  FaultRule rule;
  rule.kinds = bit_of(OperationKind::remove_file);
  files.fail(rule);
  storage.begin_checkpoint();
  EXPECT_EQ(storage.remove_unlinked().code(), ErrorCode::io_error);
  bool exists = false;
  ASSERT_OK(storage.exists(table, ForkNumber::main, &exists));
  EXPECT(exists);
  storage.begin_checkpoint();
  EXPECT_OK(storage.remove_unlinked());
  ASSERT_OK(storage.exists(table, ForkNumber::main, &exists));
  EXPECT(!exists);
}

TEST(unlink_at_once_leaves_nothing) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{0}, 9));
  ASSERT_OK(storage.unlink(table, true));
  ASSERT_OK(storage.unlink(table, true));  // Not there is fine.
  EXPECT(std::filesystem::is_empty(directory.path() + "/base/5"));
  // Nothing of it is left to be synced.
  storage.begin_checkpoint();
  EXPECT_OK(storage.sync_pending());
  ASSERT_OK(storage.create(table, ForkNumber::main));
  uint32_t blocks = 9;
  ASSERT_OK(storage.block_count(table, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 0);
}

TEST(segment_that_is_too_long_is_corruption) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_EQ(::truncate((directory.path() + "/base/5/16384").c_str(), 5 * 8192), 0);
  uint32_t blocks = 0;
  EXPECT_EQ(storage.block_count(table, ForkNumber::main, &blocks).code(),
            ErrorCode::data_corrupted);
}

TEST(incomplete_block_at_the_end_does_not_count) {
  const TemporaryDirectory directory;
  Storage storage(posix_file_system(), small_segments(directory));
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_EQ(::truncate((directory.path() + "/base/5/16384").c_str(), 8192 + 100), 0);
  uint32_t blocks = 0;
  ASSERT_OK(storage.block_count(table, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 1);
  ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{1}, 1));
  EXPECT_EQ(directory.size_of("base/5/16384"), 2 * 8192);
}

TEST(read_only_storage_reads) {
  const TemporaryDirectory directory;
  {
    Storage storage(posix_file_system(), small_segments(directory));
    ASSERT_OK(storage.create(table, ForkNumber::main));
    ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{0}, 1));
  }
  StorageOptions options = small_segments(directory);
  options.read_only = true;
  Storage storage(posix_file_system(), options);
  const Blocks back(1, 8192);
  ASSERT_OK(storage.read(table, ForkNumber::main, BlockNumber{0}, back.pages(), 1));
  EXPECT_EQ(back.page(0)[100], std::byte{0});
}

// Random operations on several relations, each a vector of blocks in the model.
void run_against_model(IoMode mode, uint32_t block_size, uint32_t open_files_max) {
  std::mt19937_64 random = test::random_engine();
  const TemporaryDirectory directory;
  StorageOptions options = small_segments(directory);
  options.io_mode = mode;
  options.block_size = block_size;
  options.open_files_max = open_files_max;
  Storage storage(posix_file_system(), options);
  std::vector<std::vector<uint8_t>> model(3);
  const auto locator = [](size_t i) {
    return RelFileLocator{default_tablespace_oid, 5, static_cast<Oid>(16384 + i)};
  };
  for (size_t i = 0; i < model.size(); i++) ASSERT_OK(storage.create(locator(i), ForkNumber::main));
  const Blocks blocks(20, block_size);
  for (int step = 0; step < 300; step++) {
    const size_t i = random() % model.size();
    std::vector<uint8_t>& expected = model[i];
    const auto first = static_cast<uint32_t>(expected.empty() ? 0 : random() % expected.size());
    const int count =
        static_cast<int>(std::min<size_t>(expected.size() - first, 1 + random() % 20));
    switch (random() % 6) {
      case 0: {
        const auto more = static_cast<uint32_t>(1 + random() % 14);
        ASSERT_OK(storage.extend(locator(i), ForkNumber::main,
                                 BlockNumber{static_cast<uint32_t>(expected.size())}, more));
        expected.resize(expected.size() + more);
        break;
      }
      case 1:
      case 2:
        for (int k = 0; k < count; k++) {
          const auto letter = static_cast<uint8_t>(1 + random() % 250);
          std::memset(blocks.page(k), letter, block_size);
          expected[first + static_cast<uint32_t>(k)] = letter;
        }
        ASSERT_OK(
            storage.write(locator(i), ForkNumber::main, BlockNumber{first}, blocks.pages(), count));
        break;
      case 3:
      case 4:
        ASSERT_OK(
            storage.read(locator(i), ForkNumber::main, BlockNumber{first}, blocks.pages(), count));
        for (int k = 0; k < count; k++) {
          const std::byte letter{expected[first + static_cast<uint32_t>(k)]};
          const bool is_same = std::all_of(blocks.page(k), blocks.page(k) + block_size,
                                           [&](std::byte byte) { return byte == letter; });
          EXPECT(is_same);
        }
        break;
      default:
        if (random() % 4 != 0) break;
        if (random() % 2 == 0) {
          ASSERT_OK(storage.truncate(locator(i), ForkNumber::main, first));
          expected.resize(first);
        } else {
          storage.prefetch(locator(i), ForkNumber::main, BlockNumber{0}, 10);
          storage.begin_checkpoint();
          ASSERT_OK(storage.sync_pending());
          ASSERT_OK(storage.sync(locator(i), ForkNumber::main));
        }
    }
    uint32_t now = 0;
    ASSERT_OK(storage.block_count(locator(i), ForkNumber::main, &now));
    ASSERT_EQ(now, expected.size());
  }
}

TEST(buffered_storage_follows_its_model) { run_against_model(IoMode::buffered, 8192, 1000); }
TEST(direct_storage_follows_its_model) { run_against_model(IoMode::direct, 8192, 1000); }
TEST(storage_of_few_open_files_follows_its_model) { run_against_model(IoMode::buffered, 1024, 2); }
TEST(direct_storage_of_small_blocks_follows_its_model) {
  run_against_model(IoMode::direct, 2048, 1000);
}

TEST(threads_share_a_storage) {
  const TemporaryDirectory directory;
  StorageOptions options = small_segments(directory);
  options.open_files_max = 3;
  Storage storage(posix_file_system(), options);
  constexpr int thread_count = 4;
  for (Oid i = 0; i < thread_count; i++) {
    const RelFileLocator mine{default_tablespace_oid, 5, 16384 + i};
    ASSERT_OK(storage.create(mine, ForkNumber::main));
    ASSERT_OK(storage.extend(mine, ForkNumber::main, BlockNumber{0}, 12));
  }
  std::atomic<int> failures{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (Oid i = 0; i < thread_count; i++) {
    threads.emplace_back([&, i] {
      const RelFileLocator mine{default_tablespace_oid, 5, 16384 + i};
      const Blocks out(3, 8192);
      const Blocks back(3, 8192);
      for (uint32_t step = 0; step < 300; step++) {
        const BlockNumber block{step % 10};
        std::memset(out.page(0), static_cast<int>(step % 251), 3 * 8192);
        if (!storage.write(mine, ForkNumber::main, block, out.pages(), 3).is_ok()) failures++;
        if (!storage.read(mine, ForkNumber::main, block, back.pages(), 3).is_ok()) failures++;
        if (std::memcmp(out.page(0), back.page(0), 3 * 8192) != 0) failures++;
      }
    });
  }
  std::thread checkpointer([&] {
    while (!done.load()) {
      storage.begin_checkpoint();
      if (!storage.sync_pending().is_ok()) failures++;
      if (!storage.remove_unlinked().is_ok()) failures++;
    }
  });
  for (std::thread& thread : threads) thread.join();
  done.store(true);
  checkpointer.join();
  EXPECT_EQ(failures.load(), 0);
}

}  // namespace pgdata
