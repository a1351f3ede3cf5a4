// The locks of the log's inner paths. All live in the shared segment; zero bytes are unlocked.
//
// Each gives up (returns false) when the cluster was poisoned meanwhile, so that
// nobody waits for ever for a holder that died.
// Source for the roles: WALInsertLock, insertpos_lck and WALWriteLock in
// src/backend/access/transam/xlog.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/types.h"
#include "shmem/cluster_state.h"

namespace pgdata {

// Held for a handful of instructions.
class SpinLock {
 public:
  [[nodiscard]] bool acquire(const ClusterState& state) {
    if (word_.exchange(1, std::memory_order_acquire) == 0) [[likely]]
      return true;
    return acquire_slow(state);
  }
  void release() { word_.store(0, std::memory_order_release); }

 private:
  bool acquire_slow(const ClusterState& state);
  std::atomic<uint32_t> word_{0};
};

// Held by an inserter from before it reserves space until its record is copied. Others can wait
// until it is free or its holder has finished all before a position.
class alignas(64) InsertionLock {
 public:
  bool try_acquire() {
    uint32_t free = 0;
    return held_.compare_exchange_strong(free, 1, std::memory_order_seq_cst);
  }
  [[nodiscard]] bool acquire(const ClusterState& state);
  void release();
  // The holder has copied, and will change, nothing before `lsn`.
  void set_inserting_at(Lsn lsn);
  // Waits until the lock is free (then *at = 0) or its holder has come to `upto` (then *at says where).
  [[nodiscard]] bool wait_past(Lsn upto, const ClusterState& state, Lsn* at);

  // Written by the holder alone.
  std::atomic<Lsn> last_important{0};
  std::atomic<uint64_t> records{0};
  std::atomic<uint64_t> full_page_images{0};
  std::atomic<uint64_t> bytes{0};

 private:
  void wake();
  std::atomic<Lsn> inserting_at_{0};
  std::atomic<uint32_t> held_{0};
  std::atomic<uint32_t> waiters_{0};
  std::atomic<uint32_t> event_{0};
};
static_assert(sizeof(InsertionLock) == 64);

// The turn to write to the log's files. Whoever finds it taken sleeps until it is given back and then
// looks again whether there is anything left to do: the holder has mostly done it for him.
class TurnLock {
 public:
  enum class Outcome : uint8_t { acquired, released_by_other, poisoned };
  Outcome acquire_or_wait(const ClusterState& state);
  [[nodiscard]] bool acquire(const ClusterState& state);
  void release();

 private:
  // 0 free, 1 held, 2 held and perhaps somebody sleeps.
  std::atomic<uint32_t> word_{0};
};

}  // namespace pgdata
