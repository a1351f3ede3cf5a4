// Truncation: looks at the pages once more under the strong lock, then cuts.
#include "vacuum/truncate_heap.h"

#include <chrono>

#include "space/truncate.h"

namespace pgdata {

namespace {

// How often it is asked whether somebody waits.
constexpr auto waiter_check_interval = std::chrono::milliseconds(20);
constexpr uint32_t waiter_check_blocks = 32;

}  // namespace

Status count_nonempty_pages(BufferPool& pool, const HeapRelation& heap, uint32_t rel_pages,
                            uint32_t nonempty_pages, const std::function<Status()>& pause,
                            const std::function<bool()>& is_waited_for, NonemptyPages* found) {
  uint32_t* blocks = &found->blocks;
  RETURN_IF_ERROR(pool.storage().block_count(heap.locator, ForkNumber::main, blocks));
  // Pages that were added meanwhile are in use, presumably.
  if (*blocks != rel_pages) return Status::ok;
  auto checked = std::chrono::steady_clock::now();
  BufferStrategy strategy(pool, StrategyKind::vacuum);
  while (*blocks > nonempty_pages) {
    RETURN_IF_ERROR(pause());
    if (*blocks % waiter_check_blocks == 0) {
      const auto now = std::chrono::steady_clock::now();
      if (now - checked >= waiter_check_interval) {
        checked = now;
        found->interrupted = is_waited_for();
        if (found->interrupted) return Status::ok;
      }
    }
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

Status truncate_heap(Backend& backend, HeapRelation& heap, uint32_t blocks) {
  RETURN_IF_ERROR(truncate_storage(backend, heap.locator, BlockNumber{blocks}, heap.logged));
  heap.target_block.store(value_of(invalid_block_number), std::memory_order_relaxed);
  return Status::ok;
}

}  // namespace pgdata
