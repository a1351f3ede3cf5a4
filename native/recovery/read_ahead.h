// ReadAhead: a thread that reads the log some way ahead of replay and has the operating system read the blocks that
// coming records change.
//
// Advice alone: it touches neither the pool nor Storage's open files, which replay may be removing, and whatever goes
// wrong in it only costs time. Blocks that a record brings whole are not read.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "base/types.h"
#include "file/storage.h"
#include "wal/wal_reader.h"

namespace pgdata {

class ReadAhead {
 public:
  ReadAhead(Storage& storage, WalReaderOptions log, Lsn start);
  ~ReadAhead();  // stops and waits for the thread
  ReadAhead(const ReadAhead&) = delete;

  // Replay has come this far.
  void advance(Lsn replayed) { replayed_.store(replayed, std::memory_order_relaxed); }
  // Blocks asked for so far.
  uint64_t blocks() const { return blocks_.load(std::memory_order_relaxed); }

 private:
  void run();

  Storage& storage_;
  WalReaderOptions log_;
  Lsn start_;
  std::atomic<Lsn> replayed_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> blocks_{0};
  std::thread thread_;
};

}  // namespace pgdata
