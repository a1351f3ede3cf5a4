// Goal: faults meet the operations they were meant for, and the journal says everything that changed files.
// Method: rules on both file systems; then a run whose journal is replayed by hand.
#include "file/watched_file_system.h"

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/test.h"
#include "file/faulty_file_system.h"

namespace pgdata {

namespace {

constexpr OpenFlags create_new = OpenFlags::read_write | OpenFlags::create | OpenFlags::exclusive;

struct Record {
  JournalRecordHeader header;
  std::string path;
  std::string target;
  std::string bytes;
  OperationKind kind() const { return static_cast<OperationKind>(header.kind); }
};

std::vector<Record> records_of(const std::string& journal) {
  std::string contents;
  EXPECT_OK(read_whole_file(posix_file_system(), journal, &contents));
  std::vector<Record> records;
  for (size_t at = 0; at + sizeof(JournalRecordHeader) <= contents.size();) {
    Record record;
    std::memcpy(&record.header, contents.data() + at, sizeof(record.header));
    const size_t path_at = at + sizeof(record.header);
    const size_t target_at = path_at + record.header.path_bytes;
    const size_t bytes_at = target_at + record.header.target_bytes;
    at += record.header.record_bytes;
    if (at > contents.size() || bytes_at > at) {
      EXPECT(!"the journal ends within a record");
      break;
    }
    record.path = contents.substr(path_at, record.header.path_bytes);
    record.target = contents.substr(target_at, record.header.target_bytes);
    record.bytes = contents.substr(bytes_at, at - bytes_at);
    records.push_back(std::move(record));
  }
  return records;
}

class TestDirectory {
 public:
  TestDirectory() {
    char name[] = "/tmp/pgdata_watched_test.XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

FaultRule rule_of(Fault fault, OperationKind kind, const char* path_part) {
  FaultRule rule;
  rule.fault = fault;
  rule.kinds = bit_of(kind);
  rule.path_part = path_part;
  return rule;
}

}  // namespace

TEST(rules_choose_by_kind_path_and_count) {
  FaultPlan plan;
  FaultRule rule = rule_of(Fault::no_space, OperationKind::write, "base/");
  rule.kinds |= bit_of(OperationKind::truncate);
  rule.skip = 1;
  rule.times = 2;
  plan.add(rule);
  const Operation other{OperationKind::write, "pg_wal/1"};
  const Operation read{OperationKind::read, "base/1"};
  const Operation write{OperationKind::write, "base/1"};
  EXPECT_OK(plan.meet(other).status);
  EXPECT_OK(plan.meet(write).status);  // skipped
  EXPECT_OK(plan.meet(read).status);
  EXPECT_EQ(plan.meet(write).status.code(), ErrorCode::disk_full);
  EXPECT_OK(plan.meet(Operation{OperationKind::truncate, "base/1"}).status);  // needs no space
  EXPECT_OK(plan.meet(write).status);
  EXPECT_EQ(plan.step(), 6);
  EXPECT_EQ(plan.faults_met(), 2);
}

TEST(rules_choose_by_chance_and_repeat_with_their_seed) {
  std::vector<bool> first;
  for (int round = 0; round < 2; round++) {
    FaultPlan plan;
    FaultRule rule = rule_of(Fault::io_error, OperationKind::read, "");
    rule.times = 1000;
    rule.probability = 0.3;
    rule.seed = 7;
    plan.add(rule);
    std::vector<bool> failed;
    for (int i = 0; i < 200; i++)
      failed.push_back(!plan.meet(Operation{OperationKind::read, "x"}).status.is_ok());
    if (round == 0) first = failed;
    EXPECT(failed == first);
    EXPECT(plan.faults_met() > 30 && plan.faults_met() < 90);
  }
}

TEST(delayed_operation_succeeds_later) {
  FaultyFileSystem files;
  FaultRule rule = rule_of(Fault::delay, OperationKind::create, "/f");
  rule.delay_ms = 30;
  files.fail(rule);
  std::unique_ptr<File> file;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_OK(files.open("/f", create_new, &file));
  EXPECT(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(30));
}

TEST(large_sectors_are_torn_whole) {
  bool saw_torn = false;
  for (uint64_t seed = 0; seed < 20; seed++) {
    FaultyFileSystem files;
    std::unique_ptr<File> file;
    ASSERT_OK(files.open("/f", create_new, &file));
    ASSERT_OK(files.sync_directory("/"));
    const std::string bytes(16384, 'n');
    ASSERT_OK(file->allocate(0, 16384));
    ASSERT_OK(file->sync());
    ASSERT_OK(file->write(bytes.data(), bytes.size(), 0));
    files.crash(Survival::random, seed, 4096);
    std::string left;
    ASSERT_OK(read_whole_file(files, "/f", &left));
    size_t kept = 0;
    for (size_t sector = 0; sector < 4; sector++) {
      EXPECT_EQ(left.substr(sector * 4096, 4096), std::string(4096, left[sector * 4096]));
      if (left[sector * 4096] == 'n') kept++;
    }
    saw_torn = saw_torn || (kept > 0 && kept < 4);
  }
  EXPECT(saw_torn);
}

TEST(journal_says_what_changed) {
  const TestDirectory directory;
  WatchedFileSystem files(posix_file_system());
  ASSERT_OK(files.start_journal(directory / "journal"));
  EXPECT(!files.start_journal(directory / "other").is_ok());
  ASSERT_OK(files.make_directory(directory / "d"));
  std::unique_ptr<File> file;
  ASSERT_OK(files.open(directory / "d/a", create_new, &file));
  ASSERT_OK(file->write("hello", 5, 3));
  const uint64_t before_sync = files.journal_records();
  ASSERT_OK(file->sync());
  ASSERT_OK(files.rename(directory / "d/a", directory / "d/b"));
  ASSERT_OK(file->truncate(4));
  ASSERT_OK(file->allocate(4, 100));
  ASSERT_OK(files.sync_directory(directory / "d"));
  char bytes[8];
  size_t done = 0;
  ASSERT_OK(file->read(bytes, 8, 0, &done));
  ASSERT_OK(files.remove_file(directory / "d/b"));
  ASSERT_OK(files.flush_journal());
  const std::vector<Record> records = records_of(directory / "journal");
  EXPECT_EQ(records.size(), files.journal_records());
  ASSERT_EQ(records.size(), 9);
  EXPECT(records[0].kind() == OperationKind::make_directory);
  EXPECT(records[1].kind() == OperationKind::create);
  EXPECT_EQ(records[1].path, directory / "d/a");
  EXPECT(records[2].kind() == OperationKind::write);
  EXPECT_EQ(records[2].header.file, records[1].header.file);
  EXPECT_EQ(records[2].header.offset, 3);
  EXPECT_EQ(records[2].bytes, std::string("hello"));
  EXPECT(records[3].kind() == OperationKind::sync);
  EXPECT_EQ(records[3].header.offset, before_sync);
  EXPECT_EQ(records[3].header.flags, 0);
  EXPECT(records[4].kind() == OperationKind::rename);
  EXPECT_EQ(records[4].target, directory / "d/b");
  EXPECT(records[5].kind() == OperationKind::truncate);
  EXPECT_EQ(records[5].header.offset, 4);
  EXPECT(records[6].kind() == OperationKind::allocate);
  EXPECT_EQ(records[6].header.size, 100);
  EXPECT(records[7].kind() == OperationKind::sync_directory);
  EXPECT(records[8].kind() == OperationKind::remove_file);
}

TEST(journal_says_which_syncs_failed_and_how_far_writes_came) {
  const TestDirectory directory;
  WatchedFileSystem files(posix_file_system());
  ASSERT_OK(files.start_journal(directory / "journal"));
  std::unique_ptr<File> file;
  ASSERT_OK(files.open(directory / "f", create_new | OpenFlags::dsync, &file));
  files.fail(rule_of(Fault::short_write, OperationKind::write, "/f"));
  const std::string bytes(16384, 'x');
  EXPECT_EQ(file->write(bytes.data(), bytes.size(), 0).code(), ErrorCode::disk_full);
  files.fail(rule_of(Fault::io_error, OperationKind::sync, "/f"));
  EXPECT_EQ(file->data_sync().code(), ErrorCode::io_error);
  EXPECT_OK(file->data_sync());
  files.fail(rule_of(Fault::power_failure, OperationKind::look_up, ""));
  FileInfo info;
  EXPECT(!files.info(directory / "f", &info).is_ok());
  EXPECT(!file->write("x", 1, 0).is_ok());
  files.clear_faults();
  EXPECT_OK(files.info(directory / "f", &info));
  EXPECT_EQ(info.size_bytes, 8192);
  ASSERT_OK(files.flush_journal());
  const std::vector<Record> records = records_of(directory / "journal");
  ASSERT_EQ(records.size(), 4);
  EXPECT_EQ(records[1].bytes.size(), 8192);
  EXPECT_EQ(records[1].header.flags, journal_lasts);
  EXPECT_EQ(records[2].header.flags, journal_failed);
  EXPECT_EQ(records[3].header.flags, 0);
}

TEST(short_write_of_the_system_is_continued_then_reported) {
  const TestDirectory directory;
  std::unique_ptr<File> file;
  ASSERT_OK(posix_file_system().open(directory / "f", create_new, &file));
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  auto* const old_action = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = old_limit;
  limit.rlim_cur = 10000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  // The kernel writes 10000 bytes of it and says so; what is left it refuses.
  std::string bytes(16384, 'x');
  EXPECT_EQ(file->write(bytes.data(), bytes.size(), 0).code(), ErrorCode::io_error);
  const IoSlice slices[] = {{reinterpret_cast<std::byte*>(bytes.data()), 6000},
                            {reinterpret_cast<std::byte*>(bytes.data()), 6000}};
  EXPECT_EQ(file->write_vector(slices, 2, 0).code(), ErrorCode::io_error);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_action);
  uint64_t size = 0;
  ASSERT_OK(file->size(&size));
  EXPECT_EQ(size, 10000);
  EXPECT_OK(file->write_vector(slices, 2, 0));
  ASSERT_OK(file->size(&size));
  EXPECT_EQ(size, 12000);
}

}  // namespace pgdata
