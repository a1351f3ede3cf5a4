// deduplicate_page: one pass over a leaf, written to a copy and then logged as intervals.
#include "btree/btree_dedup.h"

#include <vector>

#include "base/invariant.h"
#include "btree/btree_load.h"
#include "btree/index_tuple.h"
#include "layout/btree_records.h"

namespace pgdata {

namespace {

// Items seen so far that will be one posting list.
struct Pending {
  const std::byte* base = nullptr;
  uint32_t key_size = 0;
  int items = 0;
  std::vector<ItemPointer> tids;

  void start(const std::byte* tuple) {
    base = tuple;
    key_size = leaf_key_size(index_tuple_header(tuple));
    items = 0;
    tids.clear();
    append(tuple);
  }
  void append(const std::byte* tuple) {
    const int count = leaf_tid_count(index_tuple_header(tuple));
    for (int i = 0; i < count; ++i) tids.push_back(leaf_tid(tuple, i));
    ++items;
  }
  size_t size_with(const std::byte* tuple) const {
    const auto count = static_cast<size_t>(leaf_tid_count(index_tuple_header(tuple)));
    return max_align(key_size + (tids.size() + count) * sizeof(ItemPointer));
  }
};

}  // namespace

Status deduplicate_page(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                        BufferRef& leaf, const std::byte* new_tuple, bool after_bottom_up) {
  const BtreePageView view = view_of(leaf);
  const OffsetNumber first = view.first_data();
  const OffsetNumber last = view.max_offset();
  if (first >= last) return Status::ok;
  for (OffsetNumber offset = 1; offset <= last; ++offset) {
    const bool sane =
        offset < first ? view.tuple(offset) != nullptr : view.leaf_tuple(offset) != nullptr;
    if (!sane) return damaged_page(index, leaf.block());
  }

  // A sixth of a page leaves good places to split between. A page full of one value, which will be
  // split near its end, gets six long lists, the last a little shorter, and nothing after them.
  const uint32_t block_size = index.block_size();
  uint32_t posting_bytes_max = btree_item_size_max(block_size) / 2;
  bool single_value = !after_bottom_up && keys_are_identical(new_tuple, view.tuple(first)) &&
                      keys_are_identical(new_tuple, view.tuple(last));
  bool merging = true;
  int long_items = 0;

  alignas(8) std::byte copy_bytes[block_size_max];
  const Page copy(copy_bytes, block_size);
  copy.initialize(sizeof(BTPageOpaque));
  const auto add = [&](const std::byte* tuple) {
    const uint32_t size = index_tuple_size(index_tuple_header(tuple).t_info);
    return copy.add_item(tuple, size, static_cast<OffsetNumber>(copy.max_offset() + 1), false) !=
           invalid_offset_number;
  };
  if (first == P_FIRSTKEY && !add(view.tuple(P_HIKEY))) return damaged_page(index, leaf.block());

  std::vector<BTDedupInterval> intervals;
  OffsetNumber base_offset = first;
  Pending pending;
  pending.start(view.tuple(first));
  IndexTupleBuffer merged;
  const auto finish = [&] {
    if (pending.items == 1) return add(pending.base);
    form_posting(pending.base, pending.tids.data(), static_cast<int>(pending.tids.size()), &merged);
    intervals.push_back({base_offset, static_cast<uint16_t>(pending.items)});
    return add(merged.bytes);
  };
  for (auto offset = static_cast<OffsetNumber>(first + 1); offset <= last; ++offset) {
    const std::byte* tuple = view.tuple(offset);
    if (merging && keys_are_identical(pending.base, tuple)) {
      if (pending.size_with(tuple) <= posting_bytes_max) {
        pending.append(tuple);
        continue;
      }
      constexpr size_t long_list_tids = 50;
      if (pending.tids.size() > long_list_tids) ++long_items;
    }
    if (!finish()) return damaged_page(index, leaf.block());
    if (single_value) {
      if (long_items == 5) {
        const uint32_t new_size =
            index_tuple_size(index_tuple_header(new_tuple).t_info) + sizeof(LinePointer);
        const uint32_t left_free = btree_page_capacity(block_size) - new_size - 8;
        const uint32_t reduction = left_free * (100 - BTREE_SINGLEVAL_FILLFACTOR) / 100;
        posting_bytes_max = posting_bytes_max > reduction ? posting_bytes_max - reduction : 0;
      } else if (long_items == 6) {
        merging = false;
        single_value = false;
      }
    }
    base_offset = offset;
    pending.start(tuple);
  }
  if (!finish()) return damaged_page(index, leaf.block());
  if (intervals.empty()) return Status::ok;

  BtreePageView(copy).opaque() = view.opaque();
  BtreePageView(copy).opaque().btpo_flags &= static_cast<uint16_t>(~BTP_HAS_GARBAGE);
  copy.set_lsn(leaf.page().lsn());

  Change change(services, xid, RmgrId::btree, XLOG_BTREE_DEDUP, index.logged());
  change.block(0, leaf, REGBUF_STANDARD);
  change.begin();
  std::memcpy(leaf.page().bytes(), copy_bytes, block_size);
  const xl_btree_dedup record{static_cast<uint16_t>(intervals.size())};
  change.data(&record, sizeof(record));
  change.block_data(0, intervals.data(), intervals.size() * sizeof(BTDedupInterval));
  return change.finish();
}

}  // namespace pgdata
