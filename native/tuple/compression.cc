// Compression of one value: pglz both ways, LZ4 for reading.
#include "tuple/compression.h"

#include <span>

#include "base/invariant.h"
#include "tuple/lz4_block.h"
#include "tuple/pglz.h"
#include "tuple/varlena.h"

namespace pgdata {

bool compress_varlena(const std::byte* value, std::vector<std::byte>* compressed) {
  INVARIANT(!varlena_is_external(value) && !varlena_is_compressed(value));
  const uint32_t raw_size = varlena_data_size(value);
  compressed->resize(VARHDRSZ_COMPRESSED + pglz_output_max(raw_size));
  const int64_t size = pglz_compress({varlena_data(value), raw_size},
                                     std::span(*compressed).subspan(VARHDRSZ_COMPRESSED));
  if (size < 0) return false;
  const uint32_t total = static_cast<uint32_t>(size) + VARHDRSZ_COMPRESSED;
  // Two bytes less than the data, or the header and its alignment eat what was gained.
  if (total + 2 >= raw_size) return false;
  set_varlena_size_compressed(compressed->data(), total);
  store<uint32_t>(
      compressed->data() + VARHDRSZ,
      raw_size | (static_cast<uint32_t>(CompressionMethod::pglz) << VARLENA_EXTSIZE_BITS));
  compressed->resize(total);
  return true;
}

Status decompress_payload(uint8_t method, const std::byte* payload, size_t payload_size,
                          std::byte* raw, size_t raw_size) {
  switch (static_cast<CompressionMethod>(method)) {
    case CompressionMethod::pglz:
      if (pglz_decompress({payload, payload_size}, {raw, raw_size})) return Status::ok;
      return Status::error(Status::data_corrupted, "compressed pglz data is corrupt");
    case CompressionMethod::lz4:
      if (lz4_decompress_block({payload, payload_size}, {raw, raw_size})) return Status::ok;
      return Status::error(Status::data_corrupted, "compressed lz4 data is corrupt");
  }
  return Status::error(Status::data_corrupted, "invalid compression method id %u",
                       unsigned{method});
}

Status decompress_varlena(const std::byte* value, std::vector<std::byte>* raw) {
  INVARIANT(varlena_is_compressed(value));
  const uint32_t raw_size = compressed_raw_size(value);
  const uint32_t payload_size = varlena_size_4b(value) - VARHDRSZ_COMPRESSED;
  // Neither method makes more than 255 bytes of one: do not reserve what a corrupt size asks for.
  if (raw_size / 256 > payload_size)
    return Status::error(Status::data_corrupted,
                         "compressed value of %u bytes claims to hold %u bytes", payload_size,
                         raw_size);
  raw->resize(VARHDRSZ + size_t{raw_size});
  set_varlena_size_4b(raw->data(), raw_size + VARHDRSZ);
  return decompress_payload(compressed_method(value), value + VARHDRSZ_COMPRESSED, payload_size,
                            raw->data() + VARHDRSZ, raw_size);
}

}  // namespace pgdata
