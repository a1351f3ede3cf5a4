// StorageSharing: what the Storages of several processes on one directory tell each other.
//
// One process takes the checkpoints, the owner: the others hand it what has to be synced then. Files that are removed
// are known to all, so that nobody keeps one open. Implemented in shared memory by shmem/storage_board.
// Source for the roles: src/backend/storage/sync/sync.c, src/backend/postmaster/checkpointer.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"

namespace pgdata {

// What the next checkpoint has to do, or no longer has to.
struct SyncRequest {
  enum class Kind : uint32_t {
    segment,          // sync one segment of a fork
    directory,        // sync the directory `path`
    forget_relation,  // its files are gone
    forget_database,  // those of `relation.dbOid`
  };
  Kind kind = Kind::segment;
  RelFileLocator relation{};
  ForkNumber fork = ForkNumber::main;
  uint32_t segment = 0;
  std::string path;
};

class StorageSharing {
 public:
  virtual ~StorageSharing() = default;

  // Does this process take the checkpoints?
  virtual bool is_owner() const = 0;
  // Counts checkpoints: what was handed over in an earlier cycle has to be handed over again.
  virtual uint64_t cycle() const = 0;
  virtual void begin_cycle() = 0;
  // Hands a request to the owner, waiting for room; one of a poisoned cluster is dropped.
  virtual void push(const SyncRequest& request) = 0;
  virtual bool push_if_room(const SyncRequest& request) = 0;
  // The owner takes all that was handed to it.
  virtual void take(std::vector<SyncRequest>* requests) = 0;

  // A main fork's first segment to be removed after the checkpoint after this cycle; false when there is no room.
  virtual bool add_unlink(RelFileLocator relation) = 0;
  // Those of earlier cycles.
  virtual void take_unlinks(std::vector<RelFileLocator>* relations) = 0;
  virtual void forget_unlinks(Oid dbOid) = 0;

  // Others close their open files of the relation; of the database, when `relNumber` is 0.
  virtual void announce_removal(RelFileLocator relation) = 0;
};

}  // namespace pgdata
