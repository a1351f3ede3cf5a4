// ActivityTable: entries of atomics, each behind its count of changes.
//
// Every field is stored with release order and read with acquire order. So whoever reads a field of a change also sees the
// odd count that came before it, and finds afterwards that the count is not what it was.
#include "shmem/activity_table.h"

#include <time.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <type_traits>

namespace pgdata {

namespace {

constexpr const char* range_name = "activity";
constexpr auto release = std::memory_order_release;
constexpr auto acquire = std::memory_order_acquire;
// A writer that died in the middle leaves an odd count until its process is cleaned up after; one that is merely not on a
// processor comes back. So the later attempts are made after a nap each, some milliseconds in all.
constexpr int attempts_at_once = 100;
constexpr int attempts_max = 300;
constexpr std::chrono::microseconds nap{50};

constexpr const char* type_names[BACKEND_NUM_TYPES] = {"invalid",
                                                       "client backend",
                                                       "dead-end client backend",
                                                       "autovacuum launcher",
                                                       "autovacuum worker",
                                                       "background worker",
                                                       "walsender",
                                                       "slotsync worker",
                                                       "standalone backend",
                                                       "archiver",
                                                       "background writer",
                                                       "checkpointer",
                                                       "io worker",
                                                       "startup",
                                                       "walreceiver",
                                                       "walsummarizer",
                                                       "walwriter",
                                                       "logger"};

template <size_t count, typename Text>
void store_text(std::array<std::atomic<uint64_t>, count>& to, const Text& text) {
  for (size_t i = 0; i < count; ++i) to[i].store(text.words[i], release);
}

template <typename Text, size_t count>
Text load_text(const std::array<std::atomic<uint64_t>, count>& from) {
  Text text;
  for (size_t i = 0; i < count; ++i) text.words[i] = from[i].load(acquire);
  return text;
}

}  // namespace

static_assert(std::is_trivially_destructible_v<ActivityEntry>);
static_assert(sizeof(ActivityEntry) == 192);

template <typename Store>
void ActivityEntry::change(Store&& store) {
  // Odd, also where somebody died in the middle of a change.
  const uint32_t under_way = changes_.load(std::memory_order_relaxed) | 1;
  changes_.store(under_way, std::memory_order_relaxed);
  store();
  changes_.store(under_way + 1, release);
}

void ActivityEntry::open(BackendType type, uint32_t process, Oid database,
                         std::string_view application_name) {
  const TimestampTz now = current_timestamp();
  const ApplicationName name(application_name);
  change([&] {
    const auto state = type == BackendType::backend ? ActivityState::idle : ActivityState::none;
    state_.store(static_cast<uint32_t>(state), release);
    wait_event_.store(static_cast<uint32_t>(WaitEvent::none), release);
    relation_.store(invalid_oid, release);
    xact_start_.store(0, release);
    query_start_.store(0, release);
    state_change_.store(state == ActivityState::none ? 0 : now, release);
    store_text(operation_, OperationName());
    process_.store(process + 1, release);
    type_.store(static_cast<uint32_t>(type), release);
    database_.store(database, release);
    backend_start_.store(now, release);
    store_text(application_name_, name);
    pid_.store(static_cast<uint32_t>(::getpid()), release);
  });
}

void ActivityEntry::close() {
  change([&] {
    process_.store(0, release);
    pid_.store(0, release);
  });
}

void ActivityEntry::begin_operation(const OperationName& name, Oid relation, TimestampTz now) {
  change([&] {
    state_.store(static_cast<uint32_t>(ActivityState::active), release);
    wait_event_.store(static_cast<uint32_t>(WaitEvent::none), release);
    relation_.store(relation, release);
    query_start_.store(now, release);
    state_change_.store(now, release);
    store_text(operation_, name);
  });
}

void ActivityEntry::set_state(ActivityState state, WaitEvent event, TimestampTz xact_start,
                              TimestampTz now) {
  change([&] {
    state_.store(static_cast<uint32_t>(state), release);
    wait_event_.store(static_cast<uint32_t>(event), release);
    xact_start_.store(xact_start, release);
    state_change_.store(now, release);
  });
}

// Fields in a hurry; what they say is read at leisure.
struct ActivityEntry::Copy {
  uint32_t state;
  uint32_t wait_event;
  Oid relation;
  TimestampTz xact_start;
  TimestampTz query_start;
  TimestampTz state_change;
  OperationName operation;
  uint32_t pid;
  uint32_t type;
  Oid database;
  TimestampTz backend_start;
  ApplicationName application_name;
};

ActivityEntry::Copy ActivityEntry::copy() const {
  return {state_.load(acquire),
          wait_event_.load(acquire),
          relation_.load(acquire),
          xact_start_.load(acquire),
          query_start_.load(acquire),
          state_change_.load(acquire),
          load_text<OperationName>(operation_),
          pid_.load(acquire),
          type_.load(acquire),
          database_.load(acquire),
          backend_start_.load(acquire),
          load_text<ApplicationName>(application_name_)};
}

bool ActivityEntry::read(Activity* activity) const {
  Copy fields{};
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    const uint32_t before = changes_.load(acquire);
    fields = copy();
    if ((before & 1) == 0 && changes_.load(acquire) == before) break;
    if (attempt >= attempts_at_once) std::this_thread::sleep_for(nap);
    // After the last attempt each field by itself is right.
  }
  activity->pid = fields.pid;
  activity->type = static_cast<BackendType>(fields.type);
  activity->database = fields.database;
  activity->application_name = fields.application_name.text();
  activity->state = static_cast<ActivityState>(fields.state);
  activity->wait_event = static_cast<WaitEvent>(fields.wait_event);
  activity->backend_start = fields.backend_start;
  activity->xact_start = fields.xact_start;
  activity->query_start = fields.query_start;
  activity->state_change = fields.state_change;
  activity->operation = fields.operation.text();
  activity->relation = fields.relation;
  return fields.pid != 0;
}

void ActivityTable::plan(SegmentPlan& plan, uint32_t slots) {
  plan.reserve(range_name, (slots + BACKEND_NUM_TYPES) * sizeof(ActivityEntry));
}

ActivityTable::ActivityTable(Segment& segment, uint32_t slots)
    : entries_(reinterpret_cast<ActivityEntry*>(segment.find(range_name))), slots_(slots) {}

void ActivityTable::close_all_of(uint32_t process) {
  for (uint32_t i = 0; i < slots_ + BACKEND_NUM_TYPES; ++i) {
    if (entries_[i].is_open_in(process)) entries_[i].close();
  }
}

std::vector<Activity> ActivityTable::list() const {
  std::vector<Activity> all;
  Activity activity;
  for (uint32_t i = slots_; i < slots_ + BACKEND_NUM_TYPES; ++i) {
    if (entries_[i].read(&activity)) all.push_back(activity);
  }
  for (uint32_t i = 0; i < slots_; ++i) {
    activity.slot = static_cast<int>(i);
    if (entries_[i].read(&activity)) all.push_back(activity);
  }
  return all;
}

const char* name_of(BackendType type) {
  const auto at = static_cast<size_t>(type);
  return type_names[at < BACKEND_NUM_TYPES ? at : 0];
}

TimestampTz coarse_timestamp() {
#ifdef CLOCK_REALTIME_COARSE
  // Seconds from 1970 to 2000, where timestamps begin.
  constexpr int64_t epoch_seconds = 946684800;
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return (int64_t{now.tv_sec} - epoch_seconds) * 1000000 + now.tv_nsec / 1000;
#else
  return current_timestamp();
#endif
}

}  // namespace pgdata
