// ReplicationOrigins: how far each replication origin was replayed, kept in pg_logical/replorigin_checkpoint.
//
//   offset  size  field        meaning
//        0     4  magic        0x1257DADE
//   then 16 bytes for each origin:
//        0     2  roident
//        8     8  remote_lsn   position at the origin
//   at the end, 4 bytes: CRC-32C of all before
//
// Source: src/backend/replication/logical/origin.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <map>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"

namespace pgdata {

class ReplicationOrigins {
 public:
  explicit ReplicationOrigins(StorageServices& services) : services_(services) {}

  // The state at the checkpoint; none when there is no file.
  Status load();
  // Never back, unless `force`.
  void advance(uint16_t origin, Lsn remote_lsn, bool force);
  void drop(uint16_t origin);
  // Replaces the file, if anything changed.
  Status write();

 private:
  StorageServices& services_;
  std::map<uint16_t, Lsn> remote_lsns_;
  bool changed_ = false;
};

}  // namespace pgdata
