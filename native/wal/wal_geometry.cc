// WalGeometry: names of segment files, positions as text.
#include "wal/wal_geometry.h"

#include <cinttypes>
#include <cstdio>

namespace pgdata {

std::string wal_file_name(uint32_t timeline, uint64_t segment, uint32_t segment_bytes) {
  const uint64_t per_id = (uint64_t{1} << 32) / segment_bytes;
  char name[wal_file_name_length + 1];
  std::snprintf(name, sizeof(name), "%08X%08X%08X", timeline,
                static_cast<uint32_t>(segment / per_id), static_cast<uint32_t>(segment % per_id));
  return name;
}

bool parse_wal_file_name(const std::string& name, uint32_t segment_bytes, uint32_t* timeline,
                         uint64_t* segment) {
  if (name.size() != wal_file_name_length) return false;
  uint32_t parts[3] = {};
  for (size_t i = 0; i < wal_file_name_length; i++) {
    const char c = name[i];
    uint32_t digit;
    if (c >= '0' && c <= '9') {
      digit = static_cast<uint32_t>(c - '0');
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<uint32_t>(c - 'A' + 10);
    } else {
      return false;
    }
    parts[i / 8] = (parts[i / 8] << 4) | digit;
  }
  const uint64_t per_id = (uint64_t{1} << 32) / segment_bytes;
  if (parts[2] >= per_id) return false;
  *timeline = parts[0];
  *segment = parts[1] * per_id + parts[2];
  return true;
}

std::string format_lsn(Lsn lsn) {
  char text[24];
  std::snprintf(text, sizeof(text), "%" PRIX32 "/%" PRIX32, static_cast<uint32_t>(lsn >> 32),
                static_cast<uint32_t>(lsn));
  return text;
}

}  // namespace pgdata
