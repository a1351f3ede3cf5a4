// Hashes by the kinds of equality that types have.
#include "executor/value_hash.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

namespace pgdata {

namespace {

template <typename T>
uint64_t hash_integer(Datum value) {
  return mix_hash(static_cast<uint64_t>(static_cast<int64_t>(static_cast<T>(value))));
}

uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = bytes.size();
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8)
    hash = combine_hashes(hash, load<uint64_t>(bytes.data() + at));
  if (at < bytes.size()) {
    uint64_t rest = 0;
    std::memcpy(&rest, bytes.data() + at, bytes.size() - at);
    hash = combine_hashes(hash, rest);
  }
  return mix_hash(hash);
}

// -0 equals 0, and every NaN every other.
uint64_t hash_double(double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  return mix_hash(std::bit_cast<uint64_t>(value == 0 ? 0.0 : value));
}
uint64_t hash_float8(Datum value) { return hash_double(std::bit_cast<double>(value)); }
uint64_t hash_float4(Datum value) {
  return hash_double(std::bit_cast<float>(static_cast<uint32_t>(value)));
}

uint64_t hash_varlena(Datum value) { return hash_bytes(varlena_content(value)); }

uint64_t hash_bpchar(Datum value) {
  std::string_view text = varlena_content(value);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return hash_bytes(text);
}

uint64_t hash_name(Datum value) {
  const char* text = reinterpret_cast<const char*>(datum_pointer(value));
  return hash_bytes({text, strnlen(text, 64)});
}

template <size_t size>
uint64_t hash_fixed(Datum value) {
  return hash_bytes({reinterpret_cast<const char*>(datum_pointer(value)), size});
}

// Sign, weight and digits without zeroes at either end: the scale that is shown makes no difference.
uint64_t hash_numeric(Datum value) {
  const std::string_view content = varlena_content(value);
  if (content.size() < 2) return 0;
  const auto header = load<uint16_t>(content.data());
  if ((header & 0xC000) == 0xC000) return mix_hash(header & 0xF000u);
  const bool is_short = (header & 0x8000) != 0;
  if (!is_short && content.size() < 4) return 0;
  const bool negative = (header & (is_short ? 0x2000 : 0x4000)) != 0;
  int weight = is_short ? (header & 0x3F) - ((header & 0x40) != 0 ? 64 : 0)
                        : load<int16_t>(content.data() + 2);
  std::string_view digits = content.substr(is_short ? 2 : 4);
  while (digits.size() >= 2 && load<int16_t>(digits.data()) == 0) {
    digits.remove_prefix(2);
    weight--;
  }
  while (digits.size() >= 2 && load<int16_t>(digits.data() + digits.size() - 2) == 0)
    digits.remove_suffix(2);
  if (digits.size() < 2) return 0;
  return combine_hashes(hash_bytes(digits), static_cast<uint64_t>(weight * 2 + (negative ? 1 : 0)));
}

// Types whose equality is more than their bytes' and rarely a key (interval, jsonb, arrays, …) are told apart by comparing.
uint64_t hash_nothing(Datum) { return 0; }

}  // namespace

HashFunction hash_of_type(const ValueType& type) {
  switch (type.oid) {
    case type_oid::float4:
      return hash_float4;
    case type_oid::float8:
      return hash_float8;
    case type_oid::numeric:
      return hash_numeric;
    case type_oid::bpchar:
      return hash_bpchar;
    case 19:  // name
      return hash_name;
    case 17:    // bytea
    case 25:    // text
    case 1043:  // varchar
      return hash_varlena;
    case 2950:  // uuid
      return hash_fixed<16>;
    default:
      break;
  }
  if (!type.by_value) return hash_nothing;
  switch (type.length) {
    case 1:
      return hash_integer<int8_t>;
    case 2:
      return hash_integer<int16_t>;
    case 4:
      return hash_integer<int32_t>;
    default:
      return hash_integer<int64_t>;
  }
}

}  // namespace pgdata
