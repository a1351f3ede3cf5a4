// mark_dead_entries: under a shared lock, as with all hints.
#include "btree/btree_kill.h"

#include <algorithm>

#include "btree/btree_page_view.h"
#include "btree/index_tuple.h"

namespace pgdata {

namespace {

// Two bits of the line pointer; others may be marking it, too, under their shared locks.
void set_dead(const Page& page, OffsetNumber offset) {
  static_assert(sizeof(LinePointer) == sizeof(uint32_t));
  auto* bits = reinterpret_cast<uint32_t*>(&page.line_pointer(offset));
  const LinePointer old = page.line_pointer(offset);
  __atomic_store_n(bits, LinePointer(old.lp_off(), LinePointerFlags::LP_DEAD, old.lp_len()).bits,
                   __ATOMIC_RELAXED);
}

void note_garbage(BufferPool& pool, BufferRef& leaf) {
  __atomic_fetch_or(&view_of(leaf).opaque().btpo_flags, BTP_HAS_GARBAGE, __ATOMIC_RELAXED);
  pool.mark_dirty_hint(leaf, true);
}

}  // namespace

Status mark_dead_entries(BufferPool& pool, const BtreeIndex& index, BlockNumber leaf, Lsn lsn,
                         std::vector<ItemPointer>* tids) {
  if (tids->empty() || !index.logged() || pool.options().read_only) return Status::ok;
  std::sort(tids->begin(), tids->end());
  BufferRef buffer;
  RETURN_IF_ERROR(read_btree_page(pool, index, leaf, LockMode::shared, &buffer));
  const Page page = buffer.page();
  const BtreePageView view(page);
  if (page.lsn() != lsn || view.is_ignored() || !view.is_leaf()) return Status::ok;
  bool marked = false;
  for (OffsetNumber offset = view.first_data(); offset <= view.max_offset(); offset++) {
    if (view.is_dead(offset)) continue;
    const std::byte* tuple = view.leaf_tuple(offset);
    if (tuple == nullptr) return damaged_page(index, leaf);
    const int count = leaf_tid_count(index_tuple_header(tuple));
    int place = 0;
    while (place < count && std::binary_search(tids->begin(), tids->end(), leaf_tid(tuple, place)))
      place++;
    if (place < count) continue;
    set_dead(page, offset);
    marked = true;
  }
  if (marked) note_garbage(pool, buffer);
  return Status::ok;
}

void mark_dead_entry(BufferPool& pool, BufferRef& leaf, OffsetNumber offset) {
  if (pool.options().read_only) return;
  set_dead(leaf.page(), offset);
  note_garbage(pool, leaf);
}

}  // namespace pgdata
