// Compressing and decompressing one varlena value, stored inline.
// Source: src/backend/access/common/{toast_compression.c,toast_internals.c}, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "layout/varlena.h"

namespace pgdata {

// Compresses a plain or short value with pglz (toast_compress_datum). True, with the whole
// compressed value in `*compressed`, if that is worth it. Values of a column set to lz4 are
// written as pglz too: each value carries its own method, and stock reads both.
bool compress_varlena(const std::byte* value, std::vector<std::byte>* compressed);

// Decompresses the payload (after va_tcinfo) of a compressed value into `raw_size` bytes at `raw`.
// data_corrupted if it does not fit exactly or the method is unknown.
Status decompress_payload(uint8_t method, const std::byte* payload, size_t payload_size,
                          std::byte* raw, size_t raw_size);

// Decompresses an inline compressed value into `*raw`, as a value with a four-byte header.
Status decompress_varlena(const std::byte* value, std::vector<std::byte>* raw);

}  // namespace pgdata
