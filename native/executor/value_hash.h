// Hashes of values: equal ones, as the type's equality has it, have equal hashes.
#pragma once

#include <cstdint>

#include "executor/value_type.h"

namespace pgdata {

using HashFunction = uint64_t (*)(Datum value);

// Of a type that has an equality (equality_of_type).
HashFunction hash_of_type(const ValueType& type);

inline uint64_t mix_hash(uint64_t hash) {
  hash ^= hash >> 32;
  hash *= 0xD6E8FEB86659FD93u;
  hash ^= hash >> 32;
  hash *= 0xD6E8FEB86659FD93u;
  return hash ^ (hash >> 32);
}
inline uint64_t combine_hashes(uint64_t left, uint64_t right) {
  return mix_hash(left * 0x9E3779B97F4A7C15u + right);
}

}  // namespace pgdata
