// What tests and benchmarks of this room stand on: a directory that goes away again, a file system
// that can refuse or watch writes, and pages that can tell whether they are whole.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "buffer/buffer_pool.h"
#include "file/file_system.h"
#include "file/storage.h"
#include "page/page.h"
#include "shmem/segment.h"

namespace pgdata::test {

// A directory below the system's temporary one, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "pgdata_buffer_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The real file system, with a look at every write of blocks before it is done.
class WatchedFileSystem : public FileSystem {
 public:
  // Called with path, offset and slices; an error becomes the write's.
  std::function<Status(const std::string&, uint64_t, const IoSlice*, int)> before_write;
  std::atomic<int> writes{0};
  std::atomic<int> reads{0};

  Status open(const std::string& path, OpenFlags flags, std::unique_ptr<File>* file) override {
    std::unique_ptr<File> real;
    RETURN_IF_ERROR(posix_file_system().open(path, flags, &real));
    *file = std::make_unique<WatchedFile>(*this, path, std::move(real));
    return Status::ok;
  }
  Status info(const std::string& path, FileInfo* info) override {
    return posix_file_system().info(path, info);
  }
  Status make_directory(const std::string& path) override {
    return posix_file_system().make_directory(path);
  }
  Status remove_file(const std::string& path) override {
    return posix_file_system().remove_file(path);
  }
  Status remove_directory(const std::string& path) override {
    return posix_file_system().remove_directory(path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    return posix_file_system().rename(from, to);
  }
  Status link_symbolic(const std::string& target, const std::string& path) override {
    return posix_file_system().link_symbolic(target, path);
  }
  Status read_link(const std::string& path, std::string* target) override {
    return posix_file_system().read_link(path, target);
  }
  Status list(const std::string& path, std::vector<std::string>* names) override {
    return posix_file_system().list(path, names);
  }
  Status sync_directory(const std::string& path) override {
    return posix_file_system().sync_directory(path);
  }
  Status sync_file_system(const std::string& path) override {
    return posix_file_system().sync_file_system(path);
  }

 private:
  class WatchedFile : public File {
   public:
    WatchedFile(WatchedFileSystem& files, std::string path, std::unique_ptr<File> real)
        : files_(files), path_(std::move(path)), real_(std::move(real)) {}
    Status read(void* bytes, size_t size, uint64_t offset, size_t* done) override {
      files_.reads.fetch_add(1, std::memory_order_relaxed);
      return real_->read(bytes, size, offset, done);
    }
    Status write(const void* bytes, size_t size, uint64_t offset) override {
      const IoSlice slice{static_cast<std::byte*>(const_cast<void*>(bytes)), size};
      RETURN_IF_ERROR(watch(offset, &slice, 1));
      return real_->write(bytes, size, offset);
    }
    Status read_vector(const IoSlice* slices, int count, uint64_t offset, size_t* done) override {
      files_.reads.fetch_add(1, std::memory_order_relaxed);
      return real_->read_vector(slices, count, offset, done);
    }
    Status write_vector(const IoSlice* slices, int count, uint64_t offset) override {
      RETURN_IF_ERROR(watch(offset, slices, count));
      return real_->write_vector(slices, count, offset);
    }
    Status sync() override { return real_->sync(); }
    Status data_sync() override { return real_->data_sync(); }
    Status truncate(uint64_t size) override { return real_->truncate(size); }
    Status allocate(uint64_t offset, uint64_t size) override {
      return real_->allocate(offset, size);
    }
    Status size(uint64_t* bytes) override { return real_->size(bytes); }
    void prefetch(uint64_t offset, uint64_t size) override { real_->prefetch(offset, size); }
    void start_write_back(uint64_t offset, uint64_t size) override {
      real_->start_write_back(offset, size);
    }

   private:
    Status watch(uint64_t offset, const IoSlice* slices, int count) {
      files_.writes.fetch_add(1, std::memory_order_relaxed);
      return files_.before_write ? files_.before_write(path_, offset, slices, count)
                                 : Status(Status::ok);
    }
    WatchedFileSystem& files_;
    std::string path_;
    std::unique_ptr<File> real_;
  };
};

// A page that holds its block number and a version, and is filled with what follows from both.
inline constexpr size_t hint_byte_at = 64;  // set by hint setters; no part of the filling

inline uint64_t filling(BlockNumber block, uint64_t version, size_t word) {
  return (value_of(block) * 0x9E3779B97F4A7C15u) ^ (version * 0xD6E8FEB86659FD93u) ^ word;
}
inline void fill_page(Page page, BlockNumber block, uint64_t version) {
  const Lsn lsn = page.lsn();
  page.initialize(0);
  page.set_lsn(lsn);
  page.header().pd_upper = 128;  // no hole, so that a standard image keeps it all
  page.header().pd_lower = 128;
  store<uint64_t>(page.bytes() + 32, version);
  for (size_t at = 128; at < page.size(); at += 8)
    store<uint64_t>(page.bytes() + at, filling(block, version, at));
}
inline uint64_t version_of(Page page) { return load<uint64_t>(page.bytes() + 32); }
inline bool page_is_whole(Page page, BlockNumber block) {
  const uint64_t version = version_of(page);
  for (size_t at = 128; at < page.size(); at += 8)
    if (load<uint64_t>(page.bytes() + at) != filling(block, version, at)) return false;
  return true;
}

inline constexpr RelFileLocator test_relation{default_tablespace_oid, 5, 16384};

// A data directory with one database, storage and a pool over it, and a log if asked for.
struct PoolFixture {
  enum class Log : uint8_t { none, real };
  enum class Memory : uint8_t { own, shared };

  explicit PoolFixture(uint32_t buffers, Log log = Log::none, Memory memory = Memory::own) {
    std::filesystem::create_directories(directory.path() + "/base/5");
    std::filesystem::create_directories(directory.path() + "/pg_wal");
    storage_options.data_directory = directory.path();
    storage = std::make_unique<Storage>(files, storage_options);
    options.buffers = buffers;
    wal_options.directory = directory.path() + "/pg_wal";
    wal_options.segment_bytes = 1 << 20;
    wal_options.buffer_pages = 64;
    wal_options.fsync = false;
    SegmentPlan plan;
    BufferPool::plan(plan, options);
    if (log == Log::real) Wal::plan(plan, wal_options);
    require(Segment::create(memory == Memory::shared ? directory.path() : "", plan, &segment));
    if (log == Log::real) {
      wal = std::make_unique<Wal>(posix_file_system(), *segment, state, wal_options);
      require(wal->create_log());
    }
    require(storage->create(test_relation, ForkNumber::main));
    pool = std::make_unique<BufferPool>(*segment, *storage, wal.get(), state, options);
  }
  // Forgets everything in memory, written or not, as after a crash. Without a log.
  void restart() {
    pool.reset();
    SegmentPlan plan;
    BufferPool::plan(plan, options);
    require(Segment::create("", plan, &segment));
    pool = std::make_unique<BufferPool>(*segment, *storage, nullptr, state, options);
  }
  static void require(const Status& status) {
    if (status.is_ok()) return;
    std::fprintf(stderr, "cannot set up: %s\n", status.report().message.c_str());
    std::abort();
  }
  // Adds `count` whole pages of version 1, dirty.
  Status add_pages(uint32_t count, RelFileLocator relation = test_relation) {
    for (uint32_t i = 0; i < count; ++i) {
      BufferRef buffer;
      BlockNumber block{};
      RETURN_IF_ERROR(pool->extend(relation, ForkNumber::main, 1, nullptr, &buffer, &block));
      fill_page(buffer.page(), block, 1);
      pool->mark_dirty(buffer);
    }
    return Status::ok;
  }
  Status read(uint32_t block, BufferRef* buffer, ReadMode mode = ReadMode::normal,
              BufferStrategy* strategy = nullptr) {
    return pool->read(test_relation, ForkNumber::main, BlockNumber{block}, mode, strategy, buffer);
  }

  TemporaryDirectory directory;
  WatchedFileSystem files;
  StorageOptions storage_options;
  BufferPoolOptions options;
  WalOptions wal_options;
  ClusterState state;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<Segment> segment;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<BufferPool> pool;
};

}  // namespace pgdata::test
