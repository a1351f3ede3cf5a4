// LockTag and LockLevel: conflicts, names, hashing.
#include "lock/lock_tag.h"

#include <cstdarg>
#include <cstdio>

#include "base/invariant.h"
#include "base/status.h"

namespace pgdata {

namespace {

template <typename... Levels>
constexpr uint16_t bits(Levels... levels) {
  return static_cast<uint16_t>((... | bit_of(levels)));
}

using enum LockLevel;

constexpr uint16_t conflict_table[lock_levels_end] = {
    0,
    bits(access_exclusive),
    bits(exclusive, access_exclusive),
    bits(share, share_row_exclusive, exclusive, access_exclusive),
    bits(share_update_exclusive, share, share_row_exclusive, exclusive, access_exclusive),
    bits(row_exclusive, share_update_exclusive, share_row_exclusive, exclusive, access_exclusive),
    bits(row_exclusive, share_update_exclusive, share, share_row_exclusive, exclusive,
         access_exclusive),
    bits(row_share, row_exclusive, share_update_exclusive, share, share_row_exclusive, exclusive,
         access_exclusive),
    bits(access_share, row_share, row_exclusive, share_update_exclusive, share, share_row_exclusive,
         exclusive, access_exclusive),
};

constexpr bool is_symmetric() {
  for (uint32_t a = 1; a < lock_levels_end; ++a) {
    for (uint32_t b = 1; b < lock_levels_end; ++b) {
      if (((conflict_table[a] >> b) & 1) != ((conflict_table[b] >> a) & 1)) return false;
    }
  }
  return true;
}
static_assert(is_symmetric());

const char* const level_names[lock_levels_end] = {"INVALID",
                                                  "AccessShareLock",
                                                  "RowShareLock",
                                                  "RowExclusiveLock",
                                                  "ShareUpdateExclusiveLock",
                                                  "ShareLock",
                                                  "ShareRowExclusiveLock",
                                                  "ExclusiveLock",
                                                  "AccessExclusiveLock"};

std::string format(const char* pattern, ...) PGDATA_PRINTF(1, 2);
std::string format(const char* pattern, ...) {
  char text[160];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof(text), pattern, arguments);
  va_end(arguments);
  return text;
}

}  // namespace

uint16_t conflicts_of(LockLevel level) {
  INVARIANT(value_of(level) < lock_levels_end);
  return conflict_table[value_of(level)];
}

const char* name_of(LockLevel level) {
  INVARIANT(value_of(level) < lock_levels_end);
  return level_names[value_of(level)];
}

uint32_t LockTag::hash() const {
  uint64_t words[2];
  std::memcpy(words, this, sizeof(words));
  uint64_t mixed = words[0] * 0x9E3779B97F4A7C15u ^ words[1];
  mixed ^= mixed >> 32;
  mixed *= 0xD6E8FEB86659FD93u;
  mixed ^= mixed >> 32;
  return static_cast<uint32_t>(mixed);
}

LockTag LockTag::from_record(const TwoPhaseLockRecord& record) {
  return {record.locktag_field1,
          record.locktag_field2,
          record.locktag_field3,
          record.locktag_field4,
          static_cast<LockTagType>(record.locktag_type),
          record.locktag_lockmethodid};
}

TwoPhaseLockRecord LockTag::record(LockLevel level) const {
  TwoPhaseLockRecord record;
  record.locktag_field1 = field1;
  record.locktag_field2 = field2;
  record.locktag_field3 = field3;
  record.locktag_field4 = field4;
  record.locktag_type = static_cast<uint8_t>(type);
  record.locktag_lockmethodid = method;
  record.lockmode = static_cast<int32_t>(pgdata::value_of(level));
  return record;
}

std::string LockTag::describe() const {
  switch (type) {
    case LockTagType::relation:
      return format("relation %u of database %u", field2, field1);
    case LockTagType::relation_extend:
      return format("extension of relation %u of database %u", field2, field1);
    case LockTagType::database_frozen_ids:
      return format("pg_database.datfrozenxid of database %u", field1);
    case LockTagType::page:
      return format("page %u of relation %u of database %u", field3, field2, field1);
    case LockTagType::tuple:
      return format("tuple (%u,%u) of relation %u of database %u", field3, unsigned{field4}, field2,
                    field1);
    case LockTagType::transaction:
      return format("transaction %u", field1);
    case LockTagType::virtual_transaction:
      return format("virtual transaction %u/%u", field1, field2);
    case LockTagType::speculative_token:
      return format("speculative token %u of transaction %u", field2, field1);
    case LockTagType::object:
      return format("object %u of class %u of database %u", field3, field2, field1);
    case LockTagType::userlock:
      return format("user lock [%u,%u,%u]", field1, field2, field3);
    case LockTagType::advisory:
      return format("advisory lock [%u,%u,%u,%u]", field1, field2, field3, unsigned{field4});
  }
  return format("unrecognized locktag type %u", static_cast<unsigned>(type));
}

}  // namespace pgdata
