// The LZ4 block format, reading only: values that stock PostgreSQL compressed with lz4.
//
// A block is sequences of: a token (high nibble literal length, low nibble match length - 4, each
// 15 continued by bytes of up to 255), the literals, a two-byte distance. The last sequence ends
// after its literals. Source: the LZ4 block format description, lz4/doc/lz4_Block_format.md.
#pragma once

#include <cstddef>
#include <span>

namespace pgdata {

// Decompresses a whole block into exactly `raw`. False when it is not a block of that size.
[[nodiscard]] bool lz4_decompress_block(std::span<const std::byte> block, std::span<std::byte> raw);

}  // namespace pgdata
