// Redo of BRIN indexes. Source: src/backend/access/brin/brin_xlog.c, brin_pageops.c, brin_revmap.c, and
// PageIndexTupleDeleteNoCompact in src/backend/storage/page/bufpage.c, PostgreSQL 18.
#include <cstring>

#include "layout/brin_page.h"
#include "layout/brin_records.h"
#include "recovery/index_page.h"
#include "recovery/page_mask.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr uint32_t special_size = sizeof(BrinSpecialSpace);

IndexPage brin_page(const BufferRef& buffer) { return {buffer.page(), special_size}; }

uint16_t& type_of(const IndexPage& page) { return page.special<BrinSpecialSpace>().type; }

void initialize_page(const Page& page, uint16_t type) {
  page.initialize(special_size);
  type_of(IndexPage(page, special_size)) = type;
}

bool is_regular(const IndexPage& page) {
  return page.has_sound_items() && type_of(page) == BRIN_PAGETYPE_REGULAR;
}

// Removes an item and leaves its line pointer, unused, unless it is the last.
bool remove_item(const IndexPage& page, OffsetNumber offset) {
  if (!is_regular(page) || page.item(offset, 0) == nullptr) return false;
  const Page& bytes = page.page();
  PageHeader& header = bytes.header();
  const LinePointer removed = bytes.line_pointer(offset);
  const auto gap = static_cast<uint16_t>(max_align(removed.lp_len()));
  OffsetNumber last = page.max_offset();
  if (offset < last) {
    bytes.line_pointer(offset) = LinePointer();
  } else {
    header.pd_lower = static_cast<uint16_t>(header.pd_lower - sizeof(LinePointer));
    last--;
  }
  std::byte* const items = bytes.bytes() + header.pd_upper;
  std::memmove(items + gap, items, removed.lp_off() - header.pd_upper);
  header.pd_upper = static_cast<uint16_t>(header.pd_upper + gap);
  for (OffsetNumber i = first_offset_number; i <= last; i++) {
    LinePointer& pointer = bytes.line_pointer(i);
    if (pointer.has_storage() && pointer.lp_off() <= removed.lp_off())
      pointer = LinePointer(pointer.lp_off() + gap, pointer.lp_flags(), pointer.lp_len());
  }
  return true;
}

// Puts a summary at its offset, which is unused or the next one.
bool add_item(const IndexPage& page, const WalBlock& block, OffsetNumber offset) {
  if (!is_regular(page) || offset == invalid_offset_number || block.data_length == 0) return false;
  return page.page().add_item_overwrite(block.data, block.data_length, offset) == offset;
}

// brinSetHeapBlockItemptr.
bool set_range(const IndexPage& page, uint32_t pages_per_range, BlockNumber heap_block,
               ItemPointer summary) {
  if (pages_per_range == 0 || !page.is_sound() || type_of(page) != BRIN_PAGETYPE_REVMAP)
    return false;
  const uint32_t items = brin_revmap_page_items_max(page.page().size());
  const uint32_t index = (value_of(heap_block) / pages_per_range) % items;
  store(page.contents() + index * sizeof(ItemPointer), summary);
  return true;
}

Status create_index(RedoContext& redo) {
  xl_brin_createidx record{};
  if (!RedoBytes(redo).read(&record, xl_brin_createidx_size))
    return redo.corrupted("index without a metapage");
  BufferRef buffer;
  RETURN_IF_ERROR(redo.init_block(0, &buffer));
  initialize_page(buffer.page(), BRIN_PAGETYPE_META);
  const BrinMetaPageData meta{BRIN_META_MAGIC, record.version, record.pagesPerRange,
                              BlockNumber{0}};
  store(buffer.page().bytes() + sizeof(PageHeader), meta);
  buffer.page().header().pd_lower = sizeof(PageHeader) + sizeof(BrinMetaPageData);
  redo.changed(buffer);
  return Status::ok;
}

// The part that an insertion and an update have in common: the new summary and the range's pointer to it.
Status insert_summary(RedoContext& redo, const xl_brin_insert& record) {
  if (!redo.has_block(0)) return redo.corrupted("summary without a page");
  BufferRef buffer;
  RedoAction action = RedoAction::needs_redo;
  if ((redo.info() & XLOG_BRIN_INIT_PAGE) != 0) {
    RETURN_IF_ERROR(redo.init_block(0, &buffer));
    initialize_page(buffer.page(), BRIN_PAGETYPE_REGULAR);
  } else {
    RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  }
  if (action == RedoAction::needs_redo) {
    if (!add_item(brin_page(buffer), redo.block(0), record.offnum))
      return redo.corrupted("failed to add summary");
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  if (!set_range(brin_page(buffer), record.pagesPerRange, record.heapBlk,
                 ItemPointer(redo.block(0).number, record.offnum)))
    return redo.corrupted("summary is of no range");
  redo.changed(buffer);
  return Status::ok;
}

Status insert(RedoContext& redo) {
  xl_brin_insert record{};
  if (!RedoBytes(redo).read(&record, xl_brin_insert_size))
    return redo.corrupted("summary without a range");
  return insert_summary(redo, record);
}

Status update(RedoContext& redo) {
  xl_brin_update record{};
  if (!RedoBytes(redo).read(&record, xl_brin_update_size))
    return redo.corrupted("summary without a range");
  {
    BufferRef buffer;
    RedoAction action;
    RETURN_IF_ERROR(redo.read_block(2, &buffer, &action));
    if (action == RedoAction::needs_redo) {
      if (!remove_item(brin_page(buffer), record.oldOffnum))
        return redo.corrupted("failed to remove summary");
      redo.changed(buffer);
    }
  }
  return insert_summary(redo, record.insert);
}

Status samepage_update(RedoContext& redo) {
  xl_brin_samepage_update record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("summary without a place");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = brin_page(buffer);
  const WalBlock& block = redo.block(0);
  if (!is_regular(page) || !page.overwrite(record.offnum, block.data, block.data_length))
    return redo.corrupted("failed to replace summary");
  redo.changed(buffer);
  return Status::ok;
}

Status revmap_extend(RedoContext& redo) {
  xl_brin_revmap_extend record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("range map without a page");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const IndexPage page = brin_page(buffer);
    if (!page.has_contents(sizeof(BrinMetaPageData)) || type_of(page) != BRIN_PAGETYPE_META)
      return redo.corrupted("range map is of no index");
    auto meta = load<BrinMetaPageData>(page.contents());
    meta.lastRevmapPage = record.targetBlk;
    store(page.contents(), meta);
    page.page().header().pd_lower = sizeof(PageHeader) + sizeof(BrinMetaPageData);
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.init_block(1, &buffer));
  initialize_page(buffer.page(), BRIN_PAGETYPE_REVMAP);
  redo.changed(buffer);
  return Status::ok;
}

Status desummarize(RedoContext& redo) {
  xl_brin_desummarize record{};
  if (!RedoBytes(redo).read(&record, xl_brin_desummarize_size))
    return redo.corrupted("removal of a summary without a range");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    if (!set_range(brin_page(buffer), record.pagesPerRange, record.heapBlk, ItemPointer()))
      return redo.corrupted("removed summary is of no range");
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  if (!remove_item(brin_page(buffer), record.regOffset))
    return redo.corrupted("failed to remove summary");
  redo.changed(buffer);
  return Status::ok;
}

}  // namespace

Status brin_redo(RedoContext& redo) {
  switch (redo.info() & XLOG_BRIN_OPMASK) {
    case XLOG_BRIN_CREATE_INDEX:
      return create_index(redo);
    case XLOG_BRIN_INSERT:
      return insert(redo);
    case XLOG_BRIN_UPDATE:
      return update(redo);
    case XLOG_BRIN_SAMEPAGE_UPDATE:
      return samepage_update(redo);
    case XLOG_BRIN_REVMAP_EXTEND:
      return revmap_extend(redo);
    case XLOG_BRIN_DESUMMARIZE:
      return desummarize(redo);
    default:
      return redo.corrupted("unknown record type");
  }
}

void brin_mask(Page page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_page_hint_bits(page);
  const IndexPage masked(page, special_size);
  if (!masked.is_sound()) return;
  // Range maps have their contents there.
  if (type_of(masked) == BRIN_PAGETYPE_REGULAR ||
      (type_of(masked) == BRIN_PAGETYPE_META && page.header().pd_lower > sizeof(PageHeader)))
    mask_unused_space(page);
}

}  // namespace pgdata
