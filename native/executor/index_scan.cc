// IndexScan: batch after batch of one search.
#include "executor/index_scan.h"

#include <algorithm>

namespace pgdata {

Status IndexScan::search_for(const Batch& outer, uint32_t row, uint32_t wanted) {
  if (begun_) counted().loops++;
  begun_ = true;
  ended_ = false;
  wanted_ = wanted;
  return cursor_.begin(outer, row);
}

Status IndexScan::produce(const Batch** batch, Progress* progress) {
  if (ended_) {
    *progress = Progress::ended;
    return Status::ok;
  }
  if (!begun_) {
    begun_ = true;
    RETURN_IF_ERROR(cursor_.begin(no_columns_, 0));
  }
  RETURN_IF_ERROR(cursor_.fill(wanted_, &ended_));
  wanted_ = std::min(wanted_ * 4, batch_rows_wanted);
  *batch = &cursor_.batch();
  if (cursor_.batch().rows > 0)
    *progress = Progress::rows;
  else
    *progress = ended_ ? Progress::ended : Progress::paused;
  return Status::ok;
}

}  // namespace pgdata
