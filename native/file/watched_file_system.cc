// WatchedFileSystem: passing operations on, with faults before and the journal after them.
#include "file/watched_file_system.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/invariant.h"

namespace pgdata {

class WatchedFile final : public File {
 public:
  WatchedFile(WatchedFileSystem& files, std::unique_ptr<File> file, std::string path,
              uint32_t number, bool is_dsync)
      : files_(files),
        file_(std::move(file)),
        path_(std::move(path)),
        number_(number),
        is_dsync_(is_dsync) {}

  Status read(void* bytes, size_t size, uint64_t offset, size_t* done) override {
    *done = 0;
    RETURN_IF_ERROR(files_.begin(OperationKind::read, path_, offset, size));
    return file_->read(bytes, size, offset, done);
  }

  Status write(const void* bytes, size_t size, uint64_t offset) override {
    const IoSlice slice{const_cast<std::byte*>(static_cast<const std::byte*>(bytes)), size};
    return write_vector(&slice, 1, offset);
  }

  Status read_vector(const IoSlice* slices, int count, uint64_t offset, size_t* done) override {
    *done = 0;
    RETURN_IF_ERROR(files_.begin(OperationKind::read, path_, offset, total(slices, count)));
    return file_->read_vector(slices, count, offset, done);
  }

  Status write_vector(const IoSlice* slices, int count, uint64_t offset) override {
    bool is_short = false;
    const uint64_t size = total(slices, count);
    RETURN_IF_ERROR(files_.begin(OperationKind::write, path_, offset, size, &is_short));
    if (!is_short) {
      RETURN_IF_ERROR(file_->write_vector(slices, count, offset));
      record_write(slices, count, offset, size);
      return Status::ok;
    }
    // Half of it, in whole sectors, so that a direct file takes it too.
    std::vector<IoSlice> half;
    uint64_t left = size / 2 / direct_io_alignment * direct_io_alignment;
    for (int i = 0; i < count && left > 0; i++) {
      half.push_back(
          {slices[i].bytes, static_cast<size_t>(std::min<uint64_t>(slices[i].size, left))});
      left -= half.back().size;
    }
    const int half_count = static_cast<int>(half.size());
    if (half_count > 0) {
      RETURN_IF_ERROR(file_->write_vector(half.data(), half_count, offset));
      record_write(half.data(), half_count, offset, total(half.data(), half_count));
    }
    return Status::os_error(ENOSPC, "could not write file \"%s\"", path_.c_str())
        .with_hint("Check free disk space.");
  }

  Status sync() override {
    return files_.sync(OperationKind::sync, path_, number_, [this] { return file_->sync(); });
  }

  Status data_sync() override {
    return files_.sync(OperationKind::sync, path_, number_, [this] { return file_->data_sync(); });
  }

  Status truncate(uint64_t size) override {
    RETURN_IF_ERROR(files_.begin(OperationKind::truncate, path_, size, 0));
    RETURN_IF_ERROR(file_->truncate(size));
    files_.record(OperationKind::truncate, path_, {}, number_, size);
    return Status::ok;
  }

  Status allocate(uint64_t offset, uint64_t size) override {
    RETURN_IF_ERROR(files_.begin(OperationKind::allocate, path_, offset, size));
    RETURN_IF_ERROR(file_->allocate(offset, size));
    files_.record(OperationKind::allocate, path_, {}, number_, offset, size);
    return Status::ok;
  }

  Status size(uint64_t* bytes) override {
    RETURN_IF_ERROR(files_.begin(OperationKind::look_up, path_));
    return file_->size(bytes);
  }

  void prefetch(uint64_t offset, uint64_t size) override { file_->prefetch(offset, size); }
  void start_write_back(uint64_t offset, uint64_t size) override {
    file_->start_write_back(offset, size);
  }

 private:
  static uint64_t total(const IoSlice* slices, int count) {
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += slices[i].size;
    return bytes;
  }

  void record_write(const IoSlice* slices, int count, uint64_t offset, uint64_t size) {
    files_.record(OperationKind::write, is_dsync_ ? journal_lasts : uint8_t{0}, path_, {}, number_,
                  offset, size, slices, count);
  }

  WatchedFileSystem& files_;
  const std::unique_ptr<File> file_;
  const std::string path_;
  const uint32_t number_;
  const bool is_dsync_;
};

WatchedFileSystem::~WatchedFileSystem() {
  if (journal_ != nullptr) std::fclose(journal_);
}

Status WatchedFileSystem::start_journal(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (journal_ != nullptr)
    return Status::error(ErrorCode::object_not_in_prerequisite_state, "there is a journal already");
  journal_ = std::fopen(path.c_str(), "wxe");
  if (journal_ == nullptr)
    return Status::os_error(errno, "could not create file \"%s\"", path.c_str());
  constexpr size_t buffer_bytes = 1 << 20;
  std::setvbuf(journal_, nullptr, _IOFBF, buffer_bytes);
  return Status::ok;
}

uint64_t WatchedFileSystem::journal_records() const { return journal_records_.load(); }

Status WatchedFileSystem::flush_journal() {
  const std::lock_guard guard(mutex_);
  if (journal_ != nullptr && (std::fflush(journal_) != 0 || journal_failed_))
    return Status::error(ErrorCode::io_error, "could not write the journal");
  return Status::ok;
}

void WatchedFileSystem::fail(FaultRule rule) {
  const std::lock_guard guard(mutex_);
  plan_.add(std::move(rule));
}

void WatchedFileSystem::clear_faults() {
  const std::lock_guard guard(mutex_);
  plan_.restart();
}

uint64_t WatchedFileSystem::step() const {
  const std::lock_guard guard(mutex_);
  return plan_.step();
}

uint64_t WatchedFileSystem::faults_met() const {
  const std::lock_guard guard(mutex_);
  return plan_.faults_met();
}

Status WatchedFileSystem::begin(OperationKind kind, const std::string& path, uint64_t offset,
                                uint64_t size, bool* is_short) {
  FaultPlan::Outcome outcome;
  {
    const std::lock_guard guard(mutex_);
    outcome = plan_.meet(Operation{kind, path, offset, size});
  }
  if (outcome.delay_ms > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(outcome.delay_ms));
  INVARIANT(!outcome.breaks_invariant);
  if (is_short != nullptr) *is_short = outcome.is_short;
  return std::move(outcome.status);
}

void WatchedFileSystem::record(OperationKind kind, uint8_t flags, const std::string& path,
                               std::string_view target, uint32_t file, uint64_t offset,
                               uint64_t size, const IoSlice* slices, int count) {
  const std::lock_guard guard(mutex_);
  if (journal_ == nullptr) return;
  JournalRecordHeader header;
  header.kind = static_cast<uint8_t>(kind);
  header.flags = flags;
  header.path_bytes = static_cast<uint16_t>(path.size());
  header.target_bytes = static_cast<uint32_t>(target.size());
  header.file = file;
  header.offset = offset;
  header.size = size;
  const size_t written = slices != nullptr ? static_cast<size_t>(size) : 0;
  header.record_bytes =
      static_cast<uint32_t>(sizeof(header) + path.size() + target.size() + written);
  const auto put = [this](const void* bytes, size_t length) {
    if (length > 0 && std::fwrite(bytes, 1, length, journal_) != length) journal_failed_ = true;
  };
  put(&header, sizeof(header));
  put(path.data(), path.size());
  put(target.data(), target.size());
  for (int i = 0; i < count; i++) put(slices[i].bytes, slices[i].size);
  journal_records_++;
}

template <typename Call>
Status WatchedFileSystem::sync(OperationKind kind, const std::string& path, uint32_t file,
                               Call call) {
  const uint64_t covered = journal_records();
  Status status = begin(kind, path);
  if (status.is_ok()) status = call();
  record(kind, status.is_ok() ? uint8_t{0} : journal_failed, path, {}, file, covered, 0, nullptr,
         0);
  return status;
}

Status WatchedFileSystem::open(const std::string& path, OpenFlags flags,
                               std::unique_ptr<File>* file) {
  FileInfo found;
  if (has(flags, OpenFlags::create)) RETURN_IF_ERROR(files_.info(path, &found));
  const bool creates = has(flags, OpenFlags::create) && found.kind == FileKind::none;
  const OperationKind kind = creates ? OperationKind::create : OperationKind::open;
  RETURN_IF_ERROR(begin(kind, path));
  std::unique_ptr<File> opened;
  RETURN_IF_ERROR(files_.open(path, flags, &opened));
  uint32_t number = 0;
  {
    const std::lock_guard guard(mutex_);
    number = next_file_++;
  }
  record(kind, path, {}, number);
  *file = std::make_unique<WatchedFile>(*this, std::move(opened), path, number,
                                        has(flags, OpenFlags::dsync));
  return Status::ok;
}

Status WatchedFileSystem::info(const std::string& path, FileInfo* info) {
  RETURN_IF_ERROR(begin(OperationKind::look_up, path));
  return files_.info(path, info);
}

Status WatchedFileSystem::make_directory(const std::string& path) {
  RETURN_IF_ERROR(begin(OperationKind::make_directory, path));
  RETURN_IF_ERROR(files_.make_directory(path));
  record(OperationKind::make_directory, path);
  return Status::ok;
}

Status WatchedFileSystem::remove_file(const std::string& path) {
  RETURN_IF_ERROR(begin(OperationKind::remove_file, path));
  RETURN_IF_ERROR(files_.remove_file(path));
  record(OperationKind::remove_file, path);
  return Status::ok;
}

Status WatchedFileSystem::remove_directory(const std::string& path) {
  RETURN_IF_ERROR(begin(OperationKind::remove_directory, path));
  RETURN_IF_ERROR(files_.remove_directory(path));
  record(OperationKind::remove_directory, path);
  return Status::ok;
}

Status WatchedFileSystem::rename(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(begin(OperationKind::rename, from));
  RETURN_IF_ERROR(files_.rename(from, to));
  record(OperationKind::rename, from, to);
  return Status::ok;
}

Status WatchedFileSystem::link_symbolic(const std::string& target, const std::string& path) {
  RETURN_IF_ERROR(begin(OperationKind::link_symbolic, path));
  RETURN_IF_ERROR(files_.link_symbolic(target, path));
  record(OperationKind::link_symbolic, path, target);
  return Status::ok;
}

Status WatchedFileSystem::read_link(const std::string& path, std::string* target) {
  RETURN_IF_ERROR(begin(OperationKind::look_up, path));
  return files_.read_link(path, target);
}

Status WatchedFileSystem::list(const std::string& path, std::vector<std::string>* names) {
  RETURN_IF_ERROR(begin(OperationKind::look_up, path));
  return files_.list(path, names);
}

Status WatchedFileSystem::sync_directory(const std::string& path) {
  return sync(OperationKind::sync_directory, path, 0, [&] { return files_.sync_directory(path); });
}

Status WatchedFileSystem::sync_file_system(const std::string& path) {
  return sync(OperationKind::sync_file_system, path, 0,
              [&] { return files_.sync_file_system(path); });
}

}  // namespace pgdata
