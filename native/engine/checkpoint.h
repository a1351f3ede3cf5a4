// Checkpoints: everything changed before the redo pointer reaches the disk, then pg_control says so.
//
// One at a time: the caller sees to it. A failure before the checkpoint record is
// inserted leaves the previous checkpoint in force and may be tried again; a
// failure after it, or of any sync, poisons the cluster.
// Source: CreateCheckPoint in src/backend/access/transam/xlog.c, PostgreSQL 18.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "change/change.h"
#include "file/file_system.h"
#include "file/storage.h"
#include "layout/control_file.h"
#include "wal/wal_segment_files.h"
#include "xact/checkpoint_counters.h"
#include "xact/transaction_system.h"

namespace pgdata {

// A new log's first record: a shutdown checkpoint at its beginning. Makes pg_control, in state "shut down".
Status write_first_checkpoint(FileSystem& files, const std::string& data_directory,
                              StorageServices& services, TransactionSystem& transactions,
                              ControlFile* control);

// What a checkpoint did, for the log.
struct CheckpointReport {
  uint64_t buffers = 0;
  uint64_t slru_buffers = 0;
  SyncReport sync;
  SegmentReport segments;
  std::chrono::steady_clock::duration writing{};
  std::chrono::steady_clock::duration syncing{};
  std::chrono::steady_clock::duration total{};
  Lsn lsn = invalid_lsn;
  Lsn redo = invalid_lsn;
};

// Takes a checkpoint and brings pg_control and `*control` up to date. A shutdown checkpoint must be the last
// thing that is logged; the state is then "shut down". Buffers are written no faster than `pace` allows.
Status create_checkpoint(FileSystem& files, const std::string& data_directory,
                         StorageServices& services, TransactionSystem& transactions,
                         CheckpointKind kind, ControlFile* control, const WritePace& pace = nullptr,
                         CheckpointReport* report = nullptr);

// Whether anything that matters was logged since the last checkpoint: an idle cluster needs no other.
bool needs_checkpoint(const StorageServices& services, const ControlFile& control);

}  // namespace pgdata
