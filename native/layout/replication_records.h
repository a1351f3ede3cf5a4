// Main data of the records of resource managers CommitTs, ReplicationOrigin and LogicalMessage.
//
//   COMMIT_TS_ZEROPAGE    int64 page number
//   COMMIT_TS_TRUNCATE    xl_commit_ts_truncate
//   XLOG_REPLORIGIN_SET   xl_replorigin_set
//   XLOG_REPLORIGIN_DROP  xl_replorigin_drop
//   XLOG_LOGICAL_MESSAGE  xl_logical_message, the prefix ended by a zero byte, the message
//
// Only the bytes up to the `_size` constant are logged where a struct ends in padding.
// Little-endian. Source: src/include/access/commit_ts.h, replication/origin.h,
// replication/message.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

// CommitTs.
inline constexpr uint8_t COMMIT_TS_ZEROPAGE = 0x00;
inline constexpr uint8_t COMMIT_TS_TRUNCATE = 0x10;

struct xl_commit_ts_truncate {
  int64_t pageno;
  TransactionId oldestXid;
  uint32_t padding;
};
static_assert(offsetof(xl_commit_ts_truncate, oldestXid) == 8);
inline constexpr size_t xl_commit_ts_truncate_size = 12;

// ReplicationOrigin.
inline constexpr uint8_t XLOG_REPLORIGIN_SET = 0x00;
inline constexpr uint8_t XLOG_REPLORIGIN_DROP = 0x10;

struct xl_replorigin_set {
  Lsn remote_lsn;
  uint16_t node_id;
  uint8_t force;
  uint8_t padding[5];
};
static_assert(sizeof(xl_replorigin_set) == 16);
static_assert(offsetof(xl_replorigin_set, force) == 10);

struct xl_replorigin_drop {
  uint16_t node_id;
};
static_assert(sizeof(xl_replorigin_drop) == 2);

// LogicalMessage.
inline constexpr uint8_t XLOG_LOGICAL_MESSAGE = 0x00;

//   offset  size  field          meaning
//        0     4  dbId           database
//        4     1  transactional
//        8     8  prefix_size    with its zero byte
//       16     8  message_size
//       24     -  prefix, message
struct xl_logical_message {
  Oid dbId;
  uint8_t transactional;
  uint8_t padding[3];
  uint64_t prefix_size;
  uint64_t message_size;
};
static_assert(sizeof(xl_logical_message) == 24);
static_assert(offsetof(xl_logical_message, prefix_size) == 8);
static_assert(std::has_unique_object_representations_v<xl_logical_message>);

}  // namespace pgdata
