// Redo of Heap and Heap2, and the mask of heap pages: tuples put on pages, marked, pruned and frozen as their records
// say.
//
// The visibility map is brought up to date first, whether or not the heap page has the change already: the map's
// page may be the older one of the two. Source: src/backend/access/heap/heapam_xlog.c, PostgreSQL 18.
#include <cstring>

#include "layout/heap_records.h"
#include "layout/heap_tuple.h"
#include "recovery/page_mask.h"
#include "recovery/redo_context.h"
#include "recovery/redo_functions.h"
#include "space/visibility_map.h"

namespace pgdata {

namespace {

void clear_bits(uint16_t& word, uint16_t bits) { word = static_cast<uint16_t>(word & ~bits); }
void set_bits(uint16_t& word, uint16_t bits) { word = static_cast<uint16_t>(word | bits); }

// The normal tuple at an offset, or null when there is none or it does not lie within the page.
HeapTupleHeader* tuple_at(const Page& page, OffsetNumber offset, uint32_t* length) {
  if (offset == invalid_offset_number || offset > page.max_offset()) return nullptr;
  const LinePointer pointer = page.line_pointer(offset);
  *length = pointer.lp_len();
  if (!pointer.is_normal() || pointer.lp_off() < page.header().pd_upper ||
      pointer.lp_off() % 8 != 0 || *length < heap_tuple_header_size ||
      pointer.lp_off() + *length > page.header().pd_special)
    return nullptr;
  return reinterpret_cast<HeapTupleHeader*>(page.item(pointer));
}

// PageSetPrunable.
void set_prunable(const Page& page, TransactionId xid) {
  TransactionId& prune_xid = page.header().pd_prune_xid;
  if (!is_valid(prune_xid) || precedes(xid, prune_xid)) prune_xid = xid;
}

// fix_infomask_from_infobits, after everything about xmax was cleared.
void set_xmax_bits(HeapTupleHeader& tuple, uint8_t infobits) {
  clear_bits(tuple.t_infomask, HEAP_XMAX_BITS | HEAP_MOVED);
  clear_bits(tuple.t_infomask2, HEAP_KEYS_UPDATED);
  if (infobits & XLHL_XMAX_IS_MULTI) set_bits(tuple.t_infomask, HEAP_XMAX_IS_MULTI);
  if (infobits & XLHL_XMAX_LOCK_ONLY) set_bits(tuple.t_infomask, HEAP_XMAX_LOCK_ONLY);
  if (infobits & XLHL_XMAX_EXCL_LOCK) set_bits(tuple.t_infomask, HEAP_XMAX_EXCL_LOCK);
  if (infobits & XLHL_XMAX_KEYSHR_LOCK) set_bits(tuple.t_infomask, HEAP_XMAX_KEYSHR_LOCK);
  if (infobits & XLHL_KEYS_UPDATED) set_bits(tuple.t_infomask2, HEAP_KEYS_UPDATED);
}

// Command ids mean nothing after a crash.
void set_first_command(HeapTupleHeader& tuple) {
  tuple.t_cid = first_command_id;
  clear_bits(tuple.t_infomask, HEAP_COMBOCID);
}

// HEAP_XMAX_IS_LOCKED_ONLY.
bool is_only_locked(uint16_t infomask) {
  return (infomask & HEAP_XMAX_LOCK_ONLY) != 0 ||
         (infomask & (HEAP_XMAX_IS_MULTI | HEAP_LOCK_MASK)) == HEAP_XMAX_EXCL_LOCK;
}

// A tuple under construction, large enough for any page.
struct TupleBuffer {
  alignas(8) std::byte bytes[block_size_max];
  uint32_t length = 0;

  HeapTupleHeader& header() { return *reinterpret_cast<HeapTupleHeader*>(bytes); }

  // A header with what the log says of it; the rest of the tuple is appended.
  void start(const xl_heap_header& logged, TransactionId xmin, TransactionId xmax,
             ItemPointer self) {
    HeapTupleHeader& tuple = header();
    tuple.t_xmin = xmin;
    tuple.t_xmax = xmax;
    tuple.t_cid = first_command_id;
    tuple.t_ctid = self;
    tuple.t_infomask2 = logged.t_infomask2;
    tuple.t_infomask = logged.t_infomask;
    tuple.t_hoff = logged.t_hoff;
    length = heap_tuple_header_size;
  }
  bool append(const std::byte* more, size_t size, uint32_t length_max) {
    if (more == nullptr || size > length_max - length) return false;
    std::memcpy(bytes + length, more, size);
    length += static_cast<uint32_t>(size);
    return true;
  }
  // Puts it at exactly its place; false when the page cannot take it there.
  bool put_on(const Page& page, OffsetNumber offset) {
    if (header().t_hoff < heap_tuple_header_size || header().t_hoff > length) return false;
    if (offset == invalid_offset_number || offset > items_per_page_max(page.size())) return false;
    return page.add_item_overwrite(bytes, length, offset) == offset;
  }
};

// The free space map hears of pages that get full: less than a fifth left.
bool is_running_low(const Page& page, uint32_t free) { return free < page.size() / 5; }

// Reads the page that gets a tuple, made anew if the record says so.
Status take_target(RedoContext& redo, BufferRef* buffer, RedoAction* action) {
  if ((redo.info() & XLOG_HEAP_INIT_PAGE) == 0) return redo.read_block(0, buffer, action);
  RETURN_IF_ERROR(redo.init_block(0, buffer));
  buffer->page().initialize(0);
  *action = RedoAction::needs_redo;
  return Status::ok;
}

Status redo_insert(RedoContext& redo) {
  xl_heap_insert record{};
  if (!RedoBytes(redo).read(&record, xl_heap_insert_size) || !redo.has_block(0))
    return redo.corrupted("insertion without a tuple");
  const WalBlock& target = redo.block(0);
  if ((record.flags & XLH_INSERT_ALL_VISIBLE_CLEARED) != 0)
    RETURN_IF_ERROR(
        redo.clear_visibility(target.relation, target.number, VISIBILITYMAP_VALID_BITS));

  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(take_target(redo, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;

  const Page page = buffer.page();
  RedoBytes data(target);
  xl_heap_header logged{};
  TupleBuffer tuple;
  if (!data.read(&logged, xl_heap_header_size)) return redo.corrupted("insertion without a tuple");
  tuple.start(logged, redo.xid(), invalid_transaction_id,
              ItemPointer(target.number, record.offnum));
  const size_t rest = data.left();
  if (!tuple.append(data.take(rest), rest, heap_tuple_size_max(page.size())) ||
      !tuple.put_on(page, record.offnum))
    return redo.corrupted("failed to add tuple");
  if ((record.flags & XLH_INSERT_ALL_VISIBLE_CLEARED) != 0)
    clear_bits(page.header().pd_flags, PD_ALL_VISIBLE);
  const uint32_t free = page.heap_free_bytes();
  const bool is_low = is_running_low(page, free);
  redo.changed(buffer);
  buffer.release();
  return is_low ? redo.record_free_space(target.relation, target.number, free) : Status();
}

Status redo_multi_insert(RedoContext& redo) {
  const bool is_new_page = (redo.info() & XLOG_HEAP_INIT_PAGE) != 0;
  xl_heap_multi_insert record{};
  RedoBytes main(redo);
  if (!main.read(&record, xl_heap_multi_insert_size) || !redo.has_block(0))
    return redo.corrupted("insertion without tuples");
  const std::byte* offsets =
      is_new_page ? nullptr : main.take(record.ntuples * sizeof(OffsetNumber));
  if (!is_new_page && offsets == nullptr) return redo.corrupted("insertion without offsets");
  const WalBlock& target = redo.block(0);
  if ((record.flags & XLH_INSERT_ALL_VISIBLE_CLEARED) != 0)
    RETURN_IF_ERROR(
        redo.clear_visibility(target.relation, target.number, VISIBILITYMAP_VALID_BITS));

  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(take_target(redo, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;

  const Page page = buffer.page();
  const uint32_t length_max = heap_tuple_size_max(page.size());
  RedoBytes data(target);
  TupleBuffer tuple;
  for (uint32_t i = 0; i < record.ntuples; i++) {
    // Headers are aligned, counted from the start of the data.
    if ((target.data_length - data.left()) % 2 != 0) data.take(1);
    xl_multi_insert_tuple each{};
    if (!data.read(&each, xl_multi_insert_tuple_size))
      return redo.corrupted("insertion without a tuple");
    const OffsetNumber offset = is_new_page
                                    ? static_cast<OffsetNumber>(first_offset_number + i)
                                    : load<OffsetNumber>(offsets + i * sizeof(OffsetNumber));
    tuple.start({each.t_infomask2, each.t_infomask, each.t_hoff, 0}, redo.xid(),
                invalid_transaction_id, ItemPointer(target.number, offset));
    if (!tuple.append(data.take(each.datalen), each.datalen, length_max) ||
        !tuple.put_on(page, offset))
      return redo.corrupted("failed to add tuple");
  }
  if (data.left() != 0) return redo.corrupted("total tuple length mismatch");
  if ((record.flags & XLH_INSERT_ALL_VISIBLE_CLEARED) != 0)
    clear_bits(page.header().pd_flags, PD_ALL_VISIBLE);
  if ((record.flags & XLH_INSERT_ALL_FROZEN_SET) != 0)
    set_bits(page.header().pd_flags, PD_ALL_VISIBLE);
  const uint32_t free = page.heap_free_bytes();
  const bool is_low = is_running_low(page, free);
  redo.changed(buffer);
  buffer.release();
  return is_low ? redo.record_free_space(target.relation, target.number, free) : Status();
}

Status redo_delete(RedoContext& redo) {
  xl_heap_delete record{};
  if (!RedoBytes(redo).read(&record, xl_heap_delete_size) || !redo.has_block(0))
    return redo.corrupted("deletion without a tuple");
  const WalBlock& target = redo.block(0);
  if ((record.flags & XLH_DELETE_ALL_VISIBLE_CLEARED) != 0)
    RETURN_IF_ERROR(
        redo.clear_visibility(target.relation, target.number, VISIBILITYMAP_VALID_BITS));

  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;

  const Page page = buffer.page();
  uint32_t length = 0;
  HeapTupleHeader* tuple = tuple_at(page, record.offnum, &length);
  if (tuple == nullptr) return redo.corrupted("invalid line pointer");
  set_xmax_bits(*tuple, record.infobits_set);
  clear_bits(tuple->t_infomask2, HEAP_HOT_UPDATED);
  if ((record.flags & XLH_DELETE_IS_SUPER) != 0) {
    tuple->t_xmin = invalid_transaction_id;
  } else {
    tuple->t_xmax = record.xmax;
  }
  set_first_command(*tuple);
  set_prunable(page, redo.xid());
  if ((record.flags & XLH_DELETE_ALL_VISIBLE_CLEARED) != 0)
    clear_bits(page.header().pd_flags, PD_ALL_VISIBLE);
  tuple->t_ctid = (record.flags & XLH_DELETE_IS_PARTITION_MOVE) != 0
                      ? ItemPointer(invalid_block_number, moved_partitions_offset_number)
                      : ItemPointer(target.number, record.offnum);
  redo.changed(buffer);
  return Status::ok;
}

// The new version of an updated row, put together from the record and, where they are equal, its old version.
Status build_new_version(RedoContext& redo, const xl_heap_update& record,
                         const HeapTupleHeader* old_tuple, uint32_t old_length, ItemPointer self,
                         uint32_t length_max, TupleBuffer* tuple) {
  RedoBytes data(redo.block(0));
  uint16_t prefix = 0;
  uint16_t suffix = 0;
  const bool has_prefix = (record.flags & XLH_UPDATE_PREFIX_FROM_OLD) != 0;
  const bool has_suffix = (record.flags & XLH_UPDATE_SUFFIX_FROM_OLD) != 0;
  xl_heap_header logged{};
  if ((has_prefix && !data.read(&prefix)) || (has_suffix && !data.read(&suffix)) ||
      !data.read(&logged, xl_heap_header_size))
    return redo.corrupted("update without a tuple");
  if ((has_prefix || has_suffix) && old_tuple == nullptr)
    return redo.corrupted("update that refers to a tuple on another page");
  tuple->start(logged, redo.xid(), record.new_xmax, self);

  const auto* old_bytes = reinterpret_cast<const std::byte*>(old_tuple);
  bool fits = true;
  if (prefix > 0) {
    // The prefix is of the values: the null bitmap comes before it, from the record.
    fits = logged.t_hoff >= heap_tuple_header_size && old_tuple->t_hoff + prefix <= old_length;
    if (fits) {
      const size_t bitmap = logged.t_hoff - heap_tuple_header_size;
      fits = tuple->append(data.take(bitmap), bitmap, length_max) &&
             tuple->append(old_bytes + old_tuple->t_hoff, prefix, length_max);
    }
  }
  const size_t rest = data.left();
  fits = fits && tuple->append(data.take(rest), rest, length_max);
  if (suffix > 0)
    fits = fits && suffix <= old_length &&
           tuple->append(old_bytes + old_length - suffix, suffix, length_max);
  return fits ? Status() : redo.corrupted("failed to add tuple");
}

Status redo_update(RedoContext& redo, bool is_hot) {
  xl_heap_update record{};
  if (!RedoBytes(redo).read(&record, xl_heap_update_size) || !redo.has_block(0))
    return redo.corrupted("update without a tuple");
  const WalBlock& target = redo.block(0);
  const bool same_page = !redo.has_block(1);
  if (is_hot && !same_page) return redo.corrupted("update within a page that has two pages");
  const BlockNumber old_block = same_page ? target.number : redo.block(1).number;
  const ItemPointer new_tid(target.number, record.new_offnum);
  if ((record.flags & XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED) != 0)
    RETURN_IF_ERROR(redo.clear_visibility(target.relation, old_block, VISIBILITYMAP_VALID_BITS));
  if ((record.flags & XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED) != 0)
    RETURN_IF_ERROR(
        redo.clear_visibility(target.relation, target.number, VISIBILITYMAP_VALID_BITS));

  BufferRef old_buffer;
  RedoAction old_action;
  HeapTupleHeader* old_tuple = nullptr;
  uint32_t old_length = 0;
  RETURN_IF_ERROR(redo.read_block(same_page ? 0 : 1, &old_buffer, &old_action));
  if (old_action == RedoAction::needs_redo) {
    const Page page = old_buffer.page();
    old_tuple = tuple_at(page, record.old_offnum, &old_length);
    if (old_tuple == nullptr) return redo.corrupted("invalid line pointer");
    set_xmax_bits(*old_tuple, record.old_infobits_set);
    if (is_hot) {
      set_bits(old_tuple->t_infomask2, HEAP_HOT_UPDATED);
    } else {
      clear_bits(old_tuple->t_infomask2, HEAP_HOT_UPDATED);
    }
    old_tuple->t_xmax = record.old_xmax;
    set_first_command(*old_tuple);
    old_tuple->t_ctid = new_tid;
    set_prunable(page, redo.xid());
    if ((record.flags & XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED) != 0)
      clear_bits(page.header().pd_flags, PD_ALL_VISIBLE);
    if (!same_page) redo.changed(old_buffer);
  }

  BufferRef other_buffer;
  RedoAction action = old_action;
  if (!same_page) RETURN_IF_ERROR(take_target(redo, &other_buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;

  BufferRef& buffer = same_page ? old_buffer : other_buffer;
  const Page page = buffer.page();
  TupleBuffer tuple;
  RETURN_IF_ERROR(build_new_version(redo, record, same_page ? old_tuple : nullptr, old_length,
                                    new_tid, heap_tuple_size_max(page.size()), &tuple));
  if (!tuple.put_on(page, record.new_offnum)) return redo.corrupted("failed to add tuple");
  if ((record.flags & XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED) != 0)
    clear_bits(page.header().pd_flags, PD_ALL_VISIBLE);
  const uint32_t free = page.heap_free_bytes();
  // After a HOT update one of the two versions is dead and will be pruned: there is as much room as before.
  const bool is_low = !is_hot && is_running_low(page, free);
  redo.changed(buffer);
  other_buffer.release();
  old_buffer.release();
  return is_low ? redo.record_free_space(target.relation, target.number, free) : Status();
}

Status redo_confirm(RedoContext& redo) {
  xl_heap_confirm record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("confirmation without a tuple");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  uint32_t length = 0;
  HeapTupleHeader* tuple = tuple_at(buffer.page(), record.offnum, &length);
  if (tuple == nullptr) return redo.corrupted("invalid line pointer");
  tuple->t_ctid = ItemPointer(redo.block(0).number, record.offnum);
  redo.changed(buffer);
  return Status::ok;
}

// Of a row, or (`of_old_version`) of a row version that was updated since: that one keeps its successor.
Status redo_lock(RedoContext& redo, bool of_old_version) {
  xl_heap_lock record{};
  if (!RedoBytes(redo).read(&record, xl_heap_lock_size) || !redo.has_block(0))
    return redo.corrupted("lock without a tuple");
  const WalBlock& target = redo.block(0);
  if ((record.flags & XLH_LOCK_ALL_FROZEN_CLEARED) != 0)
    RETURN_IF_ERROR(
        redo.clear_visibility(target.relation, target.number, VISIBILITYMAP_ALL_FROZEN));

  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  uint32_t length = 0;
  HeapTupleHeader* tuple = tuple_at(buffer.page(), record.offnum, &length);
  if (tuple == nullptr) return redo.corrupted("invalid line pointer");
  set_xmax_bits(*tuple, record.infobits_set);
  tuple->t_xmax = record.xmax;
  if (!of_old_version) {
    if (is_only_locked(tuple->t_infomask)) {
      clear_bits(tuple->t_infomask2, HEAP_HOT_UPDATED);
      tuple->t_ctid = ItemPointer(target.number, record.offnum);
    }
    set_first_command(*tuple);
  }
  redo.changed(buffer);
  return Status::ok;
}

// The invalidation messages that the record carries are for backends that run while it is replayed.
Status redo_inplace(RedoContext& redo) {
  xl_heap_inplace record{};
  if (!RedoBytes(redo).read(&record, xl_heap_inplace_size) || !redo.has_block(0))
    return redo.corrupted("change in place without a tuple");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  uint32_t length = 0;
  HeapTupleHeader* tuple = tuple_at(buffer.page(), record.offnum, &length);
  if (tuple == nullptr) return redo.corrupted("invalid line pointer");
  const WalBlock& target = redo.block(0);
  if (target.data == nullptr || tuple->t_hoff < heap_tuple_header_size ||
      tuple->t_hoff + target.data_length != length)
    return redo.corrupted("wrong tuple length");
  std::memcpy(reinterpret_cast<std::byte*>(tuple) + tuple->t_hoff, target.data, target.data_length);
  redo.changed(buffer);
  return Status::ok;
}

// Offset numbers in a record, which need not be aligned.
class LoggedOffsets {
 public:
  uint32_t count = 0;
  bool read(RedoBytes& data, uint32_t number) {
    count = number;
    bytes_ = data.take(number * sizeof(OffsetNumber));
    return bytes_ != nullptr;
  }
  // An xlhp_prune_items with so many offset numbers to an item.
  bool read_items(RedoBytes& data, uint32_t offsets_per_item) {
    xlhp_prune_items items{};
    return data.read(&items) && read(data, items.ntargets * offsets_per_item);
  }
  OffsetNumber operator[](uint32_t i) const {
    return load<OffsetNumber>(bytes_ + i * sizeof(OffsetNumber));
  }
  bool all_on(const Page& page) const {
    const OffsetNumber last = page.max_offset();
    for (uint32_t i = 0; i < count; i++)
      if ((*this)[i] == invalid_offset_number || (*this)[i] > last) return false;
    return true;
  }

 private:
  const std::byte* bytes_ = nullptr;
};

// What pruning and freezing did to a page (heap_xlog_deserialize_prune_and_freeze).
struct LoggedPruning {
  uint32_t plan_count = 0;
  const std::byte* plans = nullptr;
  LoggedOffsets redirected;  // pairs: from, to
  LoggedOffsets dead;
  LoggedOffsets unused;
  RedoBytes rest{nullptr, 0};  // offset numbers of the plans, one plan after the other

  bool read(const WalBlock& block, uint8_t flags) {
    RedoBytes data(block);
    if ((flags & XLHP_HAS_FREEZE_PLANS) != 0) {
      xlhp_freeze_plans header{};
      if (!data.read(&header)) return false;
      plan_count = header.nplans;
      plans = data.take(plan_count * sizeof(xlhp_freeze_plan));
      if (plans == nullptr) return false;
    }
    if ((flags & XLHP_HAS_REDIRECTIONS) != 0 && !redirected.read_items(data, 2)) return false;
    if ((flags & XLHP_HAS_DEAD_ITEMS) != 0 && !dead.read_items(data, 1)) return false;
    if ((flags & XLHP_HAS_NOW_UNUSED_ITEMS) != 0 && !unused.read_items(data, 1)) return false;
    rest = data;
    return true;
  }
};

// heap_page_prune_execute.
Status prune_page(RedoContext& redo, const Page& page, const LoggedPruning& pruning,
                  bool moves_tuples) {
  if (!pruning.redirected.all_on(page) || !pruning.dead.all_on(page) ||
      !pruning.unused.all_on(page))
    return redo.corrupted("invalid line pointer");
  if (!moves_tuples && (pruning.redirected.count > 0 || pruning.dead.count > 0))
    return redo.corrupted("pruning without a cleanup lock");
  for (uint32_t i = 0; i + 1 < pruning.redirected.count; i += 2)
    page.line_pointer(pruning.redirected[i]) =
        LinePointer(pruning.redirected[i + 1], LinePointerFlags::LP_REDIRECT, 0);
  for (uint32_t i = 0; i < pruning.dead.count; i++)
    page.line_pointer(pruning.dead[i]) = LinePointer(0, LinePointerFlags::LP_DEAD, 0);
  for (uint32_t i = 0; i < pruning.unused.count; i++)
    page.line_pointer(pruning.unused[i]) = LinePointer();
  if (!moves_tuples) {
    page.truncate_line_pointers();
    return Status::ok;
  }
  if (!page.verify_items(redo.block(0).number, "").is_ok())
    return redo.corrupted("corrupted line pointer");
  page.repair_fragmentation();
  return Status::ok;
}

// heap_execute_freeze_tuple, for all tuples of all plans.
Status freeze_tuples(RedoContext& redo, const Page& page, LoggedPruning& pruning) {
  for (uint32_t i = 0; i < pruning.plan_count; i++) {
    const auto plan = load<xlhp_freeze_plan>(pruning.plans + i * sizeof(xlhp_freeze_plan));
    LoggedOffsets offsets;
    if (!offsets.read(pruning.rest, plan.ntuples))
      return redo.corrupted("freeze plan without tuples");
    for (uint32_t j = 0; j < offsets.count; j++) {
      uint32_t length = 0;
      HeapTupleHeader* tuple = tuple_at(page, offsets[j], &length);
      if (tuple == nullptr) return redo.corrupted("invalid line pointer");
      tuple->t_xmax = plan.xmax;
      // t_xvac, of releases before 9.0, is where t_cid is.
      if ((plan.frzflags & XLH_FREEZE_XVAC) != 0) tuple->t_cid = value_of(frozen_transaction_id);
      if ((plan.frzflags & XLH_INVALID_XVAC) != 0) tuple->t_cid = value_of(invalid_transaction_id);
      tuple->t_infomask = plan.t_infomask;
      tuple->t_infomask2 = plan.t_infomask2;
    }
  }
  if (pruning.rest.left() != 0) return redo.corrupted("pruning with more data than it says");
  return Status::ok;
}

Status redo_prune(RedoContext& redo) {
  RedoBytes main(redo);
  xl_heap_prune record{};
  if (!main.read(&record, xl_heap_prune_size) || !redo.has_block(0))
    return redo.corrupted("pruning without a page");
  // The conflict horizon that may follow is for queries that run while the record is replayed.
  const bool moves_tuples = (record.flags & XLHP_CLEANUP_LOCK) != 0;
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action, moves_tuples));
  if (action == RedoAction::not_found) return Status::ok;

  const WalBlock& target = redo.block(0);
  const Page page = buffer.page();
  if (action == RedoAction::needs_redo) {
    LoggedPruning pruning;
    if (!pruning.read(target, record.flags)) return redo.corrupted("pruning with too little data");
    if (pruning.redirected.count + pruning.dead.count + pruning.unused.count > 0)
      RETURN_IF_ERROR(prune_page(redo, page, pruning, moves_tuples));
    RETURN_IF_ERROR(freeze_tuples(redo, page, pruning));
    redo.changed(buffer);
  }
  constexpr uint8_t frees_space =
      XLHP_HAS_REDIRECTIONS | XLHP_HAS_DEAD_ITEMS | XLHP_HAS_NOW_UNUSED_ITEMS;
  if ((record.flags & frees_space) == 0) return Status::ok;
  const uint32_t free = page.heap_free_bytes();
  buffer.release();
  return redo.record_free_space(target.relation, target.number, free);
}

// Sets a heap block's bits on its page of the map (visibilitymap_set).
void set_visibility_bits(const Page& map, BlockNumber heap_block, uint8_t flags) {
  const auto map_bytes = static_cast<uint32_t>(map.size() - max_align(sizeof(PageHeader)));
  const uint32_t index = value_of(heap_block) % (map_bytes * 4);
  std::byte& byte = map.bytes()[max_align(sizeof(PageHeader)) + index / 4];
  byte |= static_cast<std::byte>(flags << (index % 4 * 2));
}

Status redo_visible(RedoContext& redo) {
  xl_heap_visible record{};
  if (!RedoBytes(redo).read(&record, xl_heap_visible_size) || !redo.has_block(0) ||
      !redo.has_block(1))
    return redo.corrupted("visibility without a page");
  const WalBlock& heap = redo.block(1);
  const auto flags = static_cast<uint8_t>(record.flags & VISIBILITYMAP_VALID_BITS);

  // The heap page first: a bit in the map without the flag on the page would never be cleared.
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    set_bits(buffer.page().header().pd_flags, PD_ALL_VISIBLE);
    // Where hints are not logged the flag needs no protection against torn writes, and the page no new LSN.
    if (redo.services().pool.options().log_hints) {
      redo.changed(buffer);
    } else {
      redo.services().pool.mark_dirty(buffer);
    }
  }
  if (action != RedoAction::not_found) {
    const uint32_t free = buffer.page().free_bytes();
    buffer.release();
    // The map of free space is behind in replay; vacuum will not look at the page again to correct it.
    if (flags != 0) RETURN_IF_ERROR(redo.record_free_space(heap.relation, heap.number, free));
  }

  // Also when the heap page had the change already: what clears a bit does so before it looks at the LSN.
  BufferRef map_buffer;
  RETURN_IF_ERROR(redo.read_map_block(0, &map_buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const Page page = map_buffer.page();
  if (page.is_new()) page.initialize(0);
  set_visibility_bits(page, heap.number, flags);
  redo.changed(map_buffer);
  return Status::ok;
}

}  // namespace

Status heap_redo(RedoContext& redo) {
  switch (redo.info() & XLOG_HEAP_OPMASK) {
    case XLOG_HEAP_INSERT:
      return redo_insert(redo);
    case XLOG_HEAP_DELETE:
      return redo_delete(redo);
    case XLOG_HEAP_UPDATE:
      return redo_update(redo, false);
    case XLOG_HEAP_TRUNCATE:
      return Status::ok;  // For logical decoding; the files' own records do the work.
    case XLOG_HEAP_HOT_UPDATE:
      return redo_update(redo, true);
    case XLOG_HEAP_CONFIRM:
      return redo_confirm(redo);
    case XLOG_HEAP_LOCK:
      return redo_lock(redo, false);
    case XLOG_HEAP_INPLACE:
      return redo_inplace(redo);
    default:
      return redo.corrupted("unknown operation");
  }
}

Status heap2_redo(RedoContext& redo) {
  switch (redo.info() & XLOG_HEAP_OPMASK) {
    case XLOG_HEAP2_PRUNE_ON_ACCESS:
    case XLOG_HEAP2_PRUNE_VACUUM_SCAN:
    case XLOG_HEAP2_PRUNE_VACUUM_CLEANUP:
      return redo_prune(redo);
    case XLOG_HEAP2_VISIBLE:
      return redo_visible(redo);
    case XLOG_HEAP2_MULTI_INSERT:
      return redo_multi_insert(redo);
    case XLOG_HEAP2_LOCK_UPDATED:
      return redo_lock(redo, true);
    case XLOG_HEAP2_NEW_CID:
      return Status::ok;  // For logical decoding.
    case XLOG_HEAP2_REWRITE:
      return logical_rewrite_redo(redo);
    default:
      return redo.corrupted("unknown operation");
  }
}

void heap_mask(Page page, BlockNumber block) {
  mask_page_lsn_and_checksum(page);
  mask_page_hint_bits(page);
  mask_unused_space(page);
  const OffsetNumber last = page.max_offset();
  for (OffsetNumber offset = first_offset_number; offset <= last; offset++) {
    const LinePointer pointer = page.line_pointer(offset);
    uint32_t length = 0;
    if (HeapTupleHeader* tuple = tuple_at(page, offset, &length); tuple != nullptr) {
      // Hint bits are not logged.
      const bool is_frozen = (tuple->t_infomask & HEAP_XMIN_FROZEN) == HEAP_XMIN_FROZEN;
      clear_bits(tuple->t_infomask,
                 is_frozen ? HEAP_XMAX_INVALID | HEAP_XMAX_COMMITTED : HEAP_XACT_MASK);
      // Nor are command ids,
      tuple->t_cid = 0;
      // nor the token of a speculative insertion, which is where the tuple's address will be.
      if (tuple->t_ctid.offset() == spec_token_offset_number)
        tuple->t_ctid = ItemPointer(block, offset);
    }
    const uint32_t end = pointer.lp_off() + pointer.lp_len();
    const auto padded_end = static_cast<uint32_t>(max_align(end));
    if (pointer.has_storage() && padded_end <= page.size())
      std::memset(page.bytes() + end, 0, padded_end - end);
  }
}

}  // namespace pgdata
