// Checkpointer: the thread that takes checkpoints by time and by volume of log, and makes log segments ahead of need.
//
// Source for the triggers: src/backend/postmaster/checkpointer.c and
// CalculateCheckpointSegments in src/backend/access/transam/xlog.c, PostgreSQL 18.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace pgdata {

class Engine;

class Checkpointer {
 public:
  // A checkpoint is due `timeout_seconds` after the last one if anything was logged, and once half of
  // `max_wal_bytes` was logged: the log of two intervals is kept at most.
  Checkpointer(Engine& engine, uint32_t timeout_seconds, uint64_t max_wal_bytes);
  ~Checkpointer();  // waits for a checkpoint under way
  Checkpointer(const Checkpointer&) = delete;

 private:
  void run();

  Engine& engine_;
  uint32_t timeout_seconds_;
  uint64_t volume_bytes_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pgdata
