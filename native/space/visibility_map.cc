// VisibilityMap: pinning, setting, clearing, counting.
#include "space/visibility_map.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/invariant.h"
#include "layout/heap_records.h"
#include "layout/wal_xlog_records.h"

namespace pgdata {

namespace {

constexpr uint32_t blocks_per_byte = 4;

uint8_t* map_of(const BufferRef& buffer) {
  return reinterpret_cast<uint8_t*>(buffer.page().bytes()) + max_align(sizeof(PageHeader));
}

// Bytes are read without a lock while others change them under theirs.
uint8_t load_byte(const uint8_t* byte) { return __atomic_load_n(byte, __ATOMIC_RELAXED); }
void store_byte(uint8_t* byte, uint32_t value) {
  __atomic_store_n(byte, static_cast<uint8_t>(value), __ATOMIC_RELAXED);
}

}  // namespace

uint32_t VisibilityMap::map_bytes() const {
  return static_cast<uint32_t>(pool_.options().block_size - max_align(sizeof(PageHeader)));
}

BlockNumber VisibilityMap::map_block(BlockNumber heap_block) const {
  return BlockNumber{value_of(heap_block) / heap_blocks_per_page()};
}

bool VisibilityMap::is_pinned(BlockNumber heap_block, const BufferRef& map_page) const {
  return map_page.is_valid() && map_page.block() == map_block(heap_block) &&
         map_page.fork() == ForkNumber::visibility_map && map_page.relation() == relation_;
}

Status VisibilityMap::read_page(BlockNumber block, bool extend, BufferRef* buffer) {
  pool_.find(relation_, ForkNumber::visibility_map, block, buffer);
  if (!buffer->is_valid()) {
    bool exists = false;
    uint32_t blocks = 0;
    RETURN_IF_ERROR(pool_.storage().exists(relation_, ForkNumber::visibility_map, &exists));
    if (exists) {
      RETURN_IF_ERROR(pool_.storage().block_count(relation_, ForkNumber::visibility_map, &blocks));
    }
    if (value_of(block) >= blocks) {
      if (!extend) return Status::ok;
      RETURN_IF_ERROR(pool_.extend_to(relation_, ForkNumber::visibility_map, value_of(block) + 1));
    }
    // A damaged page counts as nothing visible, which is always safe.
    RETURN_IF_ERROR(pool_.read(relation_, ForkNumber::visibility_map, block,
                               ReadMode::zero_on_error, nullptr, buffer));
  }
  buffer->lock(LockMode::shared);
  const bool is_new = buffer->page().is_new();
  buffer->unlock();
  if (!is_new) return Status::ok;
  buffer->lock(LockMode::exclusive);
  if (buffer->page().is_new()) buffer->page().initialize(0);
  buffer->unlock();
  return Status::ok;
}

Status VisibilityMap::pin(BlockNumber heap_block, BufferRef* map_page) {
  if (is_pinned(heap_block, *map_page)) return Status::ok;
  map_page->release();
  return read_page(map_block(heap_block), true, map_page);
}

Status VisibilityMap::status_of(BlockNumber heap_block, BufferRef* map_page, uint8_t* flags) {
  *flags = 0;
  if (!is_pinned(heap_block, *map_page)) {
    map_page->release();
    RETURN_IF_ERROR(read_page(map_block(heap_block), false, map_page));
    if (!map_page->is_valid()) return Status::ok;
  }
  const uint32_t index = value_of(heap_block) % heap_blocks_per_page();
  const uint8_t byte = load_byte(map_of(*map_page) + index / blocks_per_byte);
  *flags = static_cast<uint8_t>((byte >> (index % blocks_per_byte * 2)) & VISIBILITYMAP_VALID_BITS);
  return Status::ok;
}

Status VisibilityMap::set(StorageServices& services, TransactionId xid, BufferRef& heap_page,
                          BufferRef& map_page, TransactionId conflict_horizon, uint8_t flags,
                          bool logged) {
  const BlockNumber heap_block = heap_page.block();
  INVARIANT((flags & VISIBILITYMAP_ALL_VISIBLE) != 0);
  INVARIANT((flags & ~VISIBILITYMAP_VALID_BITS) == 0);
  INVARIANT(heap_page.is_locked_exclusive());
  INVARIANT((heap_page.page().header().pd_flags & PD_ALL_VISIBLE) != 0);
  INVARIANT(is_pinned(heap_block, map_page));

  const uint32_t index = value_of(heap_block) % heap_blocks_per_page();
  const uint32_t shift = index % blocks_per_byte * 2;
  map_page.lock(LockMode::exclusive);
  uint8_t* byte = map_of(map_page) + index / blocks_per_byte;
  Status status;
  pool_.mark_dirty(heap_page);
  if (((*byte >> shift) & VISIBILITYMAP_VALID_BITS) != flags) {
    const xl_heap_visible header{conflict_horizon, flags, {}};
    Change change(services, xid, RmgrId::heap2, XLOG_HEAP2_VISIBLE, logged);
    change.block(0, map_page, 0);
    change.block(1, heap_page,
                 pool_.options().log_hints ? REGBUF_STANDARD
                                           : REGBUF_STANDARD | REGBUF_NO_IMAGE | REGBUF_NO_CHANGE);
    change.begin();
    store_byte(byte, *byte | (uint32_t{flags} << shift));
    change.data(&header, xl_heap_visible_size);
    status = change.finish();
  }
  map_page.unlock();
  return status;
}

bool VisibilityMap::clear(BlockNumber heap_block, BufferRef& map_page, uint8_t flags) {
  INVARIANT((flags & VISIBILITYMAP_ALL_FROZEN) != 0);
  INVARIANT((flags & ~VISIBILITYMAP_VALID_BITS) == 0);
  INVARIANT(is_pinned(heap_block, map_page));
  const uint32_t index = value_of(heap_block) % heap_blocks_per_page();
  const uint32_t mask = uint32_t{flags} << (index % blocks_per_byte * 2);
  map_page.lock(LockMode::exclusive);
  uint8_t* byte = map_of(map_page) + index / blocks_per_byte;
  const bool was_set = (*byte & mask) != 0;
  if (was_set) {
    store_byte(byte, *byte & ~mask);
    pool_.mark_dirty(map_page);
  }
  map_page.unlock();
  return was_set;
}

Status VisibilityMap::find_not_visible(uint32_t heap_blocks, size_t limit,
                                       std::vector<BlockNumber>* blocks) {
  constexpr uint64_t visible_mask = 0x5555555555555555u;
  constexpr uint32_t blocks_per_word = sizeof(uint64_t) * blocks_per_byte;
  blocks->clear();
  for (uint32_t first = 0; first < heap_blocks; first += heap_blocks_per_page()) {
    BufferRef buffer;
    RETURN_IF_ERROR(read_page(map_block(BlockNumber{first}), false, &buffer));
    if (buffer.is_valid()) buffer.lock(LockMode::shared);
    const uint8_t* map = buffer.is_valid() ? map_of(buffer) : nullptr;
    const uint32_t end = std::min(heap_blocks - first, heap_blocks_per_page());
    for (uint32_t at = 0; at < end; at += blocks_per_word) {
      const uint64_t word = map == nullptr ? 0 : load<uint64_t>(map + at / blocks_per_byte);
      if ((word & visible_mask) == visible_mask) continue;
      for (uint32_t i = at; i < std::min(end, at + blocks_per_word); ++i) {
        if ((word >> (2 * (i - at)) & VISIBILITYMAP_ALL_VISIBLE) != 0) continue;
        if (blocks->size() == limit) return Status::ok;
        blocks->push_back(BlockNumber{first + i});
      }
    }
  }
  return Status::ok;
}

Status VisibilityMap::count(uint32_t* all_visible, uint32_t* all_frozen) {
  constexpr uint64_t visible_mask = 0x5555555555555555u;
  constexpr uint64_t frozen_mask = 0xAAAAAAAAAAAAAAAAu;
  *all_visible = 0;
  *all_frozen = 0;
  for (uint32_t block = 0;; ++block) {
    BufferRef buffer;
    RETURN_IF_ERROR(read_page(BlockNumber{block}, false, &buffer));
    if (!buffer.is_valid()) return Status::ok;
    buffer.lock(LockMode::shared);
    const uint8_t* map = map_of(buffer);
    for (uint32_t at = 0; at < map_bytes(); at += sizeof(uint64_t)) {
      const auto word = load<uint64_t>(map + at);
      *all_visible += static_cast<uint32_t>(std::popcount(word & visible_mask));
      *all_frozen += static_cast<uint32_t>(std::popcount(word & frozen_mask));
    }
  }
}

Status VisibilityMap::prepare_truncate(StorageServices& services, BlockNumber heap_blocks,
                                       bool logged, BlockNumber* map_blocks) {
  *map_blocks = invalid_block_number;
  bool exists = false;
  RETURN_IF_ERROR(pool_.storage().exists(relation_, ForkNumber::visibility_map, &exists));
  if (!exists) return Status::ok;
  const uint32_t index = value_of(heap_blocks) % heap_blocks_per_page();
  uint32_t kept = value_of(map_block(heap_blocks));
  if (index != 0) {
    BufferRef buffer;
    RETURN_IF_ERROR(read_page(BlockNumber{kept}, false, &buffer));
    if (!buffer.is_valid()) return Status::ok;
    ++kept;
    buffer.lock(LockMode::exclusive);
    // As PostgreSQL does, with an image, so that a bit cannot come back on a page that is used again.
    Change change(services, invalid_transaction_id, RmgrId::xlog, XLOG_FPI,
                  logged && pool_.options().log_hints);
    change.block(0, buffer, REGBUF_FORCE_IMAGE);
    change.begin();
    uint8_t* map = map_of(buffer);
    const uint32_t byte = index / blocks_per_byte;
    const uint32_t kept_bits = index % blocks_per_byte * 2;
    for (uint32_t at = byte + 1; at < map_bytes(); ++at) store_byte(map + at, 0);
    store_byte(map + byte, map[byte] & ((1u << kept_bits) - 1));
    RETURN_IF_ERROR(change.finish());
  }
  uint32_t blocks = 0;
  RETURN_IF_ERROR(pool_.storage().block_count(relation_, ForkNumber::visibility_map, &blocks));
  if (blocks > kept) *map_blocks = BlockNumber{kept};
  return Status::ok;
}

}  // namespace pgdata
