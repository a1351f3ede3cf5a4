// BtreeVacuum: the scan in physical order.
#include "btree/btree_vacuum.h"

#include "base/invariant.h"
#include "btree/index_tuple.h"
#include "layout/btree_records.h"
#include "space/free_space_map.h"

namespace pgdata {

namespace {

// Pages that wait to be used again are looked for once they are more than a twentieth of the index.
constexpr uint32_t blocks_per_deleted_page = 20;

class CycleNumber {
 public:
  CycleNumber(ClusterState& state, RelFileLocator index) : state_(state), index_(index) {}
  ~CycleNumber() {
    if (number != 0) state_.contain([this] { state_.index_vacuums().end(index_); });
  }
  CycleNumber(const CycleNumber&) = delete;
  Status take() { return state_.index_vacuums().begin(index_, &number); }
  uint16_t number = 0;

 private:
  ClusterState& state_;
  RelFileLocator index_;
};

}  // namespace

Status BtreeVacuum::bulk_delete(const DeadRows& dead) {
  CycleNumber cycle(services_.state, index_.relation());
  RETURN_IF_ERROR(cycle.take());
  return scan(&dead, cycle.number);
}

Status BtreeVacuum::needs_clean_up(bool* needs) {
  BufferRef meta;
  RETURN_IF_ERROR(read_btree_meta(pool_, index_, LockMode::shared, &meta));
  const uint32_t deleted = btree_meta(meta).btm_last_cleanup_num_delpages;
  meta.release();
  uint32_t blocks = 0;
  RETURN_IF_ERROR(pool_.storage().block_count(index_.relation(), ForkNumber::main, &blocks));
  *needs = deleted > 0 && deleted > blocks / blocks_per_deleted_page;
  return Status::ok;
}

Status BtreeVacuum::clean_up(double heap_tuples, bool heap_tuples_are_exact) {
  if (!result_.scanned) {
    bool needs = false;
    RETURN_IF_ERROR(needs_clean_up(&needs));
    if (!needs) return Status::ok;
    RETURN_IF_ERROR(scan(nullptr, 0));
    // Entries of dead rows were counted, too.
    result_.tuples_are_estimated = true;
  }
  INVARIANT(result_.pages_deleted >= result_.pages_free);
  RETURN_IF_ERROR(set_clean_up_info(result_.pages_deleted - result_.pages_free));
  // Pages that were split while they were scanned may have been counted twice.
  if (heap_tuples_are_exact && static_cast<double>(result_.tuples) > heap_tuples)
    result_.tuples = static_cast<uint64_t>(heap_tuples);
  return Status::ok;
}

Status BtreeVacuum::set_clean_up_info(uint32_t deleted_pages) {
  BufferRef buffer;
  RETURN_IF_ERROR(read_btree_meta(pool_, index_, LockMode::exclusive, &buffer));
  BTMetaPage& meta = btree_meta(buffer);
  if (meta.btm_last_cleanup_num_delpages == deleted_pages) return Status::ok;
  Change change(services_, invalid_transaction_id, RmgrId::btree, XLOG_BTREE_META_CLEANUP,
                index_.logged());
  change.block(0, buffer, REGBUF_WILL_INIT | REGBUF_STANDARD);
  change.begin();
  meta.btm_last_cleanup_num_delpages = deleted_pages;
  meta.btm_last_cleanup_num_heap_tuples = -1.0;
  const xl_btree_metadata record = btree_metadata_record(meta);
  change.block_data(0, &record, sizeof(record));
  return change.finish();
}

Status BtreeVacuum::scan(const DeadRows* dead, uint16_t cycle) {
  result_.scanned = true;
  result_.tuples = 0;
  result_.pages_deleted = 0;
  result_.pages_free = 0;
  deleted_.clear();
  uint32_t block = value_of(BTREE_METAPAGE) + 1;
  uint32_t blocks = 0;
  // A page that is added after the file was asked for its size came from a split after the cycle began.
  for (;;) {
    RETURN_IF_ERROR(pool_.storage().block_count(index_.relation(), ForkNumber::main, &blocks));
    if (block >= blocks) break;
    for (; block < blocks; block++) {
      RETURN_IF_ERROR(pause_());
      RETURN_IF_ERROR(vacuum_block(BlockNumber{block}, dead, cycle));
    }
  }
  result_.blocks = blocks;
  // Those that nobody can be on the way to already.
  for (const DeletedBtreePage& page : deleted_) {
    if (!upkeep_.is_recyclable(page.safexid)) break;
    RETURN_IF_ERROR(free_page(page.block));
  }
  if (result_.pages_free == 0) return Status::ok;
  return FreeSpaceMap(pool_, index_.relation()).vacuum();
}

Status BtreeVacuum::free_page(BlockNumber block) {
  result_.pages_free++;
  return FreeSpaceMap(pool_, index_.relation()).record(block, index_.block_size() - 1);
}

Status BtreeVacuum::vacuum_block(BlockNumber scan_block, const DeadRows* dead, uint16_t cycle) {
  BlockNumber block = scan_block;
  SiblingWalk walk(pool_, index_);
  for (;;) {
    BufferRef buffer;
    RETURN_IF_ERROR(pool_.read(index_.relation(), ForkNumber::main, block, ReadMode::normal,
                               strategy_, &buffer));
    buffer.lock(LockMode::exclusive);
    const Page page = buffer.page();
    if (!page.is_new() && page.special_size() != sizeof(BTPageOpaque))
      return damaged_page(index_, block);
    const BtreePageView view(page);
    const bool is_back = block != scan_block;
    if (is_back) {
      // Back at the right half of a split: nothing is to be done if another visit was quicker.
      if (page.is_new() || !view.is_leaf() || view.has(BTP_HALF_DEAD))
        return damaged_page(index_, block);
      if (view.opaque().btpo_cycleid != cycle || view.has(BTP_DELETED)) return Status::ok;
    }
    if (page.is_new() || (view.has(BTP_DELETED) && upkeep_.is_recyclable(btree_deleted_at(view)))) {
      // One that this scan deleted before it came here must not be freed again at its end.
      if (!page.is_new() && !deleted_.empty() && btree_deleted_at(view) >= deleted_.front().safexid)
        std::erase_if(deleted_, [&](const DeletedBtreePage& one) { return one.block == block; });
      buffer.release();
      result_.pages_deleted++;
      return free_page(block);
    }
    BlockNumber back_to = P_NONE;
    bool delete_page = false;
    if (view.has(BTP_DELETED)) {
      result_.pages_deleted++;
    } else if (view.has(BTP_HALF_DEAD)) {
      delete_page = true;
    } else if (view.is_leaf()) {
      const BTPageOpaque opaque = view.opaque();
      if (cycle != 0 && opaque.btpo_cycleid == cycle && !view.has(BTP_SPLIT_END) &&
          !view.is_rightmost() && value_of(opaque.btpo_next) < value_of(scan_block))
        back_to = opaque.btpo_next;
      bool is_empty = false;
      RETURN_IF_ERROR(vacuum_leaf(buffer, dead, &is_empty));
      // Deleting the page that the scan came back to could free one that it has counted.
      delete_page = is_empty && !is_back;
      if (cycle != 0 && view.opaque().btpo_cycleid == cycle) {
        view.opaque().btpo_cycleid = 0;
        pool_.mark_dirty_hint(buffer, true);
      }
    }
    if (delete_page) {
      const size_t before = deleted_.size();
      RETURN_IF_ERROR(delete_btree_leaf(services_, index_, upkeep_, std::move(buffer), &deleted_));
      for (size_t i = before; i < deleted_.size(); i++) {
        result_.pages_newly_deleted++;
        // The scan will come to the others itself.
        if (value_of(deleted_[i].block) <= value_of(scan_block)) result_.pages_deleted++;
      }
    }
    if (back_to == P_NONE) return Status::ok;
    buffer.release();
    RETURN_IF_ERROR(walk.step());
    block = back_to;
  }
}

// Removes the entries of dead rows from a leaf that is locked exclusively, and counts what stays.
Status BtreeVacuum::vacuum_leaf(BufferRef& leaf, const DeadRows* dead, bool* is_empty) {
  const BtreePageView view = view_of(leaf);
  ItemDeletions deletions;
  uint64_t live = 0;
  uint64_t removed = 0;
  for (OffsetNumber offset = view.first_data(); offset <= view.max_offset(); offset++) {
    const std::byte* tuple = view.leaf_tuple(offset);
    if (tuple == nullptr) return damaged_page(index_, leaf.block());
    if (dead == nullptr) {
      // Without a deletion each item counts once, whatever its list holds.
      live++;
      continue;
    }
    const int count = leaf_tid_count(index_tuple_header(tuple));
    PostingCut cut;
    cut.offset = offset;
    for (int place = 0; place < count; place++)
      if (dead->contains(leaf_tid(tuple, place)))
        cut.places.push_back(static_cast<uint16_t>(place));
    removed += cut.places.size();
    live += static_cast<size_t>(count) - cut.places.size();
    if (cut.places.size() == static_cast<size_t>(count))
      deletions.deleted.push_back(offset);
    else if (!cut.places.empty())
      deletions.cut.push_back(std::move(cut));
  }
  if (!deletions.empty()) {
    RETURN_IF_ERROR(delete_items_in_vacuum(services_, index_, leaf, deletions));
    result_.tuples_removed += removed;
  }
  result_.tuples += live;
  *is_empty = view.first_data() > view.max_offset();
  return Status::ok;
}

}  // namespace pgdata
