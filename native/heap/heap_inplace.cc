// heap_update_in_place: one locked page, one record.
#include "heap/heap_inplace.h"

#include <cstring>

#include "base/invariant.h"
#include "layout/heap_records.h"
#include "tuple/form.h"

namespace pgdata {

Status heap_update_in_place(Backend& backend, HeapRelation& relation, ItemPointer tid,
                            const Datum* values, const bool* nulls, UpdateResult* result) {
  BufferRef buffer;
  RETURN_IF_ERROR(backend.pool().read(relation.locator, ForkNumber::main, tid.block(),
                                      ReadMode::normal, nullptr, &buffer));
  buffer.lock(LockMode::exclusive);
  const Page page = buffer.page();
  *result = UpdateResult::invisible;
  if (tid.offset() == 0 || tid.offset() > page.max_offset() ||
      !page.line_pointer(tid.offset()).is_normal())
    return Status::ok;
  const LinePointer item = page.line_pointer(tid.offset());
  if (!heap_item_is_sane(page, item)) return heap_item_corrupted(relation, tid);
  HeapTupleHeader& header = *reinterpret_cast<HeapTupleHeader*>(page.item(item));
  Visibility visibility(backend, nullptr);
  RETURN_IF_ERROR(
      visibility.satisfies_update(header, tid, backend.current_command(), buffer, result));
  visibility.hints_done(buffer);
  if (*result != UpdateResult::ok) return Status::ok;

  const TupleLayout& layout = *relation.layout;
  const HeapTupleSize size = heap_tuple_size(layout, values, nulls);
  alignas(8) std::byte tuple[block_size_max];
  INVARIANT(size.total() <= sizeof(tuple));
  form_heap_tuple(layout, values, nulls, size, tuple);
  const auto& formed = *reinterpret_cast<const HeapTupleHeader*>(tuple);
  if (size.total() != item.lp_len() || formed.t_hoff != header.t_hoff)
    return Status::error(ErrorCode::internal_error,
                         "a row of \"%s\" would change its size by an update in place",
                         relation.name.c_str());
  const size_t data_size = size.total() - formed.t_hoff;
  xl_heap_inplace record{};
  record.offnum = tid.offset();
  record.dbId = backend.database();
  record.tsId = relation.is_shared() ? default_tablespace_oid : relation.locator.spcOid;
  Change change(backend.services(), backend.xid(), RmgrId::heap, XLOG_HEAP_INPLACE,
                relation.logged);
  change.block(0, buffer, REGBUF_STANDARD);
  change.begin();
  std::memcpy(page.item(item) + header.t_hoff, tuple + formed.t_hoff, data_size);
  change.data(&record, xl_heap_inplace_size);
  change.block_data(0, tuple + formed.t_hoff, data_size);
  return change.finish();
}

}  // namespace pgdata
