// Inserting one entry into a B-tree: unique check, page splits, deduplication, all logged.
//
// Rules: a page is split by writing its right half to a new page and marking the left half
// BTP_INCOMPLETE_SPLIT; the downlink is inserted into the parent as a second logged step, which clears the
// mark. Whoever finds a marked page on the way to an insertion does that second step first. Pages are
// locked from child to parent and from left to right. Nothing here waits for another transaction.
// Source: src/backend/access/nbtree/{README,nbtinsert.c,nbtdedup.c}, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "btree/btree_search.h"
#include "btree/btree_upkeep.h"
#include "change/change.h"

namespace pgdata {

// Looks at a heap tuple for the unique check, with the leaf locked: it must not wait.
class UniqueChecker {
 public:
  // `is_partial`: an entry is inserted whether there is another one of its key or not, and who inserts goes on from there
  // (UNIQUE_CHECK_PARTIAL).
  explicit UniqueChecker(bool is_partial = false) : is_partial_(is_partial) {}
  bool is_partial() const { return is_partial_; }
  // Does the row exist for a check that sees committed rows, the own transaction's, and
  // uncommitted ones (a dirty snapshot)? `*live`: yes, and finally so: it is a conflict.
  // `*wait_xid` valid: that depends on the outcome of this transaction. `*dead`: nobody can see the row any more, so
  // that the entry may be marked.
  virtual Status check(ItemPointer tid, bool* live, TransactionId* wait_xid, bool* dead) = 0;

 protected:
  ~UniqueChecker() = default;

 private:
  bool is_partial_;
};

struct BtreeInsertResult {
  // Exactly one of three holds: the entry was inserted; or it was not, because a live row has the key
  // (unique_violation, which the caller words); or because `wait_xid` must end first: wait for it
  // without locks and call again. With a partial check the entry is inserted in any case.
  bool inserted = false;
  bool conflict = false;
  ItemPointer conflict_tid;
  TransactionId wait_xid = invalid_transaction_id;
};

// `checker` null: the key is not checked (not a unique index, or checked otherwise). `upkeep` null: pages come from
// the end of the file and nothing is deleted. `is_unchanged`: the entry is for a new version of a row whose key in
// this index did not change. `writer` (may be null): the serializable transaction that inserts; serialization_failure
// when others have read where the entry goes, and it is the one to go.
Status btree_insert(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                    const Datum* values, const bool* is_null, ItemPointer heap_tid,
                    UniqueChecker* checker, BtreeInsertResult* result,
                    IndexUpkeep* upkeep = nullptr, bool is_unchanged = false,
                    SerializableTransaction* writer = nullptr);

// Is there a row with this key, for a check that `checker` makes? `inserted` stays false; nothing is changed but entries
// marked that lead to nothing.
Status btree_find_conflict(StorageServices& services, const BtreeIndex& index, const Datum* values,
                           const bool* is_null, UniqueChecker& checker, BtreeInsertResult* result);

// For page deletion: the page that has the downlink to `child`, locked exclusively, found by the first `depth` steps of
// `stack`, which are corrected; splits that a crash left incomplete there are completed. Invalid when there is none.
Status lock_btree_parent(StorageServices& services, const BtreeIndex& index, BtreeStack& stack,
                         int depth, BlockNumber child, BufferRef* parent);

}  // namespace pgdata
