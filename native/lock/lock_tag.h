// LockTag and LockLevel: what can be locked, how strongly, and which strengths exclude each other.
//
//   offset  size  field          meaning
//        0     4  field1         database, or the first number that the kind of lock needs
//        4     4  field2         relation, class, …
//        8     4  field3         block number, object, …
//       12     2  field4         offset number, sub-object, …
//       14     1  type           LockTagType
//       15     1  method         1 for ordinary locks, 2 for advisory ones
//
// Source: src/include/storage/{lock.h,lockdefs.h}, src/backend/storage/lmgr/{lock.c,lmgr.c}, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "base/types.h"
#include "layout/two_phase_file.h"
#include "shmem/wait_event.h"

namespace pgdata {

enum class LockTagType : uint8_t {
  relation = 0,
  relation_extend = 1,
  database_frozen_ids = 2,
  page = 3,
  tuple = 4,
  transaction = 5,
  virtual_transaction = 6,
  speculative_token = 7,
  object = 8,
  userlock = 9,
  advisory = 10,
};

// pg_locks.locktype is the event's name.
constexpr WaitEvent wait_event_of(LockTagType type) {
  return static_cast<WaitEvent>(static_cast<uint32_t>(WaitEvent::lock_relation) +
                                static_cast<uint32_t>(type));
}
static_assert(wait_event_of(LockTagType::advisory) == WaitEvent::lock_advisory);
static_assert(wait_event_of(LockTagType::transaction) == WaitEvent::lock_transactionid);

// LOCKMODE, weakest first. Tuples and transactions are locked at the same levels as relations.
enum class LockLevel : uint8_t {
  none = 0,
  access_share = 1,
  row_share = 2,
  row_exclusive = 3,
  share_update_exclusive = 4,
  share = 5,
  share_row_exclusive = 6,
  exclusive = 7,
  access_exclusive = 8,
};
inline constexpr uint32_t lock_levels_end = 9;

constexpr uint32_t value_of(LockLevel level) { return static_cast<uint32_t>(level); }
constexpr uint16_t bit_of(LockLevel level) { return static_cast<uint16_t>(1u << value_of(level)); }
// The levels that `level` cannot be held beside.
uint16_t conflicts_of(LockLevel level);
// "AccessShareLock" and so on.
const char* name_of(LockLevel level);

// The catalogs that are in the global tablespace. Source: IsSharedRelation in src/backend/catalog/catalog.c, PostgreSQL 18.
constexpr bool is_shared_catalog(Oid table) {
  switch (table) {
    case 1213:  // pg_tablespace
    case 1214:  // pg_shdepend
    case 1260:  // pg_authid
    case 1261:  // pg_auth_members
    case 1262:  // pg_database
    case 2672:  // pg_database_oid_index, which stands for all of them; see src-ts/command/commands.ts
    case 2396:  // pg_shdescription
    case 2964:  // pg_db_role_setting
    case 3592:  // pg_shseclabel
    case 6000:  // pg_replication_origin
    case 6100:  // pg_subscription
    case 6243:  // pg_parameter_acl
      return true;
    default:
      return false;
  }
}

struct LockTag {
  uint32_t field1 = 0;
  uint32_t field2 = 0;
  uint32_t field3 = 0;
  uint16_t field4 = 0;
  LockTagType type = LockTagType::relation;
  uint8_t method = 1;

  // `database` is 0 for a shared relation.
  static constexpr LockTag relation(Oid database, Oid relation) {
    return {database, relation, 0, 0, LockTagType::relation, 1};
  }
  // A table as a session on `database` knows it: one of the catalogs that all databases share, or the database's own.
  static constexpr LockTag table(Oid database, Oid table) {
    return relation(is_shared_catalog(table) ? invalid_oid : database, table);
  }
  static constexpr LockTag relation_extend(Oid database, Oid relation) {
    return {database, relation, 0, 0, LockTagType::relation_extend, 1};
  }
  static constexpr LockTag page(Oid database, Oid relation, BlockNumber block) {
    return {database, relation, pgdata::value_of(block), 0, LockTagType::page, 1};
  }
  static constexpr LockTag tuple(Oid database, Oid relation, ItemPointer tid) {
    return {database, relation, pgdata::value_of(tid.block()), tid.offset(), LockTagType::tuple, 1};
  }
  static constexpr LockTag transaction(TransactionId xid) {
    return {pgdata::value_of(xid), 0, 0, 0, LockTagType::transaction, 1};
  }
  // `backend`: its number, which counts from 1.
  static constexpr LockTag virtual_transaction(uint32_t backend, uint32_t number) {
    return {backend, number, 0, 0, LockTagType::virtual_transaction, 1};
  }
  static constexpr LockTag speculative_token(TransactionId xid, uint32_t token) {
    return {pgdata::value_of(xid), token, 0, 0, LockTagType::speculative_token, 1};
  }
  static constexpr LockTag object(Oid database, Oid class_oid, Oid object, uint16_t sub_object) {
    return {database, class_oid, object, sub_object, LockTagType::object, 1};
  }
  // One 64-bit key (`keys` 1), or two of 32 bits (`keys` 2), as pg_advisory_lock takes them.
  static constexpr LockTag advisory(Oid database, uint32_t high, uint32_t low, uint16_t keys) {
    return {database, high, low, keys, LockTagType::advisory, 2};
  }

  // The id of one, virtual or not: who waits for it waits for its end.
  constexpr bool is_transaction() const {
    return type == LockTagType::transaction || type == LockTagType::virtual_transaction;
  }

  // As the state of a prepared transaction keeps it.
  static LockTag from_record(const TwoPhaseLockRecord& record);
  TwoPhaseLockRecord record(LockLevel level) const;

  // "relation 16384 of database 5", for messages.
  std::string describe() const;
  uint32_t hash() const;

  friend bool operator==(const LockTag& a, const LockTag& b) {
    return std::memcmp(&a, &b, sizeof(LockTag)) == 0;
  }
};
static_assert(sizeof(LockTag) == 16);
static_assert(offsetof(LockTag, field4) == 12);
static_assert(offsetof(LockTag, method) == 15);
static_assert(std::has_unique_object_representations_v<LockTag>, "tags are compared as bytes");

struct LockTagHash {
  size_t operator()(const LockTag& tag) const { return tag.hash(); }
};

}  // namespace pgdata
