// Aggregate: one aggregate function over any number of groups at once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "executor/batch.h"
#include "executor/value_type.h"

namespace pgdata {

enum class AggregateFunction : uint8_t { count_rows, count, sum, avg, min, max };

class Aggregate {
 public:
  virtual ~Aggregate() = default;
  // There are so many groups now; new ones have seen no row.
  virtual void resize(size_t groups) = 0;
  // Row `i` of the argument's `rows` belongs to `groups[i]`, all of them to the first where `groups` is null. `argument` is
  // null for count_rows alone.
  virtual Status add(const Column* argument, uint32_t rows, const uint32_t* groups) = 0;
  // Takes rows away that were added, where the function can: `*removed` is false for others, and the groups are then to be
  // filled anew.
  virtual Status remove(const Column*, uint32_t, const uint32_t*, bool* removed) {
    *removed = false;
    return Status::ok;
  }
  // Of one group; by-reference values in the arena. numeric_value_out_of_range.
  virtual Status result(size_t group, Arena& arena, Datum* value, bool* is_null) = 0;
  // There will be so many.
  virtual void reserve(size_t groups) = 0;
  // There are none again.
  virtual void clear() = 0;
  // What the states take, and what one more does at least.
  virtual size_t bytes() const = 0;
  virtual size_t state_bytes() const = 0;
};

// `type`: the argument's. Values that are kept are in blocks of at most `block_bytes`. feature_not_supported for what there is no such function of.
Status make_aggregate(AggregateFunction function, const ValueType& type,
                      bool default_collation_is_bytewise, size_t block_bytes,
                      std::unique_ptr<Aggregate>* made);

}  // namespace pgdata
