// BufferPool: shared pages in memory, found by (relation, fork, block).
//
// Rules: pin before locking; a pin keeps the page in its buffer; content may be
// read under a shared or exclusive content lock (tuple data of visible tuples
// also under a pin alone), and changed under the exclusive one only, through
// Change. Hint bits may be set under a shared lock. A dirty page is written only after the
// log is flushed up to its LSN, checksummed on a copy.
// Source: src/backend/storage/buffer/{bufmgr.c,freelist.c,README}, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>

#include "base/status.h"
#include "base/types.h"
#include "buffer/buffer_descriptor.h"
#include "file/storage.h"
#include "page/page.h"
#include "shmem/cluster_state.h"
#include "shmem/lwlock.h"
#include "shmem/segment.h"
#include "wal/wal.h"

namespace pgdata {

class BufferPool;

// Which buffer a page was in, and how often that one's content may have changed until then.
struct PageVersion {
  uint64_t changes = 0;  // 0: of no page
  uint32_t buffer = 0;
};

// One pin, and perhaps one content lock, on one buffer. Move-only; gives both back when destroyed.
// Owned by one thread at a time, and gone before its pool.
class BufferRef {
 public:
  BufferRef() = default;
  BufferRef(BufferRef&& other) noexcept { take(other); }
  BufferRef& operator=(BufferRef&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~BufferRef() { release(); }

  bool is_valid() const { return pool_ != nullptr; }
  explicit operator bool() const { return is_valid(); }
  // Unlocks and unpins.
  void release() {
    if (pool_ == nullptr) return;
    if (locked_) descriptor_->content_lock.release();
    descriptor_->unpin();
    pool_ = nullptr;
    locked_ = false;
  }

  void lock(LockMode mode) {
    INVARIANT(is_valid());
    INVARIANT(!locked_);
    descriptor_->content_lock.acquire(mode);
    if (mode == LockMode::exclusive) descriptor_->count_change();
    locked_ = true;
  }
  bool try_lock(LockMode mode) {
    INVARIANT(is_valid());
    INVARIANT(!locked_);
    locked_ = descriptor_->content_lock.try_acquire(mode);
    if (locked_ && mode == LockMode::exclusive) descriptor_->count_change();
    return locked_;
  }
  // Keeps the pin.
  void unlock() {
    INVARIANT(locked_);
    locked_ = false;
    descriptor_->content_lock.release();
  }
  bool is_locked() const { return locked_; }
  bool is_locked_exclusive() const {
    return locked_ && descriptor_->content_lock.is_held_exclusive();
  }
  // Waits for an exclusive lock while ours is the only pin (before moving tuples), or tries to.
  // Another pin of the caller's own makes the first wait for ever.
  bool try_lock_for_cleanup();
  void lock_for_cleanup();

  BufferPool& pool() const { return *pool_; }
  Page page() const { return page_; }
  BlockNumber block() const { return descriptor_->tag().block(); }
  RelFileLocator relation() const { return descriptor_->tag().relation(); }
  ForkNumber fork() const { return descriptor_->tag().fork_number(); }

  // For BufferPool::is_unchanged. The caller has the content lock.
  PageVersion version() const;

  // A second pin of the same buffer.
  BufferRef clone() const;

 private:
  friend class BufferPool;
  friend class Change;

  void take(BufferRef& other) {
    pool_ = other.pool_;
    descriptor_ = other.descriptor_;
    page_ = other.page_;
    locked_ = other.locked_;
    other.pool_ = nullptr;
    other.locked_ = false;
  }

  BufferPool* pool_ = nullptr;
  BufferDescriptor* descriptor_ = nullptr;
  Page page_;
  bool locked_ = false;
};

enum class ReadMode : uint8_t {
  normal,         // read and verify; corruption is an error
  zero_and_lock,  // do not read: give a zeroed page, locked exclusively
  zero_on_error,  // a page that fails verification is given as zeroes
  // As normal, but gives a block past the end as zeroes (FSM, VM). Such a page is not to be changed
  // before `extend_to` has made its block.
  normal_no_log,
};

// How one scan uses the pool. All kinds but `normal` have a private ring of buffers, so that a big
// scan does not flush the pool. Blocks read one after the other with the same strategy are read from
// disk several at once. Used by one thread at a time, and gone before its pool.
enum class StrategyKind : uint8_t { normal, bulk_read, bulk_write, vacuum };
class BufferStrategy {
 public:
  BufferStrategy(const BufferPool& pool, StrategyKind kind);
  ~BufferStrategy();

 private:
  friend class BufferPool;
  struct Ring;
  std::unique_ptr<Ring> ring_;
};

struct BufferPoolOptions {
  uint32_t buffers = 16384;  // shared_buffers / block size
  uint32_t block_size = 8192;
  bool data_checksums = true;
  // Hints are logged with a page's first image: as with checksums, or as wal_log_hints says.
  bool log_hints = true;
  bool read_only = false;  // never dirty, never write; hint bits are not set
  bool zero_damaged_pages = false;
  // Of a session's temporary relations: counted apart. Without a log.
  bool local = false;
};

struct BufferStatistics {
  uint64_t hits = 0;
  uint64_t reads = 0;
  uint64_t extends = 0;
  uint64_t writes = 0;
  uint64_t evictions = 0;
  uint64_t allocations = 0;  // buffers that were given to a page
};

// Called between the writes of a checkpoint, with the share that is done: may sleep, or end it with an error.
using WritePace = std::function<Status(double done)>;

// What the background writer remembers from one round to the next; zeroes at first.
struct WriteAhead {
  bool is_begun = false;
  uint64_t hand = 0;         // of the clock, in the last round
  uint64_t next = 0;         // the buffer to look at next, as the clock counts
  uint64_t allocations = 0;  // until the last round
  double smoothed_allocations = 0;
  double smoothed_density = 10;
};
struct WriteAheadLimits {
  uint32_t delay_ms = 200;
  uint32_t lru_maxpages = 100;  // 0: nothing is written
  double lru_multiplier = 2;
};
struct WriteAheadRound {
  uint32_t written = 0;
  bool stopped_at_limit = false;
  bool is_idle =
      false;  // nothing was wanted, and nothing is left to do: a longer rest does no harm
};

class BufferPool {
 public:
  static void plan(SegmentPlan& plan, const BufferPoolOptions& options);
  BufferPool(Segment& segment, Storage& storage, Wal* wal, ClusterState& state,
             BufferPoolOptions options);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;

  const BufferPoolOptions& options() const;
  Storage& storage() const;

  // Pins block `block`, reading it if need be. What `*buffer` held is given back first; a pin of the
  // same page is simply kept. out_of_memory when every buffer is pinned.
  Status read(RelFileLocator relation, ForkNumber fork, BlockNumber block, ReadMode mode,
              BufferStrategy* strategy, BufferRef* buffer);
  // Is block `block` of the main fork as it was when BufferRef::version gave `version`, but for hints? False when it has
  // left the pool since. Without a pin or a look at the page: the caller knows why a change under way does not matter.
  bool is_unchanged(RelFileLocator relation, BlockNumber block, PageVersion version) const;
  // A page of the relation was read that the caller has a copy of.
  void count_hit(RelFileLocator relation) const;
  // No other pool of this process has or had the same.
  uint64_t serial() const { return serial_; }
  // As `read`, only if it is in the pool already (no IO); `*buffer` invalid otherwise.
  void find(RelFileLocator relation, ForkNumber fork, BlockNumber block, BufferRef* buffer);
  // Starts reading the page from disk, or, if it is in the pool, loading its header and what lies at `places` (bytes from
  // its start) into the processor's caches, ahead of use. Advice.
  void prefetch(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                std::initializer_list<uint32_t> places = {});
  // The same without the disk: for what is used so soon that reading it is left to who uses it. False when the page does not
  // seem to be in the pool.
  bool prefetch_lines(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                      std::initializer_list<uint32_t> places) const;
  // The item of a page whose line pointer one of them has brought.
  void prefetch_item(RelFileLocator relation, ItemPointer item) const;
  // Adds `count` zeroed blocks at the end of the fork (under the relation's extension lock) and gives the
  // first one pinned and locked exclusively; the others are unpinned, and (as far as there is room) in the
  // pool. `*first` is its number. Others may find, lock and even fill the others before the caller does.
  Status extend(RelFileLocator relation, ForkNumber fork, uint32_t count, BufferStrategy* strategy,
                BufferRef* buffer, BlockNumber* first);
  // Makes sure the fork exists and has at least `blocks` blocks (FSM, VM).
  Status extend_to(RelFileLocator relation, ForkNumber fork, uint32_t blocks);

  // A hint-bit change under a shared lock: marks dirty; with checksums on, logs XLOG_FPI_FOR_HINT first when
  // this is the page's first change since the checkpoint's redo pointer. Silently does nothing when read-only or the log cannot take it.
  void mark_dirty_hint(BufferRef& buffer, bool standard_page);
  // Hints are not logged on pages of a relation that is not: replay would make pages of a file that it empties. To be said
  // before the relation is used, by every process.
  void set_logged(RelFileLocator relation, bool logged);
  // Exclusive lock held, page already modified and logged (or not to be logged). Use Change instead wherever it can serve.
  void mark_dirty(BufferRef& buffer);

  // Checkpoint: write all buffers dirty now (sorted by file and block), not faster than `pace` allows. Any failure is
  // returned; the buffer stays dirty. `*written` (may be null): buffers.
  Status write_all_dirty(const WritePace& pace = nullptr, uint64_t* written = nullptr);
  // Background writer's step: write up to `count` dirty, unpinned, unused buffers ahead of the clock hand.
  Status write_some(uint32_t count, uint32_t* written);
  // A round of the background writer (BgBufferSync): writes as many of the buffers that the clock hand comes to next as
  // will soon be wanted.
  Status write_ahead(const WriteAheadLimits& limits, WriteAhead* memory, WriteAheadRound* round);
  Status flush_relation(RelFileLocator relation);  // write all its dirty pages, keep them
  Status flush_database(Oid dbOid);
  // Forget buffers without writing them: of a relation's fork from a block on (truncate, drop), of a database.
  // The caller's lock on the relation keeps everybody from reading it meanwhile; writes under way are waited for.
  void drop_relation(RelFileLocator relation, ForkNumber fork, BlockNumber from);
  void drop_relation(RelFileLocator relation);
  void drop_database(Oid dbOid);

  // Of all processes since the segment was made; hits are approximate.
  BufferStatistics statistics() const;

 private:
  friend class BufferRef;
  friend class BufferStrategy;
  friend class Change;
  struct Shared;
  struct Local;
  std::unique_ptr<Local> local_;
  uint64_t serial_;
};

}  // namespace pgdata
