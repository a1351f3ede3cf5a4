// What a checkpoint says of the transaction system, and back.
#pragma once

#include "layout/control_file.h"
#include "xact/transaction_system.h"

namespace pgdata {

inline TransactionCounters counters_of(const CheckPoint& checkpoint) {
  TransactionCounters counters;
  counters.nextXid = checkpoint.nextXid;
  counters.nextOid = checkpoint.nextOid;
  counters.nextMulti = checkpoint.nextMulti;
  counters.nextMultiOffset = checkpoint.nextMultiOffset;
  counters.oldestXid = checkpoint.oldestXid;
  counters.oldestXidDB = checkpoint.oldestXidDB;
  counters.oldestMulti = checkpoint.oldestMulti;
  counters.oldestMultiDB = checkpoint.oldestMultiDB;
  counters.oldestCommitTsXid = checkpoint.oldestCommitTsXid;
  counters.newestCommitTsXid = checkpoint.newestCommitTsXid;
  counters.oldestActiveXid = checkpoint.oldestActiveXid;
  return counters;
}

inline void set_counters(const TransactionCounters& counters, CheckPoint* checkpoint) {
  checkpoint->nextXid = counters.nextXid;
  checkpoint->nextOid = counters.nextOid;
  checkpoint->nextMulti = counters.nextMulti;
  checkpoint->nextMultiOffset = counters.nextMultiOffset;
  checkpoint->oldestXid = counters.oldestXid;
  checkpoint->oldestXidDB = counters.oldestXidDB;
  checkpoint->oldestMulti = counters.oldestMulti;
  checkpoint->oldestMultiDB = counters.oldestMultiDB;
  checkpoint->oldestCommitTsXid = counters.oldestCommitTsXid;
  checkpoint->newestCommitTsXid = counters.newestCommitTsXid;
  checkpoint->oldestActiveXid = counters.oldestActiveXid;
}

}  // namespace pgdata
