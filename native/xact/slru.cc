// Slru: lookup, replacement, and file IO of small shared pages.
#include "xact/slru.h"

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/invariant.h"
#include "shmem/wait_scope.h"
#include "statistics/statistics.h"

namespace pgdata {

namespace {

// Segments written since the last sync that are remembered; beyond that a write syncs its file at once.
constexpr uint32_t unsynced_segments_max = 64;
// Bank locks stand apart, so that two banks never share a cache line.
constexpr size_t cache_line = 64;

constexpr size_t line_align(size_t size) { return align_up(size, cache_line); }

uint32_t bank_count(const SlruOptions& options) {
  return options.buffers <= Slru::slots_per_bank
             ? 1
             : (options.buffers + Slru::slots_per_bank - 1) / Slru::slots_per_bank;
}

}  // namespace

struct Slru::Shared {
  LwLock sync_running;  // held while files are synced, so that a second caller waits for the first
  LwLock sync_lock;     // protects the two below
  uint32_t unsynced_count;
  uint64_t unsynced_segments[unsynced_segments_max];
  std::atomic<uint64_t> clock;  // counts uses of pages; gives each slot its age
};

struct Slru::Slot {
  uint64_t page_plus_one;  // 0: empty
  std::atomic<uint64_t> last_used;
  bool dirty;
};

void Slru::plan(SegmentPlan& plan, const SlruOptions& options, uint32_t block_size) {
  const size_t banks = bank_count(options);
  const size_t slots = banks * slots_per_bank;
  const size_t bytes = line_align(sizeof(Shared)) + banks * cache_line +
                       line_align(slots * sizeof(Slot)) +
                       line_align(slots * options.lsns_per_page * sizeof(Lsn)) + slots * block_size;
  plan.reserve(options.name, bytes);
}

Slru::Slru(Segment& segment, StorageServices& services, const SlruOptions& options)
    : services_(services),
      options_(options),
      block_size_(services.storage.options().block_size),
      banks_(bank_count(options)) {
  const size_t slots = size_t{banks_} * slots_per_bank;
  std::byte* at = segment.find(options.name);
  shared_ = reinterpret_cast<Shared*>(at);
  at += line_align(sizeof(Shared));
  bank_locks_ = at;
  at += banks_ * cache_line;
  slots_ = at;
  at += line_align(slots * sizeof(Slot));
  lsns_ = at;
  at += line_align(slots * options.lsns_per_page * sizeof(Lsn));
  pages_ = at;
}

Slru::~Slru() = default;

Slru::Slot& Slru::slot_at(uint32_t slot) const { return reinterpret_cast<Slot*>(slots_)[slot]; }

std::atomic<Lsn>* Slru::lsns_of(uint32_t slot) const {
  return reinterpret_cast<std::atomic<Lsn>*>(lsns_) + size_t{slot} * options_.lsns_per_page;
}

std::byte* Slru::bytes_of(uint32_t slot) const { return pages_ + size_t{slot} * block_size_; }

Lsn Slru::highest_lsn(uint32_t slot) const {
  Lsn highest = invalid_lsn;
  for (uint32_t group = 0; group < options_.lsns_per_page; ++group) {
    const Lsn lsn = lsns_of(slot)[group].load(std::memory_order_relaxed);
    if (lsn > highest) highest = lsn;
  }
  return highest;
}

void Slru::count(SlruCount what) const {
  if (services_.statistics != nullptr) services_.statistics->slru_counters(options_.area).add(what);
}

void Slru::touch(uint32_t slot) const {
  Slot& entry = slot_at(slot);
  // Only the order of ages matters, and the youngest page is asked for most.
  if (entry.last_used.load(std::memory_order_relaxed) ==
      shared_->clock.load(std::memory_order_relaxed))
    return;
  entry.last_used.store(shared_->clock.fetch_add(1, std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
}

std::string Slru::segment_path(uint64_t page) const {
  char name[24];
  std::snprintf(name, sizeof(name), "%0*" PRIX64, options_.long_names ? 15 : 4,
                page / pages_per_segment);
  return std::string(options_.directory) + "/" + name;
}

bool Slru::find_slot(uint64_t page, uint32_t* slot) const {
  const uint32_t first = bank_of(page) * slots_per_bank;
  for (uint32_t i = first; i < first + slots_per_bank; ++i) {
    if (slot_at(i).page_plus_one == page + 1) {
      *slot = i;
      return true;
    }
  }
  return false;
}

Status Slru::take_slot(uint64_t page, uint32_t* slot) {
  if (find_slot(page, slot)) return Status::ok;
  const uint32_t first = bank_of(page) * slots_per_bank;
  uint32_t victim = first;
  uint64_t victim_age = UINT64_MAX;
  for (uint32_t i = first; i < first + slots_per_bank; ++i) {
    const Slot& entry = slot_at(i);
    if (entry.page_plus_one == 0) {
      victim = i;
      break;
    }
    const uint64_t age = entry.last_used.load(std::memory_order_relaxed);
    if (age < victim_age) {
      victim_age = age;
      victim = i;
    }
  }
  if (slot_at(victim).dirty) RETURN_IF_ERROR(write_slot(victim));
  slot_at(victim).page_plus_one = 0;
  for (uint32_t group = 0; group < options_.lsns_per_page; ++group) {
    lsns_of(victim)[group].store(invalid_lsn, std::memory_order_relaxed);
  }
  *slot = victim;
  return Status::ok;
}

Status Slru::read_page(uint32_t slot, uint64_t page, const char* what) {
  const std::string path = segment_path(page);
  const uint64_t offset = (page % pages_per_segment) * block_size_;
  std::unique_ptr<File> file;
  size_t done = 0;
  const WaitScope waiting(WaitEvent::slru_read);
  Status status = services_.storage.files().open(
      services_.storage.options().data_directory + "/" + path, OpenFlags::read_only, &file);
  if (status.code() == ErrorCode::undefined_file && services_.state.is_recovering()) {
    // Removed later in the log: nobody will look at what is replayed into it.
    std::memset(bytes_of(slot), 0, block_size_);
    slot_at(slot).page_plus_one = page + 1;
    return Status::ok;
  }
  if (status.is_ok()) status = file->read(bytes_of(slot), block_size_, offset, &done);
  if (!status.is_ok()) {
    return Status::error(status.code(), "could not access status of %s", what)
        .with_detail("Could not read file \"" + path + "\": " + status.report().message + ".");
  }
  if (done != block_size_) {
    return Status::error(ErrorCode::data_corrupted, "could not access status of %s", what)
        .with_detail("Could not read from file \"" + path + "\" at offset " +
                     std::to_string(offset) + ": read too few bytes.");
  }
  slot_at(slot).page_plus_one = page + 1;
  return Status::ok;
}

Status Slru::write_slot(uint32_t slot) {
  Slot& entry = slot_at(slot);
  INVARIANT(entry.page_plus_one != 0);
  INVARIANT(!options_.read_only);
  RETURN_IF_ERROR(services_.state.check());
  count(SlruCount::blocks_written);
  const Lsn lsn = highest_lsn(slot);
  if (lsn != invalid_lsn) RETURN_IF_ERROR(services_.wal.flush(lsn));

  const uint64_t page = entry.page_plus_one - 1;
  const std::string path = segment_path(page);
  const WaitScope waiting(WaitEvent::slru_write);
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(
      services_.storage.files().open(services_.storage.options().data_directory + "/" + path,
                                     OpenFlags::read_write | OpenFlags::create, &file));
  RETURN_IF_ERROR(
      file->write(bytes_of(slot), block_size_, (page % pages_per_segment) * block_size_));
  if (options_.durable) RETURN_IF_ERROR(note_for_sync(page / pages_per_segment));
  entry.dirty = false;
  return Status::ok;
}

// Called under the bank's lock after the write, so that a checkpoint which has looked at every bank finds
// each earlier write noted.
Status Slru::note_for_sync(uint64_t segment) {
  for (;;) {
    {
      LwLockGuard guard(shared_->sync_lock, LockMode::exclusive);
      for (uint32_t i = 0; i < shared_->unsynced_count; ++i) {
        if (shared_->unsynced_segments[i] == segment) return Status::ok;
      }
      if (shared_->unsynced_count < unsynced_segments_max) {
        shared_->unsynced_segments[shared_->unsynced_count++] = segment;
        return Status::ok;
      }
    }
    RETURN_IF_ERROR(sync());  // makes room
  }
}

LwLock& Slru::bank_lock(uint32_t bank) const {
  return *reinterpret_cast<LwLock*>(bank_locks_ + bank * cache_line);
}

void Slru::give(uint32_t slot, LwLock& lock, SlruPage* locked) {
  touch(slot);
  locked->slru_ = this;
  locked->lock_ = &lock;
  locked->slot_ = slot;
  locked->bytes_ = bytes_of(slot);
}

Status Slru::lock_page(uint64_t page, LockMode mode, const char* what, SlruPage* locked) {
  locked->release();
  LwLock& lock = bank_lock(bank_of(page));
  lock.acquire(mode);
  uint32_t slot = 0;
  if (find_slot(page, &slot)) {
    count(SlruCount::blocks_hit);
  } else {
    if (mode == LockMode::shared) {
      lock.release();
      lock.acquire(LockMode::exclusive);
    }
    Status status = take_slot(page, &slot);
    const bool is_read = status.is_ok() && slot_at(slot).page_plus_one == 0;
    if (is_read) status = read_page(slot, page, what);
    if (!status.is_ok()) {
      lock.release();
      return status;
    }
    count(is_read ? SlruCount::blocks_read : SlruCount::blocks_hit);
    if (mode == LockMode::shared) lock.downgrade();
  }
  give(slot, lock, locked);
  return Status::ok;
}

Status Slru::zero_page(uint64_t page, SlruPage* locked) {
  INVARIANT(!options_.read_only);
  locked->release();
  LwLock& lock = bank_lock(bank_of(page));
  lock.acquire(LockMode::exclusive);
  uint32_t slot = 0;
  Status status = take_slot(page, &slot);
  if (!status.is_ok()) {
    lock.release();
    return status;
  }
  std::memset(bytes_of(slot), 0, block_size_);
  for (uint32_t group = 0; group < options_.lsns_per_page; ++group) {
    lsns_of(slot)[group].store(invalid_lsn, std::memory_order_relaxed);
  }
  slot_at(slot).page_plus_one = page + 1;
  slot_at(slot).dirty = true;
  count(SlruCount::blocks_zeroed);
  give(slot, lock, locked);
  return Status::ok;
}

Status Slru::write_page(const SlruPage& page) {
  INVARIANT(page.slru_ == this);
  return slot_at(page.slot_).dirty ? write_slot(page.slot_) : Status();
}

Status Slru::write_all_dirty(uint64_t* written) {
  if (options_.read_only) return Status::ok;
  count(SlruCount::flush);
  for (uint32_t slot = 0; slot < banks_ * slots_per_bank; ++slot) {
    LwLock& lock = bank_lock(slot / slots_per_bank);
    // The log is flushed for the page before its bank is locked for writing, so that nobody waits there
    // for a disk; what became dirty meanwhile is flushed under the lock.
    lock.acquire(LockMode::shared);
    const bool dirty = slot_at(slot).dirty;
    const Lsn lsn = dirty ? highest_lsn(slot) : invalid_lsn;
    lock.release();
    if (!dirty) continue;
    if (lsn != invalid_lsn) RETURN_IF_ERROR(services_.wal.flush(lsn));
    LwLockGuard guard(lock, LockMode::exclusive);
    if (!slot_at(slot).dirty) continue;
    RETURN_IF_ERROR(write_slot(slot));
    if (written != nullptr) ++*written;
  }
  return Status::ok;
}

Status Slru::remove_segment(uint64_t segment) {
  INVARIANT(!options_.read_only);
  for (uint32_t slot = 0; slot < banks_ * slots_per_bank; ++slot) {
    LwLockGuard guard(bank_lock(slot / slots_per_bank), LockMode::exclusive);
    Slot& entry = slot_at(slot);
    if (entry.page_plus_one == 0 || (entry.page_plus_one - 1) / pages_per_segment != segment)
      continue;
    entry.page_plus_one = 0;
    entry.dirty = false;
  }
  // Whoever syncs files now may be about to open this one.
  LwLockGuard running(shared_->sync_running, LockMode::exclusive);
  {
    LwLockGuard guard(shared_->sync_lock, LockMode::exclusive);
    uint64_t* const end = shared_->unsynced_segments + shared_->unsynced_count;
    uint64_t* const kept = std::remove(shared_->unsynced_segments, end, segment);
    shared_->unsynced_count = static_cast<uint32_t>(kept - shared_->unsynced_segments);
  }
  Status status = services_.storage.files().remove_file(
      services_.storage.options().data_directory + "/" + segment_path(segment * pages_per_segment));
  return status.code() == ErrorCode::undefined_file ? Status() : std::move(status);
}

Status Slru::remove_segments(uint64_t first, uint64_t end) {
  count(SlruCount::truncate);
  Status first_failure;
  for (uint64_t segment = first; segment < end; ++segment) {
    Status status = remove_segment(segment);
    if (!status.is_ok() && first_failure.is_ok()) first_failure = std::move(status);
  }
  return first_failure;
}

Status Slru::remove_all_segments() {
  std::vector<uint64_t> segments;
  RETURN_IF_ERROR(list_segments(&segments));
  for (const uint64_t segment : segments) RETURN_IF_ERROR(remove_segment(segment));
  // What never reached a file goes, too.
  for (uint32_t slot = 0; slot < banks_ * slots_per_bank; ++slot) {
    LwLockGuard guard(bank_lock(slot / slots_per_bank), LockMode::exclusive);
    slot_at(slot).page_plus_one = 0;
    slot_at(slot).dirty = false;
  }
  return Status::ok;
}

Status Slru::list_segments(std::vector<uint64_t>* segments) const {
  segments->clear();
  std::vector<std::string> names;
  Status status = services_.storage.files().list(
      services_.storage.options().data_directory + "/" + options_.directory, &names);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  for (const std::string& name : names) {
    if (name.size() >= 4 && name.size() <= 15 &&
        name.find_first_not_of("0123456789ABCDEF") == std::string::npos)
      segments->push_back(std::strtoull(name.c_str(), nullptr, 16));
  }
  return Status::ok;
}

namespace {

// Do all pages of the segment come before `cutoff`? Half of the numbers come before any one, as with transaction ids.
bool segment_precedes(uint64_t segment, uint64_t cutoff, uint64_t page_count) {
  cutoff -= cutoff % Slru::pages_per_segment;
  const auto precedes_cutoff = [&](uint64_t page) {
    const uint64_t distance = (cutoff + page_count - page % page_count) % page_count;
    return distance > 0 && distance <= page_count / 2;
  };
  const uint64_t first = segment * Slru::pages_per_segment;
  return precedes_cutoff(first) && precedes_cutoff(first + Slru::pages_per_segment - 1);
}

}  // namespace

Status Slru::has_segments_before(uint64_t cutoff, uint64_t page_count, bool* any) {
  INVARIANT(page_count > 0);
  std::vector<uint64_t> segments;
  RETURN_IF_ERROR(list_segments(&segments));
  *any = std::any_of(segments.begin(), segments.end(), [&](uint64_t segment) {
    return segment_precedes(segment, cutoff, page_count);
  });
  return Status::ok;
}

Status Slru::truncate_before(uint64_t cutoff, uint64_t page_count) {
  INVARIANT(page_count > 0);
  count(SlruCount::truncate);
  std::vector<uint64_t> segments;
  RETURN_IF_ERROR(list_segments(&segments));
  for (const uint64_t segment : segments) {
    if (segment_precedes(segment, cutoff, page_count)) RETURN_IF_ERROR(remove_segment(segment));
  }
  return Status::ok;
}

Status Slru::page_exists(uint64_t page, bool* exists) {
  count(SlruCount::blocks_exists);
  {
    LwLockGuard guard(bank_lock(bank_of(page)), LockMode::shared);
    uint32_t slot = 0;
    *exists = find_slot(page, &slot);
  }
  if (*exists) return Status::ok;
  std::unique_ptr<File> file;
  Status status = services_.storage.files().open(
      services_.storage.options().data_directory + "/" + segment_path(page), OpenFlags::read_only,
      &file);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  uint64_t bytes = 0;
  RETURN_IF_ERROR(file->size(&bytes));
  *exists = bytes >= (page % pages_per_segment + 1) * block_size_;
  return Status::ok;
}

Status Slru::sync() {
  if (options_.read_only || !options_.durable) return Status::ok;
  LwLockGuard running(shared_->sync_running, LockMode::exclusive);
  RETURN_IF_ERROR(services_.state.check());
  uint64_t segments[unsynced_segments_max];
  uint32_t count = 0;
  {
    LwLockGuard guard(shared_->sync_lock, LockMode::exclusive);
    count = shared_->unsynced_count;
    std::memcpy(segments, shared_->unsynced_segments, count * sizeof(segments[0]));
    shared_->unsynced_count = 0;
  }
  if (count == 0 || !services_.storage.options().fsync) return Status::ok;
  FileSystem& files = services_.storage.files();
  const std::string& root = services_.storage.options().data_directory;
  const WaitScope waiting(WaitEvent::slru_sync);
  Status status;
  for (uint32_t i = 0; i < count && status.is_ok(); ++i) {
    std::unique_ptr<File> file;
    status = files.open(root + "/" + segment_path(segments[i] * pages_per_segment),
                        OpenFlags::read_write, &file);
    if (status.is_ok()) status = file->sync();
  }
  if (status.is_ok()) status = files.sync_directory(root + "/" + options_.directory);
  if (!status.is_ok()) {
    services_.state.poison(("could not sync \"" + std::string(options_.directory) + "\"").c_str());
  }
  return status;
}

void SlruPage::release() {
  if (lock_ == nullptr) return;
  lock_->release();
  lock_ = nullptr;
  slru_ = nullptr;
  bytes_ = nullptr;
}

void SlruPage::mark_dirty() {
  INVARIANT(slru_ != nullptr);
  INVARIANT(!slru_->options_.read_only);
  slru_->slot_at(slot_).dirty = true;
}

Lsn SlruPage::lsn(uint32_t group) const {
  INVARIANT(group < slru_->options_.lsns_per_page);
  return slru_->lsns_of(slot_)[group].load(std::memory_order_relaxed);
}

void SlruPage::raise_lsn(uint32_t group, Lsn lsn) {
  INVARIANT(group < slru_->options_.lsns_per_page);
  std::atomic<Lsn>& held = slru_->lsns_of(slot_)[group];
  if (held.load(std::memory_order_relaxed) < lsn) held.store(lsn, std::memory_order_relaxed);
}

}  // namespace pgdata
