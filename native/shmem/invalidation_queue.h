// InvalidationQueue: what processes must forget, told to all of them.
//
// A ring in the segment. Each reader knows how far it has read; one that was overtaken is told to forget everything.
// Source for the idea: src/backend/storage/ipc/sinvaladt.c, PostgreSQL 18, whose readers are also in the shared
// structure, so that it can reset the slow ones.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/types.h"
#include "shmem/lwlock.h"
#include "shmem/segment.h"

namespace pgdata {

struct Invalidation {
  enum class Kind : uint32_t {
    catalogs,  // relations of `relation.dbOid` were defined anew: that of OID `object`, or any when it is 0
    files,  // the files of `relation` are gone; when its relNumber is 0, all of the database
  };
  Kind kind = Kind::catalogs;
  RelFileLocator relation{};
  Oid object = invalid_oid;
};

class InvalidationQueue {
 public:
  static constexpr uint32_t messages_max = 4096;

  static void plan(SegmentPlan& plan);
  explicit InvalidationQueue(Segment& segment);

  // Before the locks that kept others from what has changed are given back.
  void send(const Invalidation& message);

  // Where one who begins to read now begins.
  uint64_t end() const { return shared_->end.load(std::memory_order_acquire); }
  // Appends what was sent from `*position` on, which moves to the end. False when some of it is there no more.
  bool read(uint64_t* position, std::vector<Invalidation>* messages) const;

 private:
  struct Shared {
    alignas(64) LwLock lock;
    std::atomic<uint64_t> end;  // messages sent since the start
    alignas(64) Invalidation messages[messages_max];
  };
  Shared* shared_;
};

}  // namespace pgdata
