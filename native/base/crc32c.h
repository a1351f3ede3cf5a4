// CRC-32C (Castagnoli), the check of WAL records, pg_control and relation maps.
//
// PostgreSQL's INIT_CRC32C, COMP_CRC32C and FIN_CRC32C are crc32c_initial,
// crc32c and crc32c_finish:
//
//   uint32_t crc = crc32c_initial;
//   crc = crc32c(crc, header, sizeof(header));
//   crc = crc32c(crc, body, body_size);
//   record.xl_crc = crc32c_finish(crc);
//
// Uses the processor's instruction where it has one. Safe from any thread.
// Source for the convention: src/include/port/pg_crc32c.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pgdata {

inline constexpr uint32_t crc32c_initial = 0xFFFFFFFFu;

// Continues `crc` with `size` bytes; not inverted, so that pieces can be chained.
uint32_t crc32c(uint32_t crc, const void* bytes, size_t size);

constexpr uint32_t crc32c_finish(uint32_t crc) { return crc ^ 0xFFFFFFFFu; }

// The same by tables, for processors without the instruction and for tests.
uint32_t crc32c_portable(uint32_t crc, const void* bytes, size_t size);

// Whether `crc32c` uses the processor's instruction.
bool crc32c_is_accelerated();

}  // namespace pgdata
