// Ending speculative insertions.
#include "heap/speculative.h"

#include <memory>
#include <vector>

#include "base/invariant.h"
#include "heap/old_row.h"
#include "heap/toast.h"
#include "layout/heap_records.h"
#include "tuple/deform.h"

namespace pgdata {

namespace {

// The row at `tid`, its page locked.
Status take_row(Backend& backend, HeapRelation& relation, ItemPointer tid, OldRow* row) {
  RETURN_IF_ERROR(read_old_row(backend, relation, tid, row));
  if (row->tuple == nullptr)
    return Status::error(Status::data_corrupted, "invalid line pointer at (%u,%u) of \"%s\"",
                         value_of(tid.block()), unsigned{tid.offset()}, relation.name.c_str());
  INVARIANT(row->header().t_xmin == backend.xid());
  return Status::ok;
}

}  // namespace

Status heap_confirm_speculative(Backend& backend, HeapRelation& relation, ItemPointer tid) {
  OldRow row;
  RETURN_IF_ERROR(take_row(backend, relation, tid, &row));
  INVARIANT(row.header().t_ctid.offset() == spec_token_offset_number);
  Change change(backend.services(), backend.xid(), RmgrId::heap, XLOG_HEAP_CONFIRM,
                relation.logged);
  change.block(0, row.buffer, REGBUF_STANDARD);
  change.begin();
  row.header().t_ctid = tid;
  const xl_heap_confirm record{tid.offset()};
  change.data(&record, xl_heap_confirm_size);
  return change.finish();
}

Status heap_abort_speculative(Backend& backend, HeapRelation& relation, ItemPointer tid) {
  OldRow row;
  RETURN_IF_ERROR(take_row(backend, relation, tid, &row));
  HeapTupleHeader& header = row.header();
  INVARIANT(relation.is_toast || header.t_ctid.offset() == spec_token_offset_number);
  const TransactionId xid = backend.xid();
  Change change(backend.services(), xid, RmgrId::heap, XLOG_HEAP_DELETE, relation.logged);
  change.block(0, row.buffer, REGBUF_STANDARD);
  change.begin();
  // It can be pruned as soon as somebody looks.
  TransactionId& prune_xid = row.buffer.page().header().pd_prune_xid;
  if (!is_valid(prune_xid) || precedes(xid, prune_xid)) prune_xid = xid;
  header.t_infomask =
      static_cast<uint16_t>(header.t_infomask & ~unsigned{HEAP_XMAX_BITS | HEAP_MOVED});
  header.t_infomask2 = static_cast<uint16_t>(header.t_infomask2 & ~unsigned{HEAP_KEYS_UPDATED});
  header.t_xmin = invalid_transaction_id;
  header.t_ctid = tid;
  const xl_heap_delete record{xid, tid.offset(), logged_xmax_bits(header), XLH_DELETE_IS_SUPER};
  change.data(&record, xl_heap_delete_size);
  RETURN_IF_ERROR(change.finish());
  row.buffer.unlock();
  if (SessionCounters* const counters = backend.counters())
    counters->count_deleted(relation.oid, relation.locator);
  if (relation.is_toast || (header.t_infomask & HEAP_HASEXTERNAL) == 0) return Status::ok;
  const auto natts = static_cast<size_t>(relation.layout->natts());
  std::vector<Datum> values(natts);
  const std::unique_ptr<bool[]> nulls(new bool[natts]);
  RETURN_IF_ERROR(deform_heap_tuple(*relation.layout, row.tuple, row.item.lp_len(), values.data(),
                                    nulls.get()));
  return delete_toasted_values(backend, relation, values.data(), nulls.get(), true);
}

}  // namespace pgdata
