// Sequential scan, fetch by address, HOT chains.
#include "heap/heap_scan.h"

#include <algorithm>

#include "base/invariant.h"
#include "heap/prune.h"
#include "heap/serializable_read.h"

namespace pgdata {

HeapScan::HeapScan(const ReadContext& context, const HeapRelation& relation,
                   const Snapshot& snapshot)
    : context_(context),
      relation_(relation),
      snapshot_(snapshot),
      visibility_(context, &snapshot) {}

Status HeapScan::begin(const HeapScanOptions& options) {
  end();
  if (notes_reads(relation_, &snapshot_))
    RETURN_IF_ERROR(note_whole_relation(relation_, snapshot_));
  uint32_t blocks = 0;
  RETURN_IF_ERROR(context_.pool_of(relation_.temporary)
                      .storage()
                      .block_count(relation_.locator, ForkNumber::main, &blocks));
  next_block_ = std::min(value_of(options.first), blocks);
  end_block_ = next_block_ + std::min(options.block_count, blocks - next_block_);
  // A scan of a big table must not push everybody else's pages out of the pool.
  strategy_.reset();
  if (end_block_ - next_block_ > context_.pool_of(relation_.temporary).options().buffers / 4)
    strategy_ = std::make_unique<BufferStrategy>(context_.pool_of(relation_.temporary),
                                                 StrategyKind::bulk_read);
  return Status::ok;
}

void HeapScan::end() {
  buffer_.release();
  count_ = 0;
  next_index_ = 0;
  next_block_ = end_block_;
}

Status HeapScan::root_offsets(std::vector<OffsetNumber>* roots) {
  // Of every line pointer, by offset number.
  std::vector<OffsetNumber> root_of;
  buffer_.lock(LockMode::shared);
  Status status = find_roots(&root_of);
  buffer_.unlock();
  RETURN_IF_ERROR(std::move(status));
  roots->clear();
  for (int i = 0; i < count_; i++) {
    const OffsetNumber root = root_of[visible_[i]];
    if (root == invalid_offset_number)
      return Status::error(
          ErrorCode::data_corrupted,
          "failed to find parent tuple for heap-only tuple at (%u,%u) in table \"%s\"",
          value_of(block_), visible_[i], relation_.name.c_str());
    roots->push_back(root);
  }
  return Status::ok;
}

// As heap_get_root_tuples. The page is locked.
Status HeapScan::find_roots(std::vector<OffsetNumber>* root_of) {
  const Page page = buffer_.page();
  const OffsetNumber last = page.max_offset();
  root_of->assign(size_t{last} + 1, invalid_offset_number);
  for (OffsetNumber root = first_offset_number; root <= last; root++) {
    LinePointer item = page.line_pointer(root);
    OffsetNumber member = root;
    if (item.is_redirected()) {
      member = static_cast<OffsetNumber>(item.lp_off());
    } else if (!item.is_normal() || !heap_item_is_sane(page, item) ||
               (reinterpret_cast<const HeapTupleHeader*>(page.item(item))->t_infomask2 &
                HEAP_ONLY_TUPLE) != 0) {
      continue;
    }
    TransactionId prior = invalid_transaction_id;
    // A chain cannot be longer than the page has line pointers.
    for (OffsetNumber steps = 0; steps < last && member >= first_offset_number && member <= last;
         steps++) {
      item = page.line_pointer(member);
      if (!item.is_normal() || !heap_item_is_sane(page, item)) break;
      const auto& header = *reinterpret_cast<const HeapTupleHeader*>(page.item(item));
      if (is_valid(prior) && header.t_xmin != prior) break;
      (*root_of)[member] = root;
      if (!is_hot_updated(header.t_infomask, header.t_infomask2)) break;
      // One that others had locked was updated by a member of a multixact.
      RETURN_IF_ERROR(visibility_.update_xid(header, &prior));
      member = header.t_ctid.offset();
    }
  }
  return Status::ok;
}

Status HeapScan::next_page(bool* found) {
  count_ = 0;
  next_index_ = 0;
  while (next_block_ < end_block_) {
    block_ = BlockNumber{next_block_++};
    RETURN_IF_ERROR(context_.pool_of(relation_.temporary)
                        .read(relation_.locator, ForkNumber::main, block_, ReadMode::normal,
                              strategy_.get(), &buffer_));
    RETURN_IF_ERROR(prune_on_access(context_, relation_, buffer_));
    buffer_.lock(LockMode::shared);
    Status status = collect(buffer_.page());
    visibility_.hints_done(buffer_);
    buffer_.unlock();
    if (!status.is_ok()) return status;
    if (count_ > 0) {
      *found = true;
      return Status::ok;
    }
  }
  buffer_.release();
  *found = false;
  return Status::ok;
}

Status HeapScan::resume() {
  if (count_ == 0 || buffer_) return Status::ok;
  return context_.pool_of(relation_.temporary)
      .read(relation_.locator, ForkNumber::main, block_, ReadMode::normal, strategy_.get(),
            &buffer_);
}

Status HeapScan::deform(ColumnDeformer& deformer, int first, int count, const Column* columns,
                        uint32_t to) const {
  TupleBytes tuples[ColumnDeformer::tuples_max];
  while (count > 0) {
    const int taken = std::min(count, static_cast<int>(ColumnDeformer::tuples_max));
    for (int i = 0; i < taken; i++) {
      const LinePointer item = buffer_.page().line_pointer(visible_[first + i]);
      tuples[i] = {buffer_.page().item(item), item.lp_len()};
    }
    RETURN_IF_ERROR(deformer.deform(tuples, static_cast<uint32_t>(taken), columns, to));
    first += taken;
    to += static_cast<uint32_t>(taken);
    count -= taken;
  }
  return Status::ok;
}

Status HeapScan::collect(const Page& page) {
  const OffsetNumber last = page.max_offset();
  if (last > heap_tuples_per_page_max(page.size()))
    return Status::error(Status::data_corrupted,
                         "page %u of relation \"%s\" has %u line pointers, more than fit",
                         value_of(block_), relation_.name.c_str(), unsigned{last});
  const bool all_visible = (page.header().pd_flags & PD_ALL_VISIBLE) != 0;
  const bool notes = notes_reads(relation_, &snapshot_);
  if (notes) RETURN_IF_ERROR(note_page(snapshot_));
  prefetch_.begin(page);
  for (OffsetNumber offset = first_offset_number; offset <= last; ++offset) {
    prefetch_.advance();
    const LinePointer item = page.line_pointer(offset);
    if (!item.is_normal()) continue;
    if (!heap_item_is_sane(page, item)) [[unlikely]]
      return heap_item_corrupted(relation_, ItemPointer(block_, offset));
    bool visible = true;
    if (!all_visible) {
      HeapTupleHeader& header = *reinterpret_cast<HeapTupleHeader*>(page.item(item));
      RETURN_IF_ERROR(visibility_.satisfies_mvcc(header, buffer_, &visible));
      if (notes) [[unlikely]]
        RETURN_IF_ERROR(note_conflict_out(visibility_, header, buffer_, visible));
    }
    if (visible) visible_[count_++] = offset;
  }
  return Status::ok;
}

namespace {

// A row version that was asked for by its address, or by an index, in a serializable transaction.
Status note_visit(const HeapRelation& relation, Visibility& visibility, HeapTupleHeader& tuple,
                  ItemPointer self, BufferRef& buffer, bool visible) {
  RETURN_IF_ERROR(note_page(*visibility.snapshot()));
  RETURN_IF_ERROR(note_conflict_out(visibility, tuple, buffer, visible));
  if (!visible) return Status::ok;
  return note_tuple(relation, *visibility.snapshot(), tuple, self);
}

}  // namespace

Status heap_fetch(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                  const Snapshot& snapshot, BufferRef* buffer, HeapTuple* tuple, bool* found) {
  *found = false;
  RETURN_IF_ERROR(context.pool_of(relation.temporary)
                      .read(relation.locator, ForkNumber::main, tid.block(), ReadMode::normal,
                            nullptr, buffer));
  buffer->lock(LockMode::shared);
  const Page page = buffer->page();
  if (tid.offset() == 0 || tid.offset() > page.max_offset() ||
      !page.line_pointer(tid.offset()).is_normal()) {
    buffer->unlock();
    return Status::ok;
  }
  const LinePointer item = page.line_pointer(tid.offset());
  Status status;
  if (!heap_item_is_sane(page, item)) {
    status = heap_item_corrupted(relation, tid);
  } else {
    Visibility visibility(context, &snapshot);
    HeapTupleHeader& header = *reinterpret_cast<HeapTupleHeader*>(page.item(item));
    status = visibility.satisfies_mvcc(header, *buffer, found);
    if (status.is_ok() && notes_reads(relation, &snapshot)) [[unlikely]]
      status = note_visit(relation, visibility, header, tid, *buffer, *found);
    visibility.hints_done(*buffer);
    *tuple = {page.item(item), item.lp_len(), tid};
  }
  buffer->unlock();
  return status;
}

Status heap_fetch_any(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                      BufferRef* buffer, HeapTuple* tuple, bool* found) {
  return heap_fetch_dirty(context, relation, tid, buffer, tuple, nullptr, found);
}

Status heap_fetch_dirty(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                        BufferRef* buffer, HeapTuple* tuple, DirtyVerdict* verdict, bool* found) {
  *found = false;
  RETURN_IF_ERROR(context.pool_of(relation.temporary)
                      .read(relation.locator, ForkNumber::main, tid.block(), ReadMode::normal,
                            nullptr, buffer));
  buffer->lock(LockMode::shared);
  const Page page = buffer->page();
  Status status;
  if (tid.offset() != 0 && tid.offset() <= page.max_offset() &&
      page.line_pointer(tid.offset()).is_normal()) {
    const LinePointer item = page.line_pointer(tid.offset());
    if (!heap_item_is_sane(page, item)) {
      status = heap_item_corrupted(relation, tid);
    } else {
      *found = true;
      *tuple = {page.item(item), item.lp_len(), tid};
      if (verdict != nullptr) {
        HeapTupleHeader& header = *reinterpret_cast<HeapTupleHeader*>(page.item(item));
        Visibility visibility(context, nullptr);
        status = visibility.satisfies_dirty(header, *buffer, verdict);
        if (status.is_ok() && !verdict->visible && (header.t_infomask & HEAP_XMAX_INVALID) == 0)
          status = visibility.update_xid(header, &verdict->update_xid);
        verdict->next_tid = header.t_ctid;
        visibility.hints_done(*buffer);
      }
    }
  }
  buffer->unlock();
  return status;
}

namespace {

// Walks the chain that begins at `tid` in a locked page, calling `accept` for each member until it
// says that the member is the one. `accept(header, self, &is_it)`.
template <typename Accept>
Status walk_chain(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                  Visibility& visibility, BufferRef& buffer, HeapTuple* tuple, bool* found,
                  bool* all_dead, Accept accept) {
  const Page page = buffer.page();
  // Nothing is dead to everyone for who does not know everyone.
  if (all_dead != nullptr) *all_dead = context.backend != nullptr;
  OffsetNumber offset = tid.offset();
  bool at_start = true;
  TransactionId previous_xmax = invalid_transaction_id;
  // A chain has no more members than the page has line pointers.
  for (uint32_t steps = 0;; ++steps) {
    if (steps > heap_tuples_per_page_max(page.size()))
      return Status::error(Status::data_corrupted,
                           "HOT chain at (%u,%u) of relation \"%s\" does not end",
                           value_of(tid.block()), unsigned{tid.offset()}, relation.name.c_str());
    if (offset == 0 || offset > page.max_offset()) return Status::ok;
    const LinePointer item = page.line_pointer(offset);
    if (!item.is_normal()) {
      if (!item.is_redirected() || !at_start) return Status::ok;
      offset = static_cast<OffsetNumber>(item.lp_off());
      at_start = false;
      continue;
    }
    const ItemPointer self(tid.block(), offset);
    if (!heap_item_is_sane(page, item)) return heap_item_corrupted(relation, self);
    HeapTupleHeader& header = *reinterpret_cast<HeapTupleHeader*>(page.item(item));
    // A chain's root is no heap-only tuple; such an entry points to a line pointer used anew.
    if (at_start && (header.t_infomask2 & HEAP_ONLY_TUPLE) != 0) return Status::ok;
    // The chain is broken where the next member was not written by whom updated this one.
    if (is_valid(previous_xmax) && previous_xmax != header.t_xmin) return Status::ok;
    bool is_it = false;
    RETURN_IF_ERROR(accept(header, self, &is_it));
    if (is_it) {
      *tuple = {page.item(item), item.lp_len(), self};
      *found = true;
      if (all_dead != nullptr) *all_dead = false;
      return Status::ok;
    }
    if (all_dead != nullptr && *all_dead) {
      *all_dead = Visibility::is_surely_dead(header, [&](TransactionId deleter) {
        return context.backend->is_removable(deleter, relation.is_shared());
      });
    }
    if (!is_hot_updated(header.t_infomask, header.t_infomask2)) return Status::ok;
    if (header.t_ctid.block() != tid.block()) return Status::ok;
    offset = header.t_ctid.offset();
    at_start = false;
    RETURN_IF_ERROR(visibility.update_xid(header, &previous_xmax));
  }
}

// The member that the visibility's snapshot sees. `notes`: a serializable transaction looks.
inline Status find_in_chain(const ReadContext& context, const HeapRelation& relation,
                            ItemPointer tid, Visibility& visibility, bool notes, BufferRef& buffer,
                            HeapTuple* tuple, bool* found, bool* all_dead) {
  return walk_chain(context, relation, tid, visibility, buffer, tuple, found, all_dead,
                    [&](HeapTupleHeader& header, ItemPointer self, bool* is_it) -> Status {
                      RETURN_IF_ERROR(visibility.satisfies_mvcc(header, buffer, is_it));
                      if (!notes) [[likely]]
                        return Status::ok;
                      return note_visit(relation, visibility, header, self, buffer, *is_it);
                    });
}

// A page that is come to anew is pruned first, as by a sequential scan; `*buffer` still on the page of the tuple
// that was returned last is left as it is.
Status read_for_chain(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                      BufferRef* buffer) {
  const bool is_same = buffer->is_valid() && buffer->block() == tid.block() &&
                       buffer->relation() == relation.locator;
  RETURN_IF_ERROR(context.pool_of(relation.temporary)
                      .read(relation.locator, ForkNumber::main, tid.block(), ReadMode::normal,
                            nullptr, buffer));
  if (!is_same) RETURN_IF_ERROR(prune_on_access(context, relation, *buffer));
  buffer->lock(LockMode::shared);
  return Status::ok;
}

}  // namespace

Status heap_hot_search(const ReadContext& context, const HeapRelation& relation, ItemPointer tid,
                       Visibility& visibility, BufferRef* buffer, HeapTuple* tuple, bool* found,
                       bool* all_dead) {
  *found = false;
  RETURN_IF_ERROR(read_for_chain(context, relation, tid, buffer));
  const bool notes = notes_reads(relation, visibility.snapshot());
  Status status =
      find_in_chain(context, relation, tid, visibility, notes, *buffer, tuple, found, all_dead);
  visibility.hints_done(*buffer);
  buffer->unlock();
  return status;
}

Status heap_hot_search_page(const ReadContext& context, const HeapRelation& relation,
                            std::span<const ItemPointer> tids, Visibility& visibility,
                            BufferRef* buffer, HotSearchResult* results) {
  INVARIANT(!tids.empty());
  RETURN_IF_ERROR(read_for_chain(context, relation, tids.front(), buffer));
  const bool notes = notes_reads(relation, visibility.snapshot());
  Status status;
  for (size_t i = 0; i < tids.size() && status.is_ok(); ++i) {
    HotSearchResult& result = results[i];
    result.found = false;
    status = find_in_chain(context, relation, tids[i], visibility, notes, *buffer, &result.tuple,
                           &result.found, &result.all_dead);
  }
  visibility.hints_done(*buffer);
  buffer->unlock();
  return status;
}

Status heap_hot_search_dirty(const ReadContext& context, const HeapRelation& relation,
                             ItemPointer tid, BufferRef* buffer, HeapTuple* tuple,
                             DirtyVerdict* verdict, bool* found, bool* all_dead) {
  *found = false;
  RETURN_IF_ERROR(read_for_chain(context, relation, tid, buffer));
  Visibility visibility(context, nullptr);
  Status status = walk_chain(context, relation, tid, visibility, *buffer, tuple, found, all_dead,
                             [&](HeapTupleHeader& header, ItemPointer, bool* is_it) {
                               Status result = visibility.satisfies_dirty(header, *buffer, verdict);
                               *is_it = verdict->visible;
                               return result;
                             });
  visibility.hints_done(*buffer);
  buffer->unlock();
  return status;
}

}  // namespace pgdata
