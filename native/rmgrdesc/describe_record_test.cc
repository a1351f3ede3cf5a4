// Tests of record descriptions.
// Goal: texts are release 18's, and no record, however garbled, makes a description read outside of it. Method: a
// few records against known texts (the oracle test has all of them), and random bytes in buffers of exactly their
// size under ASan, for every resource manager and info code, with counts likely to be wrong by a little.
#include "rmgrdesc/describe_record.h"

#include <cstring>
#include <vector>

#include "base/test.h"
#include "layout/heap_records.h"
#include "layout/replication_records.h"

namespace pgdata {
namespace {

const RecordDescriber describer(18, 202506291);

std::string described(uint8_t rmgr, uint8_t info, const std::vector<std::byte>& main) {
  DecodedWalRecord record;
  record.header.xl_rmid = rmgr;
  record.header.xl_info = info;
  record.main_data = main.data();
  record.main_data_length = static_cast<uint32_t>(main.size());
  std::string text;
  EXPECT(describer.describe(record, &text));
  return text;
}

template <typename T>
std::vector<std::byte> bytes_of(const T& value, size_t size = sizeof(T)) {
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), &value, size);
  return bytes;
}

TEST(names) {
  EXPECT_EQ(resource_manager_name(10), std::string("Heap"));
  EXPECT_EQ(resource_manager_name(130), std::string("custom130"));
  EXPECT_EQ(std::string(describer.type_name(10, 0x80)), std::string("INSERT+INIT"));
  EXPECT_EQ(std::string(describer.type_name(1, 0xB0)), std::string("COMMIT_PREPARED"));
  EXPECT(describer.type_name(13, 0xF0) == nullptr);
  const RecordDescriber fifteen(15, 202209061);
  EXPECT_EQ(std::string(fifteen.type_name(9, 0x10)), std::string("PRUNE"));
  EXPECT_EQ(std::string(RecordDescriber(13, 202007201).type_name(9, 0x10)), std::string("CLEAN"));
  EXPECT_EQ(std::string(fifteen.type_name(4, 0x10)), std::string("CREATE_WAL_LOG"));
  EXPECT_EQ(std::string(RecordDescriber(14, 202107181).type_name(4, 0x10)), std::string("DROP"));
}

TEST(texts) {
  const xl_heap_delete removal{TransactionId{7}, 3, XLHL_XMAX_IS_MULTI | XLHL_KEYS_UPDATED, 1};
  EXPECT_EQ(described(10, 0x10, bytes_of(removal)),
            std::string("xmax: 7, off: 3, infobits: [IS_MULTI, KEYS_UPDATED], flags: 0x01"));
  const xl_replorigin_set set{0x1000000A0, 2, 1, {}};
  EXPECT_EQ(described(19, 0x00, bytes_of(set)), std::string("set 2; lsn 1/A0; force: 1"));
  EXPECT_EQ(described(10, 0x10, bytes_of(removal, 5)), std::string(" (record is too short)"));
}

TEST(older_layouts_are_refused) {
  DecodedWalRecord record;
  record.header.xl_rmid = 10;
  record.header.xl_info = XLOG_HEAP_INPLACE;
  std::string text;
  EXPECT(!RecordDescriber(17, 202406281).describe(record, &text));
  EXPECT(text.empty());
}

TEST(garbled_records) {
  auto random = test::random_engine();
  for (int round = 0; round < 60000; round++) {
    const auto rmgr = static_cast<uint8_t>(random() % rmgr_builtin_count);
    const auto info = static_cast<uint8_t>(random() % 256);
    // Small numbers make counts that nearly fit.
    const unsigned limit = random() % 3 == 0 ? 256 : random() % 2 == 0 ? 4 : 2;
    const auto random_bytes = [&](size_t size) {
      std::vector<std::byte> bytes(size);
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % limit);
      bytes.shrink_to_fit();
      return bytes;
    };
    const std::vector<std::byte> main = random_bytes(random() % 200);
    const std::vector<std::byte> data = random_bytes(random() % 100);
    DecodedWalRecord record;
    record.header.xl_rmid = rmgr;
    record.header.xl_info = info;
    record.main_data = main.empty() ? nullptr : main.data();
    record.main_data_length = static_cast<uint32_t>(main.size());
    if (random() % 4 != 0) {
      record.block_count = 1;
      record.blocks[0].in_use = random() % 8 != 0;
      record.blocks[0].data = data.empty() ? nullptr : data.data();
      record.blocks[0].data_length = static_cast<uint16_t>(data.size());
    }
    for (const int major : {13, 15, 17, 18}) {
      std::string text;
      (void)RecordDescriber(major, 1).describe(record, &text);
      EXPECT(text.size() < 100000);
    }
  }
}

}  // namespace
}  // namespace pgdata
