// Checks of one item of a heap page, before anything in it is believed.
#include "heap/heap_relation.h"

#include "tuple/deform.h"

namespace pgdata {

bool heap_item_is_sane(const Page& page, LinePointer pointer) {
  const uint32_t offset = pointer.lp_off();
  const uint32_t length = pointer.lp_len();
  if (offset < page.header().pd_upper || offset % 8 != 0) return false;
  if (length < heap_tuple_header_size || offset + length > page.header().pd_special) return false;
  return heap_tuple_header_is_sane(*reinterpret_cast<const HeapTupleHeader*>(page.item(pointer)),
                                   length);
}

Status heap_item_corrupted(const HeapRelation& relation, ItemPointer tid) {
  return Status::error(Status::data_corrupted,
                       "invalid line pointer or tuple header at (%u,%u) of relation \"%s\"",
                       value_of(tid.block()), unsigned{tid.offset()}, relation.name.c_str());
}

}  // namespace pgdata
