// Slru: a file area of small pages kept in the segment and replaced by age (PostgreSQL's slru.c).
//
// Pages are numbered from 0 and stored 32 to a segment file, named by the file's number in hexadecimal
// ("pg_xact/0000", "pg_xact/0001", …). A page is looked at or changed while a SlruPage holds its bank's
// lock; reading and writing files happens under that lock too, so a SlruPage is held for a moment only.
// A page carries, per group of its entries, the log position that must be durable before the page is written.
//
// Source: src/backend/access/transam/slru.c, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "shmem/lwlock.h"
#include "shmem/segment.h"
#include "statistics/slru_counters.h"

namespace pgdata {

struct SlruOptions {
  const char* name;                 // of the range in the segment
  const char* directory;            // below the data directory
  SlruArea area = SlruArea::other;  // that its statistics count for
  uint32_t buffers = 16;            // pages in memory; rounded up to whole banks
  uint32_t lsns_per_page = 0;       // log positions kept per page
  bool durable =
      true;  // synced at a checkpoint; false when the content means nothing after a crash
  bool read_only = false;   // never dirtied, never written
  bool long_names = false;  // of 15 digits in place of at least 4
};

class Slru;

// A page of a Slru with the lock of its bank; gives the lock back when destroyed.
class SlruPage {
 public:
  SlruPage() = default;
  SlruPage(const SlruPage&) = delete;
  SlruPage& operator=(const SlruPage&) = delete;
  ~SlruPage() { release(); }
  void release();

  std::byte* bytes() const { return bytes_; }
  // Under the exclusive lock only.
  void mark_dirty();
  Lsn lsn(uint32_t group) const;
  // Notes that `lsn` must be durable before the page is written; never lowers.
  void raise_lsn(uint32_t group, Lsn lsn);

 private:
  friend class Slru;
  Slru* slru_ = nullptr;
  LwLock* lock_ = nullptr;
  uint32_t slot_ = 0;
  std::byte* bytes_ = nullptr;
};

class Slru {
 public:
  static constexpr uint32_t pages_per_segment = 32;
  static constexpr uint32_t slots_per_bank = 16;

  static void plan(SegmentPlan& plan, const SlruOptions& options, uint32_t block_size);
  Slru(Segment& segment, StorageServices& services, const SlruOptions& options);
  ~Slru();
  Slru(const Slru&) = delete;

  // Pins `page` in memory under its bank's lock. `what` names, for an error message, what is looked up
  // ("transaction 731"). A page that the files do not have is an error.
  Status lock_page(uint64_t page, LockMode mode, const char* what, SlruPage* locked);
  // Makes `page` a dirty page of zeroes, whatever was there, and gives it locked exclusively.
  Status zero_page(uint64_t page, SlruPage* locked);

  // Is `page` in memory, or in a file that is long enough?
  Status page_exists(uint64_t page, bool* exists);
  // The numbers of the segments that have a file.
  Status list_segments(std::vector<uint64_t>* segments) const;
  // Would `truncate_before` remove anything?
  Status has_segments_before(uint64_t cutoff, uint64_t page_count, bool* any);
  // Forgets and removes the segments all of whose pages come before `cutoff`; page numbers wrap at `page_count`.
  // Source: SimpleLruTruncate.
  Status truncate_before(uint64_t cutoff, uint64_t page_count);
  // Forgets and removes one segment, unless it is not there.
  Status remove_segment(uint64_t segment);
  // Forgets and removes the segments from `first` to before `end`.
  Status remove_segments(uint64_t first, uint64_t end);
  Status remove_all_segments();

  // The path of the segment file that holds `page`, below the data directory.
  std::string segment_path(uint64_t page) const;

  // Writes one page, which is locked exclusively, if it is dirty.
  Status write_page(const SlruPage& page);
  // Writes all dirty pages. Every page that was dirty when the call began is handed to the operating system after it.
  Status write_all_dirty(uint64_t* written = nullptr);
  // Makes all that was written durable; a failure poisons the cluster, since the kernel may have dropped the pages.
  Status sync();

 private:
  friend class SlruPage;
  struct Shared;
  struct Slot;
  // Finds or makes room for `page` in its bank, which is locked exclusively; a dirty victim is written.
  Status take_slot(uint64_t page, uint32_t* slot);
  Status read_page(uint32_t slot, uint64_t page, const char* what);
  Status write_slot(uint32_t slot);
  Status note_for_sync(uint64_t segment);
  bool find_slot(uint64_t page, uint32_t* slot) const;
  uint32_t bank_of(uint64_t page) const { return static_cast<uint32_t>(page % banks_); }
  LwLock& bank_lock(uint32_t bank) const;
  void give(uint32_t slot, LwLock& lock, SlruPage* locked);
  Slot& slot_at(uint32_t slot) const;
  std::atomic<Lsn>* lsns_of(uint32_t slot) const;
  std::byte* bytes_of(uint32_t slot) const;
  Lsn highest_lsn(uint32_t slot) const;
  void touch(uint32_t slot) const;
  void count(SlruCount what) const;

  StorageServices& services_;
  SlruOptions options_;
  uint32_t block_size_;
  uint32_t banks_;
  Shared* shared_;
  std::byte* bank_locks_;
  std::byte* slots_;
  std::byte* lsns_;
  std::byte* pages_;
};

}  // namespace pgdata
