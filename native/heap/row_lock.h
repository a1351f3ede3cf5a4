// Row locks: how strongly a row is locked, which locks stand in each other's way, and taking them.
//
// A lock is an entry in the row's xmax: the locker's id, or a multixact of all that lock or change the row. Nothing
// here waits: when another transaction is in the way, the caller is told for whom to wait (RowWait), and calls again.
// Source: src/backend/access/heap/{heapam.c,README.tuplock}, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "heap/visibility.h"
#include "lock/lock_tag.h"

namespace pgdata {

// LockTupleMode, weakest first.
enum class RowLockMode : uint8_t {
  key_share,         // the key stays
  share,             // the row stays
  no_key_exclusive,  // about to be changed, but for its key
  exclusive,         // about to be deleted, or its key changed
};

// The level at which the row itself is locked by who waits for it, so that those behind queue up fairly.
LockLevel lock_level_of(RowLockMode mode);
// Do the two exclude each other?
bool excludes(RowLockMode a, RowLockMode b);
RowLockMode mode_of(MultiXactStatus status);
// What a member that locks, or updates, the row at `mode` is called. An update is no_key_exclusive or exclusive.
MultiXactStatus member_status(RowLockMode mode, bool is_update);

// Whom to wait for before a row can be had.
struct RowWait {
  TransactionId xid = invalid_transaction_id;
  RowLockMode mode = RowLockMode::exclusive;
  // Whether to take the row's own lock before, at `lock_level_of(mode)`, and to keep it until the row was had.
  bool takes_row_lock = true;
};

// Why a row was not changed or locked, and where to look next (TM_FailureData).
struct ChangeOutcome {
  UpdateResult result = UpdateResult::ok;
  // Of the old row: its newer version, if result is `updated`; who changed it and by which command.
  ItemPointer ctid;
  TransactionId xmax = invalid_transaction_id;
  CommandId cmax = invalid_command_id;
  // With `being_modified`.
  RowWait wait;
  // Of an update that was done: the new row's address, and whether it is a heap-only tuple, which
  // no index may point to.
  ItemPointer new_tid;
  bool heap_only = false;
};

// What a transaction that locks or changes a row writes into it.
struct NewXmax {
  TransactionId xmax = invalid_transaction_id;
  uint16_t infomask = 0;
  uint16_t infomask2 = 0;
};

// compute_new_xmax_infomask: the xmax of a row that had `old`, once the own transaction `xid` locks it or, with
// `is_update`, changes it. May make a multixact. No critical section.
Status compute_new_xmax(Backend& backend, const NewXmax& old, TransactionId xid, RowLockMode mode,
                        bool is_update, NewXmax* result);
// GetMultiXactIdHintBits: the bits that go with a multixact.
Status multixact_bits(Backend& backend, MultiXactId multi, NewXmax* result);

// For a row whose satisfies_update is `being_modified`: may the own transaction change it at `mode` all the same, or
// for whom must it wait? Sets `outcome->result` to ok, being_modified (with `wait`), updated or deleted.
// `self` is the row's address.
Status check_lockers(Backend& backend, const HeapTupleHeader& header, ItemPointer self,
                     RowLockMode mode, ChangeOutcome* outcome);

// What a caller of heap_lock_row keeps from one call for the same row to the next.
struct RowLockProgress {
  bool first = true;
  bool skip_row_lock = false;
  // The versions after the row were locked, when the row's xmax was this one.
  TransactionId followed_xmax = invalid_transaction_id;
  uint16_t followed_infomask = 0;
};

// heap_lock_tuple: locks the row at `tid`. With `follow_updates`, also the versions after it, when the lock
// does not conflict with the update that made them. `being_modified`: wait as told and call again. `invisible`: it is
// not there for the current command. `self_modified`, `updated`, `deleted`: it was changed.
Status heap_lock_row(Backend& backend, HeapRelation& relation, ItemPointer tid, RowLockMode mode,
                     bool follow_updates, RowLockProgress* progress, ChangeOutcome* outcome);

}  // namespace pgdata
