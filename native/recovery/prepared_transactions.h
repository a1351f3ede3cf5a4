// PreparedTransactions: the transactions that PREPARE records left open, as replay knows them.
//
// Each one's state is what its PREPARE record holds, and what its file in pg_twophase holds with a checksum behind
// it. Replay keeps the states in memory; `write` makes files of those that have none, so that after recovery
// whoever starts the cluster finds in pg_twophase every transaction that is still prepared, and no other.
//
//   offset  size  field          meaning
//        0     4  magic          0x57F94534
//        4     4  total_len      bytes of the file, checksum included
//        8     4  xid
//       28     4  nsubxacts      subtransactions, whose ids follow the name
//       54     2  gidlen         bytes of the name, which begins at 72, aligned to 8
//
// Source: src/backend/access/transam/twophase.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "base/status.h"
#include "base/types.h"
#include "change/change.h"
#include "xact/transaction_system.h"

namespace pgdata {

class PreparedTransactions {
 public:
  explicit PreparedTransactions(StorageServices& services) : services_(services) {}

  // Takes in the files of pg_twophase. Those of transactions from `next_xid` on, whose records were lost, are removed.
  Status load(FullTransactionId next_xid);
  // A PREPARE record: `state` is its main data. False when it is none.
  bool add(FullTransactionId xid, const std::byte* state, size_t size);
  // COMMIT PREPARED or ROLLBACK PREPARED: forgets it and removes its file.
  Status remove(FullTransactionId xid);
  // Removes those that the commit log says have ended, advances the next xid past the others and their
  // subtransactions, and gives the oldest of them, or invalid_transaction_id. After it `contains` may be asked.
  Status settle(TransactionSystem& transactions, TransactionId* oldest);
  // Makes and syncs the files that are missing.
  Status write();

  // Whether a transaction that is prepared has this id, or a subtransaction of it.
  bool contains(TransactionId xid) const { return prepared_xids_.contains(xid); }
  size_t count() const { return states_.size(); }
  // The xid with its epoch, for one that is not later than `next`.
  static FullTransactionId full_xid(TransactionId xid, FullTransactionId next);

 private:
  struct State {
    std::string bytes;  // without the checksum
    bool on_disk = false;
  };

  std::string path(FullTransactionId xid) const;
  Status remove_file(FullTransactionId xid);

  StorageServices& services_;
  std::map<FullTransactionId, State> states_;
  std::set<TransactionId> prepared_xids_;  // with subtransactions; once settled
};

}  // namespace pgdata
