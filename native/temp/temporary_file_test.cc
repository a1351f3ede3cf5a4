// Goal: temporary files hold what was written, within their limits, and none is left whatever happens.
// Method: against a model in memory, on a file system that fails on request, with segments of a few blocks.
#include "temp/temporary_file.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/test.h"
#include "file/faulty_file_system.h"
#include "temp/temporary_stream.h"

namespace pgdata {
namespace {

constexpr const char* in_default = "/d/base/pgsql_tmp";

struct TemporaryFixture {
  TemporaryFixture() {
    for (const char* directory : {"/d", "/d/base", "/d/pg_tblspc", "/d/pg_tblspc/16500",
                                  "/d/pg_tblspc/16500/PG_18_202506291"})
      must(files.make_directory(directory));
    StorageOptions options;
    options.data_directory = "/d";
    storage = std::make_unique<Storage>(files, options);
    space = std::make_unique<TemporarySpace>(*storage, state, nullptr, &log);
    limits.segment_bytes = 3 * 8192;
    space->set_limits(limits);
  }
  static void must(const Status& status) {
    if (!status.is_ok()) test::report_failure(__FILE__, __LINE__, status.report().message);
  }
  std::vector<std::string> names(const char* directory = in_default) {
    std::vector<std::string> found;
    must(files.list(directory, &found));
    return found;
  }

  FaultyFileSystem files;
  ClusterState state;
  std::vector<std::string> told;
  LogSink log = [this](const LogMessage& message) { told.push_back(message.report.message); };
  TemporaryLimits limits;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<TemporarySpace> space;
};

std::vector<std::byte> random_bytes(std::mt19937_64& random, size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

}  // namespace

TEST(what_was_written_anywhere_is_read_back) {
  TemporaryFixture fixture;
  std::mt19937_64 random = test::random_engine();
  {
    TemporaryFile file(*fixture.space);
    std::vector<std::byte> model;
    for (int i = 0; i < 200; i++) {
      const std::vector<std::byte> bytes = random_bytes(random, 1 + random() % 20000);
      const size_t offset = model.empty() ? 0 : random() % (model.size() + 1);
      model.resize(std::max(model.size(), offset + bytes.size()));
      std::copy(bytes.begin(), bytes.end(), model.begin() + static_cast<ptrdiff_t>(offset));
      ASSERT_OK(file.write(bytes.data(), bytes.size(), offset));
      EXPECT_EQ(file.size_bytes(), model.size());
      const size_t start = random() % model.size();
      std::vector<std::byte> read(1 + random() % (model.size() - start));
      ASSERT_OK(file.read(read.data(), read.size(), start));
      EXPECT(std::equal(read.begin(), read.end(), model.begin() + static_cast<ptrdiff_t>(start)));
    }
    EXPECT_EQ(fixture.space->bytes(), model.size());
    EXPECT_EQ(fixture.names().size(),
              (model.size() + fixture.limits.segment_bytes - 1) / fixture.limits.segment_bytes);
  }
  EXPECT_EQ(fixture.space->bytes(), 0);
  EXPECT(fixture.names().empty());
}

TEST(names_are_those_of_postgresql_and_never_come_twice) {
  TemporaryFixture fixture;
  TemporarySpace other(*fixture.storage, fixture.state, nullptr, nullptr);
  std::vector<std::unique_ptr<TemporaryFile>> made;
  for (int i = 0; i < 10; i++) {
    made.push_back(std::make_unique<TemporaryFile>(i % 2 == 0 ? *fixture.space : other));
    ASSERT_OK(made.back()->write("x", 1, 0));
  }
  EXPECT_EQ(fixture.names().size(), 10);
  for (const std::string& name : fixture.names()) {
    EXPECT_EQ(process_of_temporary_file(name), getpid());
    EXPECT(name.find("pgsql_tmp" + std::to_string(getpid()) + ".") == 0);
  }
  EXPECT_EQ(process_of_temporary_file("pgsql_tmp4711.0"), 4711);
  EXPECT_EQ(process_of_temporary_file("pgsql_tmp4711.3.fileset"), 4711);
  for (const char* name : {"pgsql_tmp", "pgsql_tmp.0", "pgsql_tmp47", "pgsql_tmp-1.0", "16384.1"})
    EXPECT_EQ(process_of_temporary_file(name), -1);
}

TEST(a_file_of_a_dead_process_of_the_same_id_is_stepped_over) {
  TemporaryFixture fixture;
  TemporaryFile first(*fixture.space);
  ASSERT_OK(first.write("x", 1, 0));
  const std::string name = fixture.names().front();
  const size_t dot = name.find('.');
  const uint64_t number = std::stoull(name.substr(dot + 1));
  std::unique_ptr<File> stale;
  ASSERT_OK(fixture.files.open(
      std::string(in_default) + "/" + name.substr(0, dot + 1) + std::to_string(number + 1),
      OpenFlags::read_write | OpenFlags::create, &stale));
  ASSERT_OK(stale->write("stale", 5, 0));
  TemporaryFile second(*fixture.space);
  ASSERT_OK(second.write("y", 1, 0));
  EXPECT_EQ(fixture.names().size(), 3);
  second.remove();
  EXPECT_EQ(fixture.names().size(), 2);
}

TEST(files_are_in_the_tablespace_that_was_asked_for) {
  TemporaryFixture fixture;
  fixture.space->use_tablespace(16500);
  TemporaryFile file(*fixture.space);
  ASSERT_OK(file.write("x", 1, 0));
  const char* directory = "/d/pg_tblspc/16500/PG_18_202506291/pgsql_tmp";
  EXPECT_EQ(fixture.names(directory).size(), 1);
  file.remove();
  EXPECT(fixture.names(directory).empty());
}

TEST(the_limit_is_for_all_files_of_the_session_together) {
  TemporaryFixture fixture;
  fixture.limits.temp_file_limit_bytes = 20 * 1024;
  fixture.space->set_limits(fixture.limits);
  const std::vector<std::byte> bytes(8192);
  TemporaryFile one(*fixture.space);
  {
    TemporaryFile other(*fixture.space);
    ASSERT_OK(one.write(bytes.data(), 8192, 0));
    ASSERT_OK(other.write(bytes.data(), 8192, 0));
    const Status refused = one.write(bytes.data(), 8192, 8192);
    ASSERT_EQ(refused.code(), ErrorCode::configuration_limit_exceeded);
    EXPECT_EQ(refused.report().message, "temporary file size exceeds \"temp_file_limit\" (20kB)");
    // What is there may be written again.
    ASSERT_OK(one.write(bytes.data(), 8192, 0));
  }
  ASSERT_OK(one.write(bytes.data(), 8192, 8192));
  one.remove();
  EXPECT_EQ(fixture.space->bytes(), 0);
  EXPECT(fixture.names().empty());
}

TEST(files_go_with_the_level_that_made_them) {
  TemporaryFixture fixture;
  TemporarySpace& space = *fixture.space;
  const auto make = [&space](std::unique_ptr<TemporaryFile>* file) {
    *file = std::make_unique<TemporaryFile>(space);
    TemporaryFixture::must((*file)->write("abc", 3, 0));
  };
  std::unique_ptr<TemporaryFile> outer;
  std::unique_ptr<TemporaryFile> released;
  std::unique_ptr<TemporaryFile> rolled_back;
  make(&outer);
  space.begin_level();
  make(&released);
  space.end_level(true);
  space.begin_level();
  make(&rolled_back);
  space.end_level(false);
  EXPECT_EQ(fixture.names().size(), 2);
  char bytes[3];
  EXPECT_OK(released->read(bytes, 3, 0));
  EXPECT_EQ(rolled_back->read(bytes, 3, 0).code(), ErrorCode::invalid_transaction_state);
  space.end_transaction();
  EXPECT(fixture.names().empty());
  EXPECT_EQ(outer->write(bytes, 3, 0).code(), ErrorCode::invalid_transaction_state);
  make(&rolled_back);
  fixture.space.reset();
  EXPECT(fixture.names().empty());
  EXPECT_EQ(rolled_back->read(bytes, 3, 0).code(), ErrorCode::invalid_transaction_state);
}

TEST(large_files_are_told_to_the_log_when_they_go) {
  TemporaryFixture fixture;
  fixture.limits.log_temp_files_bytes = 2048;
  fixture.space->set_limits(fixture.limits);
  const std::vector<std::byte> bytes(2048);
  TemporaryFile large(*fixture.space);
  ASSERT_OK(large.write(bytes.data(), 2048, 0));
  const std::string name = fixture.names().front();
  TemporaryFile small(*fixture.space);
  ASSERT_OK(small.write(bytes.data(), 2047, 0));
  EXPECT(fixture.told.empty());
  large.remove();
  small.remove();
  ASSERT_EQ(fixture.told.size(), 1);
  EXPECT_EQ(fixture.told[0], "temporary file: path \"base/pgsql_tmp/" + name + "\", size 2048");
}

TEST(an_error_leaves_nothing_behind) {
  for (const Fault fault : {Fault::io_error, Fault::no_space, Fault::short_write}) {
    for (const OperationKind kind : {OperationKind::create, OperationKind::write}) {
      TemporaryFixture fixture;
      const bool has_fault = fault != Fault::short_write || kind == OperationKind::write;
      if (!has_fault) continue;
      fixture.files.fail(FaultRule{.fault = fault,
                                   .kinds = bit_of(kind),
                                   .path_part = temporary_prefix,
                                   .skip = 2,
                                   .times = 1});
      Status status;
      {
        TemporaryStream stream(*fixture.space);
        const std::vector<std::byte> bytes(1000);
        for (int i = 0; i < 200 && status.is_ok(); i++)
          status = stream.write(bytes.data(), bytes.size());
        EXPECT(!fixture.names().empty());
      }
      EXPECT_EQ(status.code(),
                fault == Fault::io_error ? ErrorCode::io_error : ErrorCode::disk_full);
      EXPECT_EQ(fixture.space->bytes(), 0);
      EXPECT(fixture.names().empty());
    }
  }
}

TEST(a_stream_reads_what_was_written_as_often_as_wanted) {
  TemporaryFixture fixture;
  std::mt19937_64 random = test::random_engine();
  TemporaryStream stream(*fixture.space);
  std::vector<std::byte> model;
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 10; i++) {
      const std::vector<std::byte> bytes = random_bytes(random, random() % 5000);
      ASSERT_OK(stream.write(bytes.data(), bytes.size()));
      model.insert(model.end(), bytes.begin(), bytes.end());
      if (random() % 4 == 0) ASSERT_OK(stream.release());
    }
    ASSERT_OK(stream.rewind());
    EXPECT_EQ(stream.size_bytes(), model.size());
    std::vector<std::byte> read;
    for (;;) {
      std::vector<std::byte> part(1 + random() % 9000);
      size_t done = 0;
      ASSERT_OK(stream.read(part.data(), part.size(), &done));
      read.insert(read.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(done));
      if (done < part.size()) break;
      if (random() % 4 == 0) ASSERT_OK(stream.release());
    }
    EXPECT(read == model);
  }
}

TEST(a_stream_of_less_than_a_block_makes_no_file) {
  TemporaryFixture fixture;
  TemporaryStream stream(*fixture.space);
  ASSERT_OK(stream.write("abc", 3));
  FileInfo info;
  ASSERT_OK(fixture.files.info(in_default, &info));
  EXPECT(info.kind == FileKind::none);
}

}  // namespace pgdata
