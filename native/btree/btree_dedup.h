// Deduplication of a leaf: neighbouring items with identical keys become posting lists.
//
// Done where the page would have to be split otherwise. Only in indexes whose equal keys have equal
// bytes. Source: src/backend/access/nbtree/nbtdedup.c, PostgreSQL 18.
#pragma once

#include "base/status.h"
#include "btree/btree_index.h"
#include "btree/btree_page_view.h"
#include "change/change.h"

namespace pgdata {

// `leaf` is locked exclusively; `new_tuple` is what needs room on it. `after_bottom_up`: deletion was tried, and did not
// find enough; the page is then not laid out for being split. Does nothing when nothing can be merged.
Status deduplicate_page(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                        BufferRef& leaf, const std::byte* new_tuple, bool after_bottom_up);

}  // namespace pgdata
