// ServerLog: the messages of an engine for the server log, in PostgreSQL's words.
//
// Costs nothing when nobody wants them. Source: StartupXLOG, LogCheckpointStart, LogCheckpointEnd in
// src/backend/access/transam/xlog.c, src/backend/postmaster/postmaster.c, PostgreSQL 18.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/log_message.h"
#include "engine/checkpoint.h"
#include "layout/control_file.h"
#include "shmem/cluster_state.h"

namespace pgdata {

class ServerLog {
 public:
  explicit ServerLog(LogSink sink) : sink_(std::move(sink)) {}

  bool is_wanted() const { return sink_ != nullptr; }
  // Of severity LOG.
  void write(const char* backend_type, const char* format, ...) const PGDATA_PRINTF(3, 4);
  void write(LogSeverity severity, const char* backend_type, const ErrorReport& report) const;

  // How the directory was left.
  void tell_start(const ControlFile& control, bool recovers) const;
  void tell_checkpoint(const CheckpointReport& report, uint32_t shared_buffers) const;
  void tell_death(int32_t pid, size_t sessions) const;
  // `running`: what its sessions were doing; may be empty.
  void tell_failed_process(int32_t pid, const std::string& running) const;
  void tell_crash(const ClusterState& state) const;

 private:
  LogSink sink_;
};

// What the process used since this was made.
class ResourceUsage {
 public:
  ResourceUsage();
  // "CPU: user: 0.10 s, system: 0.02 s, elapsed: 0.13 s"
  std::string describe() const;

 private:
  std::chrono::steady_clock::time_point began_;
  std::chrono::microseconds user_;
  std::chrono::microseconds system_;
};

}  // namespace pgdata
