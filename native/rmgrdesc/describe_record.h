// What a WAL record says, in pg_waldump's words.
//
//   RecordDescriber describer(18, 202506291);
//   std::string text;
//   const char* type = describer.type_name(record);          // "INSERT+INIT", or null
//   if (!describer.describe(record, &text)) ...              // the release's layout is not known
//
// Source: src/backend/access/rmgrdesc/, src/include/access/rmgrlist.h, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>

#include "wal/wal_reader.h"

namespace pgdata {

// "Heap"; "custom130" for an extension's; "UNKNOWN" for an id that nobody can have.
std::string resource_manager_name(uint8_t id);
inline constexpr uint8_t rmgr_builtin_count = 22;

class RecordDescriber {
 public:
  // `catalog_version` is part of the paths of files in tablespaces.
  RecordDescriber(int major, uint32_t catalog_version)
      : major_(major), catalog_version_(catalog_version) {}

  // Null when the resource manager has no record type of this xl_info.
  const char* type_name(uint8_t rmgr, uint8_t xl_info) const;
  // Appends the description. False, with nothing appended: the type is unknown, or the release logged
  // it in another form.
  bool describe(const DecodedWalRecord& record, std::string* text) const;

 private:
  int major_;
  uint32_t catalog_version_;
};

}  // namespace pgdata
