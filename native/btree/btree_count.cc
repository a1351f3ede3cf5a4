// Leaf pages from left to right.
#include "btree/btree_count.h"

#include <algorithm>

#include "btree/btree_page_view.h"
#include "btree/btree_search.h"

namespace pgdata {
namespace {

// A tuple is its header and 8 bytes of keys or null bitmap at least; one with a posting list has two TIDs or more.
constexpr uint32_t tuple_bytes_min = 16;
constexpr uint32_t posting_bytes_min = 32;
static_assert(sizeof(IndexTupleHeader) == 8 && sizeof(ItemPointer) == 6);

// Most leaves have no posting list, which their bytes tell, or the lengths of their tuples: those need not be touched.
Status count_leaf(const BtreeIndex& index, const BufferRef& leaf, uint64_t* entries) {
  const BtreePageView view = view_of(leaf);
  const OffsetNumber first = view.first_data();
  const OffsetNumber last = view.max_offset();
  if (last < first) return Status::ok;
  const Page page = view.page();
  const PageHeader& header = page.header();
  const uint32_t count = last - first + 1u;
  const uint32_t high_key_bytes = static_cast<uint32_t>(
      view.is_rightmost() ? 0 : max_align(page.line_pointer(P_HIKEY).lp_len()));
  // Entries that are marked dead lead to no block that is visible to all, so that none is here.
  if (uint32_t{header.pd_special} - header.pd_upper <
      high_key_bytes + count * tuple_bytes_min + tuple_bytes_min) {
    *entries += count;
    return Status::ok;
  }
  // Without branches, for the compiler to count several at a time.
  const auto* pointers = reinterpret_cast<const LinePointer*>(page.bytes() + sizeof(PageHeader));
  uint32_t live = 0;
  uint32_t long_ones = 0;
  for (uint32_t i = first; i <= last; ++i) {
    const uint32_t bits = pointers[i - 1].bits;
    const uint32_t is_normal = (bits >> 15 & 1) & ~(bits >> 16 & 1);
    live += is_normal;
    long_ones += is_normal & (bits >> 17 >= posting_bytes_min ? 1u : 0u);
  }
  *entries += live - long_ones;
  for (OffsetNumber offset = first; long_ones != 0 && offset <= last; ++offset) {
    const LinePointer pointer = page.line_pointer(offset);
    if (!pointer.is_normal() || pointer.lp_len() < posting_bytes_min) continue;
    const std::byte* tuple = view.leaf_tuple(offset);
    if (tuple == nullptr) [[unlikely]]
      return damaged_page(index, leaf.block());
    *entries += static_cast<uint64_t>(leaf_tid_count(index_tuple_header(tuple)));
  }
  return Status::ok;
}

Status count_leaf_except(const BtreeIndex& index, const BufferRef& leaf,
                         std::span<const BlockNumber> except, uint64_t* entries) {
  const BtreePageView view = view_of(leaf);
  const OffsetNumber last = view.max_offset();
  const uint32_t lowest = value_of(except.front());
  for (OffsetNumber offset = view.first_data(); offset <= last; ++offset) {
    if (!view.page().line_pointer(offset).is_normal()) continue;
    const std::byte* tuple = view.leaf_tuple(offset);
    if (tuple == nullptr) [[unlikely]]
      return damaged_page(index, leaf.block());
    const int tids = leaf_tid_count(index_tuple_header(tuple));
    for (int i = 0; i < tids; ++i) {
      const BlockNumber block = leaf_tid(tuple, i).block();
      const bool is_excepted =
          value_of(block) >= lowest && std::binary_search(except.begin(), except.end(), block);
      *entries += is_excepted ? 0 : 1;
    }
  }
  return Status::ok;
}

}  // namespace

Status count_btree_entries(BufferPool& pool, const BtreeIndex& index,
                           std::span<const BlockNumber> except, uint64_t* entries) {
  *entries = 0;
  BufferRef leaf;
  RETURN_IF_ERROR(find_btree_edge(pool, index, 0, false, &leaf));
  SiblingWalk walk(pool, index);
  while (leaf.is_valid()) {
    const BtreePageView view = view_of(leaf);
    // Entries that a split moves to a new right sibling later are counted here.
    const BlockNumber next = view.opaque().btpo_next;
    if (!view.is_rightmost()) pool.prefetch(index.relation(), ForkNumber::main, next);
    if (!view.is_ignored())
      RETURN_IF_ERROR(except.empty() ? count_leaf(index, leaf, entries)
                                     : count_leaf_except(index, leaf, except, entries));
    if (view.is_rightmost()) return Status::ok;
    leaf.release();
    RETURN_IF_ERROR(walk.step());
    RETURN_IF_ERROR(read_btree_page(pool, index, next, LockMode::shared, &leaf));
  }
  return Status::ok;
}

}  // namespace pgdata
