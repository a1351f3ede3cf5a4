// WatchedFileSystem: stands before another file system, fails the operations that it is told to, and writes a
// journal of all that changed files.
//
// For tests of a whole engine: from the journal of one run and a copy of the directory from before it, the state in
// which a power failure at any moment could have left the directory can be made. It costs nothing unless asked for:
// an engine runs on the real file system itself.
//
// The journal is a file of records, in the order in which their operations ended:
//
//   offset  size  field         meaning
//        0     4  record_bytes  of the whole record
//        4     1  kind          OperationKind
//        5     1  flags         1: a sync that failed; 2: written through a dsync file, lasts at once
//        6     2  path_bytes
//        8     4  target_bytes  of a rename: the new path; of a symbolic link: where it leads
//       12     4  file          number of the open file, given by open and create; 0: none
//       16     8  offset        of a write or allocation; of a truncation the new size;
//                               of a sync: how many records came before it began
//       24     8  size          bytes written or allocated
//       32        path, target, bytes written
//
// Reads are not in it. A sync makes durable what the journal had when it began, and nothing else. A file that is open
// stays the same file when its path is renamed or removed: hence the numbers.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "file/fault_plan.h"
#include "file/file_system.h"

namespace pgdata {

struct JournalRecordHeader {
  uint32_t record_bytes = 0;
  uint8_t kind = 0;
  uint8_t flags = 0;
  uint16_t path_bytes = 0;
  uint32_t target_bytes = 0;
  uint32_t file = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
};
static_assert(sizeof(JournalRecordHeader) == 32);
static_assert(offsetof(JournalRecordHeader, path_bytes) == 6);
static_assert(offsetof(JournalRecordHeader, file) == 12);
static_assert(offsetof(JournalRecordHeader, offset) == 16);
inline constexpr uint8_t journal_failed = 1;
inline constexpr uint8_t journal_lasts = 2;

class WatchedFileSystem final : public FileSystem {
 public:
  explicit WatchedFileSystem(FileSystem& files) : files_(files) {}
  ~WatchedFileSystem() override;

  // Begins a journal in a new file of the real file system.
  Status start_journal(const std::string& path);
  // Records so far.
  uint64_t journal_records() const;
  // Hands what is buffered to the operating system.
  Status flush_journal();

  void fail(FaultRule rule);
  void clear_faults();
  // Operations so far, reads included, and how many of them met a fault.
  uint64_t step() const;
  uint64_t faults_met() const;

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
  friend class WatchedFile;

  // Counts the operation and waits if it has to be late; an error when it has to fail.
  Status begin(OperationKind kind, const std::string& path, uint64_t offset = 0, uint64_t size = 0,
               bool* is_short = nullptr);
  void record(OperationKind kind, uint8_t flags, const std::string& path, std::string_view target,
              uint32_t file, uint64_t offset, uint64_t size, const IoSlice* slices, int count);
  void record(OperationKind kind, const std::string& path, std::string_view target = {},
              uint32_t file = 0, uint64_t offset = 0, uint64_t size = 0) {
    record(kind, 0, path, target, file, offset, size, nullptr, 0);
  }
  // A sync, from its beginning to its record.
  template <typename Call>
  Status sync(OperationKind kind, const std::string& path, uint32_t file, Call call);

  FileSystem& files_;
  mutable std::mutex mutex_;
  FaultPlan plan_;
  std::FILE* journal_ = nullptr;
  std::atomic<uint64_t> journal_records_{0};
  bool journal_failed_ = false;
  uint32_t next_file_ = 1;
};

}  // namespace pgdata
