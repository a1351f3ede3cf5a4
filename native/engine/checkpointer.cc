// Checkpointer: the loop that looks whether a checkpoint is due.
#include "engine/checkpointer.h"

#include <chrono>

#include "base/invariant.h"
#include "engine/engine.h"

namespace pgdata {

namespace {
// As often as PostgreSQL's WAL writer looks (wal_writer_delay).
constexpr std::chrono::milliseconds round_interval{200};
}  // namespace

Checkpointer::Checkpointer(Engine& engine, uint32_t timeout_seconds, uint64_t max_wal_bytes)
    : engine_(engine), timeout_seconds_(timeout_seconds), volume_bytes_(max_wal_bytes / 2) {
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
  auto last = std::chrono::steady_clock::now();
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (wake_.wait_for(lock, round_interval, [this] { return stopping_; })) return;
    }
    if (engine_.state().is_poisoned()) return;
    const Attachment::Inside inside(&engine_.state());
    try {
      engine_.serve_checkpoint_request();
      Wal& wal = engine_.services().wal;
      // A full disk shows itself to whoever needs the segment; here it only means that none is ready.
      const Status prepared = wal.preallocate();
      static_cast<void>(prepared.is_ok());
      const WalPositions positions = wal.positions();
      const auto now = std::chrono::steady_clock::now();
      const bool by_volume = positions.insert - positions.redo >= volume_bytes_;
      const bool by_time = now - last >= std::chrono::seconds(timeout_seconds_);
      if (!by_volume && !by_time) continue;
      last = now;
      // A failed one leaves the last checkpoint in force, or has poisoned the cluster; it is tried again.
      const Status taken = engine_.checkpoint_if_needed();
      static_cast<void>(taken.is_ok());
    } catch (const InvariantFailure& failure) {
      engine_.state().poison(failure.what());
      return;
    }
  }
}

}  // namespace pgdata
