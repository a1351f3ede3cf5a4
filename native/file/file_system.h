// FileSystem: the one interface through which this library touches the disk.
//
// PosixFileSystem is the real one; FaultyFileSystem (tests) fails, tears,
// delays and loses operations. All functions are safe to call from several
// threads. Paths are absolute or relative to the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace pgdata {

enum class OpenFlags : uint32_t {
  read_only = 0,
  read_write = 1,
  create = 2,     // with mode 0600
  exclusive = 4,  // with create: fail if it exists
  direct = 8,     // O_DIRECT (F_NOCACHE on macOS): offsets, sizes, addresses aligned
  dsync = 16,     // O_DSYNC
};
constexpr OpenFlags operator|(OpenFlags a, OpenFlags b) {
  return static_cast<OpenFlags>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b));
}
constexpr bool has(OpenFlags flags, OpenFlags flag) {
  return (static_cast<uint32_t>(flags) & static_cast<uint32_t>(flag)) != 0;
}

// What direct IO needs offsets, sizes and addresses to be multiples of.
inline constexpr size_t direct_io_alignment = 4096;

struct IoSlice {
  std::byte* bytes;
  size_t size;
};

class File {
 public:
  virtual ~File() = default;  // closes
  // Reads until `size` bytes or end of file; `*done` is what was read.
  virtual Status read(void* bytes, size_t size, uint64_t offset, size_t* done) = 0;
  // Writes all bytes; a short write is an error (disk_full when the device says so).
  virtual Status write(const void* bytes, size_t size, uint64_t offset) = 0;
  virtual Status read_vector(const IoSlice* slices, int count, uint64_t offset, size_t* done) = 0;
  virtual Status write_vector(const IoSlice* slices, int count, uint64_t offset) = 0;
  virtual Status sync() = 0;       // fsync (F_FULLFSYNC on macOS)
  virtual Status data_sync() = 0;  // fdatasync
  virtual Status truncate(uint64_t size) = 0;
  // Makes the range readable as zeroes with blocks allocated (posix_fallocate, else writes).
  virtual Status allocate(uint64_t offset, uint64_t size) = 0;
  virtual Status size(uint64_t* bytes) = 0;
  // Advice only: start reading, or start writing out.
  virtual void prefetch(uint64_t offset, uint64_t size) = 0;
  virtual void start_write_back(uint64_t offset, uint64_t size) = 0;
};

enum class FileKind : uint8_t { none, regular, directory, symbolic_link, other };

struct FileInfo {
  FileKind kind = FileKind::none;  // none: it does not exist
  uint64_t size_bytes = 0;
  uint32_t mode = 0;  // permission bits
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Status open(const std::string& path, OpenFlags flags, std::unique_ptr<File>* file) = 0;
  virtual Status info(const std::string& path, FileInfo* info) = 0;  // does not follow links
  virtual Status make_directory(const std::string& path) = 0;        // mode 0700
  virtual Status remove_file(const std::string& path) = 0;
  virtual Status remove_directory(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status link_symbolic(const std::string& target, const std::string& path) = 0;
  virtual Status read_link(const std::string& path, std::string* target) = 0;
  virtual Status list(const std::string& path, std::vector<std::string>* names) = 0;
  // fsync of a directory, so that entries made, renamed or removed in it last.
  virtual Status sync_directory(const std::string& path) = 0;
  // Everything of the file system that holds `path` (syncfs where there is one, else recursive fsync).
  virtual Status sync_file_system(const std::string& path) = 0;
};

// The process's real file system.
FileSystem& posix_file_system();

// Reads or replaces a whole small file. Replacing writes a temporary file beside
// it, syncs it, renames it over and syncs the directory (durable_rename).
Status read_whole_file(FileSystem& files, const std::string& path, std::string* contents);
Status replace_file_durably(FileSystem& files, const std::string& path, std::string_view contents);

}  // namespace pgdata
