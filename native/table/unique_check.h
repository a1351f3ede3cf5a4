// HeapUniqueChecker: what a unique index asks of the heap.
#pragma once

#include "base/status.h"
#include "btree/btree_insert.h"
#include "heap/heap_relation.h"
#include "xact/backend.h"

namespace pgdata {

// What must end before it is known whether a key is free: a transaction, or, where there is a token, its speculative
// insertion.
struct KeyWait {
  TransactionId xid = invalid_transaction_id;
  uint32_t speculative_token = 0;
};

class HeapUniqueChecker final : public UniqueChecker {
 public:
  HeapUniqueChecker(Backend& backend, const HeapRelation& heap, bool is_partial = false)
      : UniqueChecker(is_partial), backend_(backend), heap_(heap) {}

  Status check(ItemPointer tid, bool* live, TransactionId* wait_xid, bool* dead) override;
  // Of the row that was found last: its address, and whom to wait for, if it is in progress.
  ItemPointer found() const { return found_; }
  const KeyWait& wait() const { return wait_; }

 private:
  Backend& backend_;
  const HeapRelation& heap_;
  ItemPointer found_;
  KeyWait wait_;
};

}  // namespace pgdata
