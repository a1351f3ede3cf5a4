// lock_wait_event: ranges of the segment, and the events of the locks in each.
#include "shmem/lock_wait_event.h"

namespace pgdata {

namespace {

struct RangeEvent {
  std::string_view range;
  WaitEvent event;
};

constexpr RangeEvent events[] = {
    {"buffer descriptors", WaitEvent::lwlock_buffer_content},
    {"buffer mapping locks", WaitEvent::lwlock_buffer_mapping},
    // PostgreSQL takes a heavyweight lock to extend a relation.
    {"buffer extension locks", WaitEvent::lock_extend},
    {"clog", WaitEvent::lwlock_xact_slru},
    {"commit timestamp pages", WaitEvent::lwlock_commit_ts_slru},
    {"commit timestamps", WaitEvent::lwlock_commit_ts},
    {"multixact members", WaitEvent::lwlock_multixact_member_slru},
    {"multixact offsets", WaitEvent::lwlock_multixact_offset_slru},
    {"subtrans", WaitEvent::lwlock_subtrans_slru},
    {"serial", WaitEvent::lwlock_serial_slru},
    {"serial log", WaitEvent::lwlock_serial_control},
    {"notify", WaitEvent::lwlock_notify_slru},
    {"notify queue", WaitEvent::lwlock_notify_queue},
    {"locks", WaitEvent::lwlock_lock_manager},
    {"fast-path locks", WaitEvent::lwlock_lock_fast_path},
    {"process array", WaitEvent::lwlock_proc_array},
    {"prepared transactions", WaitEvent::lwlock_two_phase_state},
    {"predicate locks", WaitEvent::lwlock_predicate_lock_manager},
    {"statistics", WaitEvent::lwlock_pg_stats_data},
};

}  // namespace

WaitEvent lock_wait_event(const void* lock) {
  const std::string_view range = attached_range(lock);
  for (const RangeEvent& each : events) {
    if (each.range == range) return each.event;
  }
  return WaitEvent::none;
}

}  // namespace pgdata
