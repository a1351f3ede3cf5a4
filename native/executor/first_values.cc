// FirstValues: child after child.
#include "executor/first_values.h"

#include <utility>

#include "base/invariant.h"

namespace pgdata {

FirstValues::FirstValues(Execution& execution, Children children, std::vector<ValueType> types)
    : Operator(execution, std::move(children)),
      types_(std::move(types)),
      out_(account(), types_.size()) {
  INVARIANT(types_.size() == child_count());
  for (const Column& column : out_.batch().columns) column.nulls[0] = 1;
}

Status FirstValues::produce(const Batch** batch, Progress* progress) {
  while (at_ < child_count()) {
    const Batch* from = nullptr;
    RETURN_IF_ERROR(child(at_).next(&from, progress));
    if (*progress == Progress::paused) return Status::ok;
    if (*progress == Progress::rows && from->columns[0].nulls[0] == 0) {
      const Column& column = out_.batch().columns[at_];
      column.values[0] = types_[at_].copy(from->columns[0].values[0], out_.arena());
      column.nulls[0] = 0;
    }
    at_++;
  }
  *progress = is_given_ ? Progress::ended : Progress::rows;
  is_given_ = true;
  out_.batch().rows = 1;
  *batch = &out_.batch();
  return Status::ok;
}

}  // namespace pgdata
