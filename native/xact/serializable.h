// SerializableTransaction: what a Backend asks of predicate locking, a room further down, while its transaction is
// serializable.
//
// The room predicate implements it; a Backend gets its own from the TransactionSystem. While a snapshot carries a
// pointer to one, whoever reads through the snapshot must tell it what was read.
// Source for the role: the calls of xact.c, snapmgr.c and varsup.c into src/backend/storage/lmgr/predicate.c, PostgreSQL 18.
#pragma once

#include <memory>

#include "base/status.h"
#include "base/types.h"
#include "xact/snapshot.h"

namespace pgdata {

class SerializableTransaction {
 public:
  virtual ~SerializableTransaction() = default;

  // Takes the one snapshot of a new transaction and enters the transaction among those that are watched. One that can
  // be no part of an anomaly is left out: then `is_tracked` is false. out_of_memory when there is no room.
  virtual Status begin(bool read_only, Snapshot* snapshot) = 0;
  // Does anything that the transaction reads or writes still matter?
  virtual bool is_tracked() const = 0;

  // For a read-only deferrable transaction after `begin`, again and again until `*verdict` is no longer `unknown`.
  enum class SnapshotVerdict : uint8_t { unknown, safe, unsafe };
  virtual void check_snapshot(SnapshotVerdict* verdict) = 0;

  // The transaction got its id; before it writes anything.
  virtual void assigned_xid(TransactionId xid) = 0;
  // The last chance to fail. serialization_failure when committing could complete an anomaly.
  virtual Status before_commit() = 0;
  // It is over, committed or rolled back, and has left the process array. Also ends the watching of a transaction that
  // was never begun, or that will begin anew.
  virtual void end(bool committed) = 0;
};

class SerializableTransactions {
 public:
  virtual std::unique_ptr<SerializableTransaction> make_session(int slot) = 0;

 protected:
  ~SerializableTransactions() = default;
};

}  // namespace pgdata
