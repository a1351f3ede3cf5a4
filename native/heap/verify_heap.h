// Structural check of one heap page: line pointers, tuple headers, HOT chains, and every value's
// place, as far as the page alone tells.
//
// The page's header was checked before (verify_page). Nothing on the page is believed, nothing is
// changed. Messages are amcheck's. Source: contrib/amcheck/verify_heapam.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"
#include "page/page.h"
#include "tuple/tuple_layout.h"

namespace pgdata {

// What is known of the relation and the cluster. A bound that is 0 is not checked.
struct HeapVerifyBounds {
  // Null when the columns are not known: then tuples are not walked.
  const TupleLayout* layout = nullptr;
  bool has_toast = false;
  TransactionId relfrozenxid = invalid_transaction_id;
  TransactionId next_xid = invalid_transaction_id;
  MultiXactId relminmxid = 0;
  MultiXactId next_multi = 0;
};

struct HeapComplaint {
  OffsetNumber offset = invalid_offset_number;  // invalid: of the page
  int attribute = -1;                           // 0-based; -1: of the tuple
  std::string message;
};

void verify_heap_page(const Page& page, BlockNumber block, const HeapVerifyBounds& bounds,
                      std::vector<HeapComplaint>* complaints);

// The external values of a tuple that verify_heap_page had nothing against, to be looked up in the
// TOAST table by who can.
struct ExternalValue {
  OffsetNumber offset;
  int attribute;
  Oid va_valueid;
};
void collect_external_values(const Page& page, const TupleLayout& layout,
                             std::vector<ExternalValue>* values);

}  // namespace pgdata
