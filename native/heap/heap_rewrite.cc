// HeapRewrite: pages are filled in private memory and logged whole.
#include "heap/heap_rewrite.h"

#include <cstring>

#include "base/invariant.h"

namespace pgdata {

namespace {

HeapTupleHeader& header_of(std::vector<std::byte>& tuple) {
  return *reinterpret_cast<HeapTupleHeader*>(tuple.data());
}

}  // namespace

HeapRewrite::HeapRewrite(Backend& backend, const HeapRelation& target, const VacuumCutoffs& cutoffs)
    : backend_(backend),
      target_(target),
      cutoffs_(cutoffs),
      freezer_(backend, cutoffs),
      strategy_(backend.pool_of(target.temporary), StrategyKind::bulk_write),
      page_(backend.pool().options().block_size) {
  left_.freeze_required = true;
  left_.freeze_relfrozenxid = left_.no_freeze_relfrozenxid = cutoffs.OldestXmin;
  left_.freeze_relminmxid = left_.no_freeze_relminmxid = cutoffs.OldestMxact;
}

TransactionId HeapRewrite::relfrozenxid() const {
  return precedes(left_.freeze_relfrozenxid, cutoffs_.FreezeLimit) ? left_.freeze_relfrozenxid
                                                                   : cutoffs_.FreezeLimit;
}

MultiXactId HeapRewrite::relminmxid() const {
  return multixact_precedes(left_.freeze_relminmxid, cutoffs_.MultiXactCutoff)
             ? left_.freeze_relminmxid
             : cutoffs_.MultiXactCutoff;
}

Status HeapRewrite::add(const HeapVersion& version) {
  const HeapTupleHeader& old = version.tuple.header();
  const ItemPointer old_tid = version.tuple.self;
  switch (version.verdict) {
    case VacuumVerdict::dead:
      // Its predecessor, if it waits for this one, is dead, too.
      dead_++;
      unresolved_.erase({value_of(old.t_xmin), old_tid});
      return Status::ok;
    case VacuumVerdict::live:
      live_++;
      break;
    case VacuumVerdict::recently_dead:
      recently_dead_++;
      break;
    case VacuumVerdict::insert_in_progress:
      if (!backend_.is_current(old.t_xmin) && !target_.is_catalog()) return in_use();
      live_++;
      break;
    case VacuumVerdict::delete_in_progress: {
      Visibility visibility(backend_, nullptr);
      TransactionId deleter = invalid_transaction_id;
      RETURN_IF_ERROR(visibility.update_xid(old, &deleter));
      if (!backend_.is_current(deleter) && !target_.is_catalog()) return in_use();
      recently_dead_++;
      break;
    }
  }
  std::vector<std::byte> tuple(version.tuple.bytes, version.tuple.bytes + version.tuple.length);
  HeapTupleHeader& header = header_of(tuple);
  TransactionId updater = invalid_transaction_id;
  const bool is_updated = (old.t_infomask & HEAP_XMAX_INVALID) == 0 &&
                          !xmax_is_locked_only(old.t_infomask) && old.t_ctid != old_tid &&
                          old.t_ctid.offset() != moved_partitions_offset_number;
  if (is_updated) {
    Visibility visibility(backend_, nullptr);
    RETURN_IF_ERROR(visibility.update_xid(old, &updater));
  }
  header.t_infomask2 = static_cast<uint16_t>(header.t_infomask2 & ~HEAP2_XACT_MASK);
  TupleFreeze plan;
  bool has_plan = false;
  bool totally_frozen = false;
  RETURN_IF_ERROR(freezer_.prepare(header, &left_, &plan, &has_plan, &totally_frozen));
  if (has_plan) {
    execute_freeze(header, plan);
    frozen_++;
  }
  header.t_ctid = ItemPointer();

  if (is_updated && is_valid(updater)) {
    const Key successor{value_of(updater), old.t_ctid};
    const auto placed = placed_.find(successor);
    if (placed == placed_.end()) {
      unresolved_.insert_or_assign(successor, Pending{std::move(tuple), old_tid});
      return Status::ok;
    }
    header.t_ctid = placed->second;
    placed_.erase(placed);
  }
  return put(std::move(tuple), old_tid);
}

Status HeapRewrite::in_use() const {
  return Status::error(ErrorCode::object_in_use,
                       "a transaction that has not ended writes relation \"%s\"",
                       target_.name.c_str());
}

// Puts a version whose successor is known, and then every predecessor that waited for it.
Status HeapRewrite::put(std::vector<std::byte> tuple, ItemPointer old_tid) {
  for (;;) {
    ItemPointer new_tid;
    RETURN_IF_ERROR(put_on_page(tuple, &new_tid));
    const HeapTupleHeader& header = header_of(tuple);
    // Without an older version that somebody may see, nobody waits.
    if ((header.t_infomask & HEAP_UPDATED) == 0 || precedes(header.t_xmin, cutoffs_.OldestXmin))
      return Status::ok;
    const Key self{value_of(header.t_xmin), old_tid};
    const auto waiting = unresolved_.find(self);
    if (waiting == unresolved_.end()) {
      placed_.insert_or_assign(self, new_tid);
      return Status::ok;
    }
    tuple = std::move(waiting->second.tuple);
    old_tid = waiting->second.old_tid;
    unresolved_.erase(waiting);
    header_of(tuple).t_ctid = new_tid;
  }
}

Status HeapRewrite::put_on_page(const std::vector<std::byte>& tuple, ItemPointer* tid) {
  const auto length = static_cast<uint32_t>(tuple.size());
  const auto size = static_cast<uint32_t>(page_.size());
  const uint32_t reserved = size * (100 - target_.fillfactor) / 100;
  const Page page(page_.data(), size);
  if (page_in_use_ && max_align(length) + reserved > page.heap_free_bytes())
    RETURN_IF_ERROR(emit_page());
  if (!page_in_use_) page.initialize(0);
  page_in_use_ = true;
  const OffsetNumber offset = page.add_item(tuple.data(), length, invalid_offset_number, true);
  if (offset == invalid_offset_number)
    return Status::error(ErrorCode::data_corrupted,
                         "failed to add tuple of %u bytes to a new page of relation \"%s\"", length,
                         target_.name.c_str());
  *tid = ItemPointer(BlockNumber{blocks_}, offset);
  auto& header = *reinterpret_cast<HeapTupleHeader*>(page.item_at(offset));
  // The last version of its row points to itself.
  if (!header.t_ctid.is_valid()) header.t_ctid = *tid;
  return Status::ok;
}

Status HeapRewrite::emit_page() {
  BufferRef buffer;
  BlockNumber block = invalid_block_number;
  RETURN_IF_ERROR(backend_.pool_of(target_.temporary)
                      .extend(target_.locator, ForkNumber::main, 1, &strategy_, &buffer, &block));
  INVARIANT(block == BlockNumber{blocks_});
  std::memcpy(buffer.page().bytes(), page_.data(), page_.size());
  if (target_.logged)
    RETURN_IF_ERROR(log_new_page(backend_.services(), backend_.xid(), buffer, true));
  else
    backend_.pool_of(target_.temporary).mark_dirty(buffer);
  blocks_++;
  page_in_use_ = false;
  return Status::ok;
}

Status HeapRewrite::finish() {
  // Their successors were removed, by an abort for instance.
  while (!unresolved_.empty()) {
    auto first = unresolved_.begin();
    std::vector<std::byte> tuple = std::move(first->second.tuple);
    unresolved_.erase(first);
    ItemPointer tid;
    RETURN_IF_ERROR(put_on_page(tuple, &tid));
  }
  return page_in_use_ ? emit_page() : Status();
}

}  // namespace pgdata
