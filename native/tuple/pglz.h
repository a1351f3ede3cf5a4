// pglz: PostgreSQL's own compression, byte-equal to stock's output.
//
// A stream is groups of a control byte and up to eight items, lowest bit first: a clear bit is a
// literal byte, a set bit a match of 3 to 273 bytes at most 4095 bytes back:
//
//   byte 0   high nibble: bits 8..11 of the distance; low nibble: length - 3, or 15
//   byte 1   low 8 bits of the distance
//   byte 2   only if the nibble is 15: length - 18
//
// Source: src/common/pg_lzcompress.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pgdata {

// Compression writes at most this much before it knows that it does not pay.
constexpr size_t pglz_output_max(size_t raw_size) { return raw_size + 4; }

// Compresses with the default strategy into `output` (at least pglz_output_max bytes). Returns the
// compressed size, or -1 when the data is too small or would not shrink by a quarter.
int64_t pglz_compress(std::span<const std::byte> raw, std::span<std::byte> output);

// Decompresses a whole stream into exactly `raw`. False when the stream is not one of that size.
[[nodiscard]] bool pglz_decompress(std::span<const std::byte> stream, std::span<std::byte> raw);

}  // namespace pgdata
