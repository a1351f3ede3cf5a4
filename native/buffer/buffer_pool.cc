// BufferPool: finding, reading and adding pages.
#include "buffer/buffer_pool.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/prefetch.h"
#include "base/stop_point.h"
#include "buffer/buffer_pool_local.h"
#include "shmem/wait_scope.h"

namespace pgdata {

namespace {

constexpr const char* control_range = "buffer control";
constexpr const char* descriptors_range = "buffer descriptors";
constexpr const char* pages_range = "buffers";
constexpr const char* extension_locks_range = "buffer extension locks";
constexpr uint32_t extension_lock_count = 128;
// Of a big extension, at most so many blocks are put into the pool at once.
constexpr uint32_t extended_in_pool_max = 64;

bool is_zeroed(Page page) {
  const std::byte* bytes = page.bytes();
  return bytes[0] == std::byte{0} && std::memcmp(bytes, bytes + 1, page.size() - 1) == 0;
}

}  // namespace

BufferRef BufferRef::clone() const {
  INVARIANT(is_valid());
  descriptor_->pin_again();
  BufferRef second;
  second.pool_ = pool_;
  second.descriptor_ = descriptor_;
  second.page_ = page_;
  return second;
}

PageVersion BufferRef::version() const {
  INVARIANT(locked_);
  return PageVersion{descriptor_->changes.load(std::memory_order_relaxed),
                     static_cast<uint32_t>(pool_->local_->index_of(*descriptor_))};
}

bool BufferRef::try_lock_for_cleanup() {
  if (!try_lock(LockMode::exclusive)) return false;
  if (pins_of(descriptor_->state.load(std::memory_order_acquire)) == 1) return true;
  unlock();
  return false;
}

void BufferRef::lock_for_cleanup() {
  for (;;) {
    lock(LockMode::exclusive);
    if (pins_of(descriptor_->state.load(std::memory_order_acquire)) == 1) return;
    unlock();
    descriptor_->wait_for_last_pin();
  }
}

void BufferPool::plan(SegmentPlan& plan, const BufferPoolOptions& options) {
  plan.reserve(control_range, sizeof(Shared));
  plan.reserve(descriptors_range, sizeof(BufferDescriptor) * options.buffers);
  plan.reserve(extension_locks_range, sizeof(PaddedLwLock) * extension_lock_count);
  BufferMapping::plan(plan, options.buffers);
  plan.reserve(pages_range, static_cast<size_t>(options.block_size) * options.buffers,
               direct_io_alignment);
}

BufferPool::Local::Local(Segment& segment, Storage& storage_of_relations, Wal* log,
                         ClusterState& cluster, const BufferPoolOptions& pool_options)
    : storage(storage_of_relations),
      wal(log),
      state(cluster),
      options(pool_options),
      shared(reinterpret_cast<Shared*>(segment.find(control_range))),
      descriptors(reinterpret_cast<BufferDescriptor*>(segment.find(descriptors_range))),
      pages(segment.find(pages_range)),
      mapping(segment, descriptors, options.buffers),
      extension_locks(reinterpret_cast<PaddedLwLock*>(segment.find(extension_locks_range))) {}

BufferPool::BufferPool(Segment& segment, Storage& storage, Wal* wal, ClusterState& state,
                       BufferPoolOptions options)
    : local_(std::make_unique<Local>(segment, storage, wal, state, options)) {
  static std::atomic<uint64_t> serials{0};
  serial_ = ++serials;
  INVARIANT(options.buffers > 0);
  INVARIANT(options.buffers < 1u << 30);
  INVARIANT(options.block_size >= block_size_min);
  INVARIANT(options.block_size <= block_size_max);
  // All who share the pool must see it alike.
  uint32_t buffers = 0;
  if (!local_->shared->buffers.compare_exchange_strong(buffers, options.buffers))
    INVARIANT(buffers == options.buffers);
  uint32_t block_size = 0;
  if (!local_->shared->block_size.compare_exchange_strong(block_size, options.block_size))
    INVARIANT(block_size == options.block_size);
}

BufferPool::~BufferPool() = default;

const BufferPoolOptions& BufferPool::options() const { return local_->options; }
Storage& BufferPool::storage() const { return local_->storage; }

LwLock& BufferPool::Local::extension_lock(RelFileLocator relation, ForkNumber fork) const {
  const uint64_t hash = BufferTag(relation, fork, BlockNumber{0}).hash();
  return extension_locks[hash % extension_lock_count].lock;
}

// Looking up. --------------------------------------------------------------------------------

inline int32_t BufferPool::Local::pin_without_lock(const BufferTag& tag, uint32_t bucket,
                                                   const BufferStrategy* strategy,
                                                   uint32_t* state_seen) const {
  const int32_t index = mapping.find(tag, bucket);
  if (index == BufferMapping::none) return BufferMapping::none;
  BufferDescriptor& found = descriptor(index);
  if (!found.pin_if_mapped(usage_max_for(strategy), state_seen)) return BufferMapping::none;
  // Between finding and pinning it may have become another page's; from here on it cannot.
  if (found.has_tag(tag)) [[likely]]
    return index;
  found.unpin();
  return BufferMapping::none;
}

int32_t BufferPool::Local::pin_under_lock(const BufferTag& tag, uint32_t bucket,
                                          const BufferStrategy* strategy,
                                          uint32_t* state_seen) const {
  LwLockGuard guard(mapping.lock_of(bucket), LockMode::shared);
  const int32_t index = mapping.find_locked(tag, bucket);
  if (index == BufferMapping::none) return BufferMapping::none;
  const bool pinned = descriptor(index).pin_if_mapped(usage_max_for(strategy), state_seen);
  INVARIANT(pinned);
  return index;
}

int32_t BufferPool::Local::map_victim(const BufferTag& tag, int32_t victim, bool* mapped) {
  const uint32_t bucket = mapping.bucket_of(tag);
  LwLockGuard guard(mapping.lock_of(bucket), LockMode::exclusive);
  const int32_t existing = mapping.find_locked(tag, bucket);
  if (existing != BufferMapping::none) {
    uint32_t state_seen = 0;
    const bool pinned = descriptor(existing).pin_if_mapped(BM_MAX_USAGE_COUNT, &state_seen);
    INVARIANT(pinned);
    guard.release();
    free_victim(victim);
    *mapped = false;
    return existing;
  }
  BufferDescriptor& taken = descriptor(victim);
  // Without BM_TAG_VALID nobody else can pin it.
  INVARIANT(taken.state.load(std::memory_order_relaxed) == BUF_REFCOUNT_ONE);
  taken.set_tag(tag);
  taken.state.store(BUF_REFCOUNT_ONE | BUF_USAGECOUNT_ONE | BM_TAG_VALID | BM_IO_IN_PROGRESS,
                    std::memory_order_release);
  mapping.insert(static_cast<uint32_t>(victim), bucket);
  *mapped = true;
  return victim;
}

Status BufferPool::Local::wait_until_valid(BufferDescriptor& waited, bool* mine) {
  for (;;) {
    uint32_t seen = 0;
    if (waited.try_begin_io(0, BM_VALID, 0, 0, &seen)) {
      *mine = true;
      return Status::ok;
    }
    if (seen & BM_VALID) {
      *mine = false;
      return Status::ok;
    }
    waited.wait_for_io();
    RETURN_IF_ERROR(state.check());
  }
}

Status BufferPool::Local::pin_or_claim(const BufferTag& tag, BufferStrategy* strategy,
                                       int32_t* index, bool* mine) {
  uint32_t state_seen = 0;
  const uint32_t bucket = mapping.bucket_of(tag);
  *index = pin_under_lock(tag, bucket, strategy, &state_seen);
  if (*index == BufferMapping::none) {
    int32_t victim = BufferMapping::none;
    RETURN_IF_ERROR(take_victim(strategy, &victim));
    *index = map_victim(tag, victim, mine);
    if (*mine) return Status::ok;
  }
  Status status = wait_until_valid(descriptor(*index), mine);
  if (!status.is_ok()) descriptor(*index).unpin();
  return status;
}

IoContext BufferPool::Local::context_of(const BufferStrategy* strategy) {
  if (strategy == nullptr) return IoContext::normal;
  switch (strategy->ring_->kind) {
    case StrategyKind::normal:
      return IoContext::normal;
    case StrategyKind::bulk_read:
      return IoContext::bulkread;
    case StrategyKind::bulk_write:
      return IoContext::bulkwrite;
    case StrategyKind::vacuum:
      return IoContext::vacuum;
  }
  return IoContext::normal;
}

void BufferPool::Local::count_io(const BufferStrategy* strategy, IoOp op, int64_t blocks) const {
  if (SessionCounters* const counters = current_counters())
    counters->count_io(io_object(), context_of(strategy), op, blocks, 0);
}

void BufferPool::Local::count_io(CountedIo& io, const BufferStrategy* strategy, IoOp op,
                                 int64_t blocks) const {
  io.done(context_of(strategy), op, 1, blocks * int64_t{options.block_size});
  SessionCounters* const counters = current_counters();
  if (counters != nullptr && (op == IoOp::write || op == IoOp::extend))
    (options.local ? counters->usage().local_written : counters->usage().shared_written) += blocks;
}

inline void BufferPool::Local::count_read(RelFileLocator relation, const BufferStrategy* strategy,
                                          bool is_hit) const {
  SessionCounters* const counters = current_counters();
  if (counters == nullptr) return;
  counters->count_block(relation, is_hit, options.local);
  if (is_hit) counters->count_io(io_object(), context_of(strategy), IoOp::hit, 1, 0);
}

// Reading. -----------------------------------------------------------------------------------

Status BufferPool::Local::read_block(const BufferTag& tag, ReadMode mode,
                                     const BufferStrategy* strategy, std::byte* bytes) {
  const RelFileLocator relation = tag.relation();
  const ForkNumber fork = tag.fork_number();
  if (mode == ReadMode::normal_no_log) {
    uint32_t blocks = 0;
    RETURN_IF_ERROR(storage.block_count(relation, fork, &blocks));
    if (value_of(tag.block()) >= blocks) {
      std::memset(bytes, 0, options.block_size);
      return Status::ok;
    }
  }
  {
    const WaitScope waiting(WaitEvent::data_file_read);
    CountedIo io(io_object());
    RETURN_IF_ERROR(storage.read(relation, fork, tag.block(), &bytes, 1));
    count_io(io, strategy, IoOp::read, 1);
  }
  shared->reads.fetch_add(1, std::memory_order_relaxed);
  return verify_block(tag, mode, bytes);
}

Status BufferPool::Local::verify_block(const BufferTag& tag, ReadMode mode, std::byte* bytes) {
  const RelFileLocator relation = tag.relation();
  const std::string path = storage.relation_path(relation, tag.fork_number());
  Status verified =
      verify_page(bytes, options.block_size, tag.block(), options.data_checksums, path.c_str());
  if (verified.is_ok()) return Status::ok;
  if (mode != ReadMode::zero_on_error && !options.zero_damaged_pages) return verified;
  std::memset(bytes, 0, options.block_size);
  return Status::ok;
}

Status BufferPool::Local::read_ahead(const BufferTag& tag, BufferStrategy* strategy,
                                     int32_t index) {
  const RelFileLocator relation = tag.relation();
  const ForkNumber fork = tag.fork_number();
  uint32_t blocks = 0;
  Status status = storage.block_count(relation, fork, &blocks);
  // What is read ahead must not push itself out of its ring before it is used.
  uint32_t window = has_ring(strategy) ? static_cast<uint32_t>(strategy->ring_->buffers.size() / 2)
                                       : options.buffers / 16;
  window = std::min(window, static_cast<uint32_t>(run_blocks_max));
  int32_t indexes[run_blocks_max] = {index};
  std::byte* bytes[run_blocks_max] = {page(index).bytes()};
  int count = 1;
  uint32_t block = value_of(tag.block()) + 1;
  for (; status.is_ok() && static_cast<uint32_t>(count) < window && block < blocks; ++block) {
    const BufferTag ahead(relation, fork, BlockNumber{block});
    if (mapping.find(ahead, mapping.bucket_of(ahead)) != BufferMapping::none) break;
    int32_t victim = BufferMapping::none;
    // Whatever is wrong is reported to who needs the block.
    if (!take_victim(strategy, &victim).is_ok()) break;
    bool mapped = false;
    const int32_t taken = map_victim(ahead, victim, &mapped);
    if (!mapped) {
      descriptor(taken).unpin();
      break;
    }
    indexes[count] = taken;
    bytes[count] = page(taken).bytes();
    ++count;
  }
  if (status.is_ok() && count > 1) {
    const WaitScope waiting(WaitEvent::data_file_read);
    CountedIo io(io_object());
    status = storage.read(relation, fork, tag.block(), bytes, count);
    if (status.is_ok()) {
      count_io(io, strategy, IoOp::read, count);
      if (SessionCounters* const counters = current_counters()) {
        // Not what they are when they are asked for.
        Usage& usage = counters->usage();
        (options.local ? usage.local_read : usage.shared_read) += count - 1;
        (options.local ? usage.local_hit : usage.shared_hit) -= count - 1;
      }
    }
  }
  const bool read_together = status.is_ok() && count > 1;
  for (int i = 1; i < count; ++i) {
    const BufferTag ahead(relation, fork,
                          BlockNumber{value_of(tag.block()) + static_cast<uint32_t>(i)});
    const bool valid = read_together && verify_block(ahead, ReadMode::normal, bytes[i]).is_ok();
    descriptor(indexes[i]).end_io(valid ? BM_VALID : 0, 0);
    descriptor(indexes[i]).unpin();
  }
  if (!read_together) return read_block(tag, ReadMode::normal, strategy, bytes[0]);
  shared->reads.fetch_add(static_cast<uint64_t>(count), std::memory_order_relaxed);
  return verify_block(tag, ReadMode::normal, bytes[0]);
}

Status BufferPool::read(RelFileLocator relation, ForkNumber fork, BlockNumber block, ReadMode mode,
                        BufferStrategy* strategy, BufferRef* buffer) {
  Local& local = *local_;
  const BufferTag tag(relation, fork, block);
  bool in_sequence = false;
  if (strategy != nullptr) {
    in_sequence = strategy->ring_->next == tag || block == BlockNumber{0};
    strategy->ring_->next = BufferTag(relation, fork, pgdata::next(block));
  }
  if (buffer->pool_ == this && buffer->descriptor_->has_tag(tag)) {
    if (buffer->locked_) buffer->unlock();
    buffer->descriptor_->count_hit();
  } else {
    buffer->release();
    bool mine = false;
    uint32_t state_seen = 0;
    int32_t index =
        local.pin_without_lock(tag, local.mapping.bucket_of(tag), strategy, &state_seen);
    if (index == BufferMapping::none) {
      RETURN_IF_ERROR(local.state.check());
      INVARIANT(block != invalid_block_number);
      RETURN_IF_ERROR(local.pin_or_claim(tag, strategy, &index, &mine));
    } else if ((state_seen & BM_VALID) == 0) [[unlikely]] {
      Status status = local.wait_until_valid(local.descriptor(index), &mine);
      if (!status.is_ok()) {
        local.descriptor(index).unpin();
        return status;
      }
    }
    BufferDescriptor& descriptor = local.descriptor(index);
    buffer->pool_ = this;
    buffer->descriptor_ = &descriptor;
    buffer->page_ = local.page(index);
    local.count_read(relation, strategy, !mine);
    if (!mine) [[likely]] {
      descriptor.count_hit();
    } else if (mode == ReadMode::zero_and_lock) {
      // Locked before anybody can see that it is valid.
      std::memset(buffer->page_.bytes(), 0, local.options.block_size);
      buffer->lock(LockMode::exclusive);
      descriptor.end_io(BM_VALID, 0);
      return Status::ok;
    } else {
      Status status = in_sequence && mode == ReadMode::normal
                          ? local.read_ahead(tag, strategy, index)
                          : local.read_block(tag, mode, strategy, buffer->page_.bytes());
      descriptor.end_io(status.is_ok() ? BM_VALID : 0, 0);
      if (!status.is_ok()) buffer->release();
      return status;
    }
  }
  if (mode == ReadMode::zero_and_lock) {
    buffer->lock(LockMode::exclusive);
    std::memset(buffer->page_.bytes(), 0, local.options.block_size);
  }
  return Status::ok;
}

void BufferPool::find(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                      BufferRef* buffer) {
  Local& local = *local_;
  buffer->release();
  const BufferTag tag(relation, fork, block);
  const uint32_t bucket = local.mapping.bucket_of(tag);
  uint32_t state_seen = 0;
  int32_t index = local.pin_without_lock(tag, bucket, nullptr, &state_seen);
  if (index == BufferMapping::none) index = local.pin_under_lock(tag, bucket, nullptr, &state_seen);
  if (index == BufferMapping::none) return;
  BufferDescriptor& descriptor = local.descriptor(index);
  if ((state_seen & BM_VALID) == 0) {
    descriptor.unpin();
    return;
  }
  descriptor.count_hit();
  buffer->pool_ = this;
  buffer->descriptor_ = &descriptor;
  buffer->page_ = local.page(index);
}

bool BufferPool::is_unchanged(RelFileLocator relation, BlockNumber block,
                              PageVersion version) const {
  const Local& local = *local_;
  if (version.changes == 0 || version.buffer >= local.options.buffers) return false;
  const BufferDescriptor& descriptor = local.descriptors[version.buffer];
  // Whoever takes the buffer for another page counts a change, too.
  return descriptor.changes.load(std::memory_order_acquire) == version.changes &&
         descriptor.has_tag(BufferTag(relation, ForkNumber::main, block)) &&
         (descriptor.state.load(std::memory_order_relaxed) & BM_TAG_VALID) != 0;
}

void BufferPool::count_hit(RelFileLocator relation) const {
  local_->count_read(relation, nullptr, true);
}

void BufferPool::prefetch(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                          std::initializer_list<uint32_t> places) {
  if (!prefetch_lines(relation, fork, block, places))
    local_->storage.prefetch(relation, fork, block, 1);
}

bool BufferPool::prefetch_lines(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                                std::initializer_list<uint32_t> places) const {
  const Local& local = *local_;
  const BufferTag tag(relation, fork, block);
  const uint32_t bucket = local.mapping.bucket_of(tag);
  const auto load = [&](int32_t index) {
    prefetch_line_for_write(&local.descriptor(index));
    const std::byte* bytes = local.page(index).bytes();
    prefetch_line(bytes);
    for (const uint32_t place : places) prefetch_line(bytes + place);
  };
  // Most chains have one link: its page need not wait for its descriptor, which tells.
  const int32_t likely = local.mapping.first_of(bucket);
  if (likely != BufferMapping::none) load(likely);
  const int32_t index = local.mapping.find(tag, bucket);
  if (index == BufferMapping::none) return false;
  if (index != likely) load(index);
  return true;
}

// Whoever changes the line pointer meanwhile is not waited for: a wrong place is no harm.
__attribute__((no_sanitize("thread"))) void BufferPool::prefetch_item(RelFileLocator relation,
                                                                      ItemPointer item) const {
  const Local& local = *local_;
  const BufferTag tag(relation, ForkNumber::main, item.block());
  const int32_t index = local.mapping.find(tag, local.mapping.bucket_of(tag));
  const uint32_t place = line_pointer_place(item.offset());
  if (index == BufferMapping::none || place + sizeof(LinePointer) > local.options.block_size)
    return;
  const std::byte* bytes = local.page(index).bytes();
  const auto pointer = load<LinePointer>(bytes + place);
  prefetch_line(bytes + pointer.lp_off());
  prefetch_line(bytes + pointer.lp_off() + 64);
}

// Adding. ------------------------------------------------------------------------------------

Status BufferPool::extend(RelFileLocator relation, ForkNumber fork, uint32_t count,
                          BufferStrategy* strategy, BufferRef* buffer, BlockNumber* first) {
  Local& local = *local_;
  INVARIANT(count > 0);
  INVARIANT(!local.options.read_only);
  RETURN_IF_ERROR(local.state.check());
  buffer->release();

  // Victims first, since making them clean may take long, and the lock is everybody's.
  int32_t victims[extended_in_pool_max];
  const uint32_t wanted = std::min({count, extended_in_pool_max, local.options.buffers / 8 + 1});
  uint32_t taken = 0;
  for (; taken < wanted; ++taken) {
    Status status = local.take_victim(strategy, &victims[taken]);
    if (status.is_ok()) continue;
    if (taken == 0) return status;
    break;  // Fewer will do: only the first block must be in the pool.
  }

  struct NewBlock {
    int32_t index;
    bool mine;
  };
  NewBlock blocks[extended_in_pool_max];
  uint32_t mapped = 0;
  LwLockGuard guard(local.extension_lock(relation, fork), LockMode::exclusive);
  uint32_t end = 0;
  Status status = local.storage.block_count(relation, fork, &end);
  if (status.is_ok() && count > block_number_max - end) {
    status = Status::error(ErrorCode::program_limit_exceeded,
                           "cannot extend relation \"%s\" beyond %u blocks",
                           local.storage.relation_path(relation, fork).c_str(), block_number_max);
  }
  for (; status.is_ok() && mapped < taken; ++mapped) {
    NewBlock& block = blocks[mapped];
    const BufferTag tag(relation, fork, BlockNumber{end + mapped});
    block.index = local.map_victim(tag, victims[mapped], &block.mine);
    // An extension that failed, or a read past the end, may have left a buffer behind.
    if (!block.mine) {
      status = local.wait_until_valid(local.descriptor(block.index), &block.mine);
      if (status.is_ok() && !block.mine && !is_zeroed(local.page(block.index))) {
        status = Status::error(Status::data_corrupted,
                               "unexpected data beyond EOF in block %u of relation \"%s\"",
                               end + mapped, local.storage.relation_path(relation, fork).c_str());
      }
      if (!status.is_ok()) block.mine = false;
    }
    if (block.mine) std::memset(local.page(block.index).bytes(), 0, local.options.block_size);
  }
  if (status.is_ok()) {
    const WaitScope waiting(WaitEvent::data_file_extend);
    CountedIo io(local.io_object());
    status = local.storage.extend(relation, fork, BlockNumber{end}, count);
    if (status.is_ok()) local.count_io(io, strategy, IoOp::extend, count);
  }
  stop_point("relation extended");

  for (uint32_t i = 0; i < mapped; ++i) {
    BufferDescriptor& descriptor = local.descriptor(blocks[i].index);
    if (i == 0 && status.is_ok()) {
      buffer->pool_ = this;
      buffer->descriptor_ = &descriptor;
      buffer->page_ = local.page(blocks[i].index);
      // Locked before anybody can see that it is valid.
      buffer->lock(LockMode::exclusive);
    }
    if (blocks[i].mine) descriptor.end_io(status.is_ok() ? BM_VALID : 0, 0);
    if (i != 0 || !status.is_ok()) descriptor.unpin();
  }
  for (uint32_t i = mapped; i < taken; ++i) local.free_victim(victims[i]);
  if (!status.is_ok()) return status;
  local.shared->extends.fetch_add(count, std::memory_order_relaxed);
  *first = BlockNumber{end};
  return Status::ok;
}

Status BufferPool::extend_to(RelFileLocator relation, ForkNumber fork, uint32_t blocks) {
  Local& local = *local_;
  INVARIANT(!local.options.read_only);
  RETURN_IF_ERROR(local.state.check());
  LwLockGuard guard(local.extension_lock(relation, fork), LockMode::exclusive);
  bool exists = false;
  RETURN_IF_ERROR(local.storage.exists(relation, fork, &exists));
  if (!exists) RETURN_IF_ERROR(local.storage.create(relation, fork));
  uint32_t end = 0;
  RETURN_IF_ERROR(local.storage.block_count(relation, fork, &end));
  if (end >= blocks) return Status::ok;
  {
    const WaitScope waiting(WaitEvent::data_file_extend);
    CountedIo io(local.io_object());
    RETURN_IF_ERROR(local.storage.extend(relation, fork, BlockNumber{end}, blocks - end));
    local.count_io(io, nullptr, IoOp::extend, blocks - end);
  }
  local.shared->extends.fetch_add(blocks - end, std::memory_order_relaxed);
  return Status::ok;
}

BufferStatistics BufferPool::statistics() const {
  const Local& local = *local_;
  BufferStatistics statistics;
  for (uint32_t i = 0; i < local.options.buffers; ++i)
    statistics.hits += local.descriptors[i].hits.load(std::memory_order_relaxed);
  statistics.reads = local.shared->reads.load(std::memory_order_relaxed);
  statistics.extends = local.shared->extends.load(std::memory_order_relaxed);
  statistics.writes = local.shared->writes.load(std::memory_order_relaxed);
  statistics.evictions = local.shared->evictions.load(std::memory_order_relaxed);
  statistics.allocations = local.shared->allocations.load(std::memory_order_relaxed);
  return statistics;
}

}  // namespace pgdata
