// WalWriter: its rounds.
#include "engine/wal_writer.h"

#include "shmem/wait_scope.h"
#include "statistics/counting.h"

namespace pgdata {

namespace {

// After so many rounds without anything to write it rests longer (LOOPS_UNTIL_HIBERNATE, HIBERNATE_FACTOR).
constexpr uint32_t rounds_until_hibernation = 50;
constexpr uint32_t hibernate_factor = 25;

}  // namespace

WalWriter::WalWriter(Wal& wal, Statistics& statistics, uint32_t delay_ms, ActivityEntry& activity)
    : wal_(wal),
      delay_ms_(delay_ms),
      activity_(activity),
      counters_(statistics, BackendType::wal_writer, invalid_oid),
      thread_(wal.state(), [this] { return round(); }) {}

uint32_t WalWriter::round() {
  const CountingScope counting(&counters_);
  const WaitReport reporting(&activity_);
  activity_.set_wait(WaitEvent::none);
  const WalPositions positions = wal_.positions();
  const uint32_t page = wal_.options().block_size;
  const Lsn whole_pages = positions.insert - positions.insert % page;
  if (whole_pages > positions.flush) {
    idle_rounds_ = 0;
    // A failure has poisoned the cluster.
    static_cast<void>(wal_.flush(whole_pages).is_ok());
    counters_.flush();
  } else if (idle_rounds_ < rounds_until_hibernation) {
    idle_rounds_++;
  }
  activity_.set_wait(WaitEvent::wal_writer_main);
  return idle_rounds_ < rounds_until_hibernation ? delay_ms_ : delay_ms_ * hibernate_factor;
}

}  // namespace pgdata
