// Counting, with the counts of pages that have not changed.
#include "heap/heap_count.h"

#include <memory>

#include "heap/prune.h"
#include "heap/serializable_read.h"
#include "heap/tuple_prefetch.h"
#include "heap/visibility.h"

namespace pgdata {

namespace {

// Looks at every tuple of a locked page, or only counts those of one that is all visible. `*lasting`: the count holds for later snapshots, too.
Status count_page(const HeapRelation& relation, BufferRef& buffer, Visibility& visibility,
                  TuplePrefetch& prefetch, PageCounts::Entry* entry, bool* lasting) {
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
  prefetch.begin(page);
  for (OffsetNumber offset = first_offset_number; offset <= last; ++offset) {
    prefetch.advance();
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
  RETURN_IF_ERROR(
      context.pool_of(relation.temporary)
          .read(relation.locator, ForkNumber::main, block, ReadMode::normal, nullptr, &buffer));
  Visibility visibility(context, &snapshot);
  TuplePrefetch prefetch;
  buffer.lock(LockMode::shared);
  PageCounts::Entry counted;
  bool lasting = false;
  Status status = count_page(relation, buffer, visibility, prefetch, &counted, &lasting);
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
  RETURN_IF_ERROR(context.pool_of(relation.temporary)
                      .storage()
                      .block_count(relation.locator, ForkNumber::main, &blocks));
  std::unique_ptr<BufferStrategy> strategy;
  if (blocks > context.pool_of(relation.temporary).options().buffers / 4)
    strategy = std::make_unique<BufferStrategy>(context.pool_of(relation.temporary),
                                                StrategyKind::bulk_read);
  const bool remembers = !snapshot.all_committed;
  PageCounts::Entry* entries = counts->entries(blocks);
  Visibility visibility(context, &snapshot);
  TuplePrefetch prefetch;
  BufferRef buffer;
  for (uint32_t number = 0; number < blocks; number++) {
    const BlockNumber block{number};
    PageCounts::Entry& known = entries[number];
    // A change that is under way is by a transaction which the snapshot does not see, or leaves what all see as it is.
    const auto is_known = [&] {
      return remembers &&
             context.pool_of(relation.temporary)
                 .is_unchanged(relation.locator, block, known.version) &&
             (!is_valid(known.newest) || precedes(known.newest, snapshot.xmin));
    };
    if (!notes && is_known()) {
      *count += known.count;
      continue;
    }
    RETURN_IF_ERROR(context.pool_of(relation.temporary)
                        .read(relation.locator, ForkNumber::main, block, ReadMode::normal,
                              strategy.get(), &buffer));
    if (notes) [[unlikely]] {
      buffer.lock(LockMode::shared);
      if (is_known()) {
        *count += known.count;
        buffer.unlock();
        continue;
      }
    }
    if (!notes) {
      RETURN_IF_ERROR(prune_on_access(context, relation, buffer));
      buffer.lock(LockMode::shared);
    }
    PageCounts::Entry counted;
    bool lasting = false;
    Status status = count_page(relation, buffer, visibility, prefetch, &counted, &lasting);
    visibility.hints_done(buffer);
    if (lasting) counted.version = buffer.version();
    buffer.unlock();
    if (!status.is_ok()) return status;
    *count += counted.count;
    known = counted;
  }
  return Status::ok;
}

}  // namespace pgdata
