// FaultPlan: which operations on files are to fail, and how: by step number, or by kind, path, count and chance.
//
// Each operation has a step number, counted from 0. Not safe to call from several threads: the file system that
// asks it (FaultyFileSystem, WatchedFileSystem) has a lock of its own.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"

namespace pgdata {

enum class OperationKind : uint8_t {
  open,
  create,
  read,
  write,
  sync,
  truncate,
  allocate,
  make_directory,
  remove_file,
  remove_directory,
  rename,
  link_symbolic,
  sync_directory,
  sync_file_system,
  look_up,  // size, info, list, read_link
};
inline constexpr uint32_t operation_kinds = static_cast<uint32_t>(OperationKind::look_up) + 1;

// "write", "sync_directory"
const char* name_of(OperationKind kind);

struct Operation {
  OperationKind kind;
  std::string path;
  uint64_t offset = 0;
  uint64_t size = 0;
};

enum class Fault : uint8_t {
  io_error,     // the operation fails and does nothing; a sync then loses what it should have kept
  no_space,     // disk_full, if the operation needs space; else it succeeds
  short_write,  // a write stops half way with disk_full; else as no_space
  delay,        // it takes longer, and succeeds
  power_failure,     // this one and all that follow fail
  broken_invariant,  // an INVARIANT fails in it, as a bug would: to see what becomes of those around
};

constexpr uint32_t bit_of(OperationKind kind) { return 1u << static_cast<uint32_t>(kind); }

// The operations of these kinds whose path contains `path_part`, after the first `skip` of them, each with
// `probability`, until `times` of them have met the fault.
struct FaultRule {
  Fault fault = Fault::io_error;
  uint32_t kinds = bit_of(OperationKind::write);
  std::string path_part;
  uint64_t skip = 0;
  uint64_t times = 1;
  double probability = 1.0;
  uint64_t seed = 0;
  uint32_t delay_ms = 1;
};

class FaultPlan {
 public:
  struct Outcome {
    Status status;
    bool is_short = false;  // only a write: half of it is to be done, then it fails with disk_full
    uint32_t delay_ms = 0;
    bool breaks_invariant = false;
  };

  // The operation with number `step` meets `fault`. Several may be set.
  void fail(uint64_t step, Fault fault) { by_step_[step] = fault; }
  void add(FaultRule rule);
  // Forgets faults that were set and have not happened.
  void clear();
  // As `clear`, and the power is back.
  void restart();

  // The number of the next operation.
  uint64_t step() const { return step_; }
  // Operations that met a fault.
  uint64_t faults_met() const { return faults_met_; }

  // Counts the operation, and says what is to become of it.
  Outcome meet(const Operation& operation);

 private:
  struct Rule {
    FaultRule rule;
    std::mt19937_64 random;
    uint64_t seen = 0;
    uint64_t met = 0;
  };
  bool applies(Rule& candidate, const Operation& operation);
  Outcome outcome_of(Fault fault, const Operation& operation, uint32_t delay_ms);

  uint64_t step_ = 0;
  uint64_t faults_met_ = 0;
  bool is_down_ = false;
  std::map<uint64_t, Fault> by_step_;
  std::vector<Rule> rules_;
};

}  // namespace pgdata
