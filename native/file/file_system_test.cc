// Goal: the real file system and its double in memory keep the same contract, and
// the double fails and loses exactly what it is asked to.
// Method: one set of checks run on both; then each fault and each way of
// surviving a crash; then a run with a power failure at every one of its steps.
#include "file/file_system.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/test.h"
#include "file/faulty_file_system.h"
#include "file/storage.h"

namespace pgdata {

namespace {

constexpr OpenFlags create_new = OpenFlags::read_write | OpenFlags::create | OpenFlags::exclusive;

void on_both(const std::function<void(FileSystem&, const std::string&)>& check) {
  char name[] = "/tmp/pgdata_file_test.XXXXXX";
  const std::string directory = mkdtemp(name);
  check(posix_file_system(), directory);
  std::filesystem::remove_all(directory);
  FaultyFileSystem memory;
  EXPECT_OK(memory.make_directory("/d"));
  check(memory, "/d");
}

std::string contents_of(FileSystem& files, const std::string& path) {
  std::string contents;
  const Status status = read_whole_file(files, path, &contents);
  return status.is_ok() ? contents : "(" + std::string(sqlstate_of(status.code())) + ")";
}

// A file with `lasting` synced, its directory too, and `later` written over it.
std::unique_ptr<File> half_synced_file(FaultyFileSystem& files, const std::string& lasting,
                                       const std::string& later) {
  std::unique_ptr<File> file;
  EXPECT_OK(files.open("/f", create_new, &file));
  EXPECT_OK(file->write(lasting.data(), lasting.size(), 0));
  EXPECT_OK(file->sync());
  EXPECT_OK(files.sync_directory("/"));
  EXPECT_OK(file->write(later.data(), later.size(), 0));
  return file;
}

}  // namespace

TEST(files_hold_what_was_written) {
  on_both([](FileSystem& files, const std::string& directory) {
    const std::string path = directory + "/file";
    std::unique_ptr<File> file;
    EXPECT_EQ(files.open(path, OpenFlags::read_only, &file).code(), ErrorCode::undefined_file);
    ASSERT_OK(files.open(path, create_new, &file));
    EXPECT_EQ(files.open(path, create_new, &file).code(), ErrorCode::duplicate_file);
    ASSERT_OK(file->write("hello", 5, 3));
    uint64_t size = 0;
    ASSERT_OK(file->size(&size));
    EXPECT_EQ(size, 8);
    EXPECT_EQ(contents_of(files, path), std::string("\0\0\0hello", 8));
    char bytes[10];
    size_t done = 0;
    ASSERT_OK(file->read(bytes, 10, 5, &done));
    EXPECT_EQ(done, 3);
    ASSERT_OK(file->read(bytes, 10, 8, &done));
    EXPECT_EQ(done, 0);
    ASSERT_OK(file->truncate(4));
    ASSERT_OK(file->allocate(2, 4));
    EXPECT_EQ(contents_of(files, path), std::string("\0\0\0h\0\0", 6));
    ASSERT_OK(file->allocate(0, 3));
    EXPECT_EQ(contents_of(files, path), std::string("\0\0\0h\0\0", 6));
    ASSERT_OK(file->sync());
    ASSERT_OK(file->data_sync());
    FileInfo info;
    ASSERT_OK(files.info(path, &info));
    EXPECT(info.kind == FileKind::regular);
    EXPECT_EQ(info.size_bytes, 6);
    EXPECT_EQ(info.mode, 0600);
    ASSERT_OK(files.remove_file(path));
    EXPECT_EQ(files.remove_file(path).code(), ErrorCode::undefined_file);
    ASSERT_OK(file->size(&size));  // It lives on while it is open.
    EXPECT_EQ(size, 6);
  });
}

TEST(vectors_are_transferred_whole) {
  on_both([](FileSystem& files, const std::string& directory) {
    std::mt19937_64 random = test::random_engine();
    std::unique_ptr<File> file;
    ASSERT_OK(files.open(directory + "/file", create_new, &file));
    constexpr int count = 150;  // more than one call takes
    std::vector<std::vector<std::byte>> pieces(count);
    std::vector<IoSlice> slices;
    std::string all;
    for (std::vector<std::byte>& piece : pieces) {
      piece.resize(random() % 300);
      for (std::byte& byte : piece) {
        byte = static_cast<std::byte>(random());
        all += static_cast<char>(byte);
      }
      slices.push_back({piece.data(), piece.size()});
    }
    ASSERT_OK(file->write_vector(slices.data(), count, 7));
    EXPECT_EQ(contents_of(files, directory + "/file"), std::string(7, '\0') + all);
    std::vector<std::vector<std::byte>> originals = pieces;
    for (std::vector<std::byte>& piece : pieces) std::fill(piece.begin(), piece.end(), std::byte{});
    size_t done = 0;
    ASSERT_OK(file->read_vector(slices.data(), count, 7, &done));
    EXPECT_EQ(done, all.size());
    EXPECT(pieces == originals);
    ASSERT_OK(file->truncate(1000));
    ASSERT_OK(file->read_vector(slices.data(), count, 7, &done));
    EXPECT_EQ(done, 993);
  });
}

TEST(directories_hold_entries) {
  on_both([](FileSystem& files, const std::string& directory) {
    ASSERT_OK(files.make_directory(directory + "/a"));
    EXPECT_EQ(files.make_directory(directory + "/a").code(), ErrorCode::duplicate_file);
    std::unique_ptr<File> file;
    ASSERT_OK(files.open(directory + "/a/x", create_new, &file));
    ASSERT_OK(file->write("x", 1, 0));
    EXPECT(!files.remove_directory(directory + "/a").is_ok());
    ASSERT_OK(files.link_symbolic(directory + "/a", directory + "/link"));
    EXPECT_EQ(contents_of(files, directory + "/link/x"), std::string("x"));
    std::string target;
    ASSERT_OK(files.read_link(directory + "/link", &target));
    EXPECT_EQ(target, directory + "/a");
    FileInfo info;
    ASSERT_OK(files.info(directory + "/link", &info));
    EXPECT(info.kind == FileKind::symbolic_link);
    ASSERT_OK(files.info(directory + "/a", &info));
    EXPECT(info.kind == FileKind::directory);
    EXPECT_EQ(info.mode, 0700);
    ASSERT_OK(files.info(directory + "/nothing", &info));
    EXPECT(info.kind == FileKind::none);
    ASSERT_OK(files.rename(directory + "/a/x", directory + "/y"));
    ASSERT_OK(files.open(directory + "/z", create_new, &file));
    ASSERT_OK(files.rename(directory + "/y", directory + "/z"));
    std::vector<std::string> names;
    ASSERT_OK(files.list(directory, &names));
    EXPECT(names == (std::vector<std::string>{"a", "link", "z"}));
    EXPECT_EQ(contents_of(files, directory + "/z"), std::string("x"));
    ASSERT_OK(files.sync_directory(directory));
    ASSERT_OK(files.sync_file_system(directory));
    ASSERT_OK(files.remove_file(directory + "/link"));
    ASSERT_OK(files.remove_directory(directory + "/a"));
    EXPECT_EQ(files.list(directory + "/a", &names).code(), ErrorCode::undefined_file);
    EXPECT_EQ(files.sync_directory(directory + "/a").code(), ErrorCode::undefined_file);
  });
}

TEST(direct_files_want_alignment) {
  on_both([](FileSystem& files, const std::string& directory) {
    std::unique_ptr<File> file;
    ASSERT_OK(files.open(directory + "/direct", create_new | OpenFlags::direct | OpenFlags::dsync,
                         &file));
    auto* const bytes = static_cast<std::byte*>(std::aligned_alloc(4096, 8192));
    std::memset(bytes, 'x', 8192);
    EXPECT_OK(file->write(bytes, 8192, 4096));
    size_t done = 0;
    EXPECT_OK(file->read(bytes, 8192, 0, &done));
    EXPECT_EQ(done, 8192);
    EXPECT(!file->write(bytes, 100, 0).is_ok() || &files == &posix_file_system());
    std::free(bytes);
  });
}

TEST(replaced_file_is_the_new_one) {
  on_both([](FileSystem& files, const std::string& directory) {
    const std::string path = directory + "/PG_VERSION";
    ASSERT_OK(replace_file_durably(files, path, "17\n"));
    ASSERT_OK(replace_file_durably(files, path, "18\n"));
    EXPECT_EQ(contents_of(files, path), std::string("18\n"));
    std::vector<std::string> names;
    ASSERT_OK(files.list(directory, &names));
    EXPECT_EQ(names.size(), 1);
    EXPECT_EQ(replace_file_durably(files, directory + "/no/where", "x").code(),
              ErrorCode::undefined_file);
  });
}

TEST(tree_is_copied_out_of_memory) {
  FaultyFileSystem memory;
  ASSERT_OK(memory.make_directory("/d"));
  ASSERT_OK(memory.make_directory("/d/base"));
  ASSERT_OK(replace_file_durably(memory, "/d/base/1", "one"));
  ASSERT_OK(memory.link_symbolic("/elsewhere", "/d/link"));
  char name[] = "/tmp/pgdata_file_test.XXXXXX";
  const std::string directory = mkdtemp(name);
  ASSERT_OK(copy_tree(memory, "/d", posix_file_system(), directory + "/copy"));
  EXPECT_EQ(contents_of(posix_file_system(), directory + "/copy/base/1"), std::string("one"));
  FaultyFileSystem again;
  ASSERT_OK(copy_tree(posix_file_system(), directory + "/copy", again, "/e"));
  std::string target;
  ASSERT_OK(again.read_link("/e/link", &target));
  EXPECT_EQ(target, std::string("/elsewhere"));
  std::filesystem::remove_all(directory);
}

TEST(crash_loses_what_was_not_synced) {
  FaultyFileSystem files;
  const std::unique_ptr<File> file = half_synced_file(files, "old", "new and longer");
  EXPECT_EQ(contents_of(files, "/f"), std::string("new and longer"));
  files.crash(Survival::nothing);
  EXPECT_EQ(contents_of(files, "/f"), std::string("old"));
  uint64_t size = 0;
  EXPECT(!file->size(&size).is_ok());  // It was open before the crash.
}

TEST(killed_process_loses_nothing) {
  FaultyFileSystem files;
  const std::unique_ptr<File> file = half_synced_file(files, "old", "new and longer");
  files.crash(Survival::everything);
  EXPECT_EQ(contents_of(files, "/f"), std::string("new and longer"));
}

TEST(crash_tears_writes_at_sectors) {
  bool saw_torn = false;
  for (uint64_t seed = 0; seed < 20; seed++) {
    FaultyFileSystem files;
    const std::unique_ptr<File> file =
        half_synced_file(files, std::string(4096, 'o'), std::string(4096, 'n'));
    files.crash(Survival::random, seed);
    const std::string left = contents_of(files, "/f");
    ASSERT_EQ(left.size(), 4096);
    size_t new_sectors = 0;
    for (size_t sector = 0; sector < 8; sector++) {
      const char letter = left[sector * 512];
      EXPECT(letter == 'o' || letter == 'n');
      EXPECT_EQ(left.substr(sector * 512, 512), std::string(512, letter));
      if (letter == 'n') new_sectors++;
    }
    saw_torn = saw_torn || (new_sectors > 0 && new_sectors < 8);
  }
  EXPECT(saw_torn);
}

TEST(crash_repeats_with_its_seed) {
  std::string first;
  for (int round = 0; round < 2; round++) {
    FaultyFileSystem files;
    const std::unique_ptr<File> file =
        half_synced_file(files, std::string(8192, 'o'), std::string(8192, 'n'));
    files.crash(Survival::random, 42);
    if (round == 0) first = contents_of(files, "/f");
    EXPECT_EQ(contents_of(files, "/f"), first);
  }
}

TEST(entries_last_after_a_sync_of_their_directory) {
  FaultyFileSystem files;
  ASSERT_OK(files.make_directory("/d"));
  ASSERT_OK(files.sync_directory("/"));
  std::unique_ptr<File> file;
  ASSERT_OK(files.open("/d/a", create_new, &file));
  ASSERT_OK(file->write("a", 1, 0));
  ASSERT_OK(file->sync());
  files.crash(Survival::nothing);
  EXPECT_EQ(contents_of(files, "/d/a"), std::string("(58P01)"));

  ASSERT_OK(replace_file_durably(files, "/d/b", "b"));
  ASSERT_OK(files.remove_file("/d/b"));
  files.crash(Survival::nothing);
  EXPECT_EQ(contents_of(files, "/d/b"), std::string("b"));
}

TEST(dsync_writes_last_at_once) {
  FaultyFileSystem files;
  std::unique_ptr<File> file;
  ASSERT_OK(files.open("/f", create_new, &file));
  ASSERT_OK(files.sync_directory("/"));
  ASSERT_OK(file->write("....", 4, 0));
  std::unique_ptr<File> wal;
  ASSERT_OK(files.open("/f", OpenFlags::read_write | OpenFlags::dsync, &wal));
  ASSERT_OK(wal->write("xy", 2, 1));
  files.crash(Survival::nothing);
  EXPECT_EQ(contents_of(files, "/f"), std::string("\0xy", 3));
}

TEST(failed_sync_loses_its_writes_for_good) {
  FaultyFileSystem files;
  const std::unique_ptr<File> file = half_synced_file(files, "old", "new");
  files.fail(files.step(), Fault::io_error);
  EXPECT_EQ(file->sync().code(), ErrorCode::io_error);
  EXPECT_OK(file->sync());  // As on Linux: the second one sees nothing to do.
  EXPECT_EQ(contents_of(files, "/f"), std::string("new"));
  files.crash(Survival::nothing);
  EXPECT_EQ(contents_of(files, "/f"), std::string("old"));
}

TEST(faults_happen_at_their_step) {
  FaultyFileSystem files;
  std::unique_ptr<File> file;
  ASSERT_OK(files.open("/f", create_new, &file));
  files.fail(files.step(), Fault::short_write);
  EXPECT_EQ(file->write("abcdef", 6, 0).code(), ErrorCode::disk_full);
  EXPECT_EQ(contents_of(files, "/f"), std::string("abc"));
  files.fail(files.step(), Fault::no_space);
  EXPECT_EQ(file->write("abcdef", 6, 0).code(), ErrorCode::disk_full);
  files.fail(files.step(), Fault::no_space);
  EXPECT_OK(file->truncate(2));  // Needs none.
  files.fail(files.step() + 1, Fault::io_error);
  EXPECT_OK(file->write("xy", 2, 0));
  EXPECT_EQ(file->write("zz", 2, 0).code(), ErrorCode::io_error);
  EXPECT_EQ(contents_of(files, "/f"), std::string("xy"));
  files.fail(files.step(), Fault::power_failure);
  EXPECT(!file->write("zz", 2, 0).is_ok());
  EXPECT(!file->sync().is_ok());
  EXPECT(!files.make_directory("/d").is_ok());
  files.crash(Survival::everything);
  EXPECT_OK(files.make_directory("/d"));
  const std::vector<Operation> operations = files.operations();
  EXPECT_EQ(operations.size(), files.step());
  EXPECT(operations[0].kind == OperationKind::create);
  EXPECT(operations[1].kind == OperationKind::write);
  EXPECT_EQ(operations[1].size, 6);
}

TEST(replaced_file_is_old_or_new_after_a_power_failure_at_any_step) {
  const auto run = [](FaultyFileSystem& files) {
    return replace_file_durably(files, "/f", std::string(3000, 'n'));
  };
  const auto prepare = [](FaultyFileSystem& files) {
    EXPECT_OK(replace_file_durably(files, "/f", std::string(2000, 'o')));
  };
  FaultyFileSystem good;
  prepare(good);
  const uint64_t first = good.step();
  ASSERT_OK(run(good));
  const uint64_t last = good.step();
  const uint64_t seed = test::seed();
  for (Survival survival : {Survival::nothing, Survival::everything, Survival::random}) {
    for (uint64_t step = first; step <= last; step++) {
      for (uint64_t round = 0; round < 10; round++) {
        FaultyFileSystem files;
        prepare(files);
        files.fail(step, Fault::power_failure);
        const bool is_acknowledged = run(files).is_ok();
        EXPECT_EQ(is_acknowledged, step == last);
        files.crash(survival, seed + step * 100 + round);
        const std::string left = contents_of(files, "/f");
        EXPECT(left == std::string(3000, 'n') ||
               (!is_acknowledged && left == std::string(2000, 'o')));
      }
    }
  }
}

TEST(blocks_last_after_a_checkpoint) {
  FaultyFileSystem files;
  ASSERT_OK(files.make_directory("/d"));
  ASSERT_OK(files.make_directory("/d/base"));
  ASSERT_OK(files.make_directory("/d/base/5"));
  ASSERT_OK(files.sync_file_system("/"));
  StorageOptions options;
  options.data_directory = "/d";
  options.segment_blocks = 4;
  Storage storage(files, options);
  const RelFileLocator table{default_tablespace_oid, 5, 16384};
  ASSERT_OK(storage.create(table, ForkNumber::main));
  ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{0}, 10));
  std::vector<std::byte> page(8192, std::byte{7});
  std::byte* const pages[] = {page.data()};
  ASSERT_OK(storage.write(table, ForkNumber::main, BlockNumber{9}, pages, 1));
  storage.begin_checkpoint();
  ASSERT_OK(storage.sync_pending());
  ASSERT_OK(storage.remove_unlinked());
  files.crash(Survival::nothing);
  Storage reopened(files, options);
  uint32_t blocks = 0;
  ASSERT_OK(reopened.block_count(table, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, 10);
  std::vector<std::byte> back(8192);
  std::byte* const back_pages[] = {back.data()};
  ASSERT_OK(reopened.read(table, ForkNumber::main, BlockNumber{9}, back_pages, 1));
  EXPECT(back == page);
}

TEST(storage_without_fsync_syncs_nothing) {
  for (bool fsync : {false, true}) {
    FaultyFileSystem files;
    for (const char* path : {"/d", "/d/base", "/d/base/5"}) EXPECT_OK(files.make_directory(path));
    StorageOptions options;
    options.data_directory = "/d";
    options.fsync = fsync;
    Storage storage(files, options);
    const RelFileLocator table{default_tablespace_oid, 5, 16384};
    ASSERT_OK(storage.create(table, ForkNumber::main));
    ASSERT_OK(storage.extend(table, ForkNumber::main, BlockNumber{0}, 2));
    ASSERT_OK(storage.sync(table, ForkNumber::main));
    storage.begin_checkpoint();
    ASSERT_OK(storage.sync_pending());
    size_t syncs = 0;
    for (const Operation& operation : files.operations())
      if (operation.kind == OperationKind::sync || operation.kind == OperationKind::sync_directory)
        syncs++;
    // Else the file and its directory, by `sync` and again by the checkpoint.
    EXPECT_EQ(syncs, fsync ? 4 : 0);
  }
}

TEST(storage_reports_every_fault) {
  // Each step fails in turn: the error reaches the caller, whichever it is, and
  // nothing else goes wrong.
  const auto run = [](FaultyFileSystem& files) -> Status {
    StorageOptions options;
    options.data_directory = "/d";
    options.segment_blocks = 4;
    Storage storage(files, options);
    const RelFileLocator table{default_tablespace_oid, 5, 16384};
    RETURN_IF_ERROR(storage.create(table, ForkNumber::main));
    RETURN_IF_ERROR(storage.extend(table, ForkNumber::main, BlockNumber{0}, 3));
    RETURN_IF_ERROR(storage.extend(table, ForkNumber::main, BlockNumber{3}, 9));
    std::vector<std::byte> page(8192);
    std::byte* const pages[] = {page.data(), page.data()};
    RETURN_IF_ERROR(storage.write(table, ForkNumber::main, BlockNumber{3}, pages, 2));
    RETURN_IF_ERROR(storage.read(table, ForkNumber::main, BlockNumber{3}, pages, 2));
    storage.begin_checkpoint();
    RETURN_IF_ERROR(storage.sync_pending());
    RETURN_IF_ERROR(storage.truncate(table, ForkNumber::main, 1));
    RETURN_IF_ERROR(storage.unlink(table, false));
    storage.begin_checkpoint();
    RETURN_IF_ERROR(storage.sync_pending());
    return storage.remove_unlinked();
  };
  const auto prepare = [](FaultyFileSystem& files) {
    for (const char* path : {"/d", "/d/base", "/d/base/5"}) EXPECT_OK(files.make_directory(path));
  };
  FaultyFileSystem good;
  prepare(good);
  const uint64_t first = good.step();
  ASSERT_OK(run(good));
  const uint64_t last = good.step();
  EXPECT(last > first + 20);
  for (uint64_t step = first; step < last; step++) {
    FaultyFileSystem files;
    prepare(files);
    files.fail(step, Fault::power_failure);
    EXPECT_EQ(run(files).code(), ErrorCode::io_error);
    const OperationKind kind = good.operations()[step].kind;
    if (kind != OperationKind::write && kind != OperationKind::allocate) continue;
    FaultyFileSystem full;
    prepare(full);
    full.fail(step, Fault::short_write);
    const Status status = run(full);
    EXPECT_EQ(status.code(), ErrorCode::disk_full);
  }
}

}  // namespace pgdata
