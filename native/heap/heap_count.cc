// Counting, with the counts of pages that have not changed.
#include "heap/heap_count.h"

#include <memory>

#include "heap/prune.h"
#include "heap/serializable_read.h"
#include "heap/visibility.h"

namespace pgdata {

namespace {

constexpr uint32_t blocks_ahead = 4;

// The LSN of a page that is pinned only. A change that is under way has not stamped it yet, but that change is by a
// transaction which the snapshot does not see; and two halves of different stamps make no LSN that was remembered.
Lsn lsn_unlocked(const Page& page) {
  const PageHeader& header = page.header();
  return (static_cast<Lsn>(__atomic_load_n(&header.pd_lsn_high, __ATOMIC_RELAXED)) << 32) |
         __atomic_load_n(&header.pd_lsn_low, __ATOMIC_RELAXED);
}

// Looks at every tuple of a locked page, or only counts those of one that is all visible. `*lasting`: the count holds for later snapshots, too.
Status count_page(const HeapRelation& relation, BufferRef& buffer, Visibility& visibility,
                  PageCounts::Entry* entry, bool* lasting) {
  const Page page = buffer.page();
  const OffsetNumber last = page.max_offset();
  if (last > heap_tuples_per_page_max(page.size()))
    return Status::error(Status::data_corrupted,
                         "page %u of relation \"%s\" has %u line pointers, more than fit",
                         value_of(buffer.block()), relation.name.c_str(), unsigned{last});
  *entry = PageCounts::Entry{};
  *lasting = true;
  const bool notes = notes_reads(relation, visibility.snapshot());
  if (notes) RETURN_IF_ERROR(note_page(*visibility.snapshot()));
  if ((page.header().pd_flags & PD_ALL_VISIBLE) != 0) {
    // Each tuple is old enough for all snapshots, and its deletion would have cleared the flag.
    uint32_t normal = 0;
    for (OffsetNumber offset = first_offset_number; offset <= last; ++offset)
      normal += page.line_pointer(offset).is_normal() ? 1 : 0;
    entry->count = normal;
    return Status::ok;
  }
  for (OffsetNumber offset = first_offset_number; offset <= last; ++offset) {
    const LinePointer item = page.line_pointer(offset);
    if (!item.is_normal()) continue;
    if (!heap_item_is_sane(page, item)) [[unlikely]]
      return heap_item_corrupted(relation, ItemPointer(buffer.block(), offset));
    HeapTupleHeader& header = *reinterpret_cast<HeapTupleHeader*>(page.item(item));
    bool visible = false;
    RETURN_IF_ERROR(visibility.satisfies_mvcc(header, buffer, &visible));
    if (notes) [[unlikely]]
      RETURN_IF_ERROR(note_conflict_out(visibility, header, buffer, visible));
    if (visible) entry->count++;
    const uint16_t infomask = header.t_infomask;
    constexpr uint16_t settled = HEAP_XMIN_COMMITTED | HEAP_XMAX_INVALID;
    if (!visible || (infomask & settled) != settled || (infomask & HEAP_MOVED) != 0)
      *lasting = false;
    else if (!xmin_is_frozen(infomask) &&
             (!is_valid(entry->newest) || precedes(entry->newest, header.t_xmin)))
      entry->newest = header.t_xmin;
  }
  return Status::ok;
}

}  // namespace

Status heap_count_block(const ReadContext& context, const HeapRelation& relation,
                        const Snapshot& snapshot, BlockNumber block, uint64_t* count,
                        bool* is_empty) {
  BufferRef buffer;
  RETURN_IF_ERROR(context.pool.read(relation.locator, ForkNumber::main, block, ReadMode::normal,
                                    nullptr, &buffer));
  Visibility visibility(context, &snapshot);
  buffer.lock(LockMode::shared);
  PageCounts::Entry counted;
  bool lasting = false;
  Status status = count_page(relation, buffer, visibility, &counted, &lasting);
  visibility.hints_done(buffer);
  *count = counted.count;
  *is_empty = buffer.page().max_offset() == 0;
  return status;
}

Status heap_count(const ReadContext& context, const HeapRelation& relation,
                  const Snapshot& snapshot, PageCounts* counts, uint64_t* count) {
  *count = 0;
  // A serializable reader looks at a page under its lock, even at one it knows: a writer that has checked for readers
  // may be about to change it.
  const bool notes = notes_reads(relation, &snapshot);
  if (notes) RETURN_IF_ERROR(note_whole_relation(relation, snapshot));
  uint32_t blocks = 0;
  RETURN_IF_ERROR(context.pool.storage().block_count(relation.locator, ForkNumber::main, &blocks));
  std::unique_ptr<BufferStrategy> strategy;
  if (blocks > context.pool.options().buffers / 4)
    strategy = std::make_unique<BufferStrategy>(context.pool, StrategyKind::bulk_read);
  // Changes that are not logged leave the LSN as it is.
  const bool remembers = relation.logged && !snapshot.all_committed;
  PageCounts::Entry* entries = counts->entries(blocks);
  Visibility visibility(context, &snapshot);
  BufferRef buffer;
  for (uint32_t block = 0; block < blocks; block++) {
    // A remembered page costs little but the wait for its first bytes.
    if (block + blocks_ahead < blocks && entries[block + blocks_ahead].lsn != invalid_lsn)
      context.pool.prefetch_recent(entries[block + blocks_ahead].buffer);
    PageCounts::Entry& known = entries[block];
    if (known.lsn == invalid_lsn ||
        !context.pool.read_recent(relation.locator, BlockNumber{block}, known.buffer,
                                  strategy.get(), &buffer))
      RETURN_IF_ERROR(context.pool.read(relation.locator, ForkNumber::main, BlockNumber{block},
                                        ReadMode::normal, strategy.get(), &buffer));
    if (notes) [[unlikely]]
      buffer.lock(LockMode::shared);
    if (remembers && known.lsn != invalid_lsn && known.lsn == lsn_unlocked(buffer.page()) &&
        (!is_valid(known.newest) || precedes(known.newest, snapshot.xmin))) {
      *count += known.count;
      if (notes) buffer.unlock();
      continue;
    }
    if (!notes) {
      RETURN_IF_ERROR(prune_on_access(context, relation, buffer));
      buffer.lock(LockMode::shared);
    }
    const Lsn lsn = buffer.page().lsn();
    PageCounts::Entry counted;
    bool lasting = false;
    Status status = count_page(relation, buffer, visibility, &counted, &lasting);
    visibility.hints_done(buffer);
    buffer.unlock();
    if (!status.is_ok()) return status;
    *count += counted.count;
    if (lasting) counted.lsn = lsn;
    counted.buffer = buffer.number();
    known = counted;
  }
  return Status::ok;
}

}  // namespace pgdata
