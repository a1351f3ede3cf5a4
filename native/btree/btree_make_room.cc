// make_room_on_leaf: simple deletion, bottom-up deletion, deduplication.
#include "btree/btree_make_room.h"

#include <algorithm>
#include <vector>

#include "base/invariant.h"
#include "btree/btree_dedup.h"
#include "btree/btree_delete_items.h"
#include "btree/btree_load.h"
#include "btree/index_tuple.h"

namespace pgdata {

namespace {

class RoomMaker {
 public:
  RoomMaker(StorageServices& services, TransactionId xid, const BtreeIndex& index,
            IndexUpkeep* upkeep, BufferRef& leaf, const RoomRequest& request)
      : services_(services),
        xid_(xid),
        index_(index),
        upkeep_(upkeep),
        leaf_(leaf),
        request_(request) {}

  Status run() {
    bool has_duplicates = request_.has_duplicates || request_.is_unchanged;
    if (upkeep_ != nullptr) {
      bool deleted = false;
      RETURN_IF_ERROR(delete_dead_items(&deleted));
      if (has_room()) return Status::ok;
      // What is dead is mostly an older version of what comes.
      if (deleted) has_duplicates = true;
    }
    if (request_.checks_unique && !has_duplicates) return Status::ok;
    if (has_duplicates && upkeep_ != nullptr) {
      bool is_enough = false;
      RETURN_IF_ERROR(delete_bottom_up(&is_enough));
      if (is_enough) return Status::ok;
    }
    if (!request_.may_merge) return Status::ok;
    return deduplicate_page(services_, xid_, index_, leaf_, request_.tuple, has_duplicates);
  }

  // _bt_simpledel_pass: the entries that are marked dead, and all others that lead to the same blocks or to that of the new
  // entry, since those are looked at anyway.
  Status delete_dead_items(bool* deleted) {
    RETURN_IF_ERROR(check_items());
    const BtreePageView view = view_of(leaf_);
    std::vector<BlockNumber> blocks;
    for (OffsetNumber offset = view.first_data(); offset <= view.max_offset(); offset++) {
      if (!view.is_dead(offset)) continue;
      const std::byte* tuple = view.tuple(offset);
      for (int place = 0; place < leaf_tid_count(index_tuple_header(tuple)); place++)
        blocks.push_back(leaf_tid(tuple, place).block());
    }
    *deleted = !blocks.empty();
    if (!*deleted) return Status::ok;
    blocks.push_back(index_tuple_header(request_.tuple).t_tid.block());
    std::sort(blocks.begin(), blocks.end());
    blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
    std::vector<IndexEntry> entries;
    for (OffsetNumber offset = view.first_data(); offset <= view.max_offset(); offset++)
      add_entries(offset, &entries, blocks);
    return delete_deletable(0, &entries);
  }

 private:
  uint32_t new_size() const { return index_tuple_size(index_tuple_header(request_.tuple).t_info); }
  bool has_room() const { return leaf_.page().free_bytes() >= new_size(); }

  Status check_items() const {
    const BtreePageView view = view_of(leaf_);
    for (OffsetNumber offset = view.first_data(); offset <= view.max_offset(); offset++)
      if (view.leaf_tuple(offset) == nullptr) return damaged_page(index_, leaf_.block());
    return Status::ok;
  }

  void add_entries(OffsetNumber offset, std::vector<IndexEntry>* entries,
                   const std::vector<BlockNumber>& blocks) const {
    const BtreePageView view = view_of(leaf_);
    const std::byte* tuple = view.tuple(offset);
    const int count = leaf_tid_count(index_tuple_header(tuple));
    for (int place = 0; place < count; place++) {
      const ItemPointer tid = leaf_tid(tuple, place);
      if (!std::binary_search(blocks.begin(), blocks.end(), tid.block())) continue;
      entries->push_back({tid, offset, static_cast<uint16_t>(place), view.is_dead(offset)});
    }
  }

  // Equal neighbours are probably versions of one row. Of a posting list at most one entry is: it was merged long ago.
  void add_interval(OffsetNumber first, OffsetNumber last, std::vector<IndexEntry>* entries) const {
    const BtreePageView view = view_of(leaf_);
    const bool has_duplicates = first != last;
    for (OffsetNumber offset = first; offset <= last; offset++) {
      const std::byte* tuple = view.tuple(offset);
      const IndexTupleHeader& header = index_tuple_header(tuple);
      const int count = leaf_tid_count(header);
      const bool is_posting = btree_tuple_is_posting(header);
      int promising = -1;
      if (has_duplicates && !is_posting) {
        promising = 0;
      } else if (has_duplicates) {
        const BlockNumber middle = leaf_tid(tuple, count / 2).block();
        if (leaf_tid_first(tuple).block() == middle)
          promising = 0;
        else if (leaf_tid_last(tuple).block() == middle)
          promising = count - 1;
      }
      for (int place = 0; place < count; place++) {
        IndexEntry entry{leaf_tid(tuple, place), offset, static_cast<uint16_t>(place), false};
        entry.promising = place == promising;
        entry.free_bytes = is_posting
                               ? sizeof(ItemPointer)
                               : view.page().line_pointer(offset).lp_len() + sizeof(LinePointer);
        entries->push_back(entry);
      }
    }
  }

  // _bt_bottomupdel_pass. `*is_enough`: the page should not be merged now.
  Status delete_bottom_up(bool* is_enough) {
    const BtreePageView view = view_of(leaf_);
    const auto wanted = static_cast<uint32_t>(new_size() + sizeof(LinePointer));
    std::vector<IndexEntry> entries;
    bool has_intervals = false;
    OffsetNumber start = view.first_data();
    size_t tids = 0;
    const size_t tids_max = index_.block_size() / sizeof(ItemPointer);
    for (OffsetNumber offset = start; offset <= view.max_offset(); offset++) {
      const auto count =
          static_cast<size_t>(leaf_tid_count(index_tuple_header(view.tuple(offset))));
      if (offset != start &&
          (!keys_are_identical(view.tuple(start), view.tuple(offset)) || tids + count > tids_max)) {
        add_interval(start, static_cast<OffsetNumber>(offset - 1), &entries);
        has_intervals = has_intervals || offset - 1 != start;
        start = offset;
        tids = 0;
      }
      tids += count;
    }
    if (start <= view.max_offset()) {
      add_interval(start, view.max_offset(), &entries);
      has_intervals = has_intervals || view.max_offset() != start;
    }
    if (!entries.empty())
      RETURN_IF_ERROR(delete_deletable(std::max(index_.block_size() / 16, wanted), &entries));
    *is_enough = !has_intervals ||
                 leaf_.page().exact_free_bytes() >= std::max(index_.block_size() / 24, wanted);
    return Status::ok;
  }

  // Asks the table, and deletes what it gives away (_bt_delitems_delete_check).
  Status delete_deletable(uint32_t bottom_up_bytes, std::vector<IndexEntry>* entries) {
    TransactionId conflict_horizon = invalid_transaction_id;
    RETURN_IF_ERROR(upkeep_->find_deletable(bottom_up_bytes, entries, &conflict_horizon));
    ItemDeletions deletions;
    for (size_t i = 0; i < entries->size();) {
      const OffsetNumber offset = (*entries)[i].offset;
      PostingCut cut;
      cut.offset = offset;
      for (; i < entries->size() && (*entries)[i].offset == offset; i++)
        if ((*entries)[i].deletable) cut.places.push_back((*entries)[i].place);
      const std::byte* tuple = view_of(leaf_).tuple(offset);
      const auto count = static_cast<size_t>(leaf_tid_count(index_tuple_header(tuple)));
      if (cut.places.size() == count)
        deletions.deleted.push_back(offset);
      else if (!cut.places.empty())
        deletions.cut.push_back(std::move(cut));
    }
    if (deletions.empty()) return Status::ok;
    return delete_items_for_room(services_, xid_, index_, leaf_, deletions, conflict_horizon);
  }

  StorageServices& services_;
  TransactionId xid_;
  const BtreeIndex& index_;
  IndexUpkeep* upkeep_;
  BufferRef& leaf_;
  const RoomRequest& request_;
};

}  // namespace

Status make_room_on_leaf(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                         IndexUpkeep* upkeep, BufferRef& leaf, const RoomRequest& request) {
  RoomMaker maker(services, xid, index, upkeep, leaf, request);
  return maker.run();
}

Status delete_dead_from_leaf(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                             IndexUpkeep& upkeep, BufferRef& leaf, const std::byte* tuple) {
  const RoomRequest request{tuple};
  RoomMaker maker(services, xid, index, &upkeep, leaf, request);
  bool deleted = false;
  return maker.delete_dead_items(&deleted);
}

}  // namespace pgdata
