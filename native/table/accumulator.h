// Accumulator: one aggregate over the rows of a table, which takes a column of many rows at a time.
//
// Sums of floats are added up row by row in the order of the rows, as PostgreSQL does, so that they are equal to its. Those
// of integers are exact.
// Source: src/backend/utils/adt/{float.c,int8.c}, PostgreSQL 18. Different: averages of integers are float8.
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "table/table_read.h"
#include "tuple/deform_columns.h"

namespace pgdata {

class Accumulator {
 public:
  virtual ~Accumulator() = default;
  // The values of `rows` more rows; those of nulls are 0. numeric_value_out_of_range.
  virtual Status add(const Column& column, uint32_t rows) = 0;
  virtual AggregateValue value() const = 0;
};

// Of a column of type `type`; null: there is no such function of it.
std::unique_ptr<Accumulator> make_accumulator(AggregateKind kind, Oid type);

}  // namespace pgdata
