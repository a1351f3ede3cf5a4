// SerializableTransaction: what a Backend asks of predicate locking, a room further down, while its transaction is
// serializable.
//
// The room predicate implements it; a Backend gets its own from the TransactionSystem. While a snapshot carries a
// pointer to one, whoever reads through the snapshot must tell it what was read.
// Source for the role: the calls of xact.c, snapmgr.c and varsup.c into src/backend/storage/lmgr/predicate.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "base/types.h"
#include "xact/snapshot.h"

namespace pgdata {

struct TwoPhaseState;

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
  // A savepoint began, or the transaction (level 1); it ended. What failed in one that is rolled back has failed no more.
  virtual void enter_level(uint32_t level) = 0;
  virtual void end_level(uint32_t level, bool rolled_back) = 0;
  // After `before_commit`, when the transaction is not committed but prepared: what a restart must know of it; and then
  // that it goes on without its session.
  virtual void add_prepare_records(TwoPhaseState* state) = 0;
  virtual void handed_over() = 0;
  // It is over, committed or rolled back, and has left the process array. Also ends the watching of a transaction that
  // was never begun, or that will begin anew.
  virtual void end(bool committed) = 0;
};

class SerializableTransactions {
 public:
  // At start: a transaction that was prepared before. Nothing when it was not serializable.
  virtual Status recover_prepared(const TwoPhaseState& state) = 0;
  // A prepared transaction is over, and has left the process array.
  virtual void end_prepared(TransactionId xid, bool committed) = 0;
  virtual std::unique_ptr<SerializableTransaction> make_session(int slot) = 0;

 protected:
  ~SerializableTransactions() = default;
};

}  // namespace pgdata
