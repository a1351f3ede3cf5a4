// btree_insert: finding the place, the unique check, and the logged changes of pages.
#include "btree/btree_insert.h"

#include "base/invariant.h"
#include "btree/btree_kill.h"
#include "btree/btree_make_room.h"
#include "btree/btree_page_delete.h"
#include "btree/btree_page_view.h"
#include "btree/btree_search.h"
#include "btree/btree_split_point.h"
#include "btree/index_tuple.h"
#include "layout/btree_records.h"
#include "space/free_space_map.h"

namespace pgdata {

namespace {

// An item that is to go onto a page. When its TID falls inside a posting list, that list takes the
// TID, and the item gets the list's last one and goes after it.
struct NewItem {
  const std::byte* tuple = nullptr;
  OffsetNumber offset = invalid_offset_number;
  uint16_t posting_place = 0;              // 0: no posting list is split
  const std::byte* original = nullptr;     // with posting_place: the item as it was
  const std::byte* new_posting = nullptr;  // and the list as it will be

  uint32_t size() const { return index_tuple_size(index_tuple_header(tuple).t_info); }
  OffsetNumber posting_offset() const {
    return posting_place == 0 ? invalid_offset_number : static_cast<OffsetNumber>(offset - 1);
  }
};

// Damaged links can lead to a page that is locked already, where waiting for the lock would never
// end: each place that locks a second page compares first.
class BtreeInserter final : public SplitFinisher {
 public:
  BtreeInserter(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                IndexUpkeep* upkeep, SerializableTransaction* writer)
      : services_(services),
        pool_(services.pool),
        xid_(xid),
        index_(index),
        upkeep_(upkeep),
        writer_(writer) {}

  Status insert(const Datum* values, const bool* is_null, ItemPointer heap_tid,
                UniqueChecker* checker, bool is_unchanged, BtreeInsertResult* result);
  Status find_conflict(const Datum* values, const bool* is_null, UniqueChecker& checker,
                       BtreeInsertResult* result);
  Status finish_split(BufferRef left, BtreeStack& stack, int depth) override;
  Status find_parent(BtreeStack& stack, int depth, BlockNumber child, BlockNumber child_sibling,
                     BufferRef* parent);

 private:
  bool prepare_key();
  Status find_leaf(BtreeStack* stack, BufferRef* leaf);
  Status try_cached_leaf(BufferRef* leaf);
  Status create_root();
  Status check_unique(BufferRef& leaf, UniqueChecker* checker, BtreeInsertResult* result,
                      bool* has_duplicates);
  Status step_right(BtreeStack& stack, BufferRef* leaf);
  Status place_on_leaf(BufferRef leaf, BtreeStack& stack);
  Status allequalimage(bool* is_set);

  // `child`: the left half of a split, whose right half the item points to; unlocked when done.
  Status insert_on_page(BufferRef buffer, BufferRef* child, BtreeStack& stack, int depth,
                        NewItem item, bool split_only_page);
  Status add_to_page(BufferRef& buffer, BufferRef* child, const NewItem& item,
                     bool split_only_page);
  Status split(BufferRef& left, BufferRef* child, const NewItem& item, BufferRef* right);
  Status insert_parent(BufferRef left, BufferRef right, BtreeStack& stack, int depth, bool was_root,
                       bool was_only);
  Status new_root(BufferRef left, BufferRef right);
  Status new_page(BufferRef* buffer);
  Status reuse_page(BufferRef& buffer);

  StorageServices& services_;
  BufferPool& pool_;
  TransactionId xid_;
  const BtreeIndex& index_;
  IndexUpkeep* upkeep_;
  SerializableTransaction* writer_;
  IndexTupleBuffer tuple_;
  DetoastArena arena_;
  BtreeSearchKey key_;
};

// Makes the search key of the tuple's own columns. False when a key column is null.
bool BtreeInserter::prepare_key() {
  bool all_given = true;
  IndexTupleCursor cursor(index_, tuple_.bytes, tuple_.size(), &arena_);
  key_.columns = index_.nkeyatts();
  for (int i = 0; i < key_.columns; ++i) {
    const auto result = cursor.next(&key_.values[i]);
    key_.nulls[i] = result != IndexTupleCursor::Result::value;
    all_given = all_given && !key_.nulls[i];
  }
  return all_given;
}

Status BtreeInserter::insert(const Datum* values, const bool* is_null, ItemPointer heap_tid,
                             UniqueChecker* checker, bool is_unchanged, BtreeInsertResult* result) {
  *result = BtreeInsertResult{};
  INVARIANT(heap_tid.is_valid());
  RETURN_IF_ERROR(form_index_tuple(index_, values, is_null, heap_tid, &tuple_));
  const bool all_given = prepare_key();
  key_.tid = heap_tid;
  // Rows with nulls are distinct, unless the index says otherwise.
  const bool checks = checker != nullptr && (all_given || index_.definition().nulls_not_distinct);
  // The check must begin at the first leaf that may have the key, and holds that one's lock: two
  // inserters of one key cannot both pass it.
  key_.has_tid = !checks;

  BtreeStack stack;
  BufferRef leaf;
  RETURN_IF_ERROR(find_leaf(&stack, &leaf));
  bool has_duplicates = false;
  if (checks) RETURN_IF_ERROR(check_unique(leaf, checker, result, &has_duplicates));
  // Whoever read where the key is, or would be, holds a lock on the first leaf that may have it, or on one that this
  // was split from. Asked also before a duplicate is reported, which may have been committed by one of them.
  if (writer_ != nullptr && (!is_valid(result->wait_xid) || checker->is_partial())) [[unlikely]]
    RETURN_IF_ERROR(predicate_transaction(*writer_).conflict_in(index_.predicate_relation(),
                                                                nullptr, leaf.block()));
  if (checks) {
    const bool has_conflict = result->conflict || is_valid(result->wait_xid);
    if (has_conflict && !checker->is_partial()) return Status::ok;
    key_.has_tid = true;
    const BlockNumber first_leaf = leaf.block();
    RETURN_IF_ERROR(step_right(stack, &leaf));
    if (leaf.block() != first_leaf) has_duplicates = true;
  }

  if (leaf.page().free_bytes() < tuple_.size()) {
    RoomRequest request{tuple_.bytes, checks, has_duplicates, is_unchanged, false};
    if (index_.definition().deduplicate_items && index_.allequalimage())
      RETURN_IF_ERROR(allequalimage(&request.may_merge));
    RETURN_IF_ERROR(make_room_on_leaf(services_, xid_, index_, upkeep_, leaf, request));
  }
  RETURN_IF_ERROR(place_on_leaf(std::move(leaf), stack));
  result->inserted = true;
  return Status::ok;
}

Status BtreeInserter::find_conflict(const Datum* values, const bool* is_null,
                                    UniqueChecker& checker, BtreeInsertResult* result) {
  *result = BtreeInsertResult{};
  // Any address: the key is compared without.
  RETURN_IF_ERROR(form_index_tuple(index_, values, is_null,
                                   ItemPointer(BlockNumber{0}, first_offset_number), &tuple_));
  if (!prepare_key() && !index_.definition().nulls_not_distinct) return Status::ok;
  key_.has_tid = false;
  BtreeStack stack;
  BufferRef leaf;
  RETURN_IF_ERROR(search_btree_leaf(pool_, index_, key_, LockMode::shared, &stack, nullptr, &leaf));
  if (!leaf.is_valid()) return Status::ok;
  bool has_duplicates = false;
  return check_unique(leaf, &checker, result, &has_duplicates);
}

Status BtreeInserter::allequalimage(bool* is_set) {
  BtreeHints::Root hint;
  if (BtreeHints::root(index_, &hint)) {
    *is_set = hint.allequalimage;
    return Status::ok;
  }
  BufferRef meta;
  RETURN_IF_ERROR(read_btree_meta(pool_, index_, LockMode::shared, &meta));
  *is_set = btree_meta(meta).btm_allequalimage != 0;
  return Status::ok;
}

// Ascending keys all go to the rightmost leaf: try the one that the last insert went to.
Status BtreeInserter::try_cached_leaf(BufferRef* leaf) {
  const BlockNumber block = BtreeHints::rightmost(index_);
  if (block == P_NONE) return Status::ok;
  RETURN_IF_ERROR(
      pool_.read(index_.relation(), ForkNumber::main, block, ReadMode::normal, nullptr, leaf));
  if (!leaf->try_lock(LockMode::exclusive)) {
    leaf->release();
    return Status::ok;
  }
  const Page page = leaf->page();
  if (!page.is_new() && page.special_size() == sizeof(BTPageOpaque)) {
    const BtreePageView view(page);
    if (view.is_leaf() && view.is_rightmost() && !view.is_ignored() &&
        !view.has(BTP_INCOMPLETE_SPLIT) && view.max_offset() >= P_HIKEY &&
        page.free_bytes() > tuple_.size()) {
      const std::byte* first = view.tuple(P_HIKEY);
      const int order = first == nullptr ? corrupt_order : compare_with_tuple(index_, key_, first);
      if (order > 0) return Status::ok;
    }
  }
  leaf->release();
  BtreeHints::set_rightmost(index_, P_NONE);
  return Status::ok;
}

Status BtreeInserter::find_leaf(BtreeStack* stack, BufferRef* leaf) {
  stack->depth = 0;
  RETURN_IF_ERROR(try_cached_leaf(leaf));
  if (leaf->is_valid()) return Status::ok;
  RETURN_IF_ERROR(search_btree_leaf(pool_, index_, key_, LockMode::exclusive, stack, this, leaf));
  if (leaf->is_valid()) return Status::ok;
  RETURN_IF_ERROR(create_root());
  RETURN_IF_ERROR(search_btree_leaf(pool_, index_, key_, LockMode::exclusive, stack, this, leaf));
  INVARIANT(leaf->is_valid());
  return Status::ok;
}

Status BtreeInserter::create_root() {
  BufferRef meta_buffer;
  RETURN_IF_ERROR(read_btree_meta(pool_, index_, LockMode::exclusive, &meta_buffer));
  if (btree_meta(meta_buffer).btm_root != P_NONE) return Status::ok;  // Somebody was faster.
  BufferRef root;
  RETURN_IF_ERROR(new_page(&root));

  Change change(services_, xid_, RmgrId::btree, XLOG_BTREE_NEWROOT, index_.logged());
  change.block(0, root, REGBUF_WILL_INIT);
  change.block(2, meta_buffer, REGBUF_WILL_INIT | REGBUF_STANDARD);
  change.begin();
  initialize_btree_page(root.page(), 0, BTP_LEAF | BTP_ROOT);
  BTMetaPage& meta = btree_meta(meta_buffer);
  meta.btm_root = root.block();
  meta.btm_level = 0;
  meta.btm_fastroot = root.block();
  meta.btm_fastlevel = 0;
  meta.btm_last_cleanup_num_delpages = 0;
  meta.btm_last_cleanup_num_heap_tuples = -1.0;
  const xl_btree_newroot record{root.block(), 0};
  const xl_btree_metadata metadata = btree_metadata_record(meta);
  change.data(&record, sizeof(record));
  change.block_data(2, &metadata, sizeof(metadata));
  return change.finish();
}

Status BtreeInserter::check_unique(BufferRef& leaf, UniqueChecker* checker,
                                   BtreeInsertResult* result, bool* has_duplicates) {
  OffsetNumber offset = invalid_offset_number;
  RETURN_IF_ERROR(search_btree_page(index_, key_, leaf, &offset));
  BufferRef neighbour;
  BufferRef* current = &leaf;
  SiblingWalk walk(pool_, index_);
  while (true) {
    const BtreePageView view = view_of(*current);
    const OffsetNumber last = view.is_ignored() ? OffsetNumber{0} : view.max_offset();
    for (; offset <= last; ++offset) {
      const std::byte* tuple = view.leaf_tuple(offset);
      const int order = tuple == nullptr ? corrupt_order : compare_with_tuple(index_, key_, tuple);
      if (order == corrupt_order) return damaged_page(index_, current->block());
      if (order != 0) return Status::ok;
      if (view.is_dead(offset)) continue;
      *has_duplicates = true;
      const int count = leaf_tid_count(index_tuple_header(tuple));
      bool all_dead = true;
      for (int i = 0; i < count; ++i) {
        const ItemPointer tid = leaf_tid(tuple, i);
        bool live = false;
        bool dead = false;
        TransactionId wait_xid = invalid_transaction_id;
        RETURN_IF_ERROR(checker->check(tid, &live, &wait_xid, &dead));
        all_dead = all_dead && dead;
        if (!live && !is_valid(wait_xid)) continue;
        result->conflict = !is_valid(wait_xid);
        result->wait_xid = wait_xid;
        result->conflict_tid = tid;
        return Status::ok;
      }
      if (all_dead) mark_dead_entry(pool_, *current, offset);
    }
    if (view.is_rightmost()) return Status::ok;
    if (!view.is_ignored()) {
      const std::byte* high_key = view.high_key();
      const int order =
          high_key == nullptr ? corrupt_order : compare_with_tuple(index_, key_, high_key);
      if (order == corrupt_order) return damaged_page(index_, current->block());
      if (order != 0) return Status::ok;
    }
    const BlockNumber next = view.opaque().btpo_next;
    if (next == leaf.block()) return damaged_page(index_, current->block());
    neighbour.release();
    RETURN_IF_ERROR(walk.step());
    RETURN_IF_ERROR(read_btree_page(pool_, index_, next, LockMode::shared, &neighbour));
    current = &neighbour;
    offset = view_of(neighbour).first_data();
  }
}

// From the first leaf that may have the key to the one where the new entry belongs. Locks are
// coupled: between two pages, no other inserter of the key may pass.
Status BtreeInserter::step_right(BtreeStack& stack, BufferRef* leaf) {
  SiblingWalk walk(pool_, index_);
  while (true) {
    const BtreePageView view = view_of(*leaf);
    if (view.is_rightmost()) return Status::ok;
    const std::byte* high_key = view.high_key();
    const int order =
        high_key == nullptr ? corrupt_order : compare_with_tuple(index_, key_, high_key);
    if (order == corrupt_order) return damaged_page(index_, leaf->block());
    if (order <= 0) return Status::ok;
    BlockNumber next = view.opaque().btpo_next;
    BufferRef right;
    while (true) {
      if (next == leaf->block()) return damaged_page(index_, next);
      RETURN_IF_ERROR(walk.step());
      RETURN_IF_ERROR(read_btree_page(pool_, index_, next, LockMode::exclusive, &right));
      const BtreePageView right_view = view_of(right);
      if (right_view.has(BTP_INCOMPLETE_SPLIT)) {
        RETURN_IF_ERROR(finish_split(std::move(right), stack, stack.depth));
        continue;
      }
      if (!right_view.is_ignored()) break;
      if (right_view.is_rightmost())
        return Status::error(ErrorCode::index_corrupted, "fell off the end of index \"%s\"",
                             index_.name());
      next = right_view.opaque().btpo_next;
      right.release();
    }
    *leaf = std::move(right);
  }
}

Status BtreeInserter::place_on_leaf(BufferRef leaf, BtreeStack& stack) {
  NewItem item;
  item.tuple = tuple_.bytes;
  RETURN_IF_ERROR(search_btree_page(index_, key_, leaf, &item.offset));
  const BtreePageView view = view_of(leaf);
  IndexTupleBuffer moved;
  IndexTupleBuffer posting;
  if (item.offset <= view.max_offset()) {
    const std::byte* at = view.leaf_tuple(item.offset);
    if (at == nullptr) return damaged_page(index_, leaf.block());
    const IndexTupleHeader& header = index_tuple_header(at);
    if ((btree_tuple_is_posting(header) || header.t_tid == key_.tid) &&
        compare_with_tuple(index_, key_, at) == 0) {
      // A list whose rows are all dead should go rather than live on with one more. All that are dead do, so there is
      // none the next time.
      if (upkeep_ != nullptr && view.is_dead(item.offset)) {
        RETURN_IF_ERROR(
            delete_dead_from_leaf(services_, xid_, index_, *upkeep_, leaf, tuple_.bytes));
        return place_on_leaf(std::move(leaf), stack);
      }
      int place = 0;
      const int count = leaf_tid_count(header);
      while (place < count && leaf_tid(at, place) < key_.tid) ++place;
      const uint32_t size = index_tuple_size(header.t_info);
      std::memcpy(posting.bytes, at, size);
      std::memcpy(moved.bytes, tuple_.bytes, tuple_.size());
      ItemPointer tid = key_.tid;
      if (leaf_tid(at, place) == tid || !swap_posting(posting.bytes, place, &tid))
        return Status::error(ErrorCode::index_corrupted,
                             "table tid from new index tuple (%u,%u) overlaps with invalid "
                             "duplicate tuple at offset %u of block %u in index \"%s\"",
                             value_of(key_.tid.block()), key_.tid.offset(), item.offset,
                             value_of(leaf.block()), index_.name());
      moved.header().t_tid = tid;
      item.original = tuple_.bytes;
      item.tuple = moved.bytes;
      item.new_posting = posting.bytes;
      item.posting_place = static_cast<uint16_t>(place);
      ++item.offset;
    }
  }
  return insert_on_page(std::move(leaf), nullptr, stack, stack.depth, item, false);
}

Status BtreeInserter::insert_on_page(BufferRef buffer, BufferRef* child, BtreeStack& stack,
                                     int depth, NewItem item, bool split_only_page) {
  const BtreePageView view = view_of(buffer);
  INVARIANT(view.is_leaf() == (child == nullptr));
  if (buffer.page().free_bytes() >= item.size())
    return add_to_page(buffer, child, item, split_only_page);
  const bool was_root = view.has(BTP_ROOT);
  const bool was_only = view.is_leftmost() && view.is_rightmost();
  BufferRef right;
  RETURN_IF_ERROR(split(buffer, child, item, &right));
  if (services_.predicate_locks != nullptr && services_.predicate_locks->in_use()) [[unlikely]] {
    const PredicateRelation relation = index_.predicate_relation();
    services_.predicate_locks->page_split(relation.database, relation.relation, buffer.block(),
                                          right.block());
  }
  return insert_parent(std::move(buffer), std::move(right), stack, depth, was_root, was_only);
}

Status BtreeInserter::add_to_page(BufferRef& buffer, BufferRef* child, const NewItem& item,
                                  bool split_only_page) {
  const Page page = buffer.page();
  const BtreePageView view(page);
  const bool is_leaf = view.is_leaf();
  // The parent of pages that were alone on their level may be below the fast root's proper level.
  BufferRef meta_buffer;
  if (split_only_page) {
    RETURN_IF_ERROR(read_btree_meta(pool_, index_, LockMode::exclusive, &meta_buffer));
    if (btree_meta(meta_buffer).btm_fastlevel >= view.opaque().btpo_level) meta_buffer.release();
  }

  const uint8_t info = item.posting_place != 0  ? XLOG_BTREE_INSERT_POST
                       : is_leaf                ? XLOG_BTREE_INSERT_LEAF
                       : meta_buffer.is_valid() ? XLOG_BTREE_INSERT_META
                                                : XLOG_BTREE_INSERT_UPPER;
  // A dead posting list comes to life with its new TID; replay would not know, hence the image.
  const bool revives = item.posting_place != 0 && view.is_dead(item.posting_offset());
  Change change(services_, xid_, RmgrId::btree, info, index_.logged());
  change.block(0, buffer,
               static_cast<uint8_t>(REGBUF_STANDARD | (revives ? REGBUF_FORCE_IMAGE : 0)));
  if (child != nullptr) change.block(1, *child, REGBUF_STANDARD);
  if (meta_buffer.is_valid()) change.block(2, meta_buffer, REGBUF_WILL_INIT | REGBUF_STANDARD);
  change.begin();
  if (item.posting_place != 0) {
    LinePointer& pointer = page.line_pointer(item.posting_offset());
    pointer = LinePointer(pointer.lp_off(), LinePointerFlags::LP_NORMAL, pointer.lp_len());
    const uint32_t size = index_tuple_size(index_tuple_header(item.new_posting).t_info);
    std::memcpy(page.item(pointer), item.new_posting, size);
  }
  INVARIANT(page.add_item(item.tuple, item.size(), item.offset, false) == item.offset);
  xl_btree_metadata metadata{};
  if (meta_buffer.is_valid()) {
    BTMetaPage& meta = btree_meta(meta_buffer);
    meta.btm_fastroot = buffer.block();
    meta.btm_fastlevel = view.opaque().btpo_level;
    metadata = btree_metadata_record(meta);
  }
  if (child != nullptr)
    view_of(*child).opaque().btpo_flags &= static_cast<uint16_t>(~BTP_INCOMPLETE_SPLIT);

  const xl_btree_insert record{item.offset};
  change.data(&record, sizeof(record));
  if (meta_buffer.is_valid()) change.block_data(2, &metadata, sizeof(metadata));
  if (item.posting_place != 0) {
    change.block_data(0, &item.posting_place, sizeof(item.posting_place));
    change.block_data(0, item.original, item.size());
  } else {
    change.block_data(0, item.tuple, item.size());
  }
  RETURN_IF_ERROR(change.finish());

  if (child != nullptr) child->release();
  if (is_leaf && view.is_rightmost() && !view.has(BTP_ROOT) &&
      BtreeHints::rightmost(index_) != buffer.block())
    BtreeHints::set_rightmost(index_, buffer.block());
  return Status::ok;
}

// A page that a vacuum freed, or one at the end of the file. The map of free pages may be wrong, and may name a page
// that this very change has locked, so nothing is waited for.
Status BtreeInserter::new_page(BufferRef* buffer) {
  FreeSpaceMap free_pages(pool_, index_.relation());
  SiblingWalk attempts(pool_, index_);
  while (upkeep_ != nullptr) {
    BlockNumber block = invalid_block_number;
    RETURN_IF_ERROR(free_pages.find(index_.block_size() / 2, &block));
    if (block == invalid_block_number) break;
    RETURN_IF_ERROR(free_pages.record(block, 0));
    RETURN_IF_ERROR(attempts.step());
    RETURN_IF_ERROR(
        pool_.read(index_.relation(), ForkNumber::main, block, ReadMode::normal, nullptr, buffer));
    if (buffer->try_lock(LockMode::exclusive)) {
      const Page page = buffer->page();
      if (page.is_new()) return Status::ok;
      const BtreePageView view(page);
      if (page.special_size() == sizeof(BTPageOpaque) && view.has(BTP_DELETED) &&
          upkeep_->is_recyclable(btree_deleted_at(view)))
        return reuse_page(*buffer);
    }
    buffer->release();
  }
  BlockNumber block = invalid_block_number;
  return pool_.extend(index_.relation(), ForkNumber::main, 1, nullptr, buffer, &block);
}

// Tells standbys, whose searches may still come to the page.
Status BtreeInserter::reuse_page(BufferRef& buffer) {
  if (index_.logged()) {
    xl_btree_reuse_page header{};
    header.locator = index_.relation();
    header.block = buffer.block();
    header.snapshotConflictHorizon = btree_deleted_at(view_of(buffer));
    WalRecord record;
    record.begin(RmgrId::btree, XLOG_BTREE_REUSE_PAGE, xid_);
    record.data(&header, xl_btree_reuse_page_size);
    RETURN_IF_ERROR(services_.wal.insert(record, nullptr));
  }
  buffer.page().initialize(sizeof(BTPageOpaque));
  return Status::ok;
}

Status BtreeInserter::split(BufferRef& left, BufferRef* child, const NewItem& item,
                            BufferRef* right) {
  const BtreePageView view = view_of(left);
  const bool is_leaf = view.is_leaf();
  const bool was_rightmost = view.is_rightmost();
  const OffsetNumber first = view.first_data();
  const OffsetNumber last = view.max_offset();
  BtreeSplitPoint point;
  RETURN_IF_ERROR(choose_split_point(index_, left, item.offset, item.tuple, &point));
  const bool new_at_border = point.first_right == item.offset;

  const auto old_item = [&](OffsetNumber offset) {
    return offset == item.posting_offset() ? item.new_posting : view.tuple(offset);
  };
  const std::byte* first_right =
      new_at_border && !point.new_item_left ? item.tuple : old_item(point.first_right);
  IndexTupleBuffer pivot;
  const std::byte* high_key =
      first_right;  // Upper pages: as it is, since the level above has it too.
  if (is_leaf) {
    const std::byte* last_left = new_at_border && point.new_item_left
                                     ? item.tuple
                                     : old_item(static_cast<OffsetNumber>(point.first_right - 1));
    RETURN_IF_ERROR(form_pivot(index_, last_left, first_right, &pivot));
    high_key = pivot.bytes;
  }
  const uint32_t high_key_size = index_tuple_size(index_tuple_header(high_key).t_info);

  const uint32_t block_size = index_.block_size();
  alignas(8) std::byte left_bytes[block_size_max];
  alignas(8) std::byte right_bytes[block_size_max];
  const Page left_page(left_bytes, block_size);
  const Page right_page(right_bytes, block_size);
  left_page.initialize(sizeof(BTPageOpaque));
  right_page.initialize(sizeof(BTPageOpaque));
  bool fits = true;
  const auto append = [&](Page page, const std::byte* tuple) {
    const auto offset = static_cast<OffsetNumber>(page.max_offset() + 1);
    const uint32_t size = index_tuple_size(index_tuple_header(tuple).t_info);
    fits = fits && page.add_item(tuple, size, offset, false) == offset;
  };
  append(left_page, high_key);
  if (!was_rightmost) append(right_page, view.tuple(P_HIKEY));
  const OffsetNumber minus_infinity =
      is_leaf ? invalid_offset_number : static_cast<OffsetNumber>(right_page.max_offset() + 1);
  const auto append_right = [&](const std::byte* tuple) {
    if (right_page.max_offset() + 1 != minus_infinity) return append(right_page, tuple);
    IndexTupleHeader truncated = index_tuple_header(tuple);
    truncated.t_info = sizeof(IndexTupleHeader);
    btree_set_pivot(truncated, 0, false);
    append(right_page, reinterpret_cast<const std::byte*>(&truncated));
  };
  const auto append_new = [&] {
    if (point.new_item_left) return append(left_page, item.tuple);
    append_right(item.tuple);
  };
  for (OffsetNumber offset = first; offset <= last; ++offset) {
    if (offset == item.offset) append_new();
    if (offset < point.first_right) {
      append(left_page, old_item(offset));
    } else {
      append_right(old_item(offset));
    }
  }
  if (item.offset > last) append_new();
  if (!fits) return damaged_page(index_, left.block());

  // An error from here on leaves a zeroed page behind, which nothing refers to.
  RETURN_IF_ERROR(new_page(right));
  BufferRef sibling;
  if (!was_rightmost) {
    const BlockNumber next = view.opaque().btpo_next;
    if (next == left.block() || next == right->block() ||
        (child != nullptr && next == child->block()))
      return damaged_page(index_, left.block());
    RETURN_IF_ERROR(read_btree_page(pool_, index_, next, LockMode::exclusive, &sibling));
    if (view_of(sibling).opaque().btpo_prev != left.block())
      return Status::error(ErrorCode::index_corrupted,
                           "right sibling's left-link doesn't match: block %u links to %u instead "
                           "of expected %u in index \"%s\"",
                           value_of(next), value_of(view_of(sibling).opaque().btpo_prev),
                           value_of(left.block()), index_.name())
          .with_hint("Please REINDEX it.");
  }
  const BTPageOpaque old = view.opaque();
  constexpr uint16_t gone = BTP_ROOT | BTP_SPLIT_END | BTP_HAS_GARBAGE;
  const auto kept_flags = static_cast<uint16_t>(old.btpo_flags & ~gone);
  const uint16_t cycle = services_.state.index_vacuums().cycle_of(index_.relation());
  BtreePageView(left_page).opaque() = {old.btpo_prev, right->block(), old.btpo_level,
                                       static_cast<uint16_t>(kept_flags | BTP_INCOMPLETE_SPLIT),
                                       cycle};
  BTPageOpaque& right_opaque = BtreePageView(right_page).opaque();
  right_opaque = {left.block(), old.btpo_next, old.btpo_level, kept_flags, cycle};
  // A vacuum that began before this split must follow it to where the next page's cycle begins.
  if (sibling.is_valid() && view_of(sibling).opaque().btpo_cycleid != right_opaque.btpo_cycleid)
    right_opaque.btpo_flags |= BTP_SPLIT_END;
  left_page.set_lsn(left.page().lsn());

  xl_btree_split record{};
  record.level = old.btpo_level;
  record.firstrightoff = point.first_right;
  record.newitemoff = item.offset;
  // Replay rebuilds the left page from the old one; only if the split list stays there it must know.
  if (item.posting_place != 0 && item.posting_offset() < point.first_right)
    record.postingoff = item.posting_place;

  Change change(services_, xid_, RmgrId::btree,
                point.new_item_left ? XLOG_BTREE_SPLIT_L : XLOG_BTREE_SPLIT_R, index_.logged());
  change.block(0, left, REGBUF_STANDARD);
  change.block(1, *right, REGBUF_WILL_INIT);
  if (sibling.is_valid()) change.block(2, sibling, REGBUF_STANDARD);
  if (child != nullptr) change.block(3, *child, REGBUF_STANDARD);
  change.begin();
  // On an upper page the high key lies on the page that is overwritten.
  std::byte high_key_copy[INDEX_SIZE_MASK + 1];
  std::memcpy(high_key_copy, high_key, high_key_size);
  std::memcpy(left.page().bytes(), left_bytes, block_size);
  std::memcpy(right->page().bytes(), right_bytes, block_size);
  if (sibling.is_valid()) view_of(sibling).opaque().btpo_prev = right->block();
  if (child != nullptr)
    view_of(*child).opaque().btpo_flags &= static_cast<uint16_t>(~BTP_INCOMPLETE_SPLIT);

  change.data(&record, xl_btree_split_size);
  if (record.postingoff != 0) {
    change.block_data(0, item.original, item.size());
  } else if (point.new_item_left) {
    change.block_data(0, item.tuple, item.size());
  }
  change.block_data(0, high_key_copy, high_key_size);
  const PageHeader& right_header = right->page().header();
  change.block_data(1, right->page().bytes() + right_header.pd_upper,
                    static_cast<size_t>(right_header.pd_special - right_header.pd_upper));
  RETURN_IF_ERROR(change.finish());
  if (child != nullptr) child->release();
  return Status::ok;
}

Status BtreeInserter::insert_parent(BufferRef left, BufferRef right, BtreeStack& stack, int depth,
                                    bool was_root, bool was_only) {
  if (was_root) return new_root(std::move(left), std::move(right));
  const BtreePageView view = view_of(left);
  const uint32_t level = view.opaque().btpo_level;
  // The root was split by somebody else after we went through it: look for the level above anew.
  BtreeStack fresh;
  BtreeStack* way = &stack;
  if (depth == 0) {
    BufferRef edge;
    RETURN_IF_ERROR(
        find_btree_edge(pool_, index_, level + 1, false, &edge, {left.block(), right.block()}));
    if (!edge.is_valid()) return damaged_page(index_, left.block());
    fresh.steps[0] = {edge.block(), invalid_offset_number};
    fresh.depth = depth = 1;
    way = &fresh;
  }

  // The left page's high key separates the two; it becomes the right page's downlink.
  const std::byte* high_key = view.high_key();
  if (high_key == nullptr) return damaged_page(index_, left.block());
  IndexTupleBuffer downlink;
  std::memcpy(downlink.bytes, high_key, index_tuple_size(index_tuple_header(high_key).t_info));
  btree_set_downlink(downlink.header(), right.block());

  BufferRef parent;
  RETURN_IF_ERROR(find_parent(*way, depth, left.block(), right.block(), &parent));
  if (!parent.is_valid())
    return Status::error(ErrorCode::index_corrupted,
                         "failed to re-find parent key in index \"%s\" for split pages %u/%u",
                         index_.name(), value_of(left.block()), value_of(right.block()));
  right.release();
  NewItem item;
  item.tuple = downlink.bytes;
  item.offset = static_cast<OffsetNumber>(way->steps[depth - 1].offset + 1);
  return insert_on_page(std::move(parent), &left, *way, depth - 1, item, was_only);
}

// The page one level up that has the downlink to `child`, locked exclusively; the stack is corrected.
// The downlink can have moved right, or on its page either way.
Status BtreeInserter::find_parent(BtreeStack& stack, int depth, BlockNumber child,
                                  BlockNumber child_sibling, BufferRef* parent) {
  BtreeStack::Step& step = stack.steps[depth - 1];
  BlockNumber block = step.block;
  OffsetNumber start = step.offset;
  SiblingWalk walk(pool_, index_);
  while (true) {
    if (block == child || block == child_sibling) return damaged_page(index_, block);
    RETURN_IF_ERROR(read_btree_page(pool_, index_, block, LockMode::exclusive, parent));
    const BtreePageView view = view_of(*parent);
    if (view.is_leaf()) return damaged_page(index_, block);
    if (view.has(BTP_INCOMPLETE_SPLIT)) {
      RETURN_IF_ERROR(finish_split(std::move(*parent), stack, depth - 1));
      RETURN_IF_ERROR(walk.step());
      continue;
    }
    if (!view.is_ignored()) {
      const OffsetNumber first = view.first_data();
      const OffsetNumber last = view.max_offset();
      const auto leads_to_child = [&](OffsetNumber offset) {
        const std::byte* tuple = view.tuple(offset);
        if (tuple == nullptr || btree_downlink(index_tuple_header(tuple)) != child) return false;
        step = {block, offset};
        return true;
      };
      if (start < first) start = first;
      for (OffsetNumber offset = start; offset <= last; ++offset)
        if (leads_to_child(offset)) return Status::ok;
      for (OffsetNumber offset = start > last ? last : static_cast<OffsetNumber>(start - 1);
           offset >= first; --offset)
        if (leads_to_child(offset)) return Status::ok;
    }
    block = view.opaque().btpo_next;
    start = invalid_offset_number;
    parent->release();
    if (block == P_NONE) return Status::ok;
    RETURN_IF_ERROR(walk.step());
  }
}

Status BtreeInserter::finish_split(BufferRef left, BtreeStack& stack, int depth) {
  const BtreePageView view = view_of(left);
  BufferRef right;
  if (view.is_rightmost() || view.opaque().btpo_next == left.block())
    return damaged_page(index_, left.block());
  RETURN_IF_ERROR(
      read_btree_page(pool_, index_, view.opaque().btpo_next, LockMode::exclusive, &right));
  bool was_root = false;
  if (depth == 0) {
    BufferRef meta;
    RETURN_IF_ERROR(read_btree_meta(pool_, index_, LockMode::shared, &meta));
    was_root = btree_meta(meta).btm_root == left.block();
  }
  const bool was_only = view.is_leftmost() && view_of(right).is_rightmost();
  return insert_parent(std::move(left), std::move(right), stack, depth, was_root, was_only);
}

Status BtreeInserter::new_root(BufferRef left, BufferRef right) {
  const BtreePageView left_view = view_of(left);
  const std::byte* high_key = left_view.high_key();
  if (high_key == nullptr) return damaged_page(index_, left.block());
  const uint32_t level = left_view.opaque().btpo_level + 1;
  IndexTupleBuffer right_item;
  std::memcpy(right_item.bytes, high_key, index_tuple_size(index_tuple_header(high_key).t_info));
  btree_set_downlink(right_item.header(), right.block());
  IndexTupleHeader left_item{ItemPointer(left.block(), 0), sizeof(IndexTupleHeader)};
  btree_set_pivot(left_item, 0, false);

  BufferRef root;
  RETURN_IF_ERROR(new_page(&root));
  BufferRef meta_buffer;
  RETURN_IF_ERROR(read_btree_meta(pool_, index_, LockMode::exclusive, &meta_buffer));
  Change change(services_, xid_, RmgrId::btree, XLOG_BTREE_NEWROOT, index_.logged());
  change.block(0, root, REGBUF_WILL_INIT);
  change.block(1, left, REGBUF_STANDARD);
  change.block(2, meta_buffer, REGBUF_WILL_INIT | REGBUF_STANDARD);
  change.begin();
  const Page page = root.page();
  initialize_btree_page(page, level, BTP_ROOT);
  INVARIANT(page.add_item(reinterpret_cast<const std::byte*>(&left_item), sizeof(left_item),
                          P_HIKEY, false) == P_HIKEY);
  INVARIANT(page.add_item(right_item.bytes, right_item.size(), P_FIRSTKEY, false) == P_FIRSTKEY);
  left_view.opaque().btpo_flags &= static_cast<uint16_t>(~BTP_INCOMPLETE_SPLIT);
  BTMetaPage& meta = btree_meta(meta_buffer);
  meta.btm_root = root.block();
  meta.btm_level = level;
  meta.btm_fastroot = root.block();
  meta.btm_fastlevel = level;

  const xl_btree_newroot record{root.block(), level};
  const xl_btree_metadata metadata = btree_metadata_record(meta);
  change.data(&record, sizeof(record));
  change.block_data(0, page.bytes() + page.header().pd_upper,
                    static_cast<size_t>(page.header().pd_special - page.header().pd_upper));
  change.block_data(2, &metadata, sizeof(metadata));
  return change.finish();
}

}  // namespace

Status btree_insert(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                    const Datum* values, const bool* is_null, ItemPointer heap_tid,
                    UniqueChecker* checker, BtreeInsertResult* result, IndexUpkeep* upkeep,
                    bool is_unchanged, SerializableTransaction* writer) {
  BtreeInserter inserter(services, xid, index, upkeep, writer);
  return inserter.insert(values, is_null, heap_tid, checker, is_unchanged, result);
}

Status lock_btree_parent(StorageServices& services, const BtreeIndex& index, BtreeStack& stack,
                         int depth, BlockNumber child, BufferRef* parent) {
  BtreeInserter inserter(services, invalid_transaction_id, index, nullptr, nullptr);
  return inserter.find_parent(stack, depth, child, child, parent);
}

Status btree_find_conflict(StorageServices& services, const BtreeIndex& index, const Datum* values,
                           const bool* is_null, UniqueChecker& checker, BtreeInsertResult* result) {
  return BtreeInserter(services, invalid_transaction_id, index, nullptr, nullptr)
      .find_conflict(values, is_null, checker, result);
}

}  // namespace pgdata
