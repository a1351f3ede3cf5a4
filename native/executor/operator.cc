// Operator: counting and timing.
#include "executor/operator.h"

namespace pgdata {

Status Operator::next(const Batch** batch, Progress* progress) {
  // Whoever drops what it gets asks again and again.
  if (execution_.is_out_of_time()) {
    *progress = Progress::paused;
    return Status::ok;
  }
  Status status;
  {
    const WorkTimer timer(execution_, counters_);
    status = produce(batch, progress);
  }
  if (counters_.rows == 0) counters_.startup_ms = counters_.total_ms;
  if (status.is_ok() && *progress == Progress::rows) counters_.rows += (*batch)->rows;
  return status;
}

void Operator::report(std::vector<OperatorReport>* reports) const {
  OperatorReport own;
  own.counters = counters_;
  describe(&own);
  reports->push_back(own);
  for (const auto& child : children_) child->report(reports);
}

}  // namespace pgdata
