// BtreeUpperPages: this thread's copies of the upper pages of B-trees, for descents that change nothing.
//
// Readers meet in the few pages at the top of a tree: each pin and each lock there is a write to memory that all of them want.
// A copy costs one look at the buffer's descriptor, whose count of changes tells whether the page is still what it was. What
// changes a moment later may as well have changed after the page was unlocked: Lehman and Yao's descent expects that.
#pragma once

#include <cstddef>

#include "btree/btree_index.h"
#include "btree/btree_page_view.h"
#include "buffer/buffer_pool.h"

namespace pgdata {

// The copy of block `block`, if there is one and the page has not changed since. Valid until the thread's next `keep`.
bool find_upper_page(BufferPool& pool, const BtreeIndex& index, BlockNumber block,
                     BtreePageView* view);
// Copies an upper page that is locked, unless its place is another page's that has been used lately.
void keep_upper_page(BufferPool& pool, const BtreeIndex& index, const BufferRef& page);

}  // namespace pgdata
