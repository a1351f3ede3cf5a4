// Checkpointer: the loop that looks whether a checkpoint is due.
#include "engine/checkpointer.h"

#include "base/invariant.h"
#include "engine/engine.h"
#include "shmem/wait_scope.h"
#include "statistics/counting.h"

namespace pgdata {

namespace {

// As often as PostgreSQL's WAL writer looks (wal_writer_delay).
constexpr std::chrono::milliseconds round_interval{200};
// CheckpointWriteDelay's naps.
constexpr std::chrono::milliseconds nap{100};

}  // namespace

Checkpointer::Checkpointer(Engine& engine, ActivityEntry& activity, uint32_t timeout_seconds,
                           uint64_t max_wal_bytes)
    : engine_(engine),
      activity_(activity),
      timeout_seconds_(timeout_seconds),
      volume_bytes_(max_wal_bytes / 2),
      last_(Clock::now()),
      in_segment_since_(last_) {
  thread_ = std::thread([this] { run(); });
}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::run() {
  SessionCounters counters(*engine_.statistics(), BackendType::checkpointer, invalid_oid);
  const CountingScope counting(&counters);
  const WaitReport reporting(&activity_);
  for (;;) {
    activity_.set_wait(WaitEvent::checkpointer_main);
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (wake_.wait_for(lock, round_interval, [this] { return stopping_; })) return;
    }
    if (engine_.state().is_poisoned()) return;
    inside_.emplace(&engine_.state());
    activity_.set_wait(WaitEvent::none);
    const bool is_whole = engine_.state().contain([&] {
      engine_.serve_checkpoint_request();
      round();
      counters.flush();
    });
    inside_.reset();
    if (!is_whole) return;
  }
}

void Checkpointer::round() {
  Wal& wal = engine_.services().wal;
  // A full disk shows itself to whoever needs the segment; here it only means that none is ready.
  static_cast<void>(wal.preallocate().is_ok());
  switch_for_archive();
  const WalPositions positions = wal.positions();
  const bool by_volume = positions.insert - positions.redo >= volume_bytes_;
  const bool by_time = Clock::now() - last_ >= std::chrono::seconds(timeout_seconds_);
  if (by_volume || by_time) take_checkpoint(!by_volume);
}

void Checkpointer::take_checkpoint(bool by_time) {
  last_ = Clock::now();
  began_ = engine_.services().wal.positions().insert;
  engine_.statistics()->change_fixed([&](FixedStatistics& fixed) {
    (by_time ? fixed.checkpointer.num_timed : fixed.checkpointer.num_requested)++;
  });
  // A failed one leaves the last checkpoint in force, or has poisoned the cluster; it is tried again.
  static_cast<void>(engine_
                        .checkpoint_if_needed(by_time ? "time" : "wal",
                                              [this](double done) { return pace(done); })
                        .is_ok());
}

// Rests as long as the writes are ahead of time and of the log.
Status Checkpointer::pace(double done) {
  for (;;) {
    RETURN_IF_ERROR(engine_.state().check());
    if (engine_.is_checkpoint_wanted() || !is_ahead(done)) return Status::ok;
    // While a checkpoint goes on, others need segments, too.
    static_cast<void>(engine_.services().wal.preallocate().is_ok());
    switch_for_archive();
    inside_.reset();
    activity_.set_wait(WaitEvent::checkpoint_write_delay);
    bool stops = false;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      stops = wake_.wait_for(lock, nap, [this] { return stopping_; });
    }
    inside_.emplace(&engine_.state());
    activity_.set_wait(WaitEvent::none);
    if (stops) return Status::ok;
  }
}

// IsCheckpointOnSchedule.
bool Checkpointer::is_ahead(double done) const {
  const double goal = done * engine_.options().checkpoint_completion_target;
  const auto logged = static_cast<double>(engine_.services().wal.positions().insert - began_);
  if (goal < logged / static_cast<double>(volume_bytes_)) return false;
  const std::chrono::duration<double> elapsed = Clock::now() - last_;
  return goal >= elapsed.count() / timeout_seconds_;
}

// CheckArchiveTimeout.
void Checkpointer::switch_for_archive() {
  Wal& wal = engine_.services().wal;
  const uint64_t segment = wal.positions().insert / wal.options().segment_bytes;
  const auto now = Clock::now();
  if (segment != segment_) {
    segment_ = segment;
    in_segment_since_ = now;
  }
  if (engine_.is_archiving()) static_cast<void>(engine_.mark_for_archive().is_ok());
  const uint32_t timeout = engine_.options().archive_timeout_seconds;
  if (!engine_.is_archiving() || timeout == 0) return;
  if (now - in_segment_since_ < std::chrono::seconds(timeout)) return;
  in_segment_since_ = now;
  // Nothing that matters is in it.
  if (wal.last_important() <= switched_) return;
  static_cast<void>(engine_.switch_segment(&switched_).is_ok());
}

}  // namespace pgdata
