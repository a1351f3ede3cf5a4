// ServerLog: the messages.
#include "engine/server_log.h"

#include <sys/resource.h>

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <utility>

#include "wal/wal_geometry.h"

namespace pgdata {

namespace {

std::string format_time(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  const size_t length = std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return std::string(text, length);
}

double seconds_of(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

std::chrono::microseconds duration_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// What pg_control's state says in the log. Null: nothing.
const char* start_message(DBState state) {
  switch (state) {
    case DBState::DB_SHUTDOWNED:
      return "database system was shut down at %s";
    case DBState::DB_SHUTDOWNED_IN_RECOVERY:
      return "database system was shut down in recovery at %s";
    case DBState::DB_SHUTDOWNING:
      return "database system shutdown was interrupted; last known up at %s";
    case DBState::DB_IN_CRASH_RECOVERY:
      return "database system was interrupted while in recovery at %s";
    case DBState::DB_IN_ARCHIVE_RECOVERY:
      return "database system was interrupted while in recovery at log time %s";
    case DBState::DB_IN_PRODUCTION:
      return "database system was interrupted; last known up at %s";
    case DBState::DB_STARTUP:
      break;
  }
  return nullptr;
}

}  // namespace

void ServerLog::write(const char* backend_type, const char* format, ...) const {
  if (!is_wanted()) return;
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  ErrorReport report;
  report.code = Status::ok;
  report.message = text;
  sink_({LogSeverity::log, backend_type, std::move(report)});
}

void ServerLog::write(LogSeverity severity, const char* backend_type,
                      const ErrorReport& report) const {
  if (is_wanted()) sink_({severity, backend_type, report});
}

void ServerLog::tell_start(const ControlFile& control, bool recovers) const {
  if (!is_wanted()) return;
  const char* message = start_message(control.state);
  if (message != nullptr) {
    const int64_t time = control.state == DBState::DB_IN_ARCHIVE_RECOVERY
                             ? control.checkPointCopy.time
                             : control.time;
    ErrorReport report;
    report.code = Status::ok;
    const std::string when = format_time(time);
    report.message = message;
    report.message.replace(report.message.find("%s"), 2, when);
    write(LogSeverity::log, "startup", report);
  }
  if (recovers && control.state != DBState::DB_SHUTDOWNED &&
      control.state != DBState::DB_SHUTDOWNED_IN_RECOVERY)
    write("startup", "database system was not properly shut down; automatic recovery in progress");
}

void ServerLog::tell_checkpoint(const CheckpointReport& report, uint32_t shared_buffers) const {
  const SyncReport& sync = report.sync;
  const double files = static_cast<double>(sync.files);
  write("checkpointer",
        "checkpoint complete: wrote %" PRIu64 " buffers (%.1f%%), wrote %" PRIu64
        " SLRU buffers; %" PRIu64 " WAL file(s) added, %" PRIu64 " removed, %" PRIu64
        " recycled; write=%.3f s, sync=%.3f s, total=%.3f s; sync files=%" PRIu64
        ", longest=%.3f s, average=%.3f s; distance=%" PRIu64 " kB, estimate=%" PRIu64
        " kB; lsn=%s, redo lsn=%s",
        report.buffers, static_cast<double>(report.buffers) * 100 / shared_buffers,
        report.slru_buffers, report.segments.added, report.segments.removed,
        report.segments.recycled, seconds_of(report.writing), seconds_of(report.syncing),
        seconds_of(report.total), sync.files, seconds_of(sync.longest),
        sync.files == 0 ? 0 : seconds_of(sync.total) / files, report.segments.distance_bytes / 1024,
        report.segments.estimate_bytes / 1024, format_lsn(report.lsn).c_str(),
        format_lsn(report.redo).c_str());
}

void ServerLog::tell_death(int32_t pid, size_t sessions) const {
  if (!is_wanted()) return;
  ErrorReport report;
  report.code = Status::ok;
  report.message = "server process (PID " + std::to_string(pid) + ") ended without closing";
  report.detail = "Sessions of it that were rolled back: " + std::to_string(sessions) + ".";
  write(LogSeverity::log, "postmaster", report);
}

// As LogChildExit, but for how it ended: only its parent knows.
void ServerLog::tell_failed_process(int32_t pid, const std::string& running) const {
  ErrorReport report;
  report.code = Status::ok;
  report.message = "server process (PID " + std::to_string(pid) + ") ended without closing";
  if (!running.empty()) report.detail = "Failed process was running: " + running;
  write(LogSeverity::log, "postmaster", report);
}

void ServerLog::tell_crash(const ClusterState& state) const {
  ErrorReport report = state.check().report();
  report.message = state.needs_restart() ? "terminating any other active server processes"
                                         : "the cluster has crashed";
  report.hint.clear();
  if (state.needs_restart()) report.code = Status::ok;
  write(state.needs_restart() ? LogSeverity::log : LogSeverity::panic, "postmaster", report);
}

ResourceUsage::ResourceUsage() : began_(std::chrono::steady_clock::now()) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  user_ = duration_of(usage.ru_utime);
  system_ = duration_of(usage.ru_stime);
}

std::string ResourceUsage::describe() const {
  const ResourceUsage now;
  char text[128];
  std::snprintf(text, sizeof(text), "CPU: user: %.2f s, system: %.2f s, elapsed: %.2f s",
                seconds_of(now.user_ - user_), seconds_of(now.system_ - system_),
                seconds_of(now.began_ - began_));
  return text;
}

}  // namespace pgdata
