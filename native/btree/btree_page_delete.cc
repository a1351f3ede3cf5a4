// Page deletion: parent and leaf first, then siblings.
#include "btree/btree_page_delete.h"

#include <utility>

#include "base/invariant.h"
#include "btree/btree_insert.h"
#include "btree/btree_search.h"
#include "btree/index_tuple.h"
#include "layout/btree_records.h"

namespace pgdata {

namespace {

// Marks a page deleted (BTPageSetDeleted), within a change.
void set_deleted(const BufferRef& buffer, FullTransactionId safexid) {
  const Page page = buffer.page();
  BTPageOpaque& opaque = view_of(buffer).opaque();
  opaque.btpo_flags =
      static_cast<uint16_t>((opaque.btpo_flags & ~BTP_HALF_DEAD) | BTP_DELETED | BTP_HAS_FULLXID);
  opaque.btpo_cycleid = 0;
  page.header().pd_lower = sizeof(PageHeader) + sizeof(BTDeletedPageData);
  page.header().pd_upper = page.header().pd_special;
  store(page.bytes() + sizeof(PageHeader), BTDeletedPageData{safexid});
}

// A high key that only says which page is the top of the branch (BTreeTupleSetTopParent).
IndexTupleHeader top_parent_key(BlockNumber top) {
  IndexTupleHeader key{ItemPointer(top, 0), sizeof(IndexTupleHeader)};
  btree_set_pivot(key, 0, false);
  return key;
}

// The key that a high key separates at; its values lie in the tuple or the arena.
Status search_key_of_pivot(const BtreeIndex& index, const std::byte* pivot, DetoastArena* arena,
                           BtreeSearchKey* key) {
  const IndexTupleHeader& header = index_tuple_header(pivot);
  const uint32_t size = index_tuple_size(header.t_info);
  key->columns = btree_tuple_is_pivot(header) ? btree_pivot_columns(header) : index.nkeyatts();
  bool is_sane = key->columns <= index.nkeyatts();
  IndexTupleCursor cursor(index, pivot, size, arena);
  for (int i = 0; is_sane && i < key->columns; i++) {
    const auto result = cursor.next(&key->values[i]);
    key->nulls[i] = result == IndexTupleCursor::Result::null;
    is_sane = result != IndexTupleCursor::Result::corrupt;
  }
  if (is_sane && btree_tuple_is_pivot(header) && btree_pivot_has_heap_tid(header)) {
    is_sane =
        key->columns == index.nkeyatts() && size >= sizeof(IndexTupleHeader) + sizeof(ItemPointer);
    if (is_sane) {
      key->has_tid = true;
      key->tid = load<ItemPointer>(pivot + size - sizeof(ItemPointer));
    }
  }
  if (is_sane) return Status::ok;
  return Status::error(ErrorCode::index_corrupted, "index \"%s\" contains a corrupted high key",
                       index.name());
}

class PageDeleter {
 public:
  PageDeleter(StorageServices& services, const BtreeIndex& index, IndexUpkeep& upkeep,
              std::vector<DeletedBtreePage>* deleted)
      : services_(services),
        pool_(services.pool),
        index_(index),
        upkeep_(upkeep),
        deleted_(deleted) {}

  Status run(BufferRef leaf);

 private:
  // The parent from which the whole branch hangs, locked, and where in it.
  struct Branch {
    BufferRef parent;
    OffsetNumber offset = invalid_offset_number;
    BlockNumber top;
    BlockNumber top_right;  // right sibling of `top`
  };

  Status find_way(BufferRef& leaf, bool* possible);
  Status mark_half_dead(BufferRef& leaf, bool* done);
  Status lock_branch_parent(BlockNumber child, int depth, Branch* branch, bool* possible);
  Status left_is_split(BlockNumber left, BlockNumber right, bool* is_split);
  Status unlink(BufferRef& leaf, bool* right_is_empty);
  Status lock_left_sibling(BlockNumber left, BlockNumber target, BufferRef* buffer);

  StorageServices& services_;
  BufferPool& pool_;
  const BtreeIndex& index_;
  IndexUpkeep& upkeep_;
  std::vector<DeletedBtreePage>* deleted_;
  BtreeStack stack_;
  bool has_stack_ = false;
};

// Whether `left`, still the left sibling of `right`, lacks the downlink to it.
Status PageDeleter::left_is_split(BlockNumber left, BlockNumber right, bool* is_split) {
  *is_split = false;
  if (left == P_NONE) return Status::ok;
  BufferRef buffer;
  RETURN_IF_ERROR(read_btree_page(pool_, index_, left, LockMode::shared, &buffer));
  const BtreePageView view = view_of(buffer);
  *is_split = view.opaque().btpo_next == right && view.has(BTP_INCOMPLETE_SPLIT);
  return Status::ok;
}

// Finds the way to the leaf by its high key. The leaf is unlocked meanwhile: the caller looks at it anew.
Status PageDeleter::find_way(BufferRef& leaf, bool* possible) {
  const BtreePageView view = view_of(leaf);
  const std::byte* high_key = view.high_key();
  if (high_key == nullptr) return damaged_page(index_, leaf.block());
  IndexTupleBuffer key_tuple;
  const uint32_t size = index_tuple_size(index_tuple_header(high_key).t_info);
  std::memcpy(key_tuple.bytes, high_key, size);
  const BlockNumber left = view.opaque().btpo_prev;
  leaf.unlock();

  bool is_split = false;
  RETURN_IF_ERROR(left_is_split(left, leaf.block(), &is_split));
  *possible = !is_split;
  if (is_split) {
    leaf.release();
    return Status::ok;
  }
  DetoastArena arena;
  BtreeSearchKey key;
  RETURN_IF_ERROR(search_key_of_pivot(index_, key_tuple.bytes, &arena, &key));
  // Searches lead to the right of a separator that equals the key; the leaf whose high key it is lies to its left.
  key.backward = true;
  BufferRef found;
  stack_.depth = 0;
  RETURN_IF_ERROR(
      search_btree_leaf(pool_, index_, key, LockMode::shared, &stack_, nullptr, &found));
  found.release();
  has_stack_ = true;
  leaf.lock(LockMode::exclusive);
  return Status::ok;
}

// The parent of `child`, and, if `child` is its only one, the parent's parent, and so on (_bt_lock_subtree_parent).
Status PageDeleter::lock_branch_parent(BlockNumber child, int depth, Branch* branch,
                                       bool* possible) {
  *possible = false;
  // The tree grew above the page since the way was found.
  if (depth == 0) return Status::ok;
  BufferRef parent;
  RETURN_IF_ERROR(lock_btree_parent(services_, index_, stack_, depth, child, &parent));
  if (!parent.is_valid())
    return Status::error(ErrorCode::index_corrupted,
                         "failed to re-find parent key in index \"%s\" for deletion target page %u",
                         index_.name(), value_of(child));
  const BtreePageView view = view_of(parent);
  const OffsetNumber offset = stack_.steps[depth - 1].offset;
  if (offset < view.max_offset()) {
    branch->parent = std::move(parent);
    branch->offset = offset;
    *possible = true;
    return Status::ok;
  }
  // The key space of the last child would have nowhere to go, unless its parent goes too.
  if (offset != view.first_data() || view.is_rightmost()) return Status::ok;
  const BlockNumber block = parent.block();
  const BlockNumber left = view.opaque().btpo_prev;
  branch->top = block;
  branch->top_right = view.opaque().btpo_next;
  parent.release();
  bool is_split = false;
  RETURN_IF_ERROR(left_is_split(left, block, &is_split));
  if (is_split) return Status::ok;
  return lock_branch_parent(block, depth - 1, branch, possible);
}

// The first step (_bt_mark_page_halfdead).
Status PageDeleter::mark_half_dead(BufferRef& leaf, bool* done) {
  *done = false;
  const BtreePageView leaf_view = view_of(leaf);
  const BTPageOpaque leaf_opaque = leaf_view.opaque();
  {
    // A half-dead right sibling has no downlink, which the check below relies on.
    BufferRef right;
    RETURN_IF_ERROR(
        read_btree_page(pool_, index_, leaf_opaque.btpo_next, LockMode::shared, &right));
    if (view_of(right).has(BTP_HALF_DEAD)) return Status::ok;
  }
  Branch branch;
  branch.top = leaf.block();
  branch.top_right = leaf_opaque.btpo_next;
  bool possible = false;
  RETURN_IF_ERROR(lock_branch_parent(leaf.block(), stack_.depth, &branch, &possible));
  if (!possible) return Status::ok;

  const Page parent_page = branch.parent.page();
  const BtreePageView parent_view(parent_page);
  const auto next_offset = static_cast<OffsetNumber>(branch.offset + 1);
  const std::byte* downlink = parent_view.tuple(branch.offset);
  const std::byte* next_downlink = parent_view.tuple(next_offset);
  if (downlink == nullptr || next_downlink == nullptr ||
      btree_downlink(index_tuple_header(next_downlink)) != branch.top_right ||
      leaf_view.max_offset() != P_HIKEY)
    return damaged_page(index_, branch.parent.block());
  RETURN_IF_ERROR(parent_page.verify_items(branch.parent.block(), index_.name()));
  RETURN_IF_ERROR(leaf.page().verify_items(leaf.block(), index_.name()));

  // Who has read the gap on this page has read what its right sibling covers from here on.
  if (services_.predicate_locks != nullptr && services_.predicate_locks->in_use()) [[unlikely]] {
    const PredicateRelation relation = index_.predicate_relation();
    services_.predicate_locks->page_combine(relation.database, relation.relation, leaf.block(),
                                            leaf_opaque.btpo_next);
  }

  const BlockNumber top = branch.top == leaf.block() ? invalid_block_number : branch.top;
  const IndexTupleHeader high_key = top_parent_key(top);
  xl_btree_mark_page_halfdead record{};
  record.poffset = branch.offset;
  record.leafblk = leaf.block();
  record.leftblk = leaf_opaque.btpo_prev;
  record.rightblk = leaf_opaque.btpo_next;
  record.topparent = top;
  Change change(services_, invalid_transaction_id, RmgrId::btree, XLOG_BTREE_MARK_PAGE_HALFDEAD,
                index_.logged());
  change.block(0, leaf, REGBUF_WILL_INIT);
  change.block(1, branch.parent, REGBUF_STANDARD);
  change.begin();
  // The key space moves right: the right sibling takes over the branch's separator.
  btree_set_downlink(*reinterpret_cast<IndexTupleHeader*>(parent_page.item_at(branch.offset)),
                     branch.top_right);
  parent_page.delete_item(next_offset);
  leaf_view.opaque().btpo_flags |= BTP_HALF_DEAD;
  INVARIANT(leaf.page().overwrite_item(P_HIKEY, reinterpret_cast<const std::byte*>(&high_key),
                                       sizeof(high_key)));
  change.data(&record, sizeof(record));
  RETURN_IF_ERROR(change.finish());
  *done = true;
  return Status::ok;
}

// The left sibling may have been split since its number was read: then the neighbour is to its right.
Status PageDeleter::lock_left_sibling(BlockNumber left, BlockNumber target, BufferRef* buffer) {
  SiblingWalk walk(pool_, index_);
  for (;;) {
    RETURN_IF_ERROR(read_btree_page(pool_, index_, left, LockMode::exclusive, buffer));
    const BtreePageView view = view_of(*buffer);
    if (!view.has(BTP_DELETED) && view.opaque().btpo_next == target) return Status::ok;
    const BlockNumber next = view.opaque().btpo_next;
    const bool is_lost = view.is_rightmost() || view.has(BTP_DELETED) || next == left;
    buffer->release();
    if (is_lost)
      return Status::error(ErrorCode::index_corrupted,
                           "valid left sibling for deletion target could not be located: "
                           "left sibling %u of target %u in index \"%s\"",
                           value_of(left), value_of(target), index_.name());
    RETURN_IF_ERROR(walk.step());
    left = next;
  }
}

// The second step, for the topmost page that is left of the branch (_bt_unlink_halfdead_page). The leaf is
// locked before and after, not between.
Status PageDeleter::unlink(BufferRef& leaf, bool* right_is_empty) {
  const BlockNumber leaf_block = leaf.block();
  const std::byte* leaf_high_key = view_of(leaf).high_key();
  if (leaf_high_key == nullptr) return damaged_page(index_, leaf_block);
  BlockNumber target = btree_downlink(index_tuple_header(leaf_high_key));
  const BlockNumber leaf_left = view_of(leaf).opaque().btpo_prev;
  const BlockNumber leaf_right = view_of(leaf).opaque().btpo_next;
  leaf.unlock();

  const bool is_leaf = target == invalid_block_number;
  BufferRef upper;
  BlockNumber left = leaf_left;
  uint32_t level = 0;
  if (is_leaf) {
    target = leaf_block;
  } else {
    if (target == leaf_block) return damaged_page(index_, leaf_block);
    RETURN_IF_ERROR(read_btree_page(pool_, index_, target, LockMode::shared, &upper));
    left = view_of(upper).opaque().btpo_prev;
    level = view_of(upper).opaque().btpo_level;
    upper.unlock();
    leaf.lock(LockMode::exclusive);
  }
  BufferRef& buffer = is_leaf ? leaf : upper;
  BufferRef left_buffer;
  if (left != P_NONE) RETURN_IF_ERROR(lock_left_sibling(left, target, &left_buffer));
  if (left_buffer.is_valid()) left = left_buffer.block();
  buffer.lock(LockMode::exclusive);
  const BtreePageView view = view_of(buffer);
  const BTPageOpaque opaque = view.opaque();
  const OffsetNumber items = view.max_offset();
  BlockNumber next_top = invalid_block_number;
  bool expected = !view.is_rightmost() && !view.has(BTP_ROOT | BTP_DELETED) &&
                  opaque.btpo_prev == left && view.is_leaf() == is_leaf;
  if (is_leaf) {
    expected = expected && items < view.first_data() && view.has(BTP_HALF_DEAD);
  } else if (expected && items == view.first_data() && view.tuple(items) != nullptr) {
    next_top = btree_downlink(index_tuple_header(view.tuple(items)));
    if (next_top == leaf_block) next_top = invalid_block_number;
  } else {
    expected = false;
  }
  if (!expected)
    return Status::error(ErrorCode::index_corrupted,
                         "target page changed status unexpectedly in block %u of index \"%s\"",
                         value_of(target), index_.name());

  const BlockNumber right = opaque.btpo_next;
  if (right == left || right == leaf_block || right == target) return damaged_page(index_, target);
  BufferRef right_buffer;
  RETURN_IF_ERROR(read_btree_page(pool_, index_, right, LockMode::exclusive, &right_buffer));
  const BtreePageView right_view = view_of(right_buffer);
  if (right_view.opaque().btpo_prev != target)
    return Status::error(ErrorCode::index_corrupted,
                         "right sibling's left-link doesn't match: right sibling %u of target %u "
                         "links to %u in index \"%s\"",
                         value_of(right), value_of(target), value_of(right_view.opaque().btpo_prev),
                         index_.name());
  *right_is_empty = right_view.first_data() > right_view.max_offset();
  // The only page that is left on the level becomes the fast root.
  BufferRef meta_buffer;
  if (left == P_NONE && right_view.is_rightmost()) {
    RETURN_IF_ERROR(read_btree_meta(pool_, index_, LockMode::exclusive, &meta_buffer));
    if (btree_meta(meta_buffer).btm_fastlevel > level + 1) meta_buffer.release();
  }

  xl_btree_unlink_page record{};
  record.leftsib = left;
  record.rightsib = right;
  record.level = level;
  record.leafleftsib = leaf_left;
  record.leafrightsib = leaf_right;
  record.leaftopparent = next_top;
  xl_btree_metadata metadata{};
  Change change(services_, invalid_transaction_id, RmgrId::btree,
                meta_buffer.is_valid() ? XLOG_BTREE_UNLINK_PAGE_META : XLOG_BTREE_UNLINK_PAGE,
                index_.logged());
  change.block(0, buffer, REGBUF_WILL_INIT);
  if (left_buffer.is_valid()) change.block(1, left_buffer, REGBUF_STANDARD);
  change.block(2, right_buffer, REGBUF_STANDARD);
  if (!is_leaf) change.block(3, leaf, REGBUF_WILL_INIT);
  if (meta_buffer.is_valid()) change.block(4, meta_buffer, REGBUF_WILL_INIT | REGBUF_STANDARD);
  change.begin();
  if (left_buffer.is_valid()) view_of(left_buffer).opaque().btpo_next = right;
  right_view.opaque().btpo_prev = left;
  if (!is_leaf) {
    const IndexTupleHeader high_key = top_parent_key(next_top);
    INVARIANT(leaf.page().overwrite_item(P_HIKEY, reinterpret_cast<const std::byte*>(&high_key),
                                         sizeof(high_key)));
  }
  // Read after the links have changed: whoever can still come here has begun before.
  record.safexid = upkeep_.next_full_xid();
  set_deleted(buffer, record.safexid);
  if (meta_buffer.is_valid()) {
    BTMetaPage& meta = btree_meta(meta_buffer);
    meta.btm_fastroot = right;
    meta.btm_fastlevel = level;
    metadata = btree_metadata_record(meta);
  }
  change.data(&record, xl_btree_unlink_page_size);
  if (meta_buffer.is_valid()) change.block_data(4, &metadata, sizeof(metadata));
  RETURN_IF_ERROR(change.finish());
  deleted_->push_back({target, record.safexid});
  return Status::ok;
}

Status PageDeleter::run(BufferRef leaf) {
  SiblingWalk walk(pool_, index_);
  for (;;) {
    const BtreePageView view = view_of(leaf);
    if (!view.is_leaf() || view.has(BTP_DELETED)) return Status::ok;
    if (!view.has(BTP_HALF_DEAD)) {
      if (view.is_rightmost() || view.has(BTP_ROOT | BTP_INCOMPLETE_SPLIT) ||
          view.first_data() <= view.max_offset())
        return Status::ok;
      if (!has_stack_) {
        bool possible = false;
        RETURN_IF_ERROR(find_way(leaf, &possible));
        if (!possible) return Status::ok;
        continue;
      }
      bool done = false;
      RETURN_IF_ERROR(mark_half_dead(leaf, &done));
      if (!done) return Status::ok;
    }
    bool right_is_empty = false;
    while (view_of(leaf).has(BTP_HALF_DEAD)) {
      RETURN_IF_ERROR(walk.step());
      RETURN_IF_ERROR(unlink(leaf, &right_is_empty));
    }
    const BlockNumber right = view_of(leaf).opaque().btpo_next;
    leaf.release();
    // It may have stayed because it was the last child of its parent; now it may be the only one.
    if (!right_is_empty) return Status::ok;
    RETURN_IF_ERROR(walk.step());
    RETURN_IF_ERROR(read_btree_page(pool_, index_, right, LockMode::exclusive, &leaf));
  }
}

}  // namespace

Status delete_btree_leaf(StorageServices& services, const BtreeIndex& index, IndexUpkeep& upkeep,
                         BufferRef leaf, std::vector<DeletedBtreePage>* deleted) {
  if (!leaf.is_locked_exclusive()) {
    leaf.unlock();
    leaf.lock(LockMode::exclusive);
  }
  PageDeleter deleter(services, index, upkeep, deleted);
  return deleter.run(std::move(leaf));
}

FullTransactionId btree_deleted_at(const BtreePageView& view) {
  // Deleted by a release before 14, long ago.
  if (!view.has(BTP_HAS_FULLXID)) return value_of(first_normal_transaction_id);
  return load<BTDeletedPageData>(view.page().bytes() + sizeof(PageHeader)).safexid;
}

}  // namespace pgdata
