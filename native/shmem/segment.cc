// Segment: creation, attachment and the directory of what lies where.
#include "shmem/segment.h"

#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/invariant.h"
#include "base/types.h"
#include "shmem/lock_wait_event.h"

namespace pgdata {

namespace {

constexpr uint64_t segment_magic = 0x6765737461646770;  // "pgdatseg", as bytes
constexpr uint32_t segment_version = 4;
constexpr size_t directory_bytes = 8192;
constexpr size_t header_bytes = 128;
constexpr size_t huge_page_bytes = 2u << 20;

struct DirectoryEntry {
  char name[40];
  uint64_t offset;
  uint64_t size;
};
static_assert(sizeof(DirectoryEntry) == 56);

// What stock PostgreSQL looks for when a lock file names a segment.
//
//   offset  size  field        meaning
//        0     4  magic        PGShmemMagic
//        4     4  creatorPID
//        8     8  totalsize    bytes
//       16     8  freeoffset   unused here
//       24     4  dsm_control  unused here
//       32     8  index        unused here
//       40     8  device       of the data directory
//       48     8  inode        of the data directory
//
// Source: src/include/storage/pg_shmem.h, PostgreSQL 18.
struct PGShmemHeader {
  int32_t magic;
  int32_t creatorPID;
  uint64_t totalsize;
  uint64_t freeoffset;
  uint32_t dsm_control;
  uint32_t padding;
  uint64_t index;
  uint64_t device;
  uint64_t inode;
};
static_assert(sizeof(PGShmemHeader) == 56);
static_assert(offsetof(PGShmemHeader, index) == 32);
static_assert(offsetof(PGShmemHeader, inode) == 48);
constexpr int32_t PGShmemMagic = 679834894;

struct SegmentHeader {
  PGShmemHeader postgres;
  uint64_t padding;
  std::atomic<uint64_t> magic;
  uint32_t version;
  uint32_t range_count;
  uint64_t size_bytes;
  uint64_t process_namespace;
  uint64_t reserved[4];
};
static_assert(sizeof(SegmentHeader) == header_bytes);
static_assert(offsetof(SegmentHeader, magic) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

constexpr size_t ranges_max = (directory_bytes - sizeof(SegmentHeader)) / sizeof(DirectoryEntry);
static_assert(ranges_max == 144);

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
          "Make shared_buffers smaller, or let the system give more shared memory (on Linux "
          "kernel.shmmax and kernel.shmall).");
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

// Taken off the system's list at once: Linux still lets others attach by the number, as long as anybody is attached. Elsewhere
// that is not so, and whoever comes second finds nothing.
Status map_new_shared(size_t bytes, int* id, std::byte** base) {
  int flags = IPC_CREAT | S_IRUSR | S_IWUSR;
#if defined(SHM_NORESERVE)
  flags |= SHM_NORESERVE;
#endif
  *id = shmget(IPC_PRIVATE, bytes, flags);
  if (*id < 0)
    return memory_error(errno == EINVAL ? ENOMEM : errno, "create a shared memory segment", bytes);
  void* const address = shmat(*id, nullptr, 0);
  const int error_number = errno;
  shmctl(*id, IPC_RMID, nullptr);
  if (address == reinterpret_cast<void*>(-1))
    return memory_error(error_number, "map the cluster's shared memory", bytes);
  *base = static_cast<std::byte*>(address);
  return Status::ok;
}

// Where process numbers mean the same; 0 where the system has no such namespaces.
uint64_t process_namespace() {
  struct stat found;
  return stat("/proc/self/ns/pid", &found) == 0 ? static_cast<uint64_t>(found.st_ino) : 0;
}

Status no_segment(int id) {
  return Status::error(ErrorCode::undefined_object, "shared memory segment %d does not exist", id);
}

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
  if (base_ == nullptr) return;
  if (id_ < 0)
    munmap(base_, size_);
  else
    shmdt(base_);
}

Status Segment::create(const std::string& data_directory, const SegmentPlan& plan,
                       std::unique_ptr<Segment>* segment) {
  std::unique_ptr<Segment> made(new Segment());
  made->size_ = plan.total_bytes();
  if (data_directory.empty()) {
    RETURN_IF_ERROR(map_private(made->size_, &made->base_));
  } else {
    struct stat directory;
    if (stat(data_directory.c_str(), &directory) != 0)
      return Status::os_error(errno, "could not stat data directory \"%s\"",
                              data_directory.c_str());
    RETURN_IF_ERROR(map_new_shared(made->size_, &made->id_, &made->base_));
    PGShmemHeader& header = header_at(made->base_).postgres;
    header.magic = PGShmemMagic;
    header.creatorPID = static_cast<int32_t>(getpid());
    header.totalsize = header.freeoffset = made->size_;
    header.device = static_cast<uint64_t>(directory.st_dev);
    header.inode = static_cast<uint64_t>(directory.st_ino);
  }
  advise(made->base_, made->size_);
  made->write_directory(plan);
  *segment = std::move(made);
  return Status::ok;
}

Status Segment::attach(int id, const std::string& data_directory,
                       std::unique_ptr<Segment>* segment) {
  struct shmid_ds found;
  if (id < 0 || shmctl(id, IPC_STAT, &found) != 0) return no_segment(id);
  struct stat directory;
  if (stat(data_directory.c_str(), &directory) != 0)
    return Status::os_error(errno, "could not stat data directory \"%s\"", data_directory.c_str());
  void* const address = shmat(id, nullptr, 0);
  if (address == reinterpret_cast<void*>(-1)) {
    if (errno == EINVAL || errno == EIDRM) return no_segment(id);
    return memory_error(errno, "map the cluster's shared memory", found.shm_segsz);
  }
  std::unique_ptr<Segment> made(new Segment());
  made->base_ = static_cast<std::byte*>(address);
  made->size_ = found.shm_segsz;
  made->id_ = id;
  if (made->size_ < directory_bytes) return no_segment(id);
  const PGShmemHeader& header = header_at(made->base_).postgres;
  if (header.magic != PGShmemMagic || header.device != static_cast<uint64_t>(directory.st_dev) ||
      header.inode != static_cast<uint64_t>(directory.st_ino))
    return no_segment(id);
  advise(made->base_, made->size_);
  RETURN_IF_ERROR(made->verify());
  *segment = std::move(made);
  return Status::ok;
}

void Segment::write_directory(const SegmentPlan& plan) const {
  SegmentHeader* const header = &header_at(base_);
  header->version = segment_version;
  header->range_count = static_cast<uint32_t>(plan.ranges_.size());
  header->size_bytes = size_;
  header->process_namespace = process_namespace();
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
                         "shared memory segment %d cannot be used", id_)
        .with_detail(why);
  };
  const SegmentHeader& header = header_at(base_);
  if (header.magic.load(std::memory_order_acquire) != segment_magic)
    return not_usable("It is not a complete segment of a cluster.");
  if (header.version != segment_version) return not_usable("It was made by another version.");
  if (header.process_namespace != process_namespace())
    return not_usable(
        "It belongs to processes of another PID namespace, whose deaths could not be told from "
        "here.");
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

std::string_view range_in_segment(const std::byte* base, const void* address) {
  const auto* const begin = reinterpret_cast<const SegmentHeader*>(base);
  const auto* const directory = reinterpret_cast<const DirectoryEntry*>(base + header_bytes);
  const auto at = static_cast<uint64_t>(static_cast<const std::byte*>(address) - base);
  for (uint32_t i = 0; i < begin->range_count; i++) {
    if (at >= directory[i].offset && at - directory[i].offset < directory[i].size)
      return directory[i].name;
  }
  return {};
}

}  // namespace pgdata
