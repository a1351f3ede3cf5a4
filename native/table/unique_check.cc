// HeapUniqueChecker: a dirty look at the row.
#include "table/unique_check.h"

#include "heap/heap_scan.h"

namespace pgdata {

Status HeapUniqueChecker::check(ItemPointer tid, bool* live, TransactionId* wait_xid, bool* dead) {
  HeapTuple tuple;
  DirtyVerdict verdict;
  bool found = false;
  BufferRef buffer;
  RETURN_IF_ERROR(
      heap_hot_search_dirty(backend_, heap_, tid, &buffer, &tuple, &verdict, &found, dead));
  *live = false;
  *wait_xid = invalid_transaction_id;
  if (!found) return Status::ok;
  found_ = tuple.self;
  wait_ = KeyWait{};
  if (is_valid(verdict.xmin))
    wait_ = {verdict.xmin, verdict.speculative_token};
  else if (is_valid(verdict.xmax))
    wait_.xid = verdict.xmax;
  else
    *live = true;
  *wait_xid = wait_.xid;
  return Status::ok;
}

}  // namespace pgdata
