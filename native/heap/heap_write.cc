// Insert, insert many, delete, update: each modifies its pages and logs that, as one Change.
#include "heap/heap_write.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "base/invariant.h"
#include "heap/old_row.h"
#include "heap/serializable_read.h"
#include "heap/toast.h"
#include "layout/heap_records.h"
#include "space/visibility_map.h"
#include "tuple/deform.h"
#include "tuple/form.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

HeapTupleHeader& header_of(std::byte* tuple) { return *reinterpret_cast<HeapTupleHeader*>(tuple); }

bool is_all_visible(const Page& page) { return (page.header().pd_flags & PD_ALL_VISIBLE) != 0; }

void clear_bits(uint16_t& word, uint16_t bits) { word = static_cast<uint16_t>(word & ~bits); }
void set_bits(uint16_t& word, uint16_t bits) { word = static_cast<uint16_t>(word | bits); }

void set_cmin(HeapTupleHeader& header, CommandId command) {
  header.t_cid = command;
  clear_bits(header.t_infomask, HEAP_COMBOCID);
}

// heap_prepare_insert: the header fields of a new row.
void prepare_header(HeapTupleHeader& header, TransactionId xid, CommandId command,
                    uint32_t options) {
  clear_bits(header.t_infomask, HEAP_XACT_MASK);
  clear_bits(header.t_infomask2, HEAP2_XACT_MASK);
  set_bits(header.t_infomask, HEAP_XMAX_INVALID);
  header.t_xmin = xid;
  if ((options & HEAP_INSERT_FROZEN) != 0) set_bits(header.t_infomask, HEAP_XMIN_FROZEN);
  set_cmin(header, command);
  header.t_xmax = invalid_transaction_id;
}

// RelationPutHeapTuple: puts the tuple on a page that has room for it and sets both addresses; that of a speculative
// insertion is its token.
ItemPointer put_tuple(BufferRef& buffer, const std::byte* tuple, uint32_t length,
                      uint32_t speculative_token = 0) {
  const Page page = buffer.page();
  const OffsetNumber offset = page.add_item(tuple, length, invalid_offset_number, true);
  INVARIANT(offset != invalid_offset_number);
  const ItemPointer self(buffer.block(), offset);
  header_of(page.item_at(offset)).t_ctid =
      speculative_token == 0
          ? self
          : ItemPointer(BlockNumber{speculative_token}, spec_token_offset_number);
  return self;
}

// Whether the next tuple put on the page will be its only one, so that redo can make the page anew.
bool next_tuple_is_alone(const Page& page) {
  const OffsetNumber last = page.max_offset();
  return last == 0 || (last == first_offset_number && !page.line_pointer(last).is_used());
}

xl_heap_header logged_header(const HeapTupleHeader& header) {
  return {header.t_infomask2, header.t_infomask, header.t_hoff, 0};
}

// PageSetPrunable: pruning may find something once `xid` is old enough.
void set_prunable(const Page& page, TransactionId xid) {
  TransactionId& prune_xid = page.header().pd_prune_xid;
  if (!is_valid(prune_xid) || precedes(xid, prune_xid)) prune_xid = xid;
}

// Clears PD_ALL_VISIBLE and the map's bits, inside a critical section. True if it was set.
bool clear_all_visible(BufferRef& buffer, BufferRef& map) {
  if (!is_all_visible(buffer.page())) return false;
  clear_bits(buffer.page().header().pd_flags, PD_ALL_VISIBLE);
  VisibilityMap(buffer.pool(), buffer.relation())
      .clear(buffer.block(), map, VISIBILITYMAP_VALID_BITS);
  return true;
}

// The command that changes a row, as the row keeps it.
struct RowCommand {
  CommandId command;
  bool is_combo;
};

// HeapTupleHeaderAdjustCmax: a row that this transaction wrote keeps its cmin in a combo id.
RowCommand combine_commands(Backend& backend, const HeapTupleHeader& header) {
  const CommandId command = backend.current_command();
  if ((header.t_infomask & HEAP_XMIN_COMMITTED) != 0 || !backend.is_current(header.t_xmin))
    return {command, false};
  const CommandId cmin = (header.t_infomask & HEAP_COMBOCID) != 0
                             ? backend.combo_commands().cmin_of(header.t_cid)
                             : header.t_cid;
  return {backend.combo_commands().combine(cmin, command), true};
}

void set_xmax(HeapTupleHeader& header, const NewXmax& mark, const RowCommand& command) {
  clear_bits(header.t_infomask, HEAP_XMAX_BITS | HEAP_MOVED | HEAP_COMBOCID);
  clear_bits(header.t_infomask2, HEAP_KEYS_UPDATED);
  set_bits(header.t_infomask, mark.infomask);
  set_bits(header.t_infomask2, mark.infomask2);
  if (command.is_combo) set_bits(header.t_infomask, HEAP_COMBOCID);
  header.t_xmax = mark.xmax;
  header.t_cid = command.command;
}

NewXmax xmax_of(const HeapTupleHeader& header) {
  return {header.t_xmax, header.t_infomask, header.t_infomask2};
}

// Notes why the row cannot be changed, and gives it up.
Status give_up(Backend& backend, OldRow* old, ChangeOutcome* outcome) {
  Visibility visibility(backend, nullptr);
  const HeapTupleHeader& header = old->header();
  outcome->ctid = header.t_ctid;
  RETURN_IF_ERROR(visibility.update_xid(header, &outcome->xmax));
  if (outcome->result == UpdateResult::self_modified)
    outcome->cmax = (header.t_infomask & HEAP_COMBOCID) != 0
                        ? backend.combo_commands().cmax_of(header.t_cid)
                        : header.t_cid;
  old->release();
  return Status::ok;
}

// Reads and locks the row and asks whether it may be changed. `being_modified` is left to check_lockers, with
// the row locked; in other cases than that and ok nothing stays locked.
Status take_old_row(Backend& backend, HeapRelation& relation, ItemPointer tid, OldRow* old,
                    ChangeOutcome* outcome) {
  *outcome = ChangeOutcome{};
  RETURN_IF_ERROR(read_old_row(backend, relation, tid, old));
  if (old->tuple == nullptr) {
    outcome->result = UpdateResult::invisible;
    return Status::ok;
  }
  Visibility visibility(backend, nullptr);
  RETURN_IF_ERROR(visibility.satisfies_update(old->header(), tid, backend.current_command(),
                                              old->buffer, &outcome->result));
  visibility.hints_done(old->buffer);
  if (outcome->result == UpdateResult::ok || outcome->result == UpdateResult::being_modified)
    return Status::ok;
  return give_up(backend, old, outcome);
}

// With other lockers in the row: goes on with `mode`, or gives the row up.
Status pass_lockers(Backend& backend, ItemPointer tid, RowLockMode mode, OldRow* old,
                    ChangeOutcome* outcome) {
  if (outcome->result == UpdateResult::ok) return Status::ok;
  RETURN_IF_ERROR(check_lockers(backend, old->header(), tid, mode, outcome));
  if (outcome->result == UpdateResult::ok) return Status::ok;
  return give_up(backend, old, outcome);
}

// The sizes of heap_multi_insert_pages: how many pages tuples will need in an empty table.
uint32_t pages_for(std::span<const NewTuple> tuples, uint32_t block_size, uint32_t reserved) {
  const size_t page_bytes = block_size - sizeof(PageHeader);
  size_t free = page_bytes - reserved;
  uint32_t pages = 1;
  for (const NewTuple& tuple : tuples) {
    const size_t needed = sizeof(LinePointer) + max_align(tuple.length);
    if (free < needed) {
      ++pages;
      free = page_bytes - reserved;
    }
    free -= std::min(free, needed);
  }
  return pages;
}

// A row formed where nobody allocates: a tuple fits a page.
struct RowBuffer {
  alignas(8) std::byte bytes[block_size_max];
};

Status row_too_big(size_t length, uint32_t block_size) {
  return Status::error(ErrorCode::program_limit_exceeded,
                       "row is too big: size %zu, maximum size %u", length,
                       heap_tuple_size_max(block_size));
}

bool has_external_value(const TupleLayout& layout, const Datum* values, const bool* nulls) {
  for (int i = 0; i < layout.natts(); ++i) {
    if (layout.attribute(i).attlen != -1 || (nulls != nullptr && nulls[i])) continue;
    if (varlena_is_external(datum_pointer(values[i]))) return true;
  }
  return false;
}

// Sizes a row, toasting it if need be: then `*values` becomes that of `row`.
Status size_row(Backend& backend, HeapRelation& relation, const Datum** values, const bool* nulls,
                uint32_t options, ToastedRow* row, HeapTupleSize* size) {
  const TupleLayout& layout = *relation.layout;
  const uint32_t block_size = backend.pool().options().block_size;
  *size = heap_tuple_size(layout, *values, nulls);
  if (needs_toasting(relation, block_size, size->total(),
                     has_external_value(layout, *values, nulls))) {
    RETURN_IF_ERROR(toast_row(backend, relation, *values, nulls, nullptr, nullptr, options, row));
    *values = row->values.data();
    *size = heap_tuple_size(layout, *values, nulls);
  }
  if (max_align(size->total()) > heap_tuple_size_max(block_size))
    return row_too_big(size->total(), block_size);
  return Status::ok;
}

}  // namespace

Status heap_form_for_insert(Backend& backend, HeapRelation& relation, const Datum* values,
                            const bool* nulls, uint32_t options, TupleBatch* batch) {
  ToastedRow row;
  HeapTupleSize size;
  RETURN_IF_ERROR(size_row(backend, relation, &values, nulls, options, &row, &size));
  form_heap_tuple(*relation.layout, values, nulls, size, batch->append(size.total()));
  return Status::ok;
}

Status heap_insert(Backend& backend, HeapRelation& relation, const Datum* values, const bool* nulls,
                   uint32_t options, BulkInsertState* bulk, ItemPointer* tid,
                   uint32_t speculative_token) {
  TransactionId xid;
  RETURN_IF_ERROR(backend.assign_xid(&xid, relation.temporary));
  ToastedRow row;
  HeapTupleSize size;
  RETURN_IF_ERROR(size_row(backend, relation, &values, nulls, options, &row, &size));
  RowBuffer tuple;
  form_heap_tuple(*relation.layout, values, nulls, size, tuple.bytes);
  const uint32_t length = static_cast<uint32_t>(size.total());
  HeapTupleHeader& header = header_of(tuple.bytes);
  prepare_header(header, xid, backend.current_command(), options);
  backend.use_command();

  PageChoice choice(backend, relation, options, bulk);
  BufferRef buffer;
  BufferRef map;
  RETURN_IF_ERROR(choice.find(length, 1, &buffer, &map));
  RETURN_IF_ERROR(check_serializable_write(backend, relation, nullptr));
  const bool alone = next_tuple_is_alone(buffer.page());

  Change change(backend.services(), xid, RmgrId::heap,
                alone ? XLOG_HEAP_INSERT | XLOG_HEAP_INIT_PAGE : XLOG_HEAP_INSERT, relation.logged);
  change.block(0, buffer, alone ? REGBUF_STANDARD | REGBUF_WILL_INIT : REGBUF_STANDARD);
  change.begin();
  *tid = put_tuple(buffer, tuple.bytes, length, speculative_token);
  const bool cleared = clear_all_visible(buffer, map);
  xl_heap_insert record{};
  record.offnum = tid->offset();
  record.flags = cleared ? XLH_INSERT_ALL_VISIBLE_CLEARED : uint8_t{0};
  if (speculative_token != 0)
    record.flags = static_cast<uint8_t>(record.flags | XLH_INSERT_IS_SPECULATIVE);
  const xl_heap_header logged = logged_header(header);
  change.data(&record, xl_heap_insert_size);
  change.block_data(0, &logged, xl_heap_header_size);
  change.block_data(0, tuple.bytes + heap_tuple_header_size, length - heap_tuple_header_size);
  RETURN_IF_ERROR(change.finish());
  choice.keep(std::move(buffer));
  if (SessionCounters* const counters = backend.counters())
    counters->count_inserted(relation.oid, relation.locator, 1);
  return Status::ok;
}

Status heap_multi_insert(Backend& backend, HeapRelation& relation, std::span<NewTuple> tuples,
                         uint32_t options, BulkInsertState* bulk) {
  if (tuples.empty()) return Status::ok;
  TransactionId xid;
  RETURN_IF_ERROR(backend.assign_xid(&xid, relation.temporary));
  const CommandId command = backend.current_command();
  backend.use_command();
  const uint32_t block_size = backend.pool().options().block_size;
  for (NewTuple& tuple : tuples) {
    if (max_align(tuple.length) > heap_tuple_size_max(block_size))
      return row_too_big(tuple.length, block_size);
    prepare_header(header_of(tuple.bytes), xid, command, options);
  }

  PageChoice choice(backend, relation, options, bulk);
  const uint32_t reserved = choice.reserved_bytes();
  const bool frozen = (options & HEAP_INSERT_FROZEN) != 0;
  BufferRef map;
  bool started_empty = false;
  uint32_t pages = 0;
  uint32_t pages_used = 0;
  size_t done = 0;
  while (done < tuples.size()) {
    if (done == 0 || !started_empty) {
      pages = pages_for(tuples.subspan(done), block_size, reserved);
      pages_used = 0;
    } else {
      ++pages_used;
    }
    BufferRef buffer;
    RETURN_IF_ERROR(choice.find(tuples[done].length, pages > pages_used ? pages - pages_used : 1,
                                &buffer, &map));
    RETURN_IF_ERROR(check_serializable_write(backend, relation, nullptr));
    const Page page = buffer.page();
    started_empty = page.max_offset() == 0;
    const bool set_all_frozen = started_empty && frozen;

    // The record: header, offset numbers unless the page is made anew, then the tuples.
    alignas(8) std::byte scratch[block_size_max];
    uint8_t info = XLOG_HEAP2_MULTI_INSERT;
    uint8_t flags = REGBUF_STANDARD;
    if (started_empty) {
      info |= XLOG_HEAP_INIT_PAGE;
      flags |= REGBUF_WILL_INIT;
    }
    Change change(backend.services(), xid, RmgrId::heap2, info, relation.logged);
    change.block(0, buffer, flags);
    change.begin();
    size_t here = 0;
    do {
      NewTuple& tuple = tuples[done + here];
      tuple.self = put_tuple(buffer, tuple.bytes, tuple.length);
      ++here;
    } while (done + here < tuples.size() &&
             page.heap_free_bytes() >= max_align(tuples[done + here].length) + reserved);

    xl_heap_multi_insert* record = reinterpret_cast<xl_heap_multi_insert*>(scratch);
    *record = xl_heap_multi_insert{};
    record->ntuples = static_cast<uint16_t>(here);
    if (is_all_visible(page) && !frozen) {
      clear_all_visible(buffer, map);
      record->flags = XLH_INSERT_ALL_VISIBLE_CLEARED;
    } else if (set_all_frozen) {
      set_bits(page.header().pd_flags, PD_ALL_VISIBLE);
      record->flags = XLH_INSERT_ALL_FROZEN_SET;
    }
    if (done + here == tuples.size())
      record->flags = static_cast<uint8_t>(record->flags | XLH_INSERT_LAST_IN_MULTI);

    if (relation.logged) {
      size_t at = xl_heap_multi_insert_size;
      if (!started_empty) {
        for (size_t i = 0; i < here; ++i, at += sizeof(OffsetNumber))
          store<OffsetNumber>(scratch + at, tuples[done + i].self.offset());
      }
      const size_t main_size = at;
      for (size_t i = 0; i < here; ++i) {
        const NewTuple& tuple = tuples[done + i];
        const HeapTupleHeader& header = header_of(tuple.bytes);
        const size_t length = tuple.length - heap_tuple_header_size;
        if (at % 2 != 0) scratch[at++] = std::byte{0};
        const xl_multi_insert_tuple logged{static_cast<uint16_t>(length), header.t_infomask2,
                                           header.t_infomask, header.t_hoff, 0};
        INVARIANT(at + xl_multi_insert_tuple_size + length <= sizeof(scratch));
        std::memcpy(scratch + at, &logged, xl_multi_insert_tuple_size);
        at += xl_multi_insert_tuple_size;
        std::memcpy(scratch + at, tuple.bytes + heap_tuple_header_size, length);
        at += length;
      }
      change.data(scratch, main_size);
      change.block_data(0, scratch + main_size, at - main_size);
    }
    RETURN_IF_ERROR(change.finish());
    if (set_all_frozen) {
      RETURN_IF_ERROR(VisibilityMap(backend.pool_of(relation.temporary), relation.locator)
                          .set(backend.services(), xid, buffer, map, invalid_transaction_id,
                               VISIBILITYMAP_ALL_VISIBLE | VISIBILITYMAP_ALL_FROZEN,
                               relation.logged));
    }
    choice.keep(std::move(buffer));
    done += here;
  }
  if (SessionCounters* const counters = backend.counters())
    counters->count_inserted(relation.oid, relation.locator, static_cast<int64_t>(done));
  return Status::ok;
}

Status heap_delete(Backend& backend, HeapRelation& relation, ItemPointer tid,
                   ChangeOutcome* outcome) {
  TransactionId xid;
  RETURN_IF_ERROR(backend.assign_xid(&xid, relation.temporary));
  OldRow old;
  RETURN_IF_ERROR(take_old_row(backend, relation, tid, &old, outcome));
  if (old.tuple == nullptr) return Status::ok;
  // A deletion takes the key away from those that refer to it.
  RETURN_IF_ERROR(pass_lockers(backend, tid, RowLockMode::exclusive, &old, outcome));
  if (outcome->result != UpdateResult::ok) return Status::ok;
  RETURN_IF_ERROR(check_serializable_write(backend, relation, &tid));
  HeapTupleHeader& header = old.header();
  const RowCommand command = combine_commands(backend, header);
  backend.use_command();
  backend.announce_multixact_member();
  NewXmax mark;
  RETURN_IF_ERROR(
      compute_new_xmax(backend, xmax_of(header), xid, RowLockMode::exclusive, true, &mark));

  Change change(backend.services(), xid, RmgrId::heap, XLOG_HEAP_DELETE, relation.logged);
  change.block(0, old.buffer, REGBUF_STANDARD);
  change.begin();
  set_prunable(old.buffer.page(), xid);
  const bool cleared = clear_all_visible(old.buffer, old.map);
  set_xmax(header, mark, command);
  clear_bits(header.t_infomask2, HEAP_HOT_UPDATED);
  header.t_ctid = tid;
  const xl_heap_delete record{mark.xmax, tid.offset(), logged_xmax_bits(header),
                              cleared ? XLH_DELETE_ALL_VISIBLE_CLEARED : uint8_t{0}};
  change.data(&record, xl_heap_delete_size);
  RETURN_IF_ERROR(change.finish());
  old.buffer.unlock();
  if (SessionCounters* const counters = backend.counters())
    counters->count_deleted(relation.oid, relation.locator);

  if (!relation.is_toast && (header.t_infomask & HEAP_HASEXTERNAL) != 0) {
    // The pin keeps the old row's values in place.
    const size_t natts = static_cast<size_t>(relation.layout->natts());
    std::vector<Datum> values(natts);
    const std::unique_ptr<bool[]> nulls(new bool[natts]);
    RETURN_IF_ERROR(deform_heap_tuple(*relation.layout, old.tuple, old.item.lp_len(), values.data(),
                                      nulls.get()));
    RETURN_IF_ERROR(delete_toasted_values(backend, relation, values.data(), nulls.get()));
  }
  return Status::ok;
}

namespace {

// Which of the columns that matter differ between the rows, bit for bit.
bool any_differs(const TupleLayout& layout, std::span<const bool> columns, const Datum* old_values,
                 const bool* old_nulls, const Datum* values, const bool* nulls) {
  for (size_t at = 0; at < columns.size(); ++at) {
    if (!columns[at]) continue;
    const bool is_null = nulls != nullptr && nulls[at];
    if (is_null != old_nulls[at]) return true;
    if (is_null) continue;
    const CompactAttribute& attribute = layout.attribute(static_cast<int>(at));
    const Datum old_value = old_values[at];
    const Datum value = values[at];
    if (attribute.packable) {
      // The new value gets a short header when it is stored, so compare what is stored.
      const std::byte* a = datum_pointer(old_value);
      const std::byte* b = datum_pointer(value);
      if (varlena_is_short(a) && varlena_can_be_short(b)) {
        if (varlena_data_size(a) != varlena_data_size(b) ||
            std::memcmp(varlena_data(a), varlena_data(b), varlena_data_size(a)) != 0)
          return true;
        continue;
      }
    }
    if (!datum_bits_equal(attribute.attbyval, attribute.attlen, old_value, value)) return true;
  }
  return false;
}

// Marks the old row as locked by this transaction, since its page is about to be unlocked for
// toasting or for finding another page.
Status lock_old_row(Backend& backend, HeapRelation& relation, TransactionId xid, ItemPointer tid,
                    const NewXmax& mark, const RowCommand& command, OldRow& old) {
  HeapTupleHeader& header = old.header();
  Change change(backend.services(), xid, RmgrId::heap, XLOG_HEAP_LOCK, relation.logged);
  change.block(0, old.buffer, REGBUF_STANDARD);
  change.begin();
  set_xmax(header, mark, command);
  clear_bits(header.t_infomask2, HEAP_HOT_UPDATED);
  header.t_ctid = tid;
  const bool cleared = old.clear_all_frozen(backend, relation);
  const xl_heap_lock record{mark.xmax, tid.offset(), logged_xmax_bits(header),
                            cleared ? XLH_LOCK_ALL_FROZEN_CLEARED : uint8_t{0}};
  change.data(&record, xl_heap_lock_size);
  return change.finish();
}

// The xmax of an updated row and of its new version, which its remaining lockers, if any, hold as well.
struct UpdateMarks {
  NewXmax old_row;
  NewXmax new_row;
};
Status update_marks(Backend& backend, const HeapTupleHeader& header, TransactionId xid,
                    RowLockMode mode, UpdateMarks* marks) {
  RETURN_IF_ERROR(compute_new_xmax(backend, xmax_of(header), xid, mode, true, &marks->old_row));
  if ((header.t_infomask & HEAP_XMAX_INVALID) != 0) {
    marks->new_row = {invalid_transaction_id, HEAP_XMAX_INVALID, 0};
  } else if ((header.t_infomask & HEAP_XMAX_IS_MULTI) != 0) {
    RETURN_IF_ERROR(multixact_bits(backend, value_of(header.t_xmax), &marks->new_row));
  } else {
    // Nobody else can hold more than FOR KEY SHARE.
    marks->new_row = {header.t_xmax, HEAP_XMAX_KEYSHR_LOCK | HEAP_XMAX_LOCK_ONLY, 0};
  }
  return Status::ok;
}

// What of the new row's data equals the old row's, at both ends; worth logging from three bytes on.
struct SharedEnds {
  uint16_t prefix = 0;
  uint16_t suffix = 0;
};
SharedEnds shared_ends(const std::byte* old_data, size_t old_size, const std::byte* new_data,
                       size_t new_size) {
  const size_t shorter = std::min(old_size, new_size);
  size_t prefix = 0;
  while (prefix < shorter && old_data[prefix] == new_data[prefix]) ++prefix;
  if (prefix < 3) prefix = 0;
  size_t suffix = 0;
  while (suffix < shorter - prefix &&
         old_data[old_size - suffix - 1] == new_data[new_size - suffix - 1])
    ++suffix;
  if (suffix < 3) suffix = 0;
  return {static_cast<uint16_t>(prefix), static_cast<uint16_t>(suffix)};
}

}  // namespace

Status heap_update(Backend& backend, HeapRelation& relation, ItemPointer tid, const Datum* values,
                   const bool* nulls, const UpdateColumns& columns, ChangeOutcome* outcome) {
  const TupleLayout& layout = *relation.layout;
  const uint32_t block_size = backend.pool().options().block_size;
  TransactionId xid;
  RETURN_IF_ERROR(backend.assign_xid(&xid, relation.temporary));
  OldRow old;
  RETURN_IF_ERROR(take_old_row(backend, relation, tid, &old, outcome));
  if (old.tuple == nullptr) return Status::ok;
  HeapTupleHeader& old_header = old.header();
  const uint32_t old_length = old.item.lp_len();

  struct OldValues {
    Datum values[tuple_attributes_max];
    bool nulls[tuple_attributes_max];
  } was;
  RETURN_IF_ERROR(deform_heap_tuple(layout, old.tuple, old_length, was.values, was.nulls));
  const bool key_changes = any_differs(layout, columns.key, was.values, was.nulls, values, nulls);
  const bool indexed_changes =
      any_differs(layout, columns.indexed, was.values, was.nulls, values, nulls);

  const RowLockMode mode = key_changes ? RowLockMode::exclusive : RowLockMode::no_key_exclusive;
  RETURN_IF_ERROR(pass_lockers(backend, tid, mode, &old, outcome));
  if (outcome->result != UpdateResult::ok) return Status::ok;

  const RowCommand row_command = combine_commands(backend, old_header);
  const CommandId command = backend.current_command();
  backend.use_command();
  backend.announce_multixact_member();
  UpdateMarks marks;
  RETURN_IF_ERROR(update_marks(backend, old_header, xid, mode, &marks));

  HeapTupleSize size = heap_tuple_size(layout, values, nulls);
  const bool toast = needs_toasting(
      relation, block_size, size.total(),
      has_external_value(layout, values, nulls) || (old_header.t_infomask & HEAP_HASEXTERNAL) != 0);
  ToastedRow toasted;
  BufferRef new_buffer;  // invalid while the new row goes to the old one's page
  BufferRef new_map;
  uint32_t page_free = old.buffer.page().heap_free_bytes();
  if (toast || max_align(size.total()) > page_free) {
    NewXmax lock;
    RETURN_IF_ERROR(compute_new_xmax(backend, xmax_of(old_header), xid, mode, false, &lock));
    RETURN_IF_ERROR(lock_old_row(backend, relation, xid, tid, lock, row_command, old));
    old.buffer.unlock();
    if (toast) {
      RETURN_IF_ERROR(
          toast_row(backend, relation, values, nulls, was.values, was.nulls, 0, &toasted));
      values = toasted.values.data();
      size = heap_tuple_size(layout, values, nulls);
    }
    if (max_align(size.total()) > heap_tuple_size_max(block_size))
      return row_too_big(size.total(), block_size);
    const uint32_t needed = static_cast<uint32_t>(max_align(size.total()));
    for (;;) {
      if (needed > page_free) {
        PageChoice choice(backend, relation, 0, nullptr);
        RETURN_IF_ERROR(choice.find_beside(static_cast<uint32_t>(size.total()), old.buffer,
                                           &old.map, &new_buffer, &new_map));
        break;
      }
      VisibilityMap visibility(backend.pool_of(relation.temporary), relation.locator);
      if (is_all_visible(old.buffer.page())) RETURN_IF_ERROR(visibility.pin(tid.block(), &old.map));
      old.buffer.lock(LockMode::exclusive);
      page_free = old.buffer.page().heap_free_bytes();
      if (needed <= page_free &&
          (!is_all_visible(old.buffer.page()) || visibility.is_pinned(tid.block(), old.map)))
        break;
      old.buffer.unlock();
    }
    // Others may have locked the key meanwhile.
    if (old_header.t_xmax != lock.xmax)
      RETURN_IF_ERROR(update_marks(backend, old_header, xid, mode, &marks));
  }

  // The old row's page stays locked from here until the change is made.
  RETURN_IF_ERROR(check_serializable_write(backend, relation, &tid));

  RowBuffer tuple;
  const uint32_t length = static_cast<uint32_t>(size.total());
  form_heap_tuple(layout, values, nulls, size, tuple.bytes);
  HeapTupleHeader& header = header_of(tuple.bytes);
  prepare_header(header, xid, command, 0);
  clear_bits(header.t_infomask, HEAP_XMAX_INVALID);
  set_bits(header.t_infomask, static_cast<uint16_t>(HEAP_UPDATED | marks.new_row.infomask));
  set_bits(header.t_infomask2, marks.new_row.infomask2);
  header.t_xmax = marks.new_row.xmax;

  const bool same_page = !new_buffer.is_valid();
  BufferRef& target = same_page ? old.buffer : new_buffer;
  const bool hot = same_page && !indexed_changes;
  if (!same_page) set_bits(old.buffer.page().header().pd_flags, PD_PAGE_FULL);

  // The old row's bytes stay where they are, so both ends can be compared before or after. A page
  // image makes the comparison moot.
  SharedEnds ends;
  if (relation.logged && same_page &&
      !backend.services().wal.needs_full_page_image(target.page().lsn()))
    ends = shared_ends(old.tuple + old_header.t_hoff, old_length - old_header.t_hoff,
                       tuple.bytes + header.t_hoff, length - header.t_hoff);

  const bool alone = next_tuple_is_alone(target.page());
  uint8_t info = hot ? XLOG_HEAP_HOT_UPDATE : XLOG_HEAP_UPDATE;
  if (alone) info |= XLOG_HEAP_INIT_PAGE;
  Change change(backend.services(), xid, RmgrId::heap, info, relation.logged);
  change.block(0, target, alone ? REGBUF_STANDARD | REGBUF_WILL_INIT : REGBUF_STANDARD);
  if (!same_page) change.block(1, old.buffer, REGBUF_STANDARD);
  change.begin();
  set_prunable(old.buffer.page(), xid);
  clear_bits(old_header.t_infomask2, HEAP_HOT_UPDATED);
  if (hot) {
    set_bits(old_header.t_infomask2, HEAP_HOT_UPDATED);
    set_bits(header.t_infomask2, HEAP_ONLY_TUPLE);
  }
  outcome->new_tid = put_tuple(target, tuple.bytes, length);
  outcome->heap_only = hot;
  set_xmax(old_header, marks.old_row, row_command);
  old_header.t_ctid = outcome->new_tid;

  xl_heap_update record{};
  if (clear_all_visible(old.buffer, old.map)) record.flags = XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED;
  if (!same_page && clear_all_visible(new_buffer, new_map))
    record.flags = static_cast<uint8_t>(record.flags | XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED);
  if (ends.prefix > 0)
    record.flags = static_cast<uint8_t>(record.flags | XLH_UPDATE_PREFIX_FROM_OLD);
  if (ends.suffix > 0)
    record.flags = static_cast<uint8_t>(record.flags | XLH_UPDATE_SUFFIX_FROM_OLD);
  record.old_xmax = old_header.t_xmax;
  record.old_offnum = tid.offset();
  record.old_infobits_set = logged_xmax_bits(old_header);
  record.new_xmax = header.t_xmax;
  record.new_offnum = outcome->new_tid.offset();
  change.data(&record, xl_heap_update_size);
  if (ends.prefix > 0) change.block_data(0, &ends.prefix, sizeof(ends.prefix));
  if (ends.suffix > 0) change.block_data(0, &ends.suffix, sizeof(ends.suffix));
  const xl_heap_header logged = logged_header(header);
  change.block_data(0, &logged, xl_heap_header_size);
  const size_t bitmap_size = header.t_hoff - heap_tuple_header_size;
  change.block_data(0, tuple.bytes + heap_tuple_header_size, bitmap_size);
  change.block_data(0, tuple.bytes + header.t_hoff + ends.prefix,
                    length - header.t_hoff - ends.prefix - ends.suffix);
  RETURN_IF_ERROR(change.finish());
  if (SessionCounters* const counters = backend.counters())
    counters->count_updated(relation.oid, relation.locator, hot, !same_page);
  return Status::ok;
}

Status change_conflict(const HeapRelation& relation, const ChangeOutcome& outcome) {
  switch (outcome.result) {
    case UpdateResult::ok:
      return Status::ok;
    case UpdateResult::being_modified:
      return Status::error(ErrorCode::lock_not_available,
                           "could not obtain lock on row in relation \"%s\"",
                           relation.name.c_str());
    case UpdateResult::updated:
      return Status::error(ErrorCode::serialization_failure,
                           "could not serialize access due to concurrent update");
    case UpdateResult::deleted:
      return Status::error(ErrorCode::serialization_failure,
                           "could not serialize access due to concurrent delete");
    case UpdateResult::self_modified:
      return Status::error(ErrorCode::object_not_in_prerequisite_state,
                           "row was already changed by the current command");
    case UpdateResult::invisible:
      break;
  }
  return Status::error(ErrorCode::object_not_in_prerequisite_state,
                       "attempted to change a row that is not visible");
}

}  // namespace pgdata
