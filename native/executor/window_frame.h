// WindowFrame: which rows of its partition a window function is of, seen from one row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "executor/value_type.h"

namespace pgdata {

enum class FrameMode : uint8_t { rows, range, groups };
enum class FrameBoundKind : uint8_t { unbounded, current_row, preceding, following };
enum class FrameExclusion : uint8_t { none, current_row, group, ties };

struct FrameBound {
  FrameBoundKind kind = FrameBoundKind::unbounded;
  // How far: rows, or groups of peers.
  uint64_t count = 0;
  // How far in a range: a Datum of `RangeOrder::offset_type`.
  Datum distance = 0;

  bool has_offset() const {
    return kind == FrameBoundKind::preceding || kind == FrameBoundKind::following;
  }
};

// The one column by which rows of a range with distances are ordered.
struct RangeOrder {
  size_t column = 0;
  ValueType type;
  KeyColumn order;
  bool descending = false;
  bool nulls_first = false;

  // int8 for integers, float8, or numeric; invalid_oid where there are no distances.
  Oid offset_type() const;
  // Whether the value is at most (`less`), or at least, the base with the distance added or, if `subtracts`, taken away.
  // What overflows is beyond every value. Source: in_range functions in src/backend/utils/adt/{int.c,int8.c,float.c,numeric.c},
  // PostgreSQL 18.
  Status is_in_range(Datum value, Datum base, Datum distance, bool subtracts, bool less,
                     bool* result) const;
};

struct WindowFrame {
  FrameMode mode = FrameMode::range;
  FrameBound start;
  FrameBound end;
  FrameExclusion exclusion = FrameExclusion::none;
  // Of a range with distances.
  RangeOrder order;
};

}  // namespace pgdata
