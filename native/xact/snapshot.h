// Snapshot: which transactions' effects a command sees.
#pragma once

#include <vector>

#include "base/types.h"

namespace pgdata {

class SerializableTransaction;

struct Snapshot {
  // Every xid before xmin had ended, none from xmax on had begun to be visible.
  TransactionId xmin = invalid_transaction_id;
  TransactionId xmax = invalid_transaction_id;
  // In progress when the snapshot was taken, ascending by value; all in [xmin, xmax).
  std::vector<TransactionId> xip;
  // The subtransactions of those, ascending by value; not all of them when `suboverflowed`, which makes them
  // useless: pg_subtrans must then be asked whom an xid belongs to.
  std::vector<TransactionId> subxip;
  bool suboverflowed = false;
  // Rows of the own transaction are seen if written by an earlier command than this.
  CommandId curcid = first_command_id;
  // Offline reading: whatever the commit log says is committed is visible.
  bool all_committed = false;
  // The serializable transaction that must know what is read through this snapshot; null for all others.
  SerializableTransaction* serializable = nullptr;

  // Was `xid` still running for this snapshot (so that its effects are not visible)? Answers for every xid unless
  // the snapshot is overflowed, and then for transactions that are no subtransactions:
  // TransactionSystem::in_snapshot asks for any.
  bool contains(TransactionId xid) const;
};

}  // namespace pgdata
