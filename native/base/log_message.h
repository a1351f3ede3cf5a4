// LogMessage: one message for the server log, and where messages go.
#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"

namespace pgdata {

// PostgreSQL's levels. Those that only clients see are not among them.
enum class LogSeverity : uint8_t { log, warning, error, panic };

struct LogMessage {
  LogSeverity severity = LogSeverity::log;
  // Who tells, as pg_stat_activity.backend_type names it.
  const char* backend_type = "";
  ErrorReport report;
};

// Called on any thread, also under locks: it must not wait.
using LogSink = std::function<void(LogMessage)>;

}  // namespace pgdata
