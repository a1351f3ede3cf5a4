// Goal: CRC-32C is right, and the same whichever way it is computed.
// Method: published vectors (RFC 3720 B.4), then random buffers of all small
// sizes and alignments, and sizes about the interleaving runs, against the tables.
#include "base/crc32c.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/test.h"

namespace pgdata {

namespace {

uint32_t whole(const void* bytes, size_t size) {
  return crc32c_finish(crc32c(crc32c_initial, bytes, size));
}

}  // namespace

TEST(crc32c_gives_the_published_values) {
  unsigned char bytes[32];
  EXPECT_EQ(whole("123456789", 9), 0xE3069283u);
  EXPECT_EQ(whole("", 0), 0u);
  std::memset(bytes, 0, sizeof(bytes));
  EXPECT_EQ(whole(bytes, 32), 0x8A9136AAu);
  std::memset(bytes, 0xFF, sizeof(bytes));
  EXPECT_EQ(whole(bytes, 32), 0x62A8AB43u);
  for (unsigned i = 0; i < 32; i++) bytes[i] = static_cast<unsigned char>(i);
  EXPECT_EQ(whole(bytes, 32), 0x46DD794Eu);
  for (unsigned i = 0; i < 32; i++) bytes[i] = static_cast<unsigned char>(31 - i);
  EXPECT_EQ(whole(bytes, 32), 0x113FDB5Cu);
  EXPECT_EQ(crc32c_finish(crc32c_portable(crc32c_initial, "123456789", 9)), 0xE3069283u);
}

TEST(crc32c_equals_the_table_method) {
  std::mt19937_64 random = test::random_engine();
  std::vector<unsigned char> bytes(40000);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random());
  for (size_t size = 0; size <= 1024; size++) {
    const size_t start = random() % 64;
    const uint32_t crc = static_cast<uint32_t>(random());
    EXPECT_EQ(crc32c(crc, &bytes[start], size), crc32c_portable(crc, &bytes[start], size));
  }
  for (size_t size : {3071u, 3072u, 3073u, 6144u, 8192u, 9999u, 32768u, 39000u}) {
    const size_t start = random() % 64;
    const uint32_t crc = static_cast<uint32_t>(random());
    EXPECT_EQ(crc32c(crc, &bytes[start], size), crc32c_portable(crc, &bytes[start], size));
  }
}

TEST(crc32c_of_pieces_is_the_crc32c_of_the_whole) {
  std::mt19937_64 random = test::random_engine();
  std::vector<unsigned char> bytes(8192);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random());
  for (int round = 0; round < 100; round++) {
    uint32_t crc = crc32c_initial;
    size_t done = 0;
    while (done < bytes.size()) {
      const size_t size = std::min<size_t>(1 + random() % 5000, bytes.size() - done);
      crc = crc32c(crc, &bytes[done], size);
      done += size;
    }
    EXPECT_EQ(crc32c_finish(crc), whole(bytes.data(), bytes.size()));
  }
}

}  // namespace pgdata
