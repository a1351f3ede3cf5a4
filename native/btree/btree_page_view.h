// BtreePageView: one B-tree page in memory, its items reached with bounds checked.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "btree/index_tuple.h"
#include "buffer/buffer_pool.h"
#include "layout/btree_page.h"
#include "layout/btree_records.h"
#include "page/page.h"

namespace pgdata {

class BtreePageView {
 public:
  BtreePageView() = default;
  explicit BtreePageView(Page page) : page_(page) {}

  Page page() const { return page_; }
  BTPageOpaque& opaque() const { return *reinterpret_cast<BTPageOpaque*>(page_.special()); }
  bool has(uint16_t flag) const { return (opaque().btpo_flags & flag) != 0; }
  bool is_leaf() const { return has(BTP_LEAF); }
  bool is_leftmost() const { return opaque().btpo_prev == P_NONE; }
  bool is_rightmost() const { return opaque().btpo_next == P_NONE; }
  // Deleted or on the way to be: only its links count.
  bool is_ignored() const { return has(BTP_DELETED | BTP_HALF_DEAD); }
  OffsetNumber first_data() const { return is_rightmost() ? P_HIKEY : P_FIRSTKEY; }
  OffsetNumber max_offset() const { return page_.max_offset(); }

  // The tuple at `offset` (1 to max_offset), with its size within the page's bounds; nullptr if damaged.
  const std::byte* tuple(OffsetNumber offset) const {
    const LinePointer pointer = page_.line_pointer(offset);
    const uint32_t start = pointer.lp_off();
    const uint32_t length = pointer.lp_len();
    if (length < sizeof(IndexTupleHeader) || start % 8 != 0 || start < sizeof(PageHeader) ||
        start + length > page_.size() - sizeof(BTPageOpaque)) [[unlikely]]
      return nullptr;
    const std::byte* bytes = page_.bytes() + start;
    if (index_tuple_size(index_tuple_header(bytes).t_info) > length) [[unlikely]]
      return nullptr;
    return bytes;
  }
  // A data item of a leaf, its posting list checked too.
  const std::byte* leaf_tuple(OffsetNumber offset) const {
    const std::byte* bytes = tuple(offset);
    if (bytes == nullptr ||
        !leaf_tuple_is_sane(bytes, index_tuple_size(index_tuple_header(bytes).t_info)))
      return nullptr;
    return bytes;
  }
  const std::byte* high_key() const {
    return is_rightmost() || max_offset() < P_HIKEY ? nullptr : tuple(P_HIKEY);
  }
  bool is_dead(OffsetNumber offset) const { return page_.line_pointer(offset).is_dead(); }

 private:
  Page page_;
};

inline BtreePageView view_of(const BufferRef& buffer) { return BtreePageView(buffer.page()); }

// index_corrupted, about a block.
Status damaged_page(const BtreeIndex& index, BlockNumber block);

// Pins and locks a page of the tree and checks its special space. With `BlockNumber` 0 wrong by
// definition: the metapage is read by read_btree_meta.
Status read_btree_page(BufferPool& pool, const BtreeIndex& index, BlockNumber block, LockMode mode,
                       BufferRef* buffer);
// Pins and locks the metapage and checks it. feature_not_supported for versions before 4.
Status read_btree_meta(BufferPool& pool, const BtreeIndex& index, LockMode mode, BufferRef* buffer);
inline BTMetaPage& btree_meta(const BufferRef& buffer) {
  return *reinterpret_cast<BTMetaPage*>(buffer.page().bytes() + sizeof(PageHeader));
}

// What a record says of the metapage.
xl_btree_metadata btree_metadata_record(const BTMetaPage& meta);

// Writes a metapage, or an empty page of the tree.
void initialize_btree_meta(Page page, BlockNumber root, uint32_t level, bool allequalimage);
void initialize_btree_page(Page page, uint32_t level, uint16_t flags);

// Bounds a walk along sibling links: more steps than the index has blocks means a cycle.
class SiblingWalk {
 public:
  SiblingWalk(BufferPool& pool, const BtreeIndex& index) : pool_(pool), index_(index) {}
  Status step();

 private:
  BufferPool& pool_;
  const BtreeIndex& index_;
  uint32_t steps_ = 0;
  uint32_t steps_max_ = 1024;  // before the file is asked for its size
};

}  // namespace pgdata
