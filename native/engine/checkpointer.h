// Checkpointer: the thread that takes checkpoints by time and by volume of log, makes log segments ahead of need, and
// switches segments for archive_timeout.
//
// Its checkpoints are spread: they write no faster than is needed to be done at checkpoint_completion_target of the way
// to the next one, unless somebody waits for one. Source: src/backend/postmaster/checkpointer.c and
// CalculateCheckpointSegments in src/backend/access/transam/xlog.c, PostgreSQL 18.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "base/status.h"
#include "base/types.h"
#include "shmem/activity_table.h"
#include "shmem/attachment.h"

namespace pgdata {

class Engine;

class Checkpointer {
 public:
  // A checkpoint is due `timeout_seconds` after the last one if anything was logged, and once half of
  // `max_wal_bytes` was logged: the log of two intervals is kept at most.
  Checkpointer(Engine& engine, ActivityEntry& activity, uint32_t timeout_seconds,
               uint64_t max_wal_bytes);
  ~Checkpointer();  // waits for a checkpoint under way, which hurries
  Checkpointer(const Checkpointer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  void round();
  void take_checkpoint(bool by_time);
  Status pace(double done);
  bool is_ahead(double done) const;
  void switch_for_archive();

  Engine& engine_;
  ActivityEntry& activity_;
  // Not while it rests: whoever dies then leaves nothing half done.
  std::optional<Attachment::Inside> inside_;
  uint32_t timeout_seconds_;
  uint64_t volume_bytes_;
  Clock::time_point last_;   // when the last checkpoint began
  Lsn began_ = invalid_lsn;  // where the log was then
  uint64_t segment_ = 0;     // of the log's end, and since when that is
  Clock::time_point in_segment_since_;
  Lsn switched_ = invalid_lsn;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pgdata
