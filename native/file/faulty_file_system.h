// FaultyFileSystem: a file system in memory that fails, tears and loses operations, for tests.
//
// Each operation has a step number, counted from 0. What a file holds now and
// what would outlast a power failure are kept apart: a write lasts after a sync
// of its file (or at once through a dsync file), an entry after a sync of its
// directory. `crash` turns everything into what a power failure could have left:
//
//   FaultyFileSystem disk;
//   ... a run that ends well; disk.step() is how many steps it takes
//   for (uint64_t n = 0; n < steps; n++) {
//     FaultyFileSystem again;
//     again.fail(n, Fault::power_failure);
//     ... the same run, which fails somewhere
//     again.crash(Survival::random, seed + n);
//     ... open, and check that everything acknowledged is there
//   }
//
// All functions are safe to call from several threads; steps are then numbered in
// the order in which they got through. Not part of what ships.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "file/fault_plan.h"
#include "file/file_system.h"

namespace pgdata {

// What of the writes that were not synced is there after a crash.
enum class Survival : uint8_t {
  nothing,     // none: each file and directory as of its last sync
  everything,  // all: as when only the process was killed
  random,      // some: in any choice, torn into sectors; of the entries in a
               // directory, all up to some point
};

class FaultyFileSystem final : public FileSystem {
 public:
  FaultyFileSystem();
  ~FaultyFileSystem() override;

  // The operation with number `step` meets `fault`, or those that a rule describes. Several may be set.
  // A delayed operation holds up all others, as a stalled device does.
  void fail(uint64_t step, Fault fault);
  void fail(FaultRule rule);
  // Forgets faults that were set and have not happened.
  void clear_faults();
  // Number of operations so far, which is the number of the next one.
  uint64_t step() const;
  std::vector<Operation> operations() const;

  // A power failure and the start after it. Open files fail from now on. A device with sectors of
  // `sector_bytes` (512 or 4096) tears no smaller piece.
  void crash(Survival survival, uint64_t seed = 0, uint64_t sector_bytes = 512);

  Status open(const std::string& path, OpenFlags flags, std::unique_ptr<File>* file) override;
  Status info(const std::string& path, FileInfo* info) override;
  Status make_directory(const std::string& path) override;
  Status remove_file(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status link_symbolic(const std::string& target, const std::string& path) override;
  Status read_link(const std::string& path, std::string* target) override;
  Status list(const std::string& path, std::vector<std::string>* names) override;
  Status sync_directory(const std::string& path) override;
  Status sync_file_system(const std::string& path) override;

 private:
  friend class FaultyFile;
  struct Node;
  using NodeRef = std::shared_ptr<Node>;

  // Where a path leads: its directory, its last name, and what is there (or nothing).
  struct Place {
    NodeRef directory;
    std::string name;
    NodeRef node;
  };

  // Counts the operation; an error when it has to fail. `*is_short` when a write
  // has to stop half way.
  Status begin(OperationKind kind, const std::string& path, uint64_t offset, uint64_t size,
               bool* is_short = nullptr);
  Status find(const std::string& path, bool follow_last, Place* place) const;
  NodeRef survivor(const NodeRef& node, Survival survival, uint64_t sector_bytes,
                   std::mt19937_64& random, std::map<const Node*, NodeRef>& done) const;

  mutable std::mutex mutex_;
  NodeRef root_;
  FaultPlan plan_;
  std::vector<Operation> operations_;
  uint64_t life_ = 0;  // crashes so far; files of an earlier life are dead
};

// Copies a tree from one file system into another, for example out of memory to
// where a real server can be started on it. `to` must not exist.
Status copy_tree(FileSystem& from_files, const std::string& from, FileSystem& to_files,
                 const std::string& to);

}  // namespace pgdata
