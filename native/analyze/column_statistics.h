// ColumnStatistics: what a sample tells of one column, as pg_statistic holds it.
//
// Source: src/backend/commands/analyze.c (compute_trivial_stats, compute_distinct_stats, compute_scalar_stats,
// analyze_mcv_list) and src/include/catalog/pg_statistic.h, PostgreSQL 18. The arithmetic is theirs step by step, float4
// where theirs is, so that the same sample gives the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/status.h"
#include "tuple/compare.h"
#include "tuple/tuple_desc.h"

namespace pgdata {

// pg_statistic.stakindN.
enum class StatisticKind : int16_t { mcv = 1, histogram = 2, correlation = 3 };

struct StatisticSlot {
  StatisticKind kind;
  std::vector<float> numbers;  // stanumbersN
  // stavaluesN: an array of the column's type without its varlena header; empty when there are no values.
  std::vector<std::byte> values;
};

struct ColumnStatistics {
  // False: nothing is known, since the sample is empty.
  bool valid = false;
  float null_fraction = 0;  // stanullfrac
  int32_t width = 0;        // stawidth
  float distinct = 0;       // stadistinct: 0 unknown, negative a share of the rows
  std::vector<StatisticSlot> slots;
};

// What can be told of a type: nothing of its values; which of them are equal; their order, too.
enum class ColumnMethod : uint8_t { trivial, distinct, scalar };

struct ColumnAnalysis {
  ColumnMethod method = ColumnMethod::trivial;
  // For scalar, and for distinct where equal values may have different bytes (else `compare` is null).
  KeyColumn order;
  // How many common values and histogram bins at most (attstattarget).
  uint32_t target = 100;
};

// The values of one column in the rows of a sample.
struct ColumnSample {
  // Not null, in the rows' order, neither compressed nor out of line; none for the trivial method.
  std::vector<Datum> values;
  uint64_t rows = 0;
  uint64_t nulls = 0;
  uint64_t too_wide = 0;   // not null, and not among `values`
  double width_bytes = 0;  // of all that are not null, as they stand in the rows
  double total_rows = 0;   // of the table
};

// Values that are wider (with a four-byte header) are only counted.
constexpr uint32_t wide_bytes = 1024;

// `pause` is called now and then; an error ends the computing. `values` of the sample may be reordered.
Status compute_statistics(const Attribute& attribute, const ColumnAnalysis& analysis,
                          ColumnSample& sample, const std::function<Status()>& pause,
                          ColumnStatistics* statistics);

// analyze_mcv_list: how many of the most common values, whose counts are given in descending order, are so much more
// common than the rest that the list is worth them.
uint32_t worthy_common_values(const std::vector<uint32_t>& counts, double distinct,
                              double null_fraction, uint64_t sampled_rows, double total_rows);

}  // namespace pgdata
