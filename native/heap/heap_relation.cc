// Checks of one item of a heap page, before anything in it is believed.
#include "heap/heap_relation.h"

namespace pgdata {

Status heap_item_corrupted(const HeapRelation& relation, ItemPointer tid) {
  return Status::error(Status::data_corrupted,
                       "invalid line pointer or tuple header at (%u,%u) of relation \"%s\"",
                       value_of(tid.block()), unsigned{tid.offset()}, relation.name.c_str());
}

}  // namespace pgdata
