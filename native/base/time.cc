// current_timestamp: the wall clock in PostgreSQL's epoch.
#include <chrono>

#include "base/types.h"

namespace pgdata {

TimestampTz current_timestamp() {
  // Seconds from 1970-01-01 to 2000-01-01.
  constexpr int64_t epoch_offset_seconds = 946684800;
  const auto since_unix = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return since_unix.count() - epoch_offset_seconds * 1000000;
}

}  // namespace pgdata
