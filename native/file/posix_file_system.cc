// The real file system, by POSIX calls.
//
// Every call is repeated when a signal interrupts it, and transfers go on until
// all bytes are through.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/invariant.h"
#include "file/file_system.h"

namespace pgdata {

namespace {

constexpr int slices_per_call_max = 64;
static_assert(slices_per_call_max <= IOV_MAX);

template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

int sync_descriptor(int descriptor) {
#if defined(__APPLE__)
  // fsync leaves data in the drive's cache. Not every file system knows F_FULLFSYNC.
  if (retry([=] { return fcntl(descriptor, F_FULLFSYNC); }) == 0) return 0;
  if (errno != ENOTSUP && errno != EINVAL) return -1;
#endif
  return retry([=] { return fsync(descriptor); });
}

int data_sync_descriptor(int descriptor) {
#if defined(__APPLE__)
  return sync_descriptor(descriptor);
#else
  return retry([=] { return fdatasync(descriptor); });
#endif
}

Status with_space_hint(Status status) {
  if (status.code() != ErrorCode::disk_full) return status;
  return std::move(status).with_hint("Check free disk space.");
}

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  // close reports what a sync should have: whoever cares has synced before.
  ~PosixFile() override { close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Status read(void* bytes, size_t size, uint64_t offset, size_t* done) override {
    auto* const start = static_cast<std::byte*>(bytes);
    *done = 0;
    while (*done < size) {
      const ssize_t count = retry([&] {
        return pread(descriptor_, start + *done, size - *done, static_cast<off_t>(offset + *done));
      });
      if (count < 0) return failed("read");
      if (count == 0) break;
      *done += static_cast<size_t>(count);
    }
    return Status::ok;
  }

  Status write(const void* bytes, size_t size, uint64_t offset) override {
    const auto* const start = static_cast<const std::byte*>(bytes);
    size_t done = 0;
    while (done < size) {
      const ssize_t count = retry([&] {
        return pwrite(descriptor_, start + done, size - done, static_cast<off_t>(offset + done));
      });
      if (count <= 0) return write_failed(count);
      done += static_cast<size_t>(count);
    }
    return Status::ok;
  }

  Status read_vector(const IoSlice* slices, int count, uint64_t offset, size_t* done) override {
    *done = 0;
    return for_each_chunk(slices, count, [&](iovec* chunk, int chunk_count, size_t* step) {
      const ssize_t read_count = retry([&] {
        return preadv(descriptor_, chunk, chunk_count, static_cast<off_t>(offset + *done));
      });
      if (read_count < 0) return failed("read");
      *step = static_cast<size_t>(read_count);
      *done += *step;
      return Status();
    });
  }

  Status write_vector(const IoSlice* slices, int count, uint64_t offset) override {
    size_t done = 0;
    return for_each_chunk(slices, count, [&](iovec* chunk, int chunk_count, size_t* step) {
      const ssize_t written = retry([&] {
        return pwritev(descriptor_, chunk, chunk_count, static_cast<off_t>(offset + done));
      });
      if (written <= 0) return write_failed(written);
      *step = static_cast<size_t>(written);
      done += *step;
      return Status();
    });
  }

  Status sync() override {
    if (sync_descriptor(descriptor_) != 0) return failed("fsync");
    return Status::ok;
  }

  Status data_sync() override {
    if (data_sync_descriptor(descriptor_) != 0) return failed("fdatasync");
    return Status::ok;
  }

  Status truncate(uint64_t size) override {
    if (retry([&] { return ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0)
      return failed("truncate");
    return Status::ok;
  }

  Status allocate(uint64_t offset, uint64_t size) override {
    if (size == 0) return Status::ok;
#if defined(__linux__)
    // Not posix_fallocate, which where the file system cannot do it rewrites the
    // range, racing with other writers.
    const int result = retry([&] {
      return fallocate(descriptor_, 0, static_cast<off_t>(offset), static_cast<off_t>(size));
    });
    if (result == 0) return Status::ok;
    if (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)
      return with_space_hint(failed("allocate space for"));
#endif
    return append_zeroes(offset, offset + size);
  }

  Status size(uint64_t* bytes) override {
    struct stat found;
    if (fstat(descriptor_, &found) != 0) return failed("stat");
    *bytes = static_cast<uint64_t>(found.st_size);
    return Status::ok;
  }

  void prefetch(uint64_t offset, uint64_t size) override {
#if defined(__linux__)
    static_cast<void>(posix_fadvise(descriptor_, static_cast<off_t>(offset),
                                    static_cast<off_t>(size), POSIX_FADV_WILLNEED));
#else
    radvisory advice{};
    advice.ra_offset = static_cast<off_t>(offset);
    advice.ra_count = static_cast<int>(std::min<uint64_t>(size, INT_MAX));
    fcntl(descriptor_, F_RDADVISE, &advice);
#endif
  }

  void start_write_back(uint64_t offset, uint64_t size) override {
#if defined(__linux__)
    static_cast<void>(sync_file_range(descriptor_, static_cast<off_t>(offset),
                                      static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE));
#else
    static_cast<void>(offset);
    static_cast<void>(size);
#endif
  }

 private:
  Status failed(const char* what) const {
    return Status::os_error(errno, "could not %s file \"%s\"", what, path_.c_str());
  }

  // A write of nothing without an error is what some file systems do when full.
  Status write_failed(ssize_t written) const {
    return with_space_hint(Status::os_error(written == 0 ? ENOSPC : errno,
                                            "could not write file \"%s\"", path_.c_str()));
  }

  // Calls `transfer` with what is left of the slices until all is through or it
  // moves nothing.
  template <typename Transfer>
  static Status for_each_chunk(const IoSlice* slices, int count, Transfer transfer) {
    int next = 0;
    size_t skipped = 0;  // of slices[next]
    while (next < count) {
      iovec chunk[slices_per_call_max];
      const int chunk_count = std::min(count - next, slices_per_call_max);
      for (int i = 0; i < chunk_count; i++) {
        const size_t skip = i == 0 ? skipped : 0;
        chunk[i].iov_base = slices[next + i].bytes + skip;
        chunk[i].iov_len = slices[next + i].size - skip;
      }
      size_t step = 0;
      RETURN_IF_ERROR(transfer(chunk, chunk_count, &step));
      if (step == 0) return Status::ok;
      skipped += step;
      while (next < count && skipped >= slices[next].size) skipped -= slices[next++].size;
    }
    return Status::ok;
  }

  // Zeroes from the end of the file, or `from` if that is later, up to `to`.
  Status append_zeroes(uint64_t from, uint64_t to) {
    alignas(direct_io_alignment) static const std::byte zeroes[64 * 1024] = {};
    uint64_t end = 0;
    RETURN_IF_ERROR(size(&end));
    for (uint64_t at = std::max(from, end); at < to;) {
      const size_t step = static_cast<size_t>(std::min<uint64_t>(to - at, sizeof(zeroes)));
      RETURN_IF_ERROR(write(zeroes, step, at));
      at += step;
    }
    return Status::ok;
  }

  const int descriptor_;
  const std::string path_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Status open(const std::string& path, OpenFlags flags, std::unique_ptr<File>* file) override {
    int mode = O_CLOEXEC | (has(flags, OpenFlags::read_write) ? O_RDWR : O_RDONLY);
    if (has(flags, OpenFlags::create)) mode |= O_CREAT;
    if (has(flags, OpenFlags::exclusive)) mode |= O_EXCL;
    if (has(flags, OpenFlags::dsync)) mode |= O_DSYNC;
#if defined(O_DIRECT)
    if (has(flags, OpenFlags::direct)) mode |= O_DIRECT;
#endif
    const int descriptor = retry([&] { return ::open(path.c_str(), mode, S_IRUSR | S_IWUSR); });
    if (descriptor < 0) {
      const int error_number = errno;
      const char* const what = has(flags, OpenFlags::exclusive) ? "create" : "open";
      Status status =
          Status::os_error(error_number, "could not %s file \"%s\"", what, path.c_str());
      if (error_number == EINVAL && has(flags, OpenFlags::direct))
        return std::move(status).with_hint("The file system may not support direct IO.");
      return with_space_hint(std::move(status));
    }
#if defined(__APPLE__)
    if (has(flags, OpenFlags::direct)) fcntl(descriptor, F_NOCACHE, 1);
#endif
    *file = std::make_unique<PosixFile>(descriptor, path);
    return Status::ok;
  }

  Status info(const std::string& path, FileInfo* info) override {
    struct stat found;
    *info = FileInfo();
    if (lstat(path.c_str(), &found) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return Status::ok;
      return failed("stat file", path);
    }
    info->kind = S_ISREG(found.st_mode)   ? FileKind::regular
                 : S_ISDIR(found.st_mode) ? FileKind::directory
                 : S_ISLNK(found.st_mode) ? FileKind::symbolic_link
                                          : FileKind::other;
    info->size_bytes = static_cast<uint64_t>(found.st_size);
    info->mode = found.st_mode & 07777;
    return Status::ok;
  }

  Status make_directory(const std::string& path) override {
    if (mkdir(path.c_str(), S_IRWXU) != 0) return with_space_hint(failed("create directory", path));
    return Status::ok;
  }

  Status remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failed("remove file", path);
    return Status::ok;
  }

  Status remove_directory(const std::string& path) override {
    if (rmdir(path.c_str()) != 0) return failed("remove directory", path);
    return Status::ok;
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      return with_space_hint(Status::os_error(errno, "could not rename file \"%s\" to \"%s\"",
                                              from.c_str(), to.c_str()));
    return Status::ok;
  }

  Status link_symbolic(const std::string& target, const std::string& path) override {
    if (symlink(target.c_str(), path.c_str()) != 0)
      return with_space_hint(failed("create symbolic link", path));
    return Status::ok;
  }

  Status read_link(const std::string& path, std::string* target) override {
    char text[PATH_MAX];
    const ssize_t length = readlink(path.c_str(), text, sizeof(text));
    if (length < 0) return failed("read symbolic link", path);
    if (static_cast<size_t>(length) == sizeof(text))
      return Status::os_error(ENAMETOOLONG, "could not read symbolic link \"%s\"", path.c_str());
    target->assign(text, static_cast<size_t>(length));
    return Status::ok;
  }

  Status list(const std::string& path, std::vector<std::string>* names) override {
    names->clear();
    DIR* const directory = opendir(path.c_str());
    if (directory == nullptr) return failed("open directory", path);
    errno = 0;
    while (const dirent* entry = readdir(directory)) {
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
        names->emplace_back(entry->d_name);
      errno = 0;
    }
    const int error_number = errno;
    closedir(directory);
    if (error_number != 0)
      return Status::os_error(error_number, "could not read directory \"%s\"", path.c_str());
    std::sort(names->begin(), names->end());
    return Status::ok;
  }

  Status sync_directory(const std::string& path) override {
    return with_descriptor(path, O_RDONLY | O_DIRECTORY, "fsync directory", [](int descriptor) {
      if (sync_descriptor(descriptor) == 0) return 0;
      // Some file systems cannot sync a directory, and need not.
      return errno == EBADF || errno == EINVAL ? 0 : -1;
    });
  }

  Status sync_file_system(const std::string& path) override {
#if defined(__linux__)
    return with_descriptor(path, O_RDONLY, "synchronize file system of", [](int descriptor) {
      return retry([=] { return syncfs(descriptor); });
    });
#else
    return sync_tree(path, tree_depth_max);
#endif
  }

 private:
  static Status failed(const char* what, const std::string& path) {
    return Status::os_error(errno, "could not %s \"%s\"", what, path.c_str());
  }

  template <typename Call>
  static Status with_descriptor(const std::string& path, int mode, const char* what, Call call) {
    const int descriptor = retry([&] { return ::open(path.c_str(), mode | O_CLOEXEC); });
    if (descriptor < 0) return failed("open", path);
    const int result = call(descriptor);
    const int error_number = errno;
    close(descriptor);
    if (result != 0)
      return Status::os_error(error_number, "could not %s \"%s\"", what, path.c_str());
    return Status::ok;
  }

#if !defined(__linux__)
  static constexpr int tree_depth_max = 64;

  Status sync_tree(const std::string& path, int depth_left) {
    FileInfo found;
    RETURN_IF_ERROR(info(path, &found));
    if (found.kind == FileKind::regular)
      return with_descriptor(path, O_RDONLY, "fsync file", sync_descriptor);
    if (found.kind != FileKind::directory) return Status::ok;
    if (depth_left == 0)
      return Status::error(ErrorCode::system_error, "directory \"%s\" is nested too deeply",
                           path.c_str());
    std::vector<std::string> names;
    RETURN_IF_ERROR(list(path, &names));
    for (const std::string& name : names)
      RETURN_IF_ERROR(sync_tree(path + "/" + name, depth_left - 1));
    return sync_directory(path);
  }
#endif
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem file_system;
  return file_system;
}

}  // namespace pgdata
