// Assignment casts: a value as a column of another type, or with a modifier, stores it.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "executor/expression.h"

namespace pgdata {

// From one kind of number to any other, and to a numeric of limited precision; from text to a varchar of limited length.
// `typmod`: pg_attribute.atttypmod. Raises numeric_value_out_of_range, string_data_right_truncation.
Status make_assignment(ExpressionPointer operand, const ValueType& type, int32_t typmod,
                       MemoryAccount& account, ExpressionPointer* made);

}  // namespace pgdata
