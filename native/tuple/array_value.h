// Array values: forming one of one dimension.
//
//   offset  size  field        (of the content, after the varlena header)
//        0     4  ndim         1
//        4     4  dataoffset   0: no element is null
//        8     4  elemtype
//       12     4  dimension
//       16     4  lower bound  1
//       20     -  elements, aligned as their type wants it, counted from the varlena header's start
//
// Source: src/include/utils/array.h, construct_md_array in src/backend/utils/adt/arrayfuncs.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <vector>

#include "tuple/tuple_desc.h"

namespace pgdata {

// The content of an array of values of the attribute's type, none of them null; varlenas are neither compressed nor out of
// line. Empty when there are no values.
std::vector<std::byte> form_array(const Attribute& element, const std::vector<Datum>& values);

}  // namespace pgdata
