// BufferPool: dirtying pages, writing them back, forgetting them.
//
// A page is written from a private copy: the content lock is held while copying only, the log is
// flushed up to the LSN in the copy, the checksum is the copy's. Meanwhile BM_IO_IN_PROGRESS keeps
// others from writing the same block, and evicting it.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <tuple>

#include "buffer/buffer_pool_local.h"
#include "shmem/wait_scope.h"
#include "statistics/counting.h"

namespace pgdata {

namespace {

// Source: src/include/catalog/pg_control.h, PostgreSQL 18.
constexpr uint8_t XLOG_FPI_FOR_HINT = 0xA0;

// How long a page that is being dropped may stay pinned: only by who looks for something else,
// or writes it. Longer is a pin that somebody kept, a programmer's error.
constexpr auto drop_wait_max = std::chrono::seconds(60);

struct AlignedDelete {
  void operator()(std::byte* bytes) const {
    ::operator delete[](bytes, std::align_val_t{direct_io_alignment});
  }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;
AlignedBytes allocate_aligned(size_t size) {
  return AlignedBytes(new (std::align_val_t{direct_io_alignment}) std::byte[size]);
}

auto file_order(const BufferTag& tag) {
  const RelFileLocator relation = tag.relation();
  return std::make_tuple(relation.spcOid, relation.dbOid, relation.relNumber, tag.fork,
                         value_of(tag.block()));
}

bool follows(const BufferTag& tag, const BufferTag& first, int distance) {
  return tag.place == first.place && tag.fork == first.fork &&
         tag.relation().relNumber == first.relation().relNumber &&
         value_of(tag.block()) == value_of(first.block()) + static_cast<uint32_t>(distance);
}

// The two halves at once, for those who look at it under a shared lock.
void set_lsn_atomically(Page page, Lsn lsn) {
  static_assert(offsetof(PageHeader, pd_lsn_high) == 0);
  static_assert(offsetof(PageHeader, pd_lsn_low) == 4);
  __atomic_store_n(reinterpret_cast<uint64_t*>(page.bytes()), lsn >> 32 | lsn << 32,
                   __ATOMIC_RELEASE);
}

}  // namespace

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

void copy_shared_page(std::byte* copy, const std::byte* page, size_t size_bytes) {
#ifdef __SANITIZE_THREAD__
  // Says what memcpy does anyway: each hint bit is copied as it was before or after.
  for (size_t i = 0; i < size_bytes; i += sizeof(uint64_t)) {
    const uint64_t word =
        __atomic_load_n(reinterpret_cast<const uint64_t*>(page + i), __ATOMIC_RELAXED);
    std::memcpy(copy + i, &word, sizeof(word));
  }
#else
  std::memcpy(copy, page, size_bytes);
#endif
}

// Dirtying. ----------------------------------------------------------------------------------

namespace {

// `before`: the state of the page that is dirty now.
void count_dirtied(uint32_t before, bool local) {
  if ((before & BM_DIRTY) != 0) return;
  if (SessionCounters* const counters = current_counters())
    (local ? counters->usage().local_dirtied : counters->usage().shared_dirtied)++;
}

}  // namespace

void BufferPool::mark_dirty(BufferRef& buffer) {
  INVARIANT(buffer.pool_ == this);
  INVARIANT(buffer.is_locked_exclusive());
  INVARIANT(!local_->options.read_only);
  constexpr uint32_t bits = BM_DIRTY | BM_JUST_DIRTIED;
  std::atomic<uint32_t>& state = buffer.descriptor_->state;
  // No write can begin while we hold the lock, so that both bits stay if they are there.
  if ((state.load(std::memory_order_relaxed) & bits) != bits)
    count_dirtied(state.fetch_or(bits, std::memory_order_seq_cst), local_->options.local);
}

void BufferPool::set_logged(RelFileLocator relation, bool logged) {
  const std::lock_guard<std::mutex> guard(local_->unlogged_mutex);
  const std::tuple key{relation.spcOid, relation.dbOid, relation.relNumber};
  if (logged)
    local_->unlogged.erase(key);
  else
    local_->unlogged.insert(key);
}

// BM_IO_IN_PROGRESS is held from marking the page dirty until its LSN is set. So no checkpoint that
// fixes its redo pointer before the image is logged overlooks the page, and nobody writes the page
// before the image; PostgreSQL delays the checkpoint instead.
void BufferPool::mark_dirty_hint(BufferRef& buffer, bool standard_page) {
  Local& local = *local_;
  INVARIANT(buffer.pool_ == this);
  INVARIANT(buffer.locked_);
  if (local.options.read_only) return;
  constexpr uint32_t bits = BM_DIRTY | BM_JUST_DIRTIED;
  BufferDescriptor& descriptor = *buffer.descriptor_;
  if ((descriptor.state.load(std::memory_order_relaxed) & bits) == bits) return;
  if (!local.options.log_hints || local.wal == nullptr) {
    count_dirtied(descriptor.state.fetch_or(bits, std::memory_order_relaxed), local.options.local);
    return;
  }
  if (local.state.is_poisoned()) return;
  // Nothing can be logged now, and a page without an image could be torn: as MarkBufferDirtyHint does, the hint is given up.
  if (local.state.is_recovering()) return;
  uint32_t before = 0;
  // Somebody writes it or logs it: whether this hint reaches the disk is not worth waiting for.
  if (!descriptor.try_begin_io(BM_VALID, 0, bits, 0, &before)) return;
  // A redo pointer that is still the old one below belongs to a checkpoint that will see us dirty.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (local.wal->needs_full_page_image(buffer.page().lsn()) &&
      !local.is_unlogged(descriptor.tag().relation())) {
    alignas(direct_io_alignment) std::byte copy[block_size_max];
    copy_shared_page(copy, buffer.page().bytes(), local.options.block_size);
    const BufferTag tag = descriptor.tag();
    WalRecord record;
    record.begin(RmgrId::xlog, XLOG_FPI_FOR_HINT, invalid_transaction_id);
    record.block(0, tag.relation(), tag.fork_number(), tag.block(),
                 Page(copy, local.options.block_size),
                 standard_page ? REGBUF_STANDARD : uint8_t{0});
    Lsn end = invalid_lsn;
    if (local.wal->insert(record, &end).is_ok()) {
      set_lsn_atomically(buffer.page(), end);
    } else if ((before & BM_DIRTY) == 0) {
      // Whoever set other hints meanwhile relied on our image; they are lost together.
      descriptor.state.fetch_and(~bits, std::memory_order_relaxed);
    }
  }
  descriptor.end_io(0, 0);
}

// Writing one. -------------------------------------------------------------------------------

BufferPool::Local::BeginWrite BufferPool::Local::begin_write(BufferDescriptor& written, bool wait,
                                                             std::byte* copy) {
  LwLock& lock = written.content_lock;
  if (wait) {
    lock.acquire(LockMode::shared);
  } else if (!lock.try_acquire(LockMode::shared)) {
    return BeginWrite::busy;
  }
  uint32_t seen = 0;
  while (!written.try_begin_io(BM_DIRTY | BM_VALID, 0, 0, BM_JUST_DIRTIED, &seen)) {
    const bool needed = (seen & BM_DIRTY) != 0;
    if (!needed || !wait || state.is_poisoned()) {
      lock.release();
      return needed ? BeginWrite::busy : BeginWrite::not_needed;
    }
    written.wait_for_io();
  }
  copy_shared_page(copy, page(index_of(written)).bytes(), options.block_size);
  lock.release();
  return BeginWrite::begun;
}

Status BufferPool::Local::write_copies(const BufferTag& first, std::byte* const* copies, int count,
                                       const BufferStrategy* strategy) {
  INVARIANT(!options.read_only);
  RETURN_IF_ERROR(state.check());
  Lsn newest = invalid_lsn;
  for (int i = 0; i < count; ++i)
    newest = std::max(newest, Page(copies[i], options.block_size).lsn());
  if (wal != nullptr && newest != invalid_lsn) RETURN_IF_ERROR(wal->flush(newest));
  for (int i = 0; i < count && options.data_checksums; ++i) {
    const Page page(copies[i], options.block_size);
    if (page.is_new()) continue;
    const BlockNumber block{value_of(first.block()) + static_cast<uint32_t>(i)};
    page.header().pd_checksum = page_checksum(page.bytes(), page.size(), block);
  }
  {
    const WaitScope waiting(WaitEvent::data_file_write);
    CountedIo io(io_object());
    RETURN_IF_ERROR(
        storage.write(first.relation(), first.fork_number(), first.block(), copies, count));
    count_io(io, strategy, IoOp::write, count);
  }
  shared->writes.fetch_add(static_cast<uint64_t>(count), std::memory_order_relaxed);
  return Status::ok;
}

void BufferPool::Local::end_write(BufferDescriptor& written, bool is_written) {
  written.end_io(0, is_written ? BM_DIRTY | BM_CHECKPOINT_NEEDED : 0);
}

Status BufferPool::Local::write_one(BufferDescriptor& written, const BufferStrategy* strategy,
                                    bool* busy) {
  alignas(direct_io_alignment) std::byte copy[block_size_max];
  const BeginWrite begun = begin_write(written, false, copy);
  *busy = begun == BeginWrite::busy;
  if (begun != BeginWrite::begun) return Status::ok;
  std::byte* copies[] = {copy};
  Status status = write_copies(written.tag(), copies, 1, strategy);
  end_write(written, status.is_ok());
  return status;
}

// Writing many. ------------------------------------------------------------------------------

Status BufferPool::Local::write_sorted(std::vector<DirtyBuffer>& dirty, uint32_t required_state,
                                       const WritePace& pace, uint64_t* written) {
  std::sort(dirty.begin(), dirty.end(), [](const DirtyBuffer& a, const DirtyBuffer& b) {
    return file_order(a.tag) < file_order(b.tag);
  });
  const AlignedBytes memory = allocate_aligned(size_t{run_blocks_max} * options.block_size);
  std::byte* copies[run_blocks_max];
  for (size_t i = 0; i < run_blocks_max; ++i) copies[i] = &memory[i * options.block_size];

  size_t at = 0;
  while (at < dirty.size()) {
    RETURN_IF_ERROR(state.check());
    BufferDescriptor* run[run_blocks_max];
    int count = 0;
    const BufferTag first = dirty[at].tag;
    const uint32_t segment_left = storage.options().segment_blocks -
                                  value_of(first.block()) % storage.options().segment_blocks;
    for (; at < dirty.size() && count < run_blocks_max; ++at) {
      const BufferTag& tag = dirty[at].tag;
      if (count > 0 &&
          (static_cast<uint32_t>(count) == segment_left || !follows(tag, first, count)))
        break;
      BufferDescriptor& candidate = descriptor(dirty[at].index);
      const uint32_t now = candidate.state.load(std::memory_order_acquire);
      uint32_t pinned_state = 0;
      BeginWrite begun = BeginWrite::not_needed;
      if ((now & required_state) == required_state && candidate.pin_if_mapped(0, &pinned_state)) {
        // Only the first of a run waits: who has begun writes holds nobody up by waiting for more.
        if (candidate.has_tag(tag)) begun = begin_write(candidate, count == 0, copies[count]);
        if (begun != BeginWrite::begun) candidate.unpin();
      }
      if (begun == BeginWrite::begun) {
        run[count++] = &candidate;
      } else if (count > 0) {
        break;  // Looked at again as the first of the next run.
      } else {
        if (begun == BeginWrite::busy) RETURN_IF_ERROR(state.check());
        ++at;
        break;
      }
    }
    if (count == 0) continue;
    Status status = write_copies(run[0]->tag(), copies, count, nullptr);
    for (int i = 0; i < count; ++i) {
      end_write(*run[i], status.is_ok());
      run[i]->unpin();
    }
    RETURN_IF_ERROR(std::move(status));
    if (written != nullptr) *written += static_cast<uint64_t>(count);
    if (pace) RETURN_IF_ERROR(pace(static_cast<double>(at) / static_cast<double>(dirty.size())));
  }
  return Status::ok;
}

// `wanted` sees a descriptor that need not be pinned: a guess, confirmed by write_sorted.
template <typename Wanted>
Status BufferPool::Local::write_all(Wanted wanted) {
  if (options.read_only) return Status::ok;
  RETURN_IF_ERROR(state.check());
  constexpr uint32_t required = BM_DIRTY | BM_VALID | BM_TAG_VALID;
  std::vector<DirtyBuffer> dirty;
  for (uint32_t i = 0; i < options.buffers; ++i) {
    const uint32_t seen = descriptors[i].state.load(std::memory_order_acquire);
    if ((seen & required) != required) continue;
    const BufferTag tag = descriptors[i].tag();
    if (wanted(tag)) dirty.push_back({tag, static_cast<int32_t>(i)});
  }
  return write_sorted(dirty, required);
}

Status BufferPool::write_all_dirty(const WritePace& pace, uint64_t* written) {
  Local& local = *local_;
  if (local.options.read_only) return Status::ok;
  RETURN_IF_ERROR(local.state.check());
  // Marks what is dirty now, so that what others write before its turn is not written again.
  constexpr uint32_t required = BM_DIRTY | BM_VALID | BM_TAG_VALID;
  std::vector<Local::DirtyBuffer> dirty;
  for (uint32_t i = 0; i < local.options.buffers; ++i) {
    BufferDescriptor& descriptor = local.descriptors[i];
    uint32_t old = descriptor.state.load(std::memory_order_seq_cst);
    while ((old & required) == required &&
           !descriptor.state.compare_exchange_weak(old, old | BM_CHECKPOINT_NEEDED,
                                                   std::memory_order_seq_cst)) {
    }
    if ((old & required) == required) dirty.push_back({descriptor.tag(), static_cast<int32_t>(i)});
  }
  return local.write_sorted(dirty, required | BM_CHECKPOINT_NEEDED, pace, written);
}

Status BufferPool::flush_relation(RelFileLocator relation) {
  return local_->write_all([&](const BufferTag& tag) { return tag.relation() == relation; });
}

Status BufferPool::flush_database(Oid dbOid) {
  return local_->write_all([&](const BufferTag& tag) { return tag.relation().dbOid == dbOid; });
}

Status BufferPool::write_some(uint32_t count, uint32_t* written) {
  Local& local = *local_;
  *written = 0;
  if (local.options.read_only) return Status::ok;
  RETURN_IF_ERROR(local.state.check());
  const uint64_t hand = local.shared->clock_hand.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < local.options.buffers && *written < count; ++i) {
    BufferDescriptor& descriptor = local.descriptors[(hand + i) % local.options.buffers];
    const uint32_t seen = descriptor.state.load(std::memory_order_acquire);
    constexpr uint32_t required = BM_DIRTY | BM_VALID | BM_TAG_VALID;
    if ((seen & required) != required || pins_of(seen) != 0 || usage_of(seen) != 0) continue;
    uint32_t pinned_state = 0;
    if (!descriptor.pin_if_mapped(0, &pinned_state)) continue;
    bool busy = true;
    Status status;
    if ((pinned_state & BM_DIRTY) != 0) status = local.write_one(descriptor, nullptr, &busy);
    descriptor.unpin();
    RETURN_IF_ERROR(std::move(status));
    if (!busy) ++*written;
  }
  return Status::ok;
}

// Forgetting. --------------------------------------------------------------------------------

void BufferPool::Local::drop(BufferDescriptor& dropped, const BufferTag& tag) {
  const uint32_t bucket = mapping.bucket_of(tag);
  const auto deadline = std::chrono::steady_clock::now() + drop_wait_max;
  for (;;) {
    {
      LwLockGuard guard(mapping.lock_of(bucket), LockMode::exclusive);
      uint32_t old = dropped.state.load(std::memory_order_acquire);
      if ((old & BM_TAG_VALID) == 0 || !dropped.has_tag(tag)) return;
      while (pins_of(old) == 0) {
        // Pinned until it is out of its chain, lest it be put into another one before.
        if (dropped.state.compare_exchange_weak(old, BUF_REFCOUNT_ONE, std::memory_order_acquire)) {
          mapping.remove(static_cast<uint32_t>(index_of(dropped)));
          dropped.unpin();
          return;
        }
      }
    }
    // Written out, or pinned for a moment by who looked for another page.
    if (state.is_poisoned()) return;
    INVARIANT(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

template <typename Wanted>
void BufferPool::Local::drop_all(Wanted wanted) {
  for (uint32_t i = 0; i < options.buffers; ++i) {
    if ((descriptors[i].state.load(std::memory_order_acquire) & BM_TAG_VALID) == 0) continue;
    const BufferTag tag = descriptors[i].tag();
    if (wanted(tag)) drop(descriptors[i], tag);
  }
}

void BufferPool::drop_relation(RelFileLocator relation, ForkNumber fork, BlockNumber from) {
  local_->drop_all([&](const BufferTag& tag) {
    return tag.relation() == relation && tag.fork_number() == fork &&
           value_of(tag.block()) >= value_of(from);
  });
}

void BufferPool::drop_relation(RelFileLocator relation) {
  local_->drop_all([&](const BufferTag& tag) { return tag.relation() == relation; });
}

void BufferPool::drop_database(Oid dbOid) {
  local_->drop_all([&](const BufferTag& tag) { return tag.relation().dbOid == dbOid; });
}

}  // namespace pgdata
