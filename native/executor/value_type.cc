// ValueType: comparators.
#include "executor/value_type.h"

namespace pgdata {

Status order_of_type(const ValueType& type, bool default_collation_is_bytewise, KeyColumn* column) {
  ComparatorRequest request;
  request.opcintype = type.oid;
  request.collation = type.collation;
  request.element_type = type.element_type;
  request.default_collation_is_bytewise = default_collation_is_bytewise;
  return select_comparator(request, column);
}

Status equality_of_type(const ValueType& type, KeyColumn* column) {
  ComparatorRequest request;
  request.opcintype = type.oid;
  request.element_type = type.element_type;
  request.collation_is_bytewise = true;
  request.default_collation_is_bytewise = true;
  return select_comparator(request, column);
}

}  // namespace pgdata
