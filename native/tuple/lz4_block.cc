// LZ4 block decoding, every length checked against both buffers.
#include "tuple/lz4_block.h"

#include <cstdint>
#include <cstring>

namespace pgdata {

namespace {

// Reads the continuation of a length nibble of 15. False at the end of the input; a length is
// bounded by 255 times the input's size and cannot overflow.
bool extend_length(const uint8_t** in, const uint8_t* in_end, size_t* length) {
  uint8_t byte;
  do {
    if (*in == in_end) return false;
    byte = *(*in)++;
    *length += byte;
  } while (byte == 255);
  return true;
}

}  // namespace

bool lz4_decompress_block(std::span<const std::byte> block, std::span<std::byte> raw) {
  const uint8_t* in = reinterpret_cast<const uint8_t*>(block.data());
  const uint8_t* const in_end = in + block.size();
  uint8_t* const start = reinterpret_cast<uint8_t*>(raw.data());
  uint8_t* out = start;
  uint8_t* const out_end = start + raw.size();
  while (in < in_end) {
    const unsigned token = *in++;
    size_t literals = token >> 4;
    if (literals == 15 && !extend_length(&in, in_end, &literals)) return false;
    if (literals > static_cast<size_t>(in_end - in)) return false;
    if (literals > static_cast<size_t>(out_end - out)) return false;
    if (literals > 0) std::memcpy(out, in, literals);
    in += literals;
    out += literals;
    if (in == in_end) break;  // The last sequence has no match.
    if (in_end - in < 2) return false;
    const size_t distance = static_cast<size_t>(in[0]) | (static_cast<size_t>(in[1]) << 8);
    in += 2;
    size_t length = token & 15;
    if (length == 15 && !extend_length(&in, in_end, &length)) return false;
    length += 4;
    if (distance == 0 || distance > static_cast<size_t>(out - start)) return false;
    if (length > static_cast<size_t>(out_end - out)) return false;
    const uint8_t* from = out - distance;
    if (distance >= length) {
      std::memcpy(out, from, length);
    } else {
      for (size_t i = 0; i < length; ++i) out[i] = from[i];
    }
    out += length;
  }
  return out == out_end;
}

}  // namespace pgdata
