// Storage: relation forks as arrays of blocks in 1 GiB segment files (PostgreSQL's md.c and sync.c).
//
// Caches open segments for this process; safe from several threads. Writes
// register the segment to be synced by the next checkpoint. Unlinking on commit
// truncates the first segment and leaves its removal to the checkpoint after the
// next, so that a relfilenode is not reused too soon.
// Source: src/backend/storage/smgr/md.c, src/backend/storage/sync/sync.c,
// src/common/relpath.c, PostgreSQL 18.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/types.h"
#include "file/file_system.h"
#include "file/storage_sharing.h"

namespace pgdata {

enum class IoMode : uint8_t { buffered, direct };

struct StorageOptions {
  std::string data_directory;
  uint32_t block_size = 8192;
  uint32_t segment_blocks = 131072;  // RELSEG_SIZE: 1 GiB of 8 KiB blocks
  // Direct IO with a block size below direct_io_alignment is buffered all the same.
  IoMode io_mode = IoMode::buffered;
  bool read_only = false;
  // fsync = off turns every sync of relation files into nothing.
  bool fsync = true;
  // What an earlier process wrote is made durable, before recovery, by syncing the file systems, not each file.
  bool recovery_syncs_file_systems = true;
  // Open segment files kept at most; the least recently used is closed.
  uint32_t open_files_max = 1000;
  // The version directory inside a tablespace, "PG_18_202506291".
  std::string tablespace_version_directory = "PG_18_202506291";
  // What names of files begin with: "t3_" for those of temporary relations of session 3.
  std::string file_prefix;
};

// What syncing took, for the log.
struct SyncReport {
  uint64_t files = 0;
  std::chrono::steady_clock::duration longest{};
  std::chrono::steady_clock::duration total{};
};

class Storage {
 public:
  Storage(FileSystem& files, StorageOptions options);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  const StorageOptions& options() const;
  FileSystem& files();

  // From here on others use the directory too. Said before anybody uses this Storage; `sharing` outlives it.
  void share(StorageSharing* sharing);
  // The owner does so now and then, so that others find room.
  void take_handed_over();
  // The owner is going to be another process: what is registered here is handed to it, or synced now.
  Status hand_over();
  // The owner before this one died with what was registered there: the next `sync_pending` syncs all file systems.
  void sync_everything_next();
  // The file system of the data directory, and those of its log and its tablespaces, now.
  Status sync_file_systems();

  // The path below the data directory: "base/5/16384", "global/1262_fsm", "pg_tblspc/16400/PG_18_202506291/5/16384".
  std::string relation_path(RelFileLocator relation, ForkNumber fork) const;
  std::string database_path(Oid dbOid, Oid spcOid) const;

  // Creates the fork's first segment; duplicate_file if it exists (unless `may_exist`). Syncs the directory at the next checkpoint.
  Status create(RelFileLocator relation, ForkNumber fork, bool may_exist = false);
  Status exists(RelFileLocator relation, ForkNumber fork, bool* exists);
  // Number of blocks: asks the file system. undefined_file if the fork does not exist.
  Status block_count(RelFileLocator relation, ForkNumber fork, uint32_t* blocks);
  // Reads `count` consecutive blocks into `pages` (each block_size bytes, aligned for direct IO).
  // A block past the end is data_corrupted: `could not read block 7 of relation "…": read only 0 of 8192 bytes`.
  Status read(RelFileLocator relation, ForkNumber fork, BlockNumber first, std::byte* const* pages,
              int count);
  // Writes existing blocks, and registers their segments for sync.
  Status write(RelFileLocator relation, ForkNumber fork, BlockNumber first, std::byte* const* pages,
               int count);
  // Adds `count` zero blocks starting at `first`, which must be the end (bytes of an incomplete
  // block there are overwritten). disk_full leaves the fork with some of them or none.
  Status extend(RelFileLocator relation, ForkNumber fork, BlockNumber first, uint32_t count);
  // Cuts the fork to `blocks`, which must not be more than it has. Later segments stay, empty.
  Status truncate(RelFileLocator relation, ForkNumber fork, uint32_t blocks);
  // Removes all forks, and forgets what they had to be synced: at once, or with the first main segment truncated now and unlinked by `remove_unlinked`.
  Status unlink(RelFileLocator relation, bool at_once);
  void prefetch(RelFileLocator relation, ForkNumber fork, BlockNumber first, uint32_t count);
  // Syncs every segment of the fork now (used after writing around the buffer pool or WAL).
  Status sync(RelFileLocator relation, ForkNumber fork);
  // Closes the open files of a relation, which another process dropped.
  void close_relation(RelFileLocator relation);
  // Closes open files and forgets syncs and unlinks to come (before removing a database directory).
  void close_database(Oid dbOid);
  // The same of what another process removed: only files are open here.
  void close_database_files(Oid dbOid);
  void close_all();

  // Checkpoint: `begin_checkpoint` closes the current cycle of pending unlinks;
  // `sync_pending` syncs all segments and directories registered before it (any failure poisons: the caller must
  // treat it so; what was not synced stays registered);
  // `remove_unlinked` removes files whose unlink was asked before the checkpoint began; one that cannot be removed is
  // tried again after the next.
  void begin_checkpoint();
  Status sync_pending(SyncReport* report = nullptr);
  Status remove_unlinked();
  // Register a directory (below the data directory) to be synced with the next checkpoint.
  void register_directory_sync(const std::string& path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgdata
