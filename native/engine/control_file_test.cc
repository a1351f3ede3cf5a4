// Tests of pg_control.
// Goal: what is written is read back, damage is found, older layouts are read, a power failure leaves the old
// contents or the new. Method: exhaustive over bytes and over steps.
#include "engine/control_file.h"

#include "base/crc32c.h"
#include "base/test.h"
#include "file/faulty_file_system.h"

namespace pgdata {
namespace {

ControlFile sample() {
  ControlFile control = new_control_file(0x6B00F677'0004E39A);
  control.state = DBState::DB_IN_PRODUCTION;
  control.checkPoint = 0x174B250;
  control.checkPointCopy.redo = 0x174B200;
  control.checkPointCopy.nextXid = 752;
  control.checkPointCopy.nextOid = 13507;
  return control;
}

TEST(control_file_is_read_back) {
  const ControlFile control = sample();
  const std::string bytes = format_control_file(control);
  ASSERT_EQ(bytes.size(), PG_CONTROL_FILE_SIZE);
  ControlFile read;
  ASSERT_OK(parse_control_file(bytes, &read));
  EXPECT_EQ(read.system_identifier, control.system_identifier);
  EXPECT(read.state == DBState::DB_IN_PRODUCTION);
  EXPECT_EQ(read.checkPoint, 0x174B250);
  EXPECT_EQ(read.checkPointCopy.redo, 0x174B200);
  EXPECT_EQ(read.checkPointCopy.nextXid, 752);
  EXPECT_EQ(format_control_file(read), bytes);
  EXPECT_EQ(bytes.find_first_not_of('\0', sizeof(ControlFileData)), std::string::npos);
  EXPECT_EQ(major_of(read), 18);
  EXPECT_EQ(tablespace_version_directory(read), std::string("PG_18_202506291"));
  EXPECT_EQ(std::string(db_state_name(read.state)), std::string("in production"));
  EXPECT_EQ(std::string(wal_level_name(read.wal_level)), std::string("replica"));
}

TEST(nonces_and_identifiers_of_clusters_differ) {
  const ControlFile one = new_control_file(0);
  const ControlFile two = new_control_file(0);
  EXPECT(std::memcmp(one.mock_authentication_nonce, two.mock_authentication_nonce,
                     MOCK_AUTH_NONCE_LEN) != 0);
  EXPECT_NE(one.system_identifier, 0);
}

TEST(each_damaged_byte_of_the_control_file_is_found) {
  const std::string good = format_control_file(sample());
  for (size_t at = 0; at < offsetof(ControlFileData, crc) + sizeof(uint32_t); at++) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    ControlFile control;
    Status status = parse_control_file(bad, &control);
    ASSERT(!status.is_ok());
    const bool is_version = at >= 8 && at < 12;
    EXPECT(status.code() ==
           (is_version ? ErrorCode::feature_not_supported : ErrorCode::data_corrupted));
    if (!is_version)
      EXPECT_EQ(status.report().message, std::string("incorrect checksum in control file"));
  }
  ControlFile control;
  for (size_t size = 0; size < sizeof(ControlFileData); size++)
    EXPECT(parse_control_file(good.substr(0, size), &control).code() == ErrorCode::data_corrupted);
}

TEST(other_byte_order_is_recognised) {
  std::string bytes = format_control_file(sample());
  std::swap(bytes[8], bytes[11]);
  std::swap(bytes[9], bytes[10]);
  ControlFile control;
  Status status = parse_control_file(bytes, &control);
  EXPECT(status.code() == ErrorCode::feature_not_supported);
  EXPECT(status.report().hint.find("byte ordering") != std::string::npos);
}

TEST(impossible_sizes_are_refused) {
  ControlFile control = sample();
  ControlFile read;
  control.xlog_seg_size = 3u << 20;
  EXPECT(parse_control_file(format_control_file(control), &read).code() ==
         ErrorCode::data_corrupted);
  control = sample();
  control.blcksz = 8191;
  EXPECT(parse_control_file(format_control_file(control), &read).code() ==
         ErrorCode::data_corrupted);
  control = sample();
  control.catalog_version_no = 202506290;
  EXPECT(parse_control_file(format_control_file(control), &read).code() ==
         ErrorCode::feature_not_supported);
}

TEST(control_files_of_older_releases_are_read) {
  struct Release {
    uint32_t version;
    uint32_t catalog;
    int major;
  };
  for (const Release& release :
       {Release{1300, 202007201, 13}, Release{1300, 202107181, 14}, Release{1300, 202209061, 15},
        Release{1300, 202307071, 16}, Release{1700, 202406281, 17}}) {
    ControlFileData17 data;
    data.head = sample();
    data.head.pg_control_version = release.version;
    data.head.catalog_version_no = release.catalog;
    data.head.wal_level = 2;
    data.head.checkPointCopy.wal_level = release.version == 1300 ? 0 : 2;
    data.mock_authentication_nonce[31] = 0x7E;
    data.crc = crc32c_finish(crc32c(crc32c_initial, &data, offsetof(ControlFileData17, crc)));
    std::string bytes(PG_CONTROL_FILE_SIZE, '\0');
    std::memcpy(bytes.data(), &data, sizeof(data));
    ControlFile read;
    ASSERT_OK(parse_control_file(bytes, &read));
    EXPECT_EQ(major_of(read), release.major);
    EXPECT_EQ(read.checkPointCopy.wal_level, 2);
    EXPECT_EQ(read.mock_authentication_nonce[31], 0x7E);
    bytes[300 - 12] ^= 1;  // in the crc
    EXPECT(parse_control_file(bytes, &read).code() == ErrorCode::data_corrupted);
  }
}

TEST(a_power_failure_leaves_the_old_control_file_or_the_new) {
  for (uint64_t fail_at = 0; fail_at < 8; fail_at++) {
    for (uint64_t seed = 0; seed < 20; seed++) {
      FaultyFileSystem disk;
      ASSERT_OK(disk.make_directory("/data"));
      ASSERT_OK(disk.make_directory("/data/global"));
      ASSERT_OK(disk.sync_directory("/"));
      ASSERT_OK(disk.sync_directory("/data"));
      ControlFile control = sample();
      ASSERT_OK(write_control_file(disk, "/data", control));
      disk.fail(disk.step() + fail_at, Fault::power_failure);
      control.checkPoint = 0x2000028;
      const bool acknowledged = write_control_file(disk, "/data", control).is_ok();
      disk.crash(Survival::random, seed);
      ControlFile read;
      ASSERT_OK(read_control_file(disk, "/data", &read));
      EXPECT(read.checkPoint == 0x2000028 || (!acknowledged && read.checkPoint == 0x174B250));
    }
  }
}

}  // namespace
}  // namespace pgdata
