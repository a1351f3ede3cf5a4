// OldRow: reading and locking the page of a row.
#include "heap/old_row.h"

namespace pgdata {

namespace {
bool is_all_visible(const Page& page) { return (page.header().pd_flags & PD_ALL_VISIBLE) != 0; }
}  // namespace

bool OldRow::clear_all_frozen(Backend& backend, const HeapRelation& relation) {
  if (!is_all_visible(buffer.page())) return false;
  return VisibilityMap(backend.pool_of(relation.temporary), relation.locator)
      .clear(buffer.block(), map, VISIBILITYMAP_ALL_FROZEN);
}

Status read_old_row(Backend& backend, HeapRelation& relation, ItemPointer tid, OldRow* row) {
  BufferPool& pool = backend.pool_of(relation.temporary);
  RETURN_IF_ERROR(pool.read(relation.locator, ForkNumber::main, tid.block(), ReadMode::normal,
                            nullptr, &row->buffer));
  const Page page = row->buffer.page();
  VisibilityMap map(pool, relation.locator);
  for (;;) {
    if (is_all_visible(page)) RETURN_IF_ERROR(map.pin(tid.block(), &row->map));
    row->buffer.lock(LockMode::exclusive);
    // It may have become all-visible just now.
    if (!is_all_visible(page) || map.is_pinned(tid.block(), row->map)) break;
    row->buffer.unlock();
  }
  if (tid.offset() == 0 || tid.offset() > page.max_offset() ||
      !page.line_pointer(tid.offset()).is_normal()) {
    row->release();
    return Status::ok;
  }
  row->item = page.line_pointer(tid.offset());
  if (!heap_item_is_sane(page, row->item)) return heap_item_corrupted(relation, tid);
  row->tuple = page.item(row->item);
  return Status::ok;
}

uint8_t logged_xmax_bits(const HeapTupleHeader& header) {
  uint8_t bits = 0;
  if (header.t_infomask & HEAP_XMAX_IS_MULTI) bits |= XLHL_XMAX_IS_MULTI;
  if (header.t_infomask & HEAP_XMAX_LOCK_ONLY) bits |= XLHL_XMAX_LOCK_ONLY;
  if (header.t_infomask & HEAP_XMAX_EXCL_LOCK) bits |= XLHL_XMAX_EXCL_LOCK;
  if (header.t_infomask & HEAP_XMAX_KEYSHR_LOCK) bits |= XLHL_XMAX_KEYSHR_LOCK;
  if (header.t_infomask2 & HEAP_KEYS_UPDATED) bits |= XLHL_KEYS_UPDATED;
  return bits;
}

}  // namespace pgdata
