// Attachment: one process's connection to a segment, known to all code that has an address in it.
//
// Two things need it that have no other way to it: a lock that is waited for in vain because its holder died, and the mark
// that a thread is inside the engine (ProcessTable).
#pragma once

#include <cstdint>

#include "shmem/segment.h"

namespace pgdata {

class ClusterState;
class ProcessTable;

class Attachment {
 public:
  // Registers what must outlive it.
  Attachment(const Segment& segment, const ClusterState& state, ProcessTable& processes,
             uint32_t process);
  ~Attachment();
  Attachment(const Attachment&) = delete;

  // Marks the thread as inside, if `address` is in a segment that is attached.
  class Inside {
   public:
    explicit Inside(const void* address);
    ~Inside();
    Inside(const Inside&) = delete;

   private:
    ProcessTable* processes_ = nullptr;
    uint32_t process_ = 0;
  };

  // For who waits for something at `address` for long: InvariantFailure when the cluster has crashed, since whoever had it
  // may be dead.
  static void give_up_if_crashed(const void* address);
};

}  // namespace pgdata
