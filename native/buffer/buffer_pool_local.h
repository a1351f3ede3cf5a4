// What a BufferPool knows in this process, shared by the files of this room alone: where its parts
// of the segment are, and the steps that reading, replacing and writing buffers have in common.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <tuple>
#include <vector>

#include "buffer/buffer_descriptor.h"
#include "buffer/buffer_mapping.h"
#include "buffer/buffer_pool.h"
#include "statistics/counting.h"

namespace pgdata {

// Counters and the clock hand, in the segment.
struct BufferPool::Shared {
  std::atomic<uint32_t> buffers;  // 0 until the first process has attached
  std::atomic<uint32_t> block_size;
  alignas(64) std::atomic<uint64_t> clock_hand;  // modulo `buffers`: the next candidate
  alignas(64) std::atomic<uint64_t> reads;
  std::atomic<uint64_t> extends;
  std::atomic<uint64_t> writes;
  std::atomic<uint64_t> evictions;
  std::atomic<uint64_t> allocations;
};

// The buffers a strategy has used, to be used again in turn, and how far its scan has come.
struct BufferStrategy::Ring {
  StrategyKind kind;
  std::vector<int32_t> buffers;  // BufferMapping::none where not filled yet; empty for `normal`
  size_t current = 0;
  BufferTag next;  // the block after the last one read
};

struct BufferPool::Local {
  Local(Segment& segment, Storage& storage, Wal* wal, ClusterState& state,
        const BufferPoolOptions& options);

  Storage& storage;
  Wal* wal;
  ClusterState& state;
  const BufferPoolOptions options;
  Shared* shared;
  BufferDescriptor* descriptors;
  std::byte* pages;
  BufferMapping mapping;
  PaddedLwLock* extension_locks;
  // Those that `set_logged` said are not.
  std::mutex unlogged_mutex;
  std::set<std::tuple<Oid, Oid, Oid>> unlogged;
  bool is_unlogged(RelFileLocator relation) {
    const std::lock_guard<std::mutex> guard(unlogged_mutex);
    return unlogged.contains({relation.spcOid, relation.dbOid, relation.relNumber});
  }

  BufferDescriptor& descriptor(int32_t index) const { return descriptors[index]; }
  int32_t index_of(const BufferDescriptor& descriptor) const {
    return static_cast<int32_t>(&descriptor - descriptors);
  }
  Page page(int32_t index) const {
    return Page(pages + static_cast<size_t>(index) * options.block_size, options.block_size);
  }
  LwLock& extension_lock(RelFileLocator relation, ForkNumber fork) const;

  // Looking up (buffer_pool.cc). Gives a pinned buffer, or none.
  int32_t pin_without_lock(const BufferTag& tag, uint32_t bucket, const BufferStrategy* strategy,
                           uint32_t* state_seen) const;
  int32_t pin_under_lock(const BufferTag& tag, uint32_t bucket, const BufferStrategy* strategy,
                         uint32_t* state_seen) const;
  // The page's buffer, pinned; `*mine` when it is not valid and the caller has its BM_IO_IN_PROGRESS.
  Status pin_or_claim(const BufferTag& tag, BufferStrategy* strategy, int32_t* index, bool* mine);
  // Waits until a pinned buffer is valid, or gives the caller the right to make it so.
  Status wait_until_valid(BufferDescriptor& descriptor, bool* mine);
  // Gives a victim this tag, with one pin and BM_IO_IN_PROGRESS, unless another buffer has it
  // already: then that one is pinned, and the victim set free.
  int32_t map_victim(const BufferTag& tag, int32_t victim, bool* mapped);
  Status read_block(const BufferTag& tag, ReadMode mode, const BufferStrategy* strategy,
                    std::byte* bytes);
  Status verify_block(const BufferTag& tag, ReadMode mode, std::byte* bytes);
  // As read_block into a claimed buffer, together with blocks after it that are not in the pool,
  // which are left there unpinned.
  Status read_ahead(const BufferTag& tag, BufferStrategy* strategy, int32_t index);

  // Replacing (buffer_replacement.cc).
  // A clean buffer without a tag and with one pin, the caller's.
  Status take_victim(BufferStrategy* strategy, int32_t* victim);
  static bool has_ring(const BufferStrategy* strategy) {
    return strategy != nullptr && !strategy->ring_->buffers.empty();
  }
  // A ring's own pages stay at a usage of 1, so that others take them first.
  static uint32_t usage_max_for(const BufferStrategy* strategy) {
    return has_ring(strategy) ? 1 : BM_MAX_USAGE_COUNT;
  }
  void free_victim(int32_t victim) const { descriptor(victim).unpin(); }

  // Counting, with whoever runs on this thread.
  IoObject io_object() const {
    return options.local ? IoObject::temp_relation : IoObject::relation;
  }
  static IoContext context_of(const BufferStrategy* strategy);
  void count_io(const BufferStrategy* strategy, IoOp op, int64_t blocks) const;
  void count_io(CountedIo& io, const BufferStrategy* strategy, IoOp op, int64_t blocks) const;
  void count_read(RelFileLocator relation, const BufferStrategy* strategy, bool is_hit) const;

  // Writing (buffer_write.cc).
  enum class BeginWrite : uint8_t { begun, not_needed, busy };
  // Pinned by the caller: takes BM_IO_IN_PROGRESS of a dirty buffer and copies its page. Does not
  // wait for locks or other writes unless `wait`.
  BeginWrite begin_write(BufferDescriptor& descriptor, bool wait, std::byte* copy);
  // Makes the log durable up to the copies' LSNs, sets their checksums and writes them.
  Status write_copies(const BufferTag& first, std::byte* const* copies, int count,
                      const BufferStrategy* strategy);
  void end_write(BufferDescriptor& descriptor, bool written);
  // One buffer that the caller has pinned; `*busy` when it would have had to wait.
  Status write_one(BufferDescriptor& descriptor, const BufferStrategy* strategy, bool* busy);
  // A buffer ahead of the clock hand: one that may be taken at once, or was made so.
  enum class Ahead : uint8_t { in_use, reusable, written };
  Status write_ahead_one(BufferDescriptor& descriptor, Ahead* ahead);

  struct DirtyBuffer {
    BufferTag tag;
    int32_t index;
  };
  // Writes these, in the order of files and blocks, neighbours together.
  Status write_sorted(std::vector<DirtyBuffer>& dirty, uint32_t required_state,
                      const WritePace& pace = nullptr, uint64_t* written = nullptr);
  template <typename Wanted>
  Status write_all(Wanted wanted);
  template <typename Wanted>
  void drop_all(Wanted wanted);
  void drop(BufferDescriptor& descriptor, const BufferTag& tag);
};

// Neighbours are read and written together up to this many (128 kB of 8 kB blocks).
inline constexpr int run_blocks_max = 16;

// Copies a page whose hint bits others may be setting meanwhile.
void copy_shared_page(std::byte* copy, const std::byte* page, size_t size_bytes);

}  // namespace pgdata
