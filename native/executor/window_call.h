// WindowCall: one function of a window.
#pragma once

#include <cstdint>
#include <memory>

#include "executor/aggregate.h"

namespace pgdata {

enum class WindowFunction : uint8_t {
  row_number,
  rank,
  dense_rank,
  percent_rank,
  cume_dist,
  ntile,
  lag,
  lead,
  nth_value,
  last_value,
  aggregate
};

struct WindowCall {
  WindowFunction function = WindowFunction::aggregate;
  std::unique_ptr<Aggregate> aggregate;
  int argument = -1;  // a column; -1: all rows count
  // Of nth_value: which row's; of ntile: into how many parts; of lag and lead: how many rows away.
  int64_t number = 0;
  int fallback =
      -1;  // of lag and lead: the column that stands for a row that there is not; -1: null
  ValueType result_type;
};

}  // namespace pgdata
