// Redo of Btree, and the mask of its pages: the same steps as when the record was made, so that items lie in the same
// places.
//
// Pages are locked from left to right, and siblings until all of them are changed; levels are not coupled.
// Source: src/backend/access/nbtree/nbtxlog.c, PostgreSQL 18.
#include <algorithm>
#include <cstring>
#include <vector>

#include "btree/btree_page_view.h"
#include "btree/index_tuple.h"
#include "layout/btree_page.h"
#include "layout/btree_records.h"
#include "recovery/page_mask.h"
#include "recovery/redo_context.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

void clear_flag(BTPageOpaque& opaque, uint16_t flag) {
  opaque.btpo_flags = static_cast<uint16_t>(opaque.btpo_flags & ~flag);
}

// Reads a page of the tree: one that needs redo has a B-tree's special space.
Status read_tree_page(RedoContext& redo, int id, BufferRef* buffer, RedoAction* action,
                      bool for_cleanup = false) {
  RETURN_IF_ERROR(redo.read_block(id, buffer, action, for_cleanup));
  if (*action == RedoAction::needs_redo && buffer->page().special_size() != sizeof(BTPageOpaque))
    return redo.corrupted("page that is not a B-tree's");
  return Status::ok;
}

// A page made anew, empty; its special space is all zeroes.
Status init_tree_page(RedoContext& redo, int id, BufferRef* buffer) {
  RETURN_IF_ERROR(redo.init_block(id, buffer));
  buffer->page().initialize(sizeof(BTPageOpaque));
  return Status::ok;
}

// Changes one field of the special space of a page, if it needs that.
template <typename Change>
Status change_opaque(RedoContext& redo, int id, BufferRef* buffer, Change change) {
  RedoAction action;
  RETURN_IF_ERROR(read_tree_page(redo, id, buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  change(BtreePageView(buffer->page()).opaque());
  redo.changed(*buffer);
  return Status::ok;
}

// _bt_clear_incomplete_split: the downlink of this page's right sibling is in place.
Status clear_incomplete_split(RedoContext& redo, int id) {
  BufferRef buffer;
  return change_opaque(redo, id, &buffer,
                       [](BTPageOpaque& opaque) { clear_flag(opaque, BTP_INCOMPLETE_SPLIT); });
}

// The size with padding of the index tuple that `data` begins with, 0 when it is not all there.
size_t leading_tuple_size(const RedoBytes& data) {
  RedoBytes ahead = data;
  IndexTupleHeader header;
  if (!ahead.read(&header)) return 0;
  const size_t size = max_align(index_tuple_size(header.t_info));
  return size >= sizeof(IndexTupleHeader) && size <= data.left() ? size : 0;
}

// _bt_restore_page: the tuples were logged as they lie on the page, the last one first.
Status restore_items(RedoContext& redo, const Page& page, RedoBytes data) {
  const size_t total = data.left();
  const uint32_t free = page.exact_free_bytes();
  const uint32_t special = page.header().pd_special;
  if (total > free) return redo.corrupted("cannot add items to page");
  const std::byte* bytes = RedoBytes(data).take(total);
  size_t count = 0;
  for (RedoBytes rest = data; rest.left() > 0; count++) {
    const size_t size = leading_tuple_size(rest);
    if (size == 0) return redo.corrupted("damaged index tuple");
    rest.take(size);
  }
  if (count * sizeof(LinePointer) > free - total) return redo.corrupted("cannot add items to page");
  const auto upper = static_cast<uint32_t>(special - total);
  if (total > 0) std::memcpy(page.bytes() + upper, bytes, total);
  uint32_t at = upper;
  for (size_t i = count; i > 0; i--) {
    const auto size = static_cast<uint32_t>(leading_tuple_size(data));
    data.take(size);
    page.line_pointer(static_cast<OffsetNumber>(i)) =
        LinePointer(at, LinePointerFlags::LP_NORMAL, size);
    at += size;
  }
  page.header().pd_upper = static_cast<uint16_t>(upper);
  page.header().pd_lower = static_cast<uint16_t>(sizeof(PageHeader) + count * sizeof(LinePointer));
  return Status::ok;
}

// _bt_restore_meta.
Status restore_meta(RedoContext& redo, int id) {
  xl_btree_metadata record{};
  if (!redo.has_block(id) || redo.block(id).number != BTREE_METAPAGE ||
      redo.block(id).data_length != sizeof(record) || !RedoBytes(redo.block(id)).read(&record) ||
      record.version < BTREE_NOVAC_VERSION)
    return redo.corrupted("damaged metapage");
  BufferRef buffer;
  RETURN_IF_ERROR(redo.init_block(id, &buffer));
  initialize_btree_meta(buffer.page(), record.root, record.level, record.allequalimage != 0);
  BTMetaPage& meta = btree_meta(buffer);
  meta.btm_version = record.version;
  meta.btm_fastroot = record.fastroot;
  meta.btm_fastlevel = record.fastlevel;
  meta.btm_last_cleanup_num_delpages = record.last_cleanup_num_delpages;
  redo.changed(buffer);
  return Status::ok;
}

// The leaf tuple at an offset, its posting list checked, or null.
std::byte* leaf_tuple_at(const Page& page, OffsetNumber offset) {
  if (offset == invalid_offset_number || offset > page.max_offset()) return nullptr;
  return const_cast<std::byte*>(BtreePageView(page).leaf_tuple(offset));
}

// Copies the tuple that `data` begins with to aligned memory.
bool copy_leading_tuple(RedoBytes* data, IndexTupleBuffer* tuple) {
  const size_t size = leading_tuple_size(*data);
  if (size == 0 || size > sizeof(tuple->bytes)) return false;
  std::memcpy(tuple->bytes, data->take(size), size);
  return true;
}

// Puts a new TID into the posting list before `offset`, and what falls out of it into `new_item`.
bool split_posting(std::byte* posting, int place, IndexTupleBuffer* new_item) {
  return posting != nullptr && swap_posting(posting, place, &new_item->header().t_tid);
}

bool insert_item(const Page& page, const std::byte* item, size_t size, OffsetNumber offset) {
  return offset != invalid_offset_number &&
         page.add_item(item, static_cast<uint32_t>(size), offset, false) == offset;
}

Status redo_insert(RedoContext& redo, bool is_leaf, bool has_meta, bool splits_posting) {
  xl_btree_insert record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("insertion without an item");
  if (!is_leaf) RETURN_IF_ERROR(clear_incomplete_split(redo, 1));

  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(read_tree_page(redo, 0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const Page page = buffer.page();
    RedoBytes data(redo.block(0));
    if (!splits_posting) {
      const size_t size = leading_tuple_size(data);
      if (size == 0 || size != data.left()) return redo.corrupted("damaged index tuple");
      if (!insert_item(page, data.take(size), size, record.offnum))
        return redo.corrupted("failed to add new item");
    } else {
      uint16_t place = 0;
      IndexTupleBuffer new_item;
      if (!data.read(&place) || leading_tuple_size(data) != data.left() ||
          !copy_leading_tuple(&data, &new_item) || record.offnum < P_FIRSTKEY ||
          !split_posting(leaf_tuple_at(page, static_cast<OffsetNumber>(record.offnum - 1)), place,
                         &new_item) ||
          !insert_item(page, new_item.bytes, new_item.size(), record.offnum))
        return redo.corrupted("failed to add posting split new item");
    }
    redo.changed(buffer);
  }
  buffer.release();
  return has_meta ? restore_meta(redo, 2) : Status();
}

// The left half of a split, made from the old page and the record.
Status split_left_page(RedoContext& redo, const xl_btree_split& record, bool new_item_on_left,
                       const Page& page) {
  const BtreePageView view(page);
  RedoBytes data(redo.block(0));
  IndexTupleBuffer new_item;
  IndexTupleBuffer new_posting;
  size_t new_item_size = 0;
  OffsetNumber posting_offset = invalid_offset_number;
  if (new_item_on_left || record.postingoff != 0) {
    if (!copy_leading_tuple(&data, &new_item)) return redo.corrupted("damaged index tuple");
    new_item_size = max_align(new_item.size());
    if (record.postingoff != 0) {
      posting_offset = static_cast<OffsetNumber>(record.newitemoff - 1);
      const std::byte* old_posting = leaf_tuple_at(page, posting_offset);
      if (old_posting == nullptr) return redo.corrupted("damaged posting list");
      std::memcpy(new_posting.bytes, old_posting,
                  index_tuple_size(index_tuple_header(old_posting).t_info));
      if (!split_posting(new_posting.bytes, record.postingoff, &new_item))
        return redo.corrupted("damaged posting list");
    }
  }
  const size_t high_key_size = leading_tuple_size(data);
  const std::byte* high_key = data.take(high_key_size);
  if (high_key_size == 0 || data.left() != 0) return redo.corrupted("damaged high key");
  if (record.firstrightoff > uint32_t{page.max_offset()} + 1)
    return redo.corrupted("split beyond the last item");

  alignas(8) std::byte left_bytes[block_size_max];
  const Page left(left_bytes, page.size());
  left.initialize(sizeof(BTPageOpaque));
  OffsetNumber next = P_HIKEY;
  const auto add = [&](const std::byte* item, size_t size) {
    return insert_item(left, item, size, next++);
  };
  if (!add(high_key, high_key_size)) return redo.corrupted("failed to add high key");
  OffsetNumber offset = view.first_data();
  for (; offset < record.firstrightoff; offset++) {
    bool added = true;
    if (offset == posting_offset) {
      added = add(new_posting.bytes, max_align(new_posting.size()));
    } else {
      if (new_item_on_left && offset == record.newitemoff)
        added = add(new_item.bytes, new_item_size);
      added = added && view.tuple(offset) != nullptr &&
              add(view.tuple(offset), page.line_pointer(offset).lp_len());
    }
    if (!added) return redo.corrupted("failed to add item to left page after split");
  }
  if (new_item_on_left && offset == record.newitemoff && !add(new_item.bytes, new_item_size))
    return redo.corrupted("failed to add new item to left page after split");

  BTPageOpaque opaque = view.opaque();
  opaque.btpo_flags =
      static_cast<uint16_t>(BTP_INCOMPLETE_SPLIT | (record.level == 0 ? BTP_LEAF : 0));
  opaque.btpo_next = redo.block(1).number;
  opaque.btpo_cycleid = 0;
  BtreePageView(left).opaque() = opaque;
  std::memcpy(page.bytes(), left_bytes, page.size());
  return Status::ok;
}

Status redo_split(RedoContext& redo, bool new_item_on_left) {
  xl_btree_split record{};
  if (!RedoBytes(redo).read(&record, xl_btree_split_size) || !redo.has_block(0) ||
      !redo.has_block(1))
    return redo.corrupted("split without its pages");
  const bool is_leaf = record.level == 0;
  const bool has_sibling = redo.has_block(2);
  if (!is_leaf) RETURN_IF_ERROR(clear_incomplete_split(redo, 3));

  BufferRef right;
  RETURN_IF_ERROR(init_tree_page(redo, 1, &right));
  BtreePageView(right.page()).opaque() = {redo.block(0).number,
                                          has_sibling ? redo.block(2).number : P_NONE, record.level,
                                          is_leaf ? BTP_LEAF : uint16_t{0}, 0};
  RETURN_IF_ERROR(restore_items(redo, right.page(), RedoBytes(redo.block(1))));
  redo.changed(right);

  BufferRef left;
  RedoAction action;
  RETURN_IF_ERROR(read_tree_page(redo, 0, &left, &action));
  if (action == RedoAction::needs_redo) {
    RETURN_IF_ERROR(split_left_page(redo, record, new_item_on_left, left.page()));
    redo.changed(left);
  }
  if (!has_sibling) return Status::ok;
  BufferRef sibling;
  const BlockNumber right_block = redo.block(1).number;
  return change_opaque(redo, 2, &sibling,
                       [&](BTPageOpaque& opaque) { opaque.btpo_prev = right_block; });
}

// The page of a deduplication, with each interval's items as one posting list.
Status deduplicate(RedoContext& redo, uint32_t interval_count, const Page& page) {
  const BtreePageView view(page);
  RedoBytes data(redo.block(0));
  alignas(8) std::byte copy_bytes[block_size_max];
  const Page copy(copy_bytes, page.size());
  copy.initialize(sizeof(BTPageOpaque));
  OffsetNumber next = P_HIKEY;
  const auto add = [&](const std::byte* tuple) {
    return tuple != nullptr &&
           insert_item(copy, tuple, index_tuple_size(index_tuple_header(tuple).t_info), next++);
  };
  const OffsetNumber first = view.first_data();
  const uint32_t last = view.max_offset();
  if (first == P_FIRSTKEY && (last < P_HIKEY || !add(view.tuple(P_HIKEY))))
    return redo.corrupted("damaged high key");

  std::vector<ItemPointer> tids;
  IndexTupleBuffer merged;
  BTDedupInterval interval{};
  bool has_interval = interval_count > 0 && data.read(&interval);
  uint32_t intervals_done = 0;
  for (uint32_t offset = first; offset <= last;) {
    const std::byte* base = view.leaf_tuple(static_cast<OffsetNumber>(offset));
    if (base == nullptr) return redo.corrupted("damaged index tuple");
    if (!has_interval || interval.baseoff != offset) {
      if (!add(base)) return redo.corrupted("deduplication failed to add item");
      offset++;
      continue;
    }
    if (interval.nitems < 2 || offset + interval.nitems > last + 1)
      return redo.corrupted("interval beyond the last item");
    tids.clear();
    for (uint32_t i = 0; i < interval.nitems; i++, offset++) {
      const std::byte* tuple = view.leaf_tuple(static_cast<OffsetNumber>(offset));
      if (tuple == nullptr) return redo.corrupted("damaged index tuple");
      const int count = leaf_tid_count(index_tuple_header(tuple));
      for (int j = 0; j < count; j++) tids.push_back(leaf_tid(tuple, j));
    }
    const uint32_t key_size = leaf_key_size(index_tuple_header(base));
    if (key_size != max_align(key_size) || tids.size() > BT_OFFSET_MASK ||
        max_align(key_size + tids.size() * sizeof(ItemPointer)) > btree_item_size_max(page.size()))
      return redo.corrupted("posting list too long");
    form_posting(base, tids.data(), static_cast<int>(tids.size()), &merged);
    if (!add(merged.bytes)) return redo.corrupted("deduplication failed to add posting list");
    intervals_done++;
    has_interval = intervals_done < interval_count && data.read(&interval);
  }
  if (intervals_done != interval_count) return redo.corrupted("interval beyond the last item");

  BtreePageView(copy).opaque() = view.opaque();
  clear_flag(BtreePageView(copy).opaque(), BTP_HAS_GARBAGE);
  std::memcpy(page.bytes(), copy_bytes, page.size());
  return Status::ok;
}

Status redo_dedup(RedoContext& redo) {
  xl_btree_dedup record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("deduplication without intervals");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(read_tree_page(redo, 0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  RETURN_IF_ERROR(deduplicate(redo, record.nintervals, buffer.page()));
  redo.changed(buffer);
  return Status::ok;
}

// btree_xlog_updates: takes TIDs out of one posting list (_bt_update_posting).
Status shrink_posting(RedoContext& redo, const Page& page, OffsetNumber offset, RedoBytes* data) {
  xl_btree_update update{};
  if (!data->read(&update)) return redo.corrupted("update without its posting list");
  const std::byte* places = data->take(update.ndeletedtids * sizeof(uint16_t));
  const std::byte* tuple = leaf_tuple_at(page, offset);
  if (places == nullptr || tuple == nullptr || !btree_tuple_is_posting(index_tuple_header(tuple)))
    return redo.corrupted("damaged posting list");
  const uint32_t key_size = leaf_key_size(index_tuple_header(tuple));
  const int count = leaf_tid_count(index_tuple_header(tuple));
  std::vector<ItemPointer> kept;
  kept.reserve(static_cast<size_t>(count));
  uint32_t deleted = 0;
  for (int i = 0; i < count; i++) {
    if (deleted < update.ndeletedtids && load<uint16_t>(places + deleted * sizeof(uint16_t)) == i) {
      deleted++;
    } else {
      kept.push_back(leaf_tid(tuple, i));
    }
  }
  if (deleted != update.ndeletedtids || kept.empty() || key_size != max_align(key_size))
    return redo.corrupted("damaged posting list");
  IndexTupleBuffer shrunk;
  form_posting(tuple, kept.data(), static_cast<int>(kept.size()), &shrunk);
  if (!page.overwrite_item(offset, shrunk.bytes, shrunk.size()))
    return redo.corrupted("failed to update partially dead item");
  return Status::ok;
}

// What vacuum, or a deletion of dead items by others, took away.
Status delete_items(RedoContext& redo, const Page& page, uint32_t deleted, uint32_t updated) {
  if (!page.verify_items(redo.block(0).number, "").is_ok())
    return redo.corrupted("corrupted line pointer");
  RedoBytes data(redo.block(0));
  const std::byte* deleted_bytes = data.take(deleted * sizeof(OffsetNumber));
  const std::byte* updated_bytes =
      deleted_bytes == nullptr ? nullptr : data.take(updated * sizeof(OffsetNumber));
  if (updated_bytes == nullptr) return redo.corrupted("deletion without its items");
  const auto offset_at = [](const std::byte* offsets, uint32_t i) {
    return load<OffsetNumber>(offsets + i * sizeof(OffsetNumber));
  };
  for (uint32_t i = 0; i < updated; i++)
    RETURN_IF_ERROR(shrink_posting(redo, page, offset_at(updated_bytes, i), &data));
  if (deleted == 0) return Status::ok;

  const OffsetNumber last = page.max_offset();
  if (deleted > last) return redo.corrupted("deletion beyond the last item");
  std::vector<OffsetNumber> offsets(deleted);
  OffsetNumber previous = invalid_offset_number;
  for (uint32_t i = 0; i < deleted; i++) {
    offsets[i] = offset_at(deleted_bytes, i);
    if (offsets[i] <= previous || offsets[i] > last)
      return redo.corrupted("deletion beyond the last item");
    previous = offsets[i];
  }
  for (OffsetNumber offset = first_offset_number; offset <= last; offset++)
    if (!page.line_pointer(offset).has_storage()) return redo.corrupted("corrupted line pointer");
  page.delete_items(offsets.data(), static_cast<int>(deleted));
  return Status::ok;
}

Status redo_vacuum(RedoContext& redo) {
  xl_btree_vacuum record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("vacuum without its items");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(read_tree_page(redo, 0, &buffer, &action, true));
  if (action != RedoAction::needs_redo) return Status::ok;
  RETURN_IF_ERROR(delete_items(redo, buffer.page(), record.ndeleted, record.nupdated));
  BTPageOpaque& opaque = BtreePageView(buffer.page()).opaque();
  opaque.btpo_cycleid = 0;
  clear_flag(opaque, BTP_HAS_GARBAGE);
  redo.changed(buffer);
  return Status::ok;
}

Status redo_delete(RedoContext& redo) {
  xl_btree_delete record{};
  if (!RedoBytes(redo).read(&record, xl_btree_delete_size))
    return redo.corrupted("deletion without its items");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(read_tree_page(redo, 0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  RETURN_IF_ERROR(delete_items(redo, buffer.page(), record.ndeleted, record.nupdated));
  // The vacuum that may be under way still needs the cycle id.
  clear_flag(BtreePageView(buffer.page()).opaque(), BTP_HAS_GARBAGE);
  redo.changed(buffer);
  return Status::ok;
}

// A half-dead leaf has nothing but a high key that points to the topmost page to be deleted with it.
Status make_half_dead(RedoContext& redo, int id, BlockNumber left, BlockNumber right,
                      BlockNumber top_parent) {
  BufferRef buffer;
  RETURN_IF_ERROR(init_tree_page(redo, id, &buffer));
  const Page page = buffer.page();
  BtreePageView(page).opaque() = {left, right, 0, BTP_HALF_DEAD | BTP_LEAF, 0};
  IndexTupleHeader high_key;
  high_key.t_tid = ItemPointer(top_parent, 0);
  high_key.t_info = sizeof(IndexTupleHeader) | INDEX_ALT_TID_MASK;
  if (!insert_item(page, reinterpret_cast<const std::byte*>(&high_key), sizeof(high_key), P_HIKEY))
    return redo.corrupted("could not add dummy high key to half-dead page");
  redo.changed(buffer);
  return Status::ok;
}

Status redo_mark_half_dead(RedoContext& redo) {
  xl_btree_mark_page_halfdead record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("half-dead page without its parent");
  BufferRef parent;
  RedoAction action;
  RETURN_IF_ERROR(read_tree_page(redo, 1, &parent, &action));
  if (action == RedoAction::needs_redo) {
    const Page page = parent.page();
    if (!page.verify_items(redo.block(1).number, "").is_ok() ||
        record.poffset == invalid_offset_number || record.poffset >= page.max_offset())
      return redo.corrupted("corrupted line pointer");
    const auto next = static_cast<OffsetNumber>(record.poffset + 1);
    const BtreePageView view(page);
    auto* tuple = const_cast<std::byte*>(view.tuple(record.poffset));
    const std::byte* next_tuple = view.tuple(next);
    if (tuple == nullptr || next_tuple == nullptr) return redo.corrupted("damaged index tuple");
    btree_set_downlink(*reinterpret_cast<IndexTupleHeader*>(tuple),
                       btree_downlink(index_tuple_header(next_tuple)));
    page.delete_item(next);
    redo.changed(parent);
  }
  parent.release();
  return make_half_dead(redo, 0, record.leftblk, record.rightblk, record.topparent);
}

// BTPageSetDeleted, on an empty page.
void set_deleted(const Page& page, FullTransactionId safexid) {
  BTPageOpaque& opaque = BtreePageView(page).opaque();
  clear_flag(opaque, BTP_HALF_DEAD);
  opaque.btpo_flags |= BTP_DELETED | BTP_HAS_FULLXID;
  page.header().pd_lower = sizeof(PageHeader) + sizeof(BTDeletedPageData);
  page.header().pd_upper = page.header().pd_special;
  store(page.bytes() + sizeof(PageHeader), BTDeletedPageData{safexid});
}

Status redo_unlink(RedoContext& redo, bool has_meta) {
  xl_btree_unlink_page record{};
  if (!RedoBytes(redo).read(&record, xl_btree_unlink_page_size))
    return redo.corrupted("unlinked page without its siblings");
  BufferRef left;
  if (record.leftsib != P_NONE)
    RETURN_IF_ERROR(change_opaque(
        redo, 1, &left, [&](BTPageOpaque& opaque) { opaque.btpo_next = record.rightsib; }));

  BufferRef target;
  RETURN_IF_ERROR(init_tree_page(redo, 0, &target));
  BtreePageView(target.page()).opaque() = {record.leftsib, record.rightsib, record.level,
                                           record.level == 0 ? BTP_LEAF : uint16_t{0}, 0};
  set_deleted(target.page(), record.safexid);
  redo.changed(target);

  BufferRef right;
  RETURN_IF_ERROR(change_opaque(redo, 2, &right,
                                [&](BTPageOpaque& opaque) { opaque.btpo_prev = record.leftsib; }));
  left.release();
  right.release();
  target.release();

  // An upper page went, its leaf stays until the last of the subtree has.
  if (redo.has_block(3))
    RETURN_IF_ERROR(
        make_half_dead(redo, 3, record.leafleftsib, record.leafrightsib, record.leaftopparent));
  return has_meta ? restore_meta(redo, 4) : Status();
}

Status redo_new_root(RedoContext& redo) {
  xl_btree_newroot record{};
  if (!RedoBytes(redo).read(&record) || !redo.has_block(0))
    return redo.corrupted("new root without its level");
  const bool is_leaf = record.level == 0;
  BufferRef buffer;
  RETURN_IF_ERROR(init_tree_page(redo, 0, &buffer));
  BtreePageView(buffer.page()).opaque() = {
      P_NONE, P_NONE, record.level, static_cast<uint16_t>(BTP_ROOT | (is_leaf ? BTP_LEAF : 0)), 0};
  if (!is_leaf) {
    RETURN_IF_ERROR(restore_items(redo, buffer.page(), RedoBytes(redo.block(0))));
    RETURN_IF_ERROR(clear_incomplete_split(redo, 1));
  }
  redo.changed(buffer);
  buffer.release();
  return restore_meta(redo, 2);
}

}  // namespace

Status btree_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_BTREE_INSERT_LEAF:
      return redo_insert(redo, true, false, false);
    case XLOG_BTREE_INSERT_UPPER:
      return redo_insert(redo, false, false, false);
    case XLOG_BTREE_INSERT_META:
      return redo_insert(redo, false, true, false);
    case XLOG_BTREE_INSERT_POST:
      return redo_insert(redo, true, false, true);
    case XLOG_BTREE_SPLIT_L:
      return redo_split(redo, true);
    case XLOG_BTREE_SPLIT_R:
      return redo_split(redo, false);
    case XLOG_BTREE_DEDUP:
      return redo_dedup(redo);
    case XLOG_BTREE_VACUUM:
      return redo_vacuum(redo);
    case XLOG_BTREE_DELETE:
      return redo_delete(redo);
    case XLOG_BTREE_MARK_PAGE_HALFDEAD:
      return redo_mark_half_dead(redo);
    case XLOG_BTREE_UNLINK_PAGE:
      return redo_unlink(redo, false);
    case XLOG_BTREE_UNLINK_PAGE_META:
      return redo_unlink(redo, true);
    case XLOG_BTREE_NEWROOT:
      return redo_new_root(redo);
    case XLOG_BTREE_REUSE_PAGE:
      return Status::ok;  // For queries that run while it is replayed.
    case XLOG_BTREE_META_CLEANUP:
      return restore_meta(redo, 0);
    default:
      return redo.corrupted("unknown operation");
  }
}

void btree_mask(Page page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_page_hint_bits(page);
  mask_unused_space(page);
  if (page.special_size() != sizeof(BTPageOpaque)) return;
  BTPageOpaque& opaque = BtreePageView(page).opaque();
  // Killed items are not logged.
  if ((opaque.btpo_flags & BTP_LEAF) != 0) mask_lp_flags(page);
  // Nor is the hint that there are some, nor the cycle of a vacuum that ended with the crash.
  clear_flag(opaque, BTP_HAS_GARBAGE | BTP_SPLIT_END);
  opaque.btpo_cycleid = 0;
}

}  // namespace pgdata
