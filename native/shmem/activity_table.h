// ActivityTable: who uses the cluster, and what each is doing, as pg_stat_activity shows it.
//
// One entry for each slot of the process array, and one for each kind of background worker of the owner. An entry has one
// writer: the thread of its session or worker, or who cleans up after its process has died. It takes no lock: the count of
// changes is odd while a change is under way, and whoever reads sees from it that it must look again.
// Source: st_changecount in src/include/utils/backend_status.h, PostgreSQL 18.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "layout/statistics_file.h"
#include "shmem/segment.h"
#include "shmem/wait_event.h"

namespace pgdata {

// UTF-8 text in words of eight bytes, the first character lowest; what is beyond `bytes_max` is cut.
template <size_t words_count, size_t bytes_max = words_count * 8>
struct ActivityText {
  std::array<uint64_t, words_count> words{};

  constexpr ActivityText() = default;
  constexpr explicit ActivityText(std::string_view text) {
    size_t end = text.size() < bytes_max ? text.size() : bytes_max;
    // No character is cut in two.
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
      --end;
    for (size_t i = 0; i < end; ++i)
      words[i / 8] |= uint64_t{static_cast<unsigned char>(text[i])} << i % 8 * 8;
  }
  std::string text() const {
    std::string result;
    for (size_t i = 0; i < words_count * 8; ++i) {
      const auto character = static_cast<char>(words[i / 8] >> i % 8 * 8 & 0xFF);
      if (character == 0) break;
      result.push_back(character);
    }
    return result;
  }
};

// "UPDATE", "autovacuum: VACUUM".
using OperationName = ActivityText<3>;
// As a name (NAMEDATALEN).
using ApplicationName = ActivityText<8, 63>;

enum class ActivityState : uint32_t { none, active, idle, idle_in_transaction, aborted };

// What an entry says. Times are 0 where there is none.
struct Activity {
  int slot = -1;  // of the process array; negative: a worker without one
  uint32_t pid = 0;
  BackendType type = BackendType::invalid;
  Oid database = invalid_oid;
  std::string application_name;
  ActivityState state = ActivityState::none;
  WaitEvent wait_event = WaitEvent::none;
  TimestampTz backend_start = 0;
  TimestampTz xact_start = 0;
  TimestampTz query_start = 0;
  TimestampTz state_change = 0;
  std::string operation;
  Oid relation = invalid_oid;  // that the operation works on
};

class ActivityEntry {
 public:
  // `process`: of the ProcessTable.
  void open(BackendType type, uint32_t process, Oid database, std::string_view application_name);
  void close();
  bool is_open_in(uint32_t process) const {
    return process_.load(std::memory_order_relaxed) == process + 1;
  }

  // An operation begins: active, waiting for nothing.
  void begin_operation(const OperationName& name, Oid relation, TimestampTz now);
  // `xact_start` is 0 outside a transaction.
  void set_state(ActivityState state, WaitEvent event, TimestampTz xact_start, TimestampTz now);
  void set_wait(WaitEvent event) {
    wait_event_.store(static_cast<uint32_t>(event), std::memory_order_relaxed);
  }
  WaitEvent wait_event() const {
    return static_cast<WaitEvent>(wait_event_.load(std::memory_order_relaxed));
  }

  // False when nobody has the entry.
  bool read(Activity* activity) const;

 private:
  template <typename Store>
  void change(Store&& store);
  struct Copy;
  Copy copy() const;

  // What changes with every operation is one line of the cache.
  alignas(64) std::atomic<uint32_t> changes_;
  std::atomic<uint32_t> state_;
  std::atomic<uint32_t> wait_event_;
  std::atomic<Oid> relation_;
  std::atomic<TimestampTz> xact_start_;
  std::atomic<TimestampTz> query_start_;
  std::atomic<TimestampTz> state_change_;
  std::array<std::atomic<uint64_t>, 3> operation_;
  std::atomic<uint32_t> pid_;      // 0: nobody
  std::atomic<uint32_t> process_;  // from 1
  std::atomic<uint32_t> type_;
  std::atomic<Oid> database_;
  std::atomic<TimestampTz> backend_start_;
  std::array<std::atomic<uint64_t>, 8> application_name_;
};

class ActivityTable {
 public:
  static void plan(SegmentPlan& plan, uint32_t slots);
  ActivityTable(Segment& segment, uint32_t slots);

  ActivityEntry& of_slot(int slot) { return entries_[slot]; }
  // Of a worker that the owner has one of.
  ActivityEntry& of_worker(BackendType type) {
    return entries_[slots_ + static_cast<uint32_t>(type)];
  }
  // All entries of a process that leaves or has died.
  void close_all_of(uint32_t process);

  // Workers first.
  std::vector<Activity> list() const;

 private:
  ActivityEntry* entries_;
  uint32_t slots_;
};

// As pg_stat_activity.backend_type and pg_stat_io.backend_type call it.
const char* name_of(BackendType type);

// The time to a few milliseconds, quick to tell.
TimestampTz coarse_timestamp();

}  // namespace pgdata
