// Goal: pglz output equals stock's and comes back; neither decompressor can be made to read or
// write outside its buffers.
// Method: digests of what stock 18.4 stored for generated values, round trips, random and damaged
// streams under ASan.
#include "tuple/compression.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/test.h"
#include "tuple/lz4_block.h"
#include "tuple/pglz.h"
#include "tuple/varlena.h"

namespace pgdata {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const std::string& text) {
  Bytes bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

Bytes random_compressible(std::mt19937_64& random, size_t size) {
  Bytes bytes(size);
  const uint64_t alphabet = 1 + random() % (random() % 3 ? 8 : 256);
  size_t at = 0;
  while (at < size) {
    if (at > 4 && random() % 3 == 0) {
      const size_t back = 1 + random() % std::min<size_t>(at, 6000);
      for (size_t i = random() % 300; i > 0 && at < size; --i, ++at) bytes[at] = bytes[at - back];
    } else {
      bytes[at++] = static_cast<std::byte>(random() % alphabet + (alphabet > 100 ? 0 : 'a'));
    }
  }
  return bytes;
}

TEST(pglz_comes_back) {
  std::mt19937_64 random = test::random_engine();
  int compressed = 0;
  for (int round = 0; round < 600; ++round) {
    const Bytes raw = random_compressible(random, 1 + random() % (round % 10 ? 3000 : 60000));
    Bytes output(pglz_output_max(raw.size()));
    const int64_t size = pglz_compress(raw, output);
    if (size < 0) continue;
    ++compressed;
    ASSERT(static_cast<size_t>(size) <= output.size());
    output.resize(static_cast<size_t>(size));
    output.shrink_to_fit();
    Bytes back(raw.size());
    ASSERT(pglz_decompress(output, back));
    EXPECT(back == raw);
    Bytes longer(raw.size() + 1);
    EXPECT(!pglz_decompress(output, longer));
  }
  EXPECT(compressed > 100);
}

// Method: stock 18.4 was given these 300 values in a column of storage main; the digest is of the
// bytes it stored for those 169 that it compressed (pageinspect, rows over the TOAST threshold).
TEST(pglz_output_is_that_of_stock) {
  uint32_t digest = crc32c_initial;
  int compressed = 0;
  for (uint64_t number = 0; number < 300; ++number) {
    uint64_t state = 0x9E3779B97F4A7C15ull * (number + 1);
    const auto next = [&state] {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      return state;
    };
    const size_t size = 32 + (number < 200 ? next() % 3000 : next() % 20000);
    const uint64_t kind = number % 4;
    const uint64_t alphabet = kind == 0 ? 4 : kind == 1 ? 26 : kind == 2 ? 200 : 256;
    Bytes raw;
    while (raw.size() < size) {
      if (raw.size() > 8 && next() % 3 == 0) {
        const size_t back = 1 + next() % std::min<size_t>(raw.size(), 6000);
        const size_t count = next() % 300;
        for (size_t i = 0; i < count && raw.size() < size; ++i)
          raw.push_back(raw[raw.size() - back]);
      } else {
        raw.push_back(static_cast<std::byte>(next() % alphabet + (kind < 2 ? 'a' : 0)));
      }
    }
    if (size <= 2000) continue;
    Bytes output(pglz_output_max(size));
    const int64_t length = pglz_compress(raw, output);
    if (length < 0) continue;
    digest = crc32c(digest, output.data(), static_cast<size_t>(length));
    ++compressed;
  }
  EXPECT_EQ(compressed, 169);
  EXPECT_EQ(crc32c_finish(digest), 0xEEAAC12Bu);
}

TEST(pglz_refuses_what_does_not_shrink) {
  std::mt19937_64 random = test::random_engine();
  Bytes raw(5000);
  for (std::byte& byte : raw) byte = static_cast<std::byte>(random());
  Bytes output(pglz_output_max(raw.size()));
  EXPECT_EQ(pglz_compress(raw, output), -1);
  const Bytes tiny = bytes_of(std::string(31, 'a'));
  EXPECT_EQ(pglz_compress(tiny, output), -1);
  const Bytes enough = bytes_of(std::string(32, 'a'));
  EXPECT(pglz_compress(enough, output) > 0);
}

TEST(random_streams_do_not_escape_the_buffers) {
  std::mt19937_64 random = test::random_engine();
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes stream(random() % 200);
    for (std::byte& byte : stream) {
      byte = static_cast<std::byte>(random() % 3 == 0 ? random() % 4 : random());
    }
    stream.shrink_to_fit();
    Bytes raw(random() % 600);
    if (pglz_decompress(stream, raw)) ++accepted;
    if (lz4_decompress_block(stream, raw)) ++accepted;
  }
  EXPECT(accepted < 20000);
}

TEST(damaged_streams_do_not_escape_the_buffers) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 2000; ++round) {
    const Bytes raw = random_compressible(random, 64 + random() % 2000);
    Bytes stream(pglz_output_max(raw.size()));
    const int64_t size = pglz_compress(raw, stream);
    if (size < 0) continue;
    stream.resize(static_cast<size_t>(size));
    stream[random() % stream.size()] = static_cast<std::byte>(random());
    stream.shrink_to_fit();
    Bytes back(raw.size());
    const bool complete = pglz_decompress(stream, back);
    EXPECT(complete || back.size() == raw.size());
  }
}

TEST(lz4_block_is_read) {
  // "abcdabcdabcdabcd" + "wxyz!": a literal run with an overlapping match, then literals alone.
  const uint8_t block[] = {0x48, 'a', 'b', 'c', 'd', 4, 0, 0x50, 'w', 'x', 'y', 'z', '!'};
  Bytes raw(21);
  ASSERT(lz4_decompress_block({reinterpret_cast<const std::byte*>(block), sizeof(block)}, raw));
  EXPECT_EQ(std::memcmp(raw.data(), "abcdabcdabcdabcdwxyz!", 21), 0);
  Bytes shorter(20);
  EXPECT(
      !lz4_decompress_block({reinterpret_cast<const std::byte*>(block), sizeof(block)}, shorter));
  EXPECT(!lz4_decompress_block({reinterpret_cast<const std::byte*>(block), 6}, raw));
}

TEST(lz4_long_lengths_are_read) {
  // 300 literals (15 + 255 + 30), then a match of 19 + 255 + 10 at distance 1.
  Bytes block = {std::byte{0xFF}, std::byte{255}, std::byte{30}};
  for (int i = 0; i < 300; ++i) block.push_back(static_cast<std::byte>(i));
  for (int byte : {1, 0, 255, 10}) block.push_back(static_cast<std::byte>(byte));
  block.push_back(std::byte{0x10});
  block.push_back(std::byte{'z'});
  Bytes raw(300 + 284 + 1);
  ASSERT(lz4_decompress_block(block, raw));
  EXPECT_EQ(static_cast<int>(raw[299]), 299 & 255);
  EXPECT_EQ(static_cast<int>(raw[300 + 283]), 299 & 255);
  EXPECT_EQ(static_cast<int>(raw[584]), 'z');
}

TEST(compressed_varlena_comes_back) {
  const std::string text(10000, 'q');
  Bytes value(VARHDRSZ + text.size());
  set_varlena_size_4b(value.data(), static_cast<uint32_t>(value.size()));
  std::memcpy(value.data() + VARHDRSZ, text.data(), text.size());
  Bytes compressed;
  ASSERT(compress_varlena(value.data(), &compressed));
  EXPECT(varlena_is_compressed(compressed.data()));
  EXPECT_EQ(varlena_size(compressed.data()), compressed.size());
  EXPECT_EQ(varlena_raw_size(compressed.data()), value.size());
  Bytes back;
  ASSERT_OK(decompress_varlena(compressed.data(), &back));
  EXPECT(back == value);
  // A size that the payload cannot reach is refused before memory is reserved for it.
  store<uint32_t>(compressed.data() + VARHDRSZ, VARLENA_EXTSIZE_MASK);
  EXPECT(!decompress_varlena(compressed.data(), &back).is_ok());
  // An unknown method.
  store<uint32_t>(compressed.data() + VARHDRSZ, 10000u | (3u << VARLENA_EXTSIZE_BITS));
  EXPECT(!decompress_varlena(compressed.data(), &back).is_ok());
}

}  // namespace
}  // namespace pgdata
