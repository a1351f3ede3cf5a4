// Question: how many bytes a second do the page checksum and CRC-32C check, and is
// either a cost that a buffer miss or a WAL record would notice?
//
// Predicted: the checksum is a chain of multiplications 12 cycles long for each
// 128 bytes, so about 30 GB/s at 3 GHz with 256-bit registers. CRC-32C runs three
// streams of an instruction that takes 8 bytes and starts once a cycle: some 20 GB/s
// for a page image, 5 to 10 for a record of 100 bytes.
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/crc32c.h"
#include "page/page.h"

namespace {

using pgdata::BlockNumber;

template <typename Work>
void measure(const char* name, size_t bytes_per_call, Work work) {
  using Clock = std::chrono::steady_clock;
  uint64_t calls = 0;
  uint32_t sum = 0;
  double seconds = 0;
  const Clock::time_point start = Clock::now();
  while (seconds < 0.3) {
    for (int i = 0; i < 1000; i++) sum += work(static_cast<uint32_t>(i));
    calls += 1000;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  std::printf("%-32s %8.2f GB/s %10.1f ns/call   (%08x)\n", name,
              static_cast<double>(calls * bytes_per_call) / seconds / 1e9,
              seconds / static_cast<double>(calls) * 1e9, sum);
}

}  // namespace

int main() {
  constexpr uint32_t page_bytes = 8192;
  std::vector<std::byte> page(page_bytes);
  for (uint32_t i = 0; i < page_bytes; i++) page[i] = static_cast<std::byte>(i * 131 + i / 256);
  measure("page checksum, 8 KiB", page_bytes, [&](uint32_t i) {
    return pgdata::page_checksum(page.data(), page_bytes, BlockNumber{i});
  });
  for (size_t size : {24u, 100u, 500u, 8192u}) {
    char name[64];
    std::snprintf(name, sizeof(name), "crc32c, %zu bytes", size);
    measure(name, size, [&](uint32_t i) { return pgdata::crc32c(i, page.data(), size); });
  }
  measure("crc32c by tables, 8192 bytes", page_bytes,
          [&](uint32_t i) { return pgdata::crc32c_portable(i, page.data(), page_bytes); });
  return 0;
}
