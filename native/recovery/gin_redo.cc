// Redo of GIN indexes. Source: src/backend/access/gin/ginxlog.c, gindatapage.c, PostgreSQL 18.
#include <algorithm>
#include <cstring>
#include <vector>

#include "layout/gin_page.h"
#include "layout/gin_records.h"
#include "recovery/gin_posting_list.h"
#include "recovery/index_page.h"
#include "recovery/page_mask.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr uint32_t special_size = sizeof(GinPageOpaqueData);

IndexPage gin_page(const BufferRef& buffer) { return {buffer.page(), special_size}; }

GinPageOpaqueData& opaque_of(const IndexPage& page) { return page.special<GinPageOpaqueData>(); }

bool has_flags(const IndexPage& page, uint16_t flags) {
  return (opaque_of(page).flags & flags) == flags;
}
void clear_flag(const IndexPage& page, uint16_t flag) {
  opaque_of(page).flags = static_cast<uint16_t>(opaque_of(page).flags & ~flag);
}

IndexPage initialize_page(const Page& page, uint16_t flags) {
  page.initialize(special_size);
  const IndexPage made(page, special_size);
  opaque_of(made).flags = flags;
  opaque_of(made).rightlink = invalid_block_number;
  return made;
}

// Bytes that a data page's items can have.
size_t data_bytes_max(const IndexPage& page) {
  return page.page().header().pd_special - gin_data_offset;
}
std::byte* data_of(const IndexPage& page) { return page.page().bytes() + gin_data_offset; }
void set_data_size(const IndexPage& page, size_t size) {
  page.page().header().pd_lower = static_cast<uint16_t>(gin_data_offset + size);
}
bool is_data_page(const IndexPage& page) {
  return page.has_contents(gin_data_offset - sizeof(PageHeader)) && has_flags(page, GIN_DATA);
}

Status finish_split(RedoContext& redo, int id) {
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(id, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = gin_page(buffer);
  if (!page.is_sound()) return redo.corrupted("child is no page");
  clear_flag(page, GIN_INCOMPLETE_SPLIT);
  redo.changed(buffer);
  return Status::ok;
}

Status create_posting_tree(RedoContext& redo) {
  ginxlogCreatePostingTree record{};
  RedoBytes main(redo);
  const std::byte* lists = nullptr;
  if (main.read(&record)) lists = main.take(record.data_size);
  if (lists == nullptr) return redo.corrupted("posting tree without items");
  BufferRef buffer;
  RETURN_IF_ERROR(redo.init_block(0, &buffer));
  const IndexPage page = initialize_page(buffer.page(), GIN_DATA | GIN_LEAF | GIN_COMPRESSED);
  if (record.data_size > data_bytes_max(page)) return redo.corrupted("items do not fit the page");
  std::memcpy(data_of(page), lists, record.data_size);
  set_data_size(page, record.data_size);
  redo.changed(buffer);
  return Status::ok;
}

bool insert_entry(const IndexPage& page, bool is_leaf, BlockNumber right_child, RedoBytes data) {
  ginxlogInsertEntry entry;
  size_t size;
  if (!page.has_sound_items() || has_flags(page, GIN_DATA) || !data.read(&entry)) return false;
  const std::byte* tuple = take_index_tuple(&data, &size);
  if (tuple == nullptr) return false;
  if (!is_leaf) {
    // The entry that led to the page which was split now leads to its right half.
    std::byte* there = page.item(entry.offset, sizeof(IndexTupleHeader));
    if (there == nullptr) return false;
    store(there, ItemPointer(right_child, invalid_offset_number));
  }
  if (entry.isDelete != 0 && !page.remove(entry.offset)) return false;
  return page.add(tuple, size, entry.offset);
}

PostingItem* posting_item(const IndexPage& page, uint32_t offset) {
  return reinterpret_cast<PostingItem*>(data_of(page)) + (offset - 1);
}

bool insert_posting_item(const IndexPage& page, BlockNumber right_child, RedoBytes data) {
  ginxlogInsertDataInternal record;
  if (!is_data_page(page) || has_flags(page, GIN_LEAF) || !data.read(&record)) return false;
  GinPageOpaqueData& opaque = opaque_of(page);
  const uint32_t count = opaque.maxoff;
  if (record.offset == 0 || record.offset > count ||
      (count + 1) * sizeof(PostingItem) > data_bytes_max(page))
    return false;
  PostingItem* place = posting_item(page, record.offset);
  place->child_blkno = {static_cast<uint16_t>(value_of(right_child) >> 16),
                        static_cast<uint16_t>(value_of(right_child) & 0xFFFF)};
  std::memmove(place + 1, place, (count - record.offset + 1) * sizeof(PostingItem));
  *place = record.newitem;
  opaque.maxoff = static_cast<OffsetNumber>(count + 1);
  set_data_size(page, opaque.maxoff * sizeof(PostingItem));
  return true;
}

bool delete_posting_item(const IndexPage& page, OffsetNumber offset) {
  if (!is_data_page(page) || has_flags(page, GIN_LEAF)) return false;
  GinPageOpaqueData& opaque = opaque_of(page);
  if (offset == 0 || offset > opaque.maxoff ||
      opaque.maxoff * sizeof(PostingItem) > data_bytes_max(page))
    return false;
  PostingItem* place = posting_item(page, offset);
  std::memmove(place, place + 1, (opaque.maxoff - offset) * sizeof(PostingItem));
  opaque.maxoff--;
  set_data_size(page, opaque.maxoff * sizeof(PostingItem));
  return true;
}

// A leaf page's lists as they were, walked through one by one, and as they become.
class Recompression {
 public:
  explicit Recompression(const IndexPage& page)
      : page_(page), old_(data_of(page), page.page().header().pd_lower - gin_data_offset) {}

  bool run(RedoBytes actions) {
    ginxlogRecompressDataLeaf header;
    if (!actions.read(&header)) return false;
    for (uint16_t i = 0; i < header.nactions; i++)
      if (!act(&actions)) return false;
    const size_t rest = old_.left();
    append(old_.take(rest), rest);
    return new_.size() <= data_bytes_max(page_);
  }
  const std::vector<std::byte>& lists() const { return new_; }

 private:
  bool act(RedoBytes* actions) {
    uint8_t segment;
    uint8_t action;
    if (!actions->read(&segment) || !actions->read(&action) || segment < segment_) return false;
    while (segment_ < segment) {
      size_t size;
      const std::byte* list = take_list(&old_, &size);
      if (list == nullptr) return false;
      append(list, size);
      segment_++;
    }
    size_t size;
    if (action == GIN_SEGMENT_INSERT) {
      const std::byte* list = take_list(actions, &size);
      if (list == nullptr) return false;
      append(list, size);
      return true;
    }
    size_t old_size;
    const std::byte* old_list = take_list(&old_, &old_size);
    if (old_list == nullptr) return false;
    segment_++;
    if (action == GIN_SEGMENT_DELETE) return true;
    if (action == GIN_SEGMENT_ADDITEMS) return add_items(old_list, old_size, actions);
    if (action != GIN_SEGMENT_REPLACE) return false;
    const std::byte* list = take_list(actions, &size);
    if (list == nullptr) return false;
    append(list, size);
    return true;
  }

  bool add_items(const std::byte* old_list, size_t old_size, RedoBytes* actions) {
    uint16_t count;
    if (!actions->read(&count)) return false;
    const std::byte* bytes = actions->take(count * sizeof(ItemPointer));
    std::vector<ItemPointer> old_items;
    if (bytes == nullptr || !decode_posting_list(old_list, old_size, &old_items)) return false;
    std::vector<ItemPointer> added(count);
    std::memcpy(static_cast<void*>(added.data()), bytes, count * sizeof(ItemPointer));
    std::vector<ItemPointer> merged(old_items.size() + added.size());
    if (!std::is_sorted(old_items.begin(), old_items.end()) ||
        !std::is_sorted(added.begin(), added.end()))
      return false;
    std::merge(old_items.begin(), old_items.end(), added.begin(), added.end(), merged.begin());
    const std::vector<std::byte> list = encode_posting_list(merged, page_.page().size());
    if (list.empty()) return false;
    append(list.data(), list.size());
    return true;
  }

  static const std::byte* take_list(RedoBytes* from, size_t* size) {
    RedoBytes ahead = *from;
    GinPostingList header;
    if (!ahead.read(&header)) return nullptr;
    *size = gin_posting_list_size(header);
    return from->take(*size);
  }
  void append(const std::byte* bytes, size_t size) {
    if (bytes != nullptr) new_.insert(new_.end(), bytes, bytes + size);
  }

  const IndexPage& page_;
  RedoBytes old_;
  std::vector<std::byte> new_;
  uint8_t segment_ = 0;
};

// Leaf pages of before release 9.4 have items one after the other; they become one list.
bool compress_page(const IndexPage& page) {
  GinPageOpaqueData& opaque = opaque_of(page);
  if (opaque.maxoff * sizeof(ItemPointer) > data_bytes_max(page)) return false;
  std::vector<ItemPointer> items(opaque.maxoff);
  std::memcpy(static_cast<void*>(items.data()), data_of(page), items.size() * sizeof(ItemPointer));
  const std::vector<std::byte> list = encode_posting_list(items, data_bytes_max(page));
  if (list.empty() && !items.empty()) return false;
  std::copy(list.begin(), list.end(), data_of(page));
  set_data_size(page, list.size());
  opaque.flags = static_cast<uint16_t>(opaque.flags | GIN_COMPRESSED);
  opaque.maxoff = 0;
  return true;
}

bool recompress(const IndexPage& page, RedoBytes actions) {
  if (!is_data_page(page) || !has_flags(page, GIN_LEAF)) return false;
  if (!has_flags(page, GIN_COMPRESSED) && !compress_page(page)) return false;
  if (page.page().header().pd_lower < gin_data_offset) return false;
  Recompression recompression(page);
  if (!recompression.run(actions)) return false;
  const std::vector<std::byte>& lists = recompression.lists();
  std::copy(lists.begin(), lists.end(), data_of(page));
  set_data_size(page, lists.size());
  return true;
}

Status insert(RedoContext& redo) {
  ginxlogInsert record{};
  RedoBytes main(redo);
  if (!main.read(&record)) return redo.corrupted("insertion without flags");
  const bool is_leaf = (record.flags & GIN_INSERT_ISLEAF) != 0;
  BlockNumber right_child = invalid_block_number;
  if (!is_leaf) {
    BlockIdData children[2];
    if (!main.read(&children)) return redo.corrupted("insertion without children");
    right_child = children[1].block();
    RETURN_IF_ERROR(finish_split(redo, 1));
  }
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = gin_page(buffer);
  const RedoBytes data(redo.block(0));
  bool fits;
  if ((record.flags & GIN_INSERT_ISDATA) == 0)
    fits = insert_entry(page, is_leaf, right_child, data);
  else if (is_leaf)
    fits = recompress(page, data);
  else
    fits = insert_posting_item(page, right_child, data);
  if (!fits) return redo.corrupted("failed to add item");
  redo.changed(buffer);
  return Status::ok;
}

// Pages that a record has whole.
Status restore(RedoContext& redo, int id) {
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(id, &buffer, &action));
  if (action != RedoAction::restored) return redo.corrupted("a page without its image");
  return Status::ok;
}

Status split(RedoContext& redo) {
  ginxlogSplit record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("split without flags");
  if ((record.flags & GIN_INSERT_ISLEAF) == 0) RETURN_IF_ERROR(finish_split(redo, 3));
  RETURN_IF_ERROR(restore(redo, 0));
  RETURN_IF_ERROR(restore(redo, 1));
  return (record.flags & GIN_SPLIT_ROOT) != 0 ? restore(redo, 2) : Status();
}

Status vacuum_data_leaf_page(RedoContext& redo) {
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  if (!recompress(gin_page(buffer), RedoBytes(redo.block(0))))
    return redo.corrupted("vacuum does not fit the page");
  redo.changed(buffer);
  return Status::ok;
}

Status delete_page(RedoContext& redo) {
  ginxlogDeletePage record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("page deletion without a downlink");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(2, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const IndexPage left = gin_page(buffer);
    if (!is_data_page(left)) return redo.corrupted("deleted page has no sibling");
    opaque_of(left).rightlink = record.rightLink;
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const IndexPage page = gin_page(buffer);
    if (!is_data_page(page)) return redo.corrupted("deleted page is no data page");
    opaque_of(page).flags = static_cast<uint16_t>(opaque_of(page).flags | GIN_DELETED);
    page.page().header().pd_prune_xid = record.deleteXid;
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  if (!delete_posting_item(gin_page(buffer), record.parentOffset))
    return redo.corrupted("deleted page has no downlink");
  redo.changed(buffer);
  return Status::ok;
}

// The metapage is written whole.
Status write_metapage(RedoContext& redo, const GinMetaPageData& metadata) {
  BufferRef buffer;
  RETURN_IF_ERROR(redo.init_block(0, &buffer));
  const IndexPage page = initialize_page(buffer.page(), GIN_META);
  if (!page.has_contents(sizeof(metadata))) return redo.corrupted("metapage does not fit");
  store(page.contents(), metadata);
  page.page().header().pd_lower = sizeof(PageHeader) + sizeof(metadata);
  redo.changed(buffer);
  return Status::ok;
}

// Adds `count` tuples at the page's end.
bool append_tuples(const IndexPage& page, RedoBytes data, int32_t count) {
  if (!page.has_sound_items()) return false;
  for (int32_t i = 0; i < count; i++) {
    size_t size;
    const std::byte* tuple = take_index_tuple(&data, &size);
    if (tuple == nullptr ||
        !page.add(tuple, size, static_cast<OffsetNumber>(page.max_offset() + 1)))
      return false;
  }
  return true;
}

Status update_metapage(RedoContext& redo) {
  ginxlogUpdateMeta record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("metapage without contents");
  RETURN_IF_ERROR(write_metapage(redo, record.metadata));
  if (record.ntuples <= 0 && record.prevTail == invalid_block_number) return Status::ok;
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage tail = gin_page(buffer);
  if (record.ntuples > 0) {
    if (!append_tuples(tail, RedoBytes(redo.block(1)), record.ntuples))
      return redo.corrupted("failed to add pending tuples");
    opaque_of(tail).maxoff++;
  } else {
    if (!tail.is_sound()) return redo.corrupted("pending list has no tail");
    opaque_of(tail).rightlink = record.newRightlink;
  }
  redo.changed(buffer);
  return Status::ok;
}

Status insert_listpage(RedoContext& redo) {
  ginxlogInsertListPage record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("list page without a number");
  BufferRef buffer;
  RETURN_IF_ERROR(redo.init_block(0, &buffer));
  const bool is_tail = record.rightlink == invalid_block_number;
  const IndexPage page = initialize_page(
      buffer.page(), static_cast<uint16_t>(GIN_LIST | (is_tail ? GIN_LIST_FULLROW : 0)));
  opaque_of(page).rightlink = record.rightlink;
  opaque_of(page).maxoff = is_tail ? 1 : 0;
  if (!append_tuples(page, RedoBytes(redo.block(0)), record.ntuples))
    return redo.corrupted("failed to add pending tuples");
  redo.changed(buffer);
  return Status::ok;
}

Status delete_listpages(RedoContext& redo) {
  ginxlogDeleteListPages record{};
  if (!RedoBytes(redo).read(&record) || record.ndeleted < 0 ||
      record.ndeleted > GIN_NDELETE_AT_ONCE)
    return redo.corrupted("deletion of list pages without a number");
  RETURN_IF_ERROR(write_metapage(redo, record.metadata));
  for (int id = 1; id <= record.ndeleted; id++) {
    BufferRef buffer;
    RETURN_IF_ERROR(redo.init_block(id, &buffer));
    initialize_page(buffer.page(), GIN_DELETED);
    redo.changed(buffer);
  }
  return Status::ok;
}

}  // namespace

Status gin_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_GIN_CREATE_PTREE:
      return create_posting_tree(redo);
    case XLOG_GIN_INSERT:
      return insert(redo);
    case XLOG_GIN_SPLIT:
      return split(redo);
    case XLOG_GIN_VACUUM_PAGE:
      return restore(redo, 0);
    case XLOG_GIN_VACUUM_DATA_LEAF_PAGE:
      return vacuum_data_leaf_page(redo);
    case XLOG_GIN_DELETE_PAGE:
      return delete_page(redo);
    case XLOG_GIN_UPDATE_META_PAGE:
      return update_metapage(redo);
    case XLOG_GIN_INSERT_LISTPAGE:
      return insert_listpage(redo);
    case XLOG_GIN_DELETE_LISTPAGE:
      return delete_listpages(redo);
    default:
      return redo.corrupted("unknown record type");
  }
}

void gin_mask(Page page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_page_hint_bits(page);
  const IndexPage masked(page, special_size);
  if (!masked.is_sound()) return;
  if (has_flags(masked, GIN_DELETED))
    mask_page_content(page);
  else if (page.header().pd_lower > sizeof(PageHeader))
    mask_unused_space(page);
}

}  // namespace pgdata
