// BackgroundWriter: its rounds.
#include "engine/background_writer.h"

#include "shmem/wait_scope.h"
#include "statistics/counting.h"

namespace pgdata {

namespace {

// While nothing is wanted it rests this many times as long (HIBERNATE_FACTOR).
constexpr uint32_t hibernate_factor = 50;
// LOG_SNAPSHOT_INTERVAL_MS.
constexpr std::chrono::seconds log_snapshot_interval{15};
constexpr int32_t wal_level_replica = 1;

}  // namespace

BackgroundWriter::BackgroundWriter(StorageServices& services, TransactionSystem& transactions,
                                   const WriteAheadLimits& limits, ActivityEntry& activity)
    : services_(services),
      transactions_(transactions),
      limits_(limits),
      activity_(activity),
      counters_(*services.statistics, BackendType::bg_writer, invalid_oid),
      logged_at_(std::chrono::steady_clock::now()),
      logged_important_(services.wal.last_important()),
      thread_(services.state, [this] { return round(); }) {}

uint32_t BackgroundWriter::round() {
  const CountingScope counting(&counters_);
  const WaitReport reporting(&activity_);
  activity_.set_wait(WaitEvent::none);
  WriteAheadRound done;
  // What cannot be written stays dirty, and whoever needs it to be clean is told.
  static_cast<void>(services_.pool.write_ahead(limits_, &memory_, &done).is_ok());
  if (done.written > 0) {
    services_.statistics->change_fixed([&](FixedStatistics& fixed) {
      fixed.bgwriter.buf_written_clean += done.written;
      if (done.stopped_at_limit) fixed.bgwriter.maxwritten_clean++;
    });
  }
  log_running_transactions();
  counters_.flush();
  activity_.set_wait(done.is_idle ? WaitEvent::bgwriter_hibernate : WaitEvent::bgwriter_main);
  return done.is_idle ? limits_.delay_ms * hibernate_factor : limits_.delay_ms;
}

void BackgroundWriter::log_running_transactions() {
  if (services_.wal.options().wal_level < wal_level_replica) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - logged_at_ < log_snapshot_interval) return;
  logged_at_ = now;
  const Lsn important = services_.wal.last_important();
  if (important == logged_important_) return;
  logged_important_ = important;
  static_cast<void>(transactions_.log_running_transactions().is_ok());
}

}  // namespace pgdata
