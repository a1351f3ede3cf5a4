// OldRow: a row that is about to be changed or locked, pinned, its page locked exclusively.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "layout/heap_records.h"
#include "space/visibility_map.h"

namespace pgdata {

struct OldRow {
  BufferRef buffer;
  BufferRef map;  // pinned if the page is all-visible
  LinePointer item;
  std::byte* tuple = nullptr;  // null when there is no row at the address

  HeapTupleHeader& header() const { return *reinterpret_cast<HeapTupleHeader*>(tuple); }
  // Inside a critical section: the page is no longer all-frozen, since a row is locked. True if the map said so.
  bool clear_all_frozen(Backend& backend, const HeapRelation& relation);
  void release() {
    buffer.release();
    map.release();
    tuple = nullptr;
  }
};

// Pins the page and locks it, with the visibility map's page pinned if the page is all-visible. Without a row at `tid`
// nothing stays locked.
Status read_old_row(Backend& backend, HeapRelation& relation, ItemPointer tid, OldRow* row);

// compute_infobits: what a record says of a tuple's xmax.
uint8_t logged_xmax_bits(const HeapTupleHeader& header);

}  // namespace pgdata
