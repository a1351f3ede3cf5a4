// IndexUpkeep: what a B-tree asks of its table in order to stay small.
//
// This room knows no heap and no other transactions: who is gone for good, and which rows, comes through here.
#pragma once

#include "base/status.h"
#include "base/types.h"

namespace pgdata {

class IndexUpkeep {
 public:
  // Is a page that was deleted when `safexid` was the next transaction out of reach of every search?
  virtual bool is_recyclable(FullTransactionId safexid) = 0;
  virtual FullTransactionId next_full_xid() = 0;

 protected:
  ~IndexUpkeep() = default;
};

}  // namespace pgdata
