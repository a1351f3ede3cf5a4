// page_checksum: PostgreSQL's data checksum, in vector registers.
//
// 32 sums run side by side over the page, seen as rows of 32 words:
// sum = (sum ^ word) * 16777619 ^ ((sum ^ word) >> 17). Two more rows of zeroes
// mix the last words in, the sums are folded by XOR, the block number is mixed in,
// and the result is reduced to 1..65535. Source: src/include/storage/checksum_impl.h.
#include <atomic>
#include <cstring>

#include "page/page.h"

namespace pgdata {

namespace {

constexpr uint32_t lane_count = 32;
constexpr uint32_t row_bytes = lane_count * 4;
constexpr uint32_t prime = 16777619;

alignas(64) constexpr uint32_t initial_sums[lane_count] = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

// Defines `name`, which sums a page in registers of `lanes` words. The page's
// first row, in which pd_checksum counts as zero, is handed in apart. A macro,
// since a compiler splits vectors by the target of the function that spells
// them, before it inlines them elsewhere.
#define DEFINE_SUM_PAGE(name, attributes, lanes)                                               \
  attributes uint32_t name(const std::byte* first_row, const std::byte* page, uint32_t rows) { \
    typedef uint32_t Vector __attribute__((vector_size(lanes * 4)));                           \
    constexpr uint32_t vector_count = lane_count / lanes;                                      \
    Vector sums[vector_count];                                                                 \
    std::memcpy(sums, initial_sums, row_bytes);                                                \
    const std::byte* row = first_row;                                                          \
    for (uint32_t i = 1; i <= rows; i++) {                                                     \
      _Pragma("GCC unroll 8") for (uint32_t k = 0; k < vector_count; k++) {                    \
        Vector words;                                                                          \
        std::memcpy(&words, row + k * sizeof(Vector), sizeof(Vector));                         \
        words ^= sums[k];                                                                      \
        sums[k] = (words * prime) ^ (words >> 17);                                             \
      }                                                                                        \
      row = page + i * row_bytes;                                                              \
    }                                                                                          \
    Vector folded = {};                                                                        \
    _Pragma("GCC unroll 8") for (uint32_t k = 0; k < vector_count; k++) {                      \
      sums[k] = (sums[k] * prime) ^ (sums[k] >> 17);                                           \
      folded ^= (sums[k] * prime) ^ (sums[k] >> 17);                                           \
    }                                                                                          \
    uint32_t result = 0;                                                                       \
    for (uint32_t lane = 0; lane < lanes; lane++) result ^= folded[lane];                      \
    return result;                                                                             \
  }

DEFINE_SUM_PAGE(sum_page, , 4)

using SumPageFunction = uint32_t (*)(const std::byte*, const std::byte*, uint32_t);

#if defined(__x86_64__)

DEFINE_SUM_PAGE(sum_page_avx2, __attribute__((target("avx2"))), 8)

SumPageFunction best_function() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") ? sum_page_avx2 : sum_page;
}

#else

SumPageFunction best_function() { return sum_page; }

#endif

uint32_t choose_and_run(const std::byte* first_row, const std::byte* page, uint32_t rows);

// The first call finds out what the processor has.
constinit std::atomic<SumPageFunction> chosen{choose_and_run};

uint32_t choose_and_run(const std::byte* first_row, const std::byte* page, uint32_t rows) {
  const SumPageFunction best = best_function();
  chosen.store(best, std::memory_order_relaxed);
  return best(first_row, page, rows);
}

}  // namespace

uint16_t page_checksum(const std::byte* page, uint32_t size_bytes, BlockNumber block) {
  INVARIANT(size_bytes >= block_size_min);
  INVARIANT(size_bytes % row_bytes == 0);
  std::byte first_row[row_bytes];
  std::memcpy(first_row, page, row_bytes);
  store<uint16_t>(first_row + offsetof(PageHeader, pd_checksum), 0);
  const uint32_t sum =
      chosen.load(std::memory_order_relaxed)(first_row, page, size_bytes / row_bytes);
  return static_cast<uint16_t>((sum ^ value_of(block)) % 65535 + 1);
}

}  // namespace pgdata
