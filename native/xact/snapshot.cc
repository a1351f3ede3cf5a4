// Snapshot: the test whether a transaction was running when it was taken.
#include "xact/snapshot.h"

#include <algorithm>

namespace pgdata {

bool Snapshot::contains(TransactionId xid) const {
  if (precedes(xid, xmin)) return false;
  if (!precedes(xid, xmax)) return true;
  if (std::binary_search(xip.begin(), xip.end(), xid)) return true;
  return !subxip.empty() && std::binary_search(subxip.begin(), subxip.end(), xid);
}

}  // namespace pgdata
