// Comparison of values that have a structure of their own: numeric, jsonb, arrays. For compare.cc alone.
#pragma once

#include <string_view>

#include "tuple/compare.h"

namespace pgdata {

// The content of a numeric (after the varlena header), in numeric_ops order: NaN is the greatest.
int compare_numeric_content(std::string_view left, std::string_view right);
// Content of a jsonb value, in jsonb_ops order; strings in byte order.
int compare_jsonb_content(std::string_view left, std::string_view right);
// Content of an array value, in array_ops order.
int compare_array_content(std::string_view left, std::string_view right, const KeyColumn& column);

// How values of an element type are stored; false for a type unknown here.
bool element_storage(Oid type, int16_t* length, uint8_t* alignment);

}  // namespace pgdata
