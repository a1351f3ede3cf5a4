// TwoPhaseState: what a prepared transaction is, as its PREPARE record and its file say it.
//
// Source: StartPrepare, EndPrepare, ReadTwoPhaseFile in src/backend/access/transam/twophase.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "layout/two_phase_file.h"
#include "layout/wal_transaction_records.h"

namespace pgdata {

// For a commit that changed catalogs: forget all of one catalog's rows, and all relations.
SharedInvalidationMessage catalog_invalidation(Oid database, Oid catalog);
SharedInvalidationMessage relation_cache_invalidation(Oid database);

// What another part keeps of a prepared transaction, such as a lock.
struct TwoPhaseRecord {
  uint8_t rmid;
  uint16_t info;
  std::string data;
};

struct TwoPhaseState {
  TransactionId xid = invalid_transaction_id;
  Oid database = 0;
  Oid owner = 0;
  TimestampTz prepared_at = 0;
  std::string gid;
  std::vector<TransactionId> subxacts;
  std::vector<RelFileLocator> commit_files;
  std::vector<RelFileLocator> abort_files;
  std::vector<xl_xact_stats_item> commit_stats;
  std::vector<xl_xact_stats_item> abort_stats;
  std::vector<SharedInvalidationMessage> invalidations;
  bool init_file_invalidated = false;
  Lsn origin_lsn = invalid_lsn;
  TimestampTz origin_timestamp = 0;
  std::vector<TwoPhaseRecord> records;

  // Records of locks that it holds.
  void add_lock(const TwoPhaseLockRecord& lock);
  void add_transaction_lock(TransactionId of);
  // It may be a member of multixacts from `oldest` on.
  void add_oldest_multixact(MultiXactId oldest);
  // What it changed of a relation, and all such.
  void add_changes(const TwoPhasePgStatRecord& changes);
  std::vector<TwoPhasePgStatRecord> changes() const;

  // The main data of the PREPARE record.
  std::string format() const;
  // The file: the same with its checksum.
  static std::string with_checksum(std::string data);
  // data_corrupted for what is none.
  static Status parse(std::string_view data, TwoPhaseState* state);
  static Status parse_file(std::string_view file, TwoPhaseState* state);
};

}  // namespace pgdata
