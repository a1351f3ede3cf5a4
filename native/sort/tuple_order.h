// LeadingKey and TupleOrder: what an owner of a sort says of its tuples, and of two that have the same leading key.
#pragma once

#include <cstdint>

#include "sort/tuple_memory.h"

namespace pgdata {

// The first thing that tuples are ordered by: first by rank (0 or 1), then by bits. Where the first column is null the rank
// is what tells, and bits are the same. What two tuples have in common here, a TupleOrder may tell apart.
struct LeadingKey {
  uint64_t bits = 0;
  uint8_t rank = 0;

  bool operator==(const LeadingKey&) const = default;
};
inline bool operator<(const LeadingKey& left, const LeadingKey& right) {
  return left.rank != right.rank ? left.rank < right.rank : left.bits < right.bits;
}

class TupleOrder {
 public:
  virtual ~TupleOrder() = default;
  // Less than 0, 0 or more. Those that it calls equal come in order of arrival.
  virtual int compare(TupleView left, TupleView right) = 0;
  // Are all tuples that have this leading key equal, so that they need not be compared? One that says so of a key must know
  // that those that came until now arrived in their order.
  virtual bool are_equal(LeadingKey) const { return false; }
};

}  // namespace pgdata
