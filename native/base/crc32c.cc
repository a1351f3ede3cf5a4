// CRC-32C: by instruction, three streams at a time, else by tables, eight bytes at a time.
#include "base/crc32c.h"

#include <array>
#include <atomic>

#include "base/types.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#define PGDATA_CRC_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
// The functions of <arm_acle.h> are hidden by some compilers unless the whole
// file is compiled for the extension; the builtins obey the attribute below.
#if defined(__clang__)
#define PGDATA_CRC_TARGET __attribute__((target("crc")))
#else
#define PGDATA_CRC_TARGET __attribute__((target("+crc")))
#endif
#endif

namespace pgdata {

namespace {

// The polynomial with the lowest power in the highest bit.
constexpr uint32_t reflected_polynomial = 0x82F63B78u;

constexpr uint32_t shift_one_bit(uint32_t crc) {
  return (crc >> 1) ^ ((crc & 1) != 0 ? reflected_polynomial : 0);
}

// slices[k][b]: the byte b followed by k zero bytes.
using SliceTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr SliceTables make_slice_tables() {
  SliceTables slices{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = shift_one_bit(crc);
    slices[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; k++) {
    for (size_t byte = 0; byte < 256; byte++) {
      const uint32_t before = slices[k - 1][byte];
      slices[k][byte] = (before >> 8) ^ slices[0][before & 0xFF];
    }
  }
  return slices;
}

constexpr SliceTables slices = make_slice_tables();

#ifdef PGDATA_CRC_TARGET

// Product of two polynomials modulo the CRC's, both reflected.
constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = shift_one_bit(b);
  }
  return product;
}

// advance[k][b]: what byte k of a CRC, when it is b, becomes after a run of zero bytes.
using AdvanceTables = std::array<std::array<uint32_t, 256>, 4>;

constexpr AdvanceTables make_advance_tables(uint32_t zero_bytes) {
  uint32_t factor = 0x80000000u;  // x^0
  uint32_t square = 0x00800000u;  // x^8
  for (uint32_t n = zero_bytes; n != 0; n >>= 1) {
    if ((n & 1) != 0) factor = multiply(factor, square);
    square = multiply(square, square);
  }
  AdvanceTables advance{};
  for (uint32_t k = 0; k < 4; k++) {
    for (uint32_t bit = 0; bit < 8; bit++) {
      const uint32_t image = multiply(1u << (8 * k + bit), factor);
      for (uint32_t byte = 0; byte < (1u << bit); byte++)
        advance[k][(1u << bit) | byte] = advance[k][byte] ^ image;
    }
  }
  return advance;
}

uint32_t advance_by(const AdvanceTables& advance, uint32_t crc) {
  return advance[0][crc & 0xFF] ^ advance[1][(crc >> 8) & 0xFF] ^ advance[2][(crc >> 16) & 0xFF] ^
         advance[3][crc >> 24];
}

// The instruction takes several cycles and can start one each cycle, so three
// independent streams run at once. Long runs for page images, short for the rest.
constexpr size_t long_run_bytes = 1024;
constexpr size_t short_run_bytes = 128;
constexpr AdvanceTables advance_long = make_advance_tables(long_run_bytes);
constexpr AdvanceTables advance_short = make_advance_tables(short_run_bytes);

#if defined(__x86_64__)

// The instruction clears the high half; keeping it saves a move in the loops.
PGDATA_CRC_TARGET inline uint64_t step_8(uint64_t crc, const unsigned char* bytes) {
  return _mm_crc32_u64(crc, load<uint64_t>(bytes));
}
PGDATA_CRC_TARGET inline uint32_t step_4(uint32_t crc, const unsigned char* bytes) {
  return _mm_crc32_u32(crc, load<uint32_t>(bytes));
}
PGDATA_CRC_TARGET inline uint32_t step_1(uint32_t crc, unsigned char byte) {
  return _mm_crc32_u8(crc, byte);
}
bool processor_has_crc32c() { return __builtin_cpu_supports("sse4.2") != 0; }

#else

#if defined(__clang__)
#define PGDATA_CRC_8 __builtin_arm_crc32cd
#define PGDATA_CRC_4 __builtin_arm_crc32cw
#define PGDATA_CRC_1 __builtin_arm_crc32cb
#else
#define PGDATA_CRC_8 __builtin_aarch64_crc32cx
#define PGDATA_CRC_4 __builtin_aarch64_crc32cw
#define PGDATA_CRC_1 __builtin_aarch64_crc32cb
#endif

PGDATA_CRC_TARGET inline uint64_t step_8(uint64_t crc, const unsigned char* bytes) {
  return PGDATA_CRC_8(static_cast<uint32_t>(crc), load<uint64_t>(bytes));
}
PGDATA_CRC_TARGET inline uint32_t step_4(uint32_t crc, const unsigned char* bytes) {
  return PGDATA_CRC_4(crc, load<uint32_t>(bytes));
}
PGDATA_CRC_TARGET inline uint32_t step_1(uint32_t crc, unsigned char byte) {
  return PGDATA_CRC_1(crc, byte);
}
bool processor_has_crc32c() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
  return true;  // Every 64-bit Apple processor that runs Node has it.
#endif
}

#endif

template <size_t run_bytes>
PGDATA_CRC_TARGET uint32_t three_runs(uint32_t crc, const unsigned char* bytes,
                                      const AdvanceTables& advance) {
  static_assert(run_bytes % 8 == 0);
  uint64_t first = crc;
  uint64_t second = 0;
  uint64_t third = 0;
  for (size_t i = 0; i < run_bytes; i += 8) {
    first = step_8(first, bytes + i);
    second = step_8(second, bytes + run_bytes + i);
    third = step_8(third, bytes + 2 * run_bytes + i);
  }
  const uint32_t both =
      advance_by(advance, static_cast<uint32_t>(first)) ^ static_cast<uint32_t>(second);
  return advance_by(advance, both) ^ static_cast<uint32_t>(third);
}

PGDATA_CRC_TARGET uint32_t crc32c_instruction(uint32_t crc, const void* start, size_t size) {
  const unsigned char* bytes = static_cast<const unsigned char*>(start);
  for (; size >= 3 * long_run_bytes; size -= 3 * long_run_bytes) {
    crc = three_runs<long_run_bytes>(crc, bytes, advance_long);
    bytes += 3 * long_run_bytes;
  }
  for (; size >= 3 * short_run_bytes; size -= 3 * short_run_bytes) {
    crc = three_runs<short_run_bytes>(crc, bytes, advance_short);
    bytes += 3 * short_run_bytes;
  }
  for (; size >= 8; size -= 8) {
    crc = static_cast<uint32_t>(step_8(crc, bytes));
    bytes += 8;
  }
  if ((size & 4) != 0) {
    crc = step_4(crc, bytes);
    bytes += 4;
  }
  for (size &= 3; size != 0; size--) crc = step_1(crc, *bytes++);
  return crc;
}

#endif

using Crc32cFunction = uint32_t (*)(uint32_t, const void*, size_t);

Crc32cFunction best_function() {
#ifdef PGDATA_CRC_TARGET
  if (processor_has_crc32c()) return crc32c_instruction;
#endif
  return crc32c_portable;
}

// The first call finds out, whichever static initialiser makes it.
uint32_t choose_and_run(uint32_t crc, const void* bytes, size_t size);

constinit std::atomic<Crc32cFunction> chosen{choose_and_run};

uint32_t choose_and_run(uint32_t crc, const void* bytes, size_t size) {
  const Crc32cFunction best = best_function();
  chosen.store(best, std::memory_order_relaxed);
  return best(crc, bytes, size);
}

}  // namespace

uint32_t crc32c(uint32_t crc, const void* bytes, size_t size) {
  return chosen.load(std::memory_order_relaxed)(crc, bytes, size);
}

uint32_t crc32c_portable(uint32_t crc, const void* start, size_t size) {
  const unsigned char* bytes = static_cast<const unsigned char*>(start);
  for (; size >= 8; size -= 8) {
    const uint32_t low = crc ^ load<uint32_t>(bytes);
    const uint32_t high = load<uint32_t>(bytes + 4);
    crc = slices[7][low & 0xFF] ^ slices[6][(low >> 8) & 0xFF] ^ slices[5][(low >> 16) & 0xFF] ^
          slices[4][low >> 24] ^ slices[3][high & 0xFF] ^ slices[2][(high >> 8) & 0xFF] ^
          slices[1][(high >> 16) & 0xFF] ^ slices[0][high >> 24];
    bytes += 8;
  }
  for (; size != 0; size--) crc = (crc >> 8) ^ slices[0][(crc ^ *bytes++) & 0xFF];
  return crc;
}

bool crc32c_is_accelerated() { return best_function() != crc32c_portable; }

}  // namespace pgdata
