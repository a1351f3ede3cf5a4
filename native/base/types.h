// The scalar types every room speaks: identifiers, block numbers, log positions.
//
// Block numbers and transaction ids are distinct types, so that an index is
// never mistaken for a count. Source: src/include/postgres_ext.h,
// storage/block.h, storage/off.h, access/transam.h, access/xlogdefs.h,
// storage/relfilelocator.h, common/relpath.h, PostgreSQL 18.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace pgdata {

using Oid = uint32_t;
inline constexpr Oid invalid_oid = 0;
inline constexpr Oid first_genbki_object_id = 10000;
inline constexpr Oid first_unpinned_object_id = 12000;
inline constexpr Oid first_normal_object_id = 16384;

// Byte position in the write-ahead log. 0 is "none".
using Lsn = uint64_t;
inline constexpr Lsn invalid_lsn = 0;

enum class BlockNumber : uint32_t {};
inline constexpr BlockNumber invalid_block_number{0xFFFFFFFFu};
inline constexpr uint32_t block_number_max = 0xFFFFFFFEu;
constexpr uint32_t value_of(BlockNumber block) { return static_cast<uint32_t>(block); }
constexpr BlockNumber next(BlockNumber block) { return BlockNumber{value_of(block) + 1}; }

// Line pointers are numbered from 1; 0 is invalid.
using OffsetNumber = uint16_t;
inline constexpr OffsetNumber invalid_offset_number = 0;
inline constexpr OffsetNumber first_offset_number = 1;

enum class TransactionId : uint32_t {};
inline constexpr TransactionId invalid_transaction_id{0};
inline constexpr TransactionId bootstrap_transaction_id{1};
inline constexpr TransactionId frozen_transaction_id{2};
inline constexpr TransactionId first_normal_transaction_id{3};
constexpr uint32_t value_of(TransactionId xid) { return static_cast<uint32_t>(xid); }
constexpr bool is_valid(TransactionId xid) { return xid != invalid_transaction_id; }
constexpr bool is_normal(TransactionId xid) { return value_of(xid) >= 3; }
// Modulo-2^32 order; permanent ids (below 3) precede all normal ones.
constexpr bool precedes(TransactionId left, TransactionId right) {
  if (!is_normal(left) || !is_normal(right)) return value_of(left) < value_of(right);
  return static_cast<int32_t>(value_of(left) - value_of(right)) < 0;
}
constexpr bool precedes_or_equals(TransactionId left, TransactionId right) {
  return left == right || precedes(left, right);
}
// The next id, skipping the three permanent ones at the wrap.
constexpr TransactionId next(TransactionId xid) {
  const uint32_t successor = value_of(xid) + 1;
  return TransactionId{successor < 3 ? 3 : successor};
}

// Epoch in the high half, TransactionId in the low half.
using FullTransactionId = uint64_t;
constexpr TransactionId xid_of(FullTransactionId full) {
  return TransactionId{static_cast<uint32_t>(full)};
}

using MultiXactId = uint32_t;
using CommandId = uint32_t;
inline constexpr CommandId first_command_id = 0;
inline constexpr CommandId invalid_command_id = 0xFFFFFFFFu;

// Microseconds since 2000-01-01 00:00:00 UTC.
using TimestampTz = int64_t;
TimestampTz current_timestamp();

enum class ForkNumber : uint8_t { main = 0, fsm = 1, visibility_map = 2, init = 3 };
inline constexpr int fork_count = 4;

// The physical identity of a relation: tablespace, database (0 when shared),
// file number.
struct RelFileLocator {
  Oid spcOid = 0;
  Oid dbOid = 0;
  Oid relNumber = 0;
  friend auto operator<=>(const RelFileLocator&, const RelFileLocator&) = default;
};
static_assert(sizeof(RelFileLocator) == 12);
inline constexpr Oid default_tablespace_oid = 1663;
inline constexpr Oid global_tablespace_oid = 1664;

// Where a tuple lives. On disk the block number is two 16-bit halves, high
// half first, hence alignment 2.
struct ItemPointer {
  uint16_t bi_hi = 0xFFFF;
  uint16_t bi_lo = 0xFFFF;
  OffsetNumber ip_posid = 0;

  constexpr ItemPointer() = default;
  constexpr ItemPointer(BlockNumber block, OffsetNumber offset)
      : bi_hi(static_cast<uint16_t>(value_of(block) >> 16)),
        bi_lo(static_cast<uint16_t>(value_of(block) & 0xFFFF)),
        ip_posid(offset) {}
  constexpr BlockNumber block() const {
    return BlockNumber{(static_cast<uint32_t>(bi_hi) << 16) | bi_lo};
  }
  constexpr OffsetNumber offset() const { return ip_posid; }
  constexpr bool is_valid() const { return ip_posid != 0; }
  friend constexpr bool operator==(const ItemPointer&, const ItemPointer&) = default;
  friend constexpr std::strong_ordering operator<=>(const ItemPointer& a, const ItemPointer& b) {
    if (a.bi_hi != b.bi_hi) return a.bi_hi <=> b.bi_hi;
    if (a.bi_lo != b.bi_lo) return a.bi_lo <=> b.bi_lo;
    return a.ip_posid <=> b.ip_posid;
  }
};
static_assert(sizeof(ItemPointer) == 6 && alignof(ItemPointer) == 2);

constexpr size_t align_up(size_t value, size_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}
// MAXALIGN: 8 on every platform we support.
constexpr size_t max_align(size_t value) { return align_up(value, 8); }

// Unaligned little-endian access; the compiler makes one instruction of it.
template <typename T>
T load(const void* address) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}
template <typename T>
void store(void* address, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(address, &value, sizeof(T));
}

}  // namespace pgdata
