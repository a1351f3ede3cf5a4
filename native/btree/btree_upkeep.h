// IndexUpkeep: what a B-tree asks of its table in order to stay small.
//
// This room knows no heap and no other transactions: who is gone for good, and which rows, comes through here.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/types.h"

namespace pgdata {

// An entry of a leaf of which the index asks whether it may go.
struct IndexEntry {
  ItemPointer tid;
  OffsetNumber offset = invalid_offset_number;  // of the item
  uint16_t place = 0;                           // in its posting list
  // Given: a scan found the row dead. Afterwards: the entry may be deleted.
  bool deletable = false;
  // Probably leads to an old version of a row; deleting it frees so much. For bottom-up deletion.
  bool promising = false;
  uint32_t free_bytes = 0;
};

class IndexUpkeep {
 public:
  // Is a page that was deleted when `safexid` was the next transaction out of reach of every search?
  virtual bool is_recyclable(FullTransactionId safexid) = 0;
  virtual FullTransactionId next_full_xid() = 0;
  // Which entries lead to rows that nobody can see; the leaf is locked. `bottom_up_bytes` 0: looks at all; otherwise at the
  // most promising, until so much is freed. `*conflict_horizon`: the newest transaction that deleted one of them.
  virtual Status find_deletable(uint32_t bottom_up_bytes, std::vector<IndexEntry>* entries,
                                TransactionId* conflict_horizon) = 0;

 protected:
  ~IndexUpkeep() = default;
};

}  // namespace pgdata
