// Freezing: replacing old transaction ids in a tuple by marks that need no commit log.
//
// A tuple's plan is prepared while the page is examined and carried out with all others of the page, or dropped:
// the page is frozen as a whole. The trackers of PageFreeze say what the oldest ids left on the page are either way.
// Source: heap_prepare_freeze_tuple, FreezeMultiXactId, heap_tuple_should_freeze in
// src/backend/access/heap/heapam.c, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "heap/heap_relation.h"
#include "layout/heap_tuple.h"

namespace pgdata {

// What one vacuum of a relation goes by, fixed when it begins.
struct VacuumCutoffs {
  // pg_class's bounds when the vacuum began: nothing older may be found.
  TransactionId relfrozenxid = invalid_transaction_id;
  MultiXactId relminmxid = 0;
  // Rows deleted before OldestXmin are dead; multixacts before OldestMxact have no running member.
  TransactionId OldestXmin = invalid_transaction_id;
  MultiXactId OldestMxact = 0;
  // Older ids must be frozen.
  TransactionId FreezeLimit = invalid_transaction_id;
  MultiXactId MultiXactCutoff = 0;
};

constexpr bool multixact_precedes(MultiXactId left, MultiXactId right) {
  return static_cast<int32_t>(left - right) < 0;
}

// What is to become of one tuple.
struct TupleFreeze {
  TransactionId xmax;
  uint16_t t_infomask2;
  uint16_t t_infomask;
  uint8_t frzflags;
  bool check_xmin_committed;
  bool check_xmax_aborted;
  OffsetNumber offset;
};

// The oldest ids that stay on the page if it is frozen, and if it is not.
struct PageFreeze {
  bool freeze_required = false;
  TransactionId freeze_relfrozenxid = invalid_transaction_id;
  MultiXactId freeze_relminmxid = 0;
  TransactionId no_freeze_relfrozenxid = invalid_transaction_id;
  MultiXactId no_freeze_relminmxid = 0;
};

class TupleFreezer {
 public:
  TupleFreezer(const ReadContext& context, const VacuumCutoffs& cutoffs)
      : context_(context), cutoffs_(cutoffs) {}

  // Plans for a tuple that is not dead. `*has_plan`: something changes when the page is frozen; `*totally_frozen`:
  // nothing is left that needs freezing, now or after. data_corrupted for ids that are older than they can be.
  Status prepare(const HeapTupleHeader& tuple, PageFreeze* page, TupleFreeze* plan, bool* has_plan,
                 bool* totally_frozen) const;
  // Lowers the bounds to the tuple's ids, and says whether one of them must be frozen.
  Status should_freeze(const HeapTupleHeader& tuple, TransactionId* relfrozenxid,
                       MultiXactId* relminmxid, bool* should) const;
  // Asks the commit log, not hint bits, whether a plan may be carried out.
  Status check(const HeapTupleHeader& tuple, const TupleFreeze& plan) const;

 private:
  enum class MultiXactFate : uint8_t { keep, remove, becomes_xid };
  Status freeze_multixact(const HeapTupleHeader& tuple, PageFreeze* page, MultiXactFate* fate,
                          TransactionId* xid, bool* committed) const;
  Status is_committed(TransactionId xid, bool* committed) const;

  ReadContext context_;
  const VacuumCutoffs& cutoffs_;
};

// Carries a plan out.
void execute_freeze(HeapTupleHeader& tuple, const TupleFreeze& plan);
// Whether any id of the tuple will have to be frozen one day (heap_tuple_needs_eventual_freeze).
bool needs_eventual_freeze(const HeapTupleHeader& tuple);

}  // namespace pgdata
