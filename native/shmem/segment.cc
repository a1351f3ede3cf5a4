// Segment: creation, attachment and the directory of what lies where.
#include "shmem/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/invariant.h"
#include "base/types.h"

namespace pgdata {

namespace {

constexpr uint64_t segment_magic = 0x6765737461646770;  // "pgdatseg", as bytes
constexpr uint32_t segment_version = 1;
constexpr size_t directory_bytes = 4096;
constexpr size_t huge_page_bytes = 2u << 20;

struct DirectoryEntry {
  char name[40];
  uint64_t offset;
  uint64_t size;
};
static_assert(sizeof(DirectoryEntry) == 56);

struct SegmentHeader {
  std::atomic<uint64_t> magic;
  uint32_t version;
  uint32_t range_count;
  uint64_t size_bytes;
  uint64_t reserved[5];
};
static_assert(sizeof(SegmentHeader) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

constexpr size_t ranges_max = (directory_bytes - sizeof(SegmentHeader)) / sizeof(DirectoryEntry);
static_assert(ranges_max == 72);

SegmentHeader& header_at(std::byte* base) { return *reinterpret_cast<SegmentHeader*>(base); }

DirectoryEntry* directory_at(std::byte* base) {
  return reinterpret_cast<DirectoryEntry*>(base + sizeof(SegmentHeader));
}

size_t page_rounded(size_t bytes) {
  return align_up(bytes, static_cast<size_t>(sysconf(_SC_PAGESIZE)));
}

Status memory_error(int error_number, const std::string& what, size_t bytes) {
  if (error_number != ENOSPC && error_number != ENOMEM)
    return Status::os_error(error_number, "could not %s", what.c_str());
  return Status::error(ErrorCode::out_of_memory, "could not %s of %zu bytes: %s", what.c_str(),
                       bytes, std::strerror(error_number))
      .with_hint(
          "Make shared_buffers smaller, or give shared memory more room (on Linux the size of "
          "/dev/shm, in a container its --shm-size).");
}

// A child would copy or keep what only this process may use; large pages save
// address translations. Both are advice, and their failure changes nothing.
void advise(std::byte* base, size_t bytes) {
#if defined(MADV_DONTFORK)
  madvise(base, bytes, MADV_DONTFORK);
#endif
#if defined(MADV_HUGEPAGE)
  madvise(base, bytes, MADV_HUGEPAGE);
#endif
  static_cast<void>(base);
  static_cast<void>(bytes);
}

// Private memory, aligned to a huge page: the kernel gives huge pages to private
// memory by default settings, to shared memory it seldom does.
Status map_private(size_t bytes, std::byte** base) {
  const size_t reserved = bytes + huge_page_bytes;
  void* const address =
      mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return memory_error(errno, "map the cluster's memory", bytes);
  auto* const start = static_cast<std::byte*>(address);
  const size_t skipped =
      align_up(reinterpret_cast<size_t>(start), huge_page_bytes) - reinterpret_cast<size_t>(start);
  if (skipped != 0) munmap(start, skipped);
  munmap(start + skipped + bytes, reserved - skipped - bytes);
  *base = start + skipped;
  return Status::ok;
}

Status map_shared(int descriptor, const std::string& name, size_t bytes, std::byte** base) {
  void* const address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED)
    return memory_error(errno, "map shared memory segment \"" + name + "\"", bytes);
  *base = static_cast<std::byte*>(address);
  return Status::ok;
}

// Gives the object its size with the memory behind it: without that, a full
// /dev/shm shows as SIGBUS at the first use of a page.
int reserve_memory(int descriptor, size_t bytes) {
#if defined(__APPLE__)
  return ftruncate(descriptor, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
#else
  int error_number;
  do {
    error_number = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  } while (error_number == EINTR);
  return error_number;
#endif
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

}  // namespace

void SegmentPlan::reserve(const char* name, size_t bytes, size_t alignment) {
  INVARIANT(std::strlen(name) > 0);
  INVARIANT(std::strlen(name) < sizeof(DirectoryEntry::name));
  INVARIANT(alignment >= 64);
  INVARIANT(alignment <= huge_page_bytes);
  INVARIANT((alignment & (alignment - 1)) == 0);
  INVARIANT(ranges_.size() < ranges_max);
  INVARIANT(std::none_of(ranges_.begin(), ranges_.end(),
                         [name](const Range& range) { return range.name == name; }));
  const uint64_t offset = align_up(end_, alignment);
  ranges_.push_back(Range{name, offset, bytes});
  end_ = align_up(offset + bytes, 64);
}

size_t SegmentPlan::total_bytes() const { return page_rounded(end_); }

Segment::~Segment() {
  if (base_ != nullptr) munmap(base_, size_);
  if (owner_ && !name_.empty()) shm_unlink(name_.c_str());
}

Status Segment::create(const std::string& name, const SegmentPlan& plan,
                       std::unique_ptr<Segment>* segment) {
  std::unique_ptr<Segment> made(new Segment());
  const size_t bytes = plan.total_bytes();
  if (name.empty()) {
    RETURN_IF_ERROR(map_private(bytes, &made->base_));
    made->size_ = bytes;
  } else {
    shm_unlink(name.c_str());
    const Descriptor descriptor(
        shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR));
    const std::string what = "create shared memory segment \"" + name + "\"";
    if (descriptor.number() < 0) return memory_error(errno, what, bytes);
    // From here on the name goes when `made` does.
    made->name_ = name;
    made->owner_ = true;
    const int error_number = reserve_memory(descriptor.number(), bytes);
    if (error_number != 0) return memory_error(error_number, what, bytes);
    RETURN_IF_ERROR(map_shared(descriptor.number(), name, bytes, &made->base_));
    made->size_ = bytes;
  }
  advise(made->base_, bytes);
  made->write_directory(plan);
  *segment = std::move(made);
  return Status::ok;
}

Status Segment::attach(const std::string& name, std::unique_ptr<Segment>* segment) {
  const Descriptor descriptor(shm_open(name.c_str(), O_RDWR, 0));
  if (descriptor.number() < 0) {
    if (errno == ENOENT)
      return Status::error(ErrorCode::undefined_object,
                           "shared memory segment \"%s\" does not exist", name.c_str());
    return Status::os_error(errno, "could not open shared memory segment \"%s\"", name.c_str());
  }
  struct stat found;
  if (fstat(descriptor.number(), &found) != 0)
    return Status::os_error(errno, "could not stat shared memory segment \"%s\"", name.c_str());
  std::unique_ptr<Segment> made(new Segment());
  made->name_ = name;
  const auto bytes = static_cast<size_t>(found.st_size);
  if (bytes >= directory_bytes) {
    RETURN_IF_ERROR(map_shared(descriptor.number(), name, bytes, &made->base_));
    made->size_ = bytes;
    advise(made->base_, bytes);
  }
  RETURN_IF_ERROR(made->verify());
  *segment = std::move(made);
  return Status::ok;
}

void Segment::write_directory(const SegmentPlan& plan) const {
  auto* const header = new (base_) SegmentHeader;
  header->version = segment_version;
  header->range_count = static_cast<uint32_t>(plan.ranges_.size());
  header->size_bytes = size_;
  DirectoryEntry* entry = directory_at(base_);
  for (const SegmentPlan::Range& range : plan.ranges_) {
    std::memcpy(entry->name, range.name.c_str(), range.name.size() + 1);
    entry->offset = range.offset;
    entry->size = range.size;
    entry++;
  }
  header->magic.store(segment_magic, std::memory_order_release);
}

// What another process wrote, perhaps one of another version, or only began to.
Status Segment::verify() const {
  const auto not_usable = [this](const char* why) {
    return Status::error(ErrorCode::object_not_in_prerequisite_state,
                         "shared memory segment \"%s\" cannot be used", name_.c_str())
        .with_detail(why);
  };
  if (base_ == nullptr) return not_usable("It is too small, perhaps still being created.");
  const SegmentHeader& header = header_at(base_);
  if (header.magic.load(std::memory_order_acquire) != segment_magic)
    return not_usable("It is not a complete segment of a cluster.");
  if (header.version != segment_version) return not_usable("It was made by another version.");
  // macOS rounds the size of the object up to its page size.
  if (header.size_bytes > size_) return not_usable("Its size is not what its header says.");
  if (header.range_count > ranges_max) return not_usable("Its directory is damaged.");
  for (uint32_t i = 0; i < header.range_count; i++) {
    const DirectoryEntry& entry = directory_at(base_)[i];
    if (std::memchr(entry.name, '\0', sizeof(entry.name)) == nullptr ||
        entry.offset < directory_bytes || entry.offset > size_ || entry.size > size_ - entry.offset)
      return not_usable("Its directory is damaged.");
  }
  return Status::ok;
}

std::byte* Segment::find(const char* name, size_t* bytes) const {
  const DirectoryEntry* const directory = directory_at(base_);
  const uint32_t count = header_at(base_).range_count;
  const DirectoryEntry* const found = std::find_if(
      directory, directory + count,
      [name](const DirectoryEntry& entry) { return std::strcmp(entry.name, name) == 0; });
  INVARIANT(found != directory + count);
  if (bytes != nullptr) *bytes = found->size;
  return base_ + found->offset;
}

}  // namespace pgdata
