// Truncation: looks at the pages once more under the strong lock, then cuts; a piece at a time, since readers wait.
#include "vacuum/truncate_heap.h"

#include <chrono>

#include "space/truncate.h"

namespace pgdata {

namespace {

// How often it is asked whether this is enough.
constexpr uint32_t check_blocks = 16;
// Of looking at pages while others are kept from the table.
constexpr auto piece_time = std::chrono::milliseconds(2);

}  // namespace

Status count_nonempty_pages(BufferPool& pool, const HeapRelation& heap, uint32_t rel_pages,
                            uint32_t nonempty_pages, const std::function<Status()>& pause,
                            const std::function<bool()>& is_enough, NonemptyPages* found) {
  uint32_t* blocks = &found->blocks;
  RETURN_IF_ERROR(pool.storage().block_count(heap.locator, ForkNumber::main, blocks));
  // Pages that were added meanwhile are in use, presumably.
  if (*blocks != rel_pages) return Status::ok;
  BufferStrategy strategy(pool, StrategyKind::vacuum);
  while (*blocks > nonempty_pages) {
    RETURN_IF_ERROR(pause());
    found->interrupted = *blocks % check_blocks == 0 && is_enough();
    if (found->interrupted) return Status::ok;
    BufferRef buffer;
    RETURN_IF_ERROR(pool.read(heap.locator, ForkNumber::main, BlockNumber{*blocks - 1},
                              ReadMode::normal, &strategy, &buffer));
    buffer.lock(LockMode::shared);
    const Page page = buffer.page();
    // A dead line pointer counts, too: an index may still point to it.
    if (!page.is_new())
      for (OffsetNumber offset = first_offset_number; offset <= page.max_offset(); offset++)
        if (page.line_pointer(offset).is_used()) return Status::ok;
    --*blocks;
  }
  return Status::ok;
}

Status truncate_heap(Backend& backend, HeapRelation& heap, uint32_t rel_pages,
                     uint32_t nonempty_pages, uint32_t* blocks) {
  *blocks = rel_pages;
  const auto end = std::chrono::steady_clock::now() + piece_time;
  NonemptyPages found;
  RETURN_IF_ERROR(count_nonempty_pages(
      backend.pool_of(heap.temporary), heap, rel_pages, nonempty_pages, [] { return Status(); },
      [end] { return std::chrono::steady_clock::now() >= end; }, &found));
  if (found.blocks >= rel_pages) return Status::ok;
  *blocks = found.blocks;
  RETURN_IF_ERROR(
      truncate_storage(backend, heap.locator, BlockNumber{*blocks}, heap.logged, heap.temporary));
  heap.target_block.store(value_of(invalid_block_number), std::memory_order_relaxed);
  return Status::ok;
}

}  // namespace pgdata
