// Redo of GiST indexes. Source: src/backend/access/gist/gistxlog.c, gistutil.c, PostgreSQL 18.
#include <cstring>

#include "layout/gist_page.h"
#include "layout/gist_records.h"
#include "recovery/index_page.h"
#include "recovery/page_mask.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr uint32_t special_size = sizeof(GISTPageOpaqueData);

IndexPage gist_page(const BufferRef& buffer) { return {buffer.page(), special_size}; }

GISTPageOpaqueData& opaque_of(const IndexPage& page) { return page.special<GISTPageOpaqueData>(); }

void set_nsn(GISTPageOpaqueData& opaque, Lsn nsn) {
  opaque.nsn_high = static_cast<uint32_t>(nsn >> 32);
  opaque.nsn_low = static_cast<uint32_t>(nsn);
}

void set_flag(GISTPageOpaqueData& opaque, uint16_t flag) {
  opaque.flags = static_cast<uint16_t>(opaque.flags | flag);
}
void clear_flag(GISTPageOpaqueData& opaque, uint16_t flag) {
  opaque.flags = static_cast<uint16_t>(opaque.flags & ~flag);
}

// The left half of a split got its downlink. An image of it has the page from before.
Status finish_split(RedoContext& redo, int id) {
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(id, &buffer, &action));
  if (action != RedoAction::needs_redo && action != RedoAction::restored) return Status::ok;
  const IndexPage page = gist_page(buffer);
  if (!page.is_sound()) return redo.corrupted("child is no page");
  set_nsn(opaque_of(page), redo.end_lsn());
  clear_flag(opaque_of(page), F_FOLLOW_RIGHT);
  redo.changed(buffer);
  return Status::ok;
}

bool update_page(const IndexPage& page, const gistxlogPageUpdate& record, RedoBytes data) {
  RedoOffsets offsets;
  if (!page.has_sound_items() || !offsets.read(&data, record.ntodelete)) return false;
  uint16_t inserted = 0;
  if (record.ntodelete == 1 && record.ntoinsert == 1) {
    // One for one is replaced in place, as the primary did.
    size_t size;
    const std::byte* tuple = take_index_tuple(&data, &size);
    if (tuple == nullptr || !page.overwrite(offsets[0], tuple, size)) return false;
    inserted++;
  } else if (record.ntodelete > 0) {
    if (!page.remove_many(offsets.begin(), offsets.size())) return false;
    if ((opaque_of(page).flags & F_LEAF) != 0) set_flag(opaque_of(page), F_TUPLES_DELETED);
  }
  while (data.left() > 0) {
    size_t size;
    const std::byte* tuple = take_index_tuple(&data, &size);
    if (tuple == nullptr ||
        !page.add(tuple, size, static_cast<OffsetNumber>(page.max_offset() + 1)))
      return false;
    inserted++;
  }
  return inserted == record.ntoinsert;
}

Status page_update(RedoContext& redo) {
  gistxlogPageUpdate record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("update without numbers");
  {
    BufferRef buffer;
    RedoAction action;
    RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
    if (action == RedoAction::needs_redo) {
      if (!update_page(gist_page(buffer), record, RedoBytes(redo.block(0))))
        return redo.corrupted("update does not fit the page");
      redo.changed(buffer);
    }
  }
  return redo.has_block(1) ? finish_split(redo, 1) : Status();
}

Status delete_items(RedoContext& redo) {
  gistxlogDelete record{};
  RedoBytes main(redo);
  RedoOffsets offsets;
  if (!main.read(&record) || !offsets.read(&main, record.ntodelete))
    return redo.corrupted("deletion without offsets");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = gist_page(buffer);
  if (!page.has_sound_items() || !page.remove_many(offsets.begin(), offsets.size()))
    return redo.corrupted("failed to remove items");
  // As the primary leaves the page. PostgreSQL's own replay also sets F_TUPLES_DELETED, which nothing reads, and
  // then fails its own comparison of pages.
  clear_flag(opaque_of(page), F_HAS_GARBAGE);
  redo.changed(buffer);
  return Status::ok;
}

// The tuples of one of the pages that a page became.
bool fill_page(const IndexPage& page, RedoBytes data) {
  int32_t count;
  if (!data.read(&count)) return false;
  for (int32_t i = 0; i < count; i++) {
    size_t size;
    const std::byte* tuple = take_index_tuple(&data, &size);
    if (tuple == nullptr ||
        !page.add(tuple, size, static_cast<OffsetNumber>(page.max_offset() + 1)))
      return false;
  }
  return data.left() == 0;
}

Status page_split(RedoContext& redo) {
  gistxlogPageSplit record{};
  if (!RedoBytes(redo).read(&record) || record.npage == 0 || record.npage > XLR_MAX_BLOCK_ID)
    return redo.corrupted("split without pages");
  for (int id = 1; id <= record.npage; id++)
    if (!redo.has_block(id)) return redo.corrupted("split without a page");
  const bool splits_root = redo.block(1).number == GIST_ROOT_BLKNO;
  for (int id = 1; id <= record.npage; id++) {
    const bool is_root = redo.block(id).number == GIST_ROOT_BLKNO;
    const bool is_last = id == record.npage;
    BufferRef buffer;
    RETURN_IF_ERROR(redo.init_block(id, &buffer));
    buffer.page().initialize(special_size);
    const IndexPage page = gist_page(buffer);
    GISTPageOpaqueData& opaque = opaque_of(page);
    opaque.gist_page_id = GIST_PAGE_ID;
    opaque.flags = record.origleaf != 0 && !is_root ? F_LEAF : 0;
    set_nsn(opaque, record.orignsn);
    if (is_root)
      opaque.rightlink = invalid_block_number;
    else
      opaque.rightlink = is_last ? record.origrlink : redo.block(id + 1).number;
    if (!is_root && !is_last && !splits_root && record.markfollowright != 0)
      set_flag(opaque, F_FOLLOW_RIGHT);
    if (!fill_page(page, RedoBytes(redo.block(id))))
      return redo.corrupted("tuples of a split do not fit their page");
    redo.changed(buffer);
  }
  return redo.has_block(0) ? finish_split(redo, 0) : Status();
}

Status page_delete(RedoContext& redo) {
  gistxlogPageDelete record{};
  if (!RedoBytes(redo).read(&record, gistxlogPageDelete_size))
    return redo.corrupted("page deletion without a downlink");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const IndexPage page = gist_page(buffer);
    if (!page.has_contents(sizeof(GISTDeletedPageContents)) || page.max_offset() != 0)
      return redo.corrupted("deleted page is not empty");
    set_flag(opaque_of(page), F_DELETED);
    page.page().header().pd_lower = sizeof(PageHeader) + sizeof(GISTDeletedPageContents);
    store(page.contents(), GISTDeletedPageContents{record.deleteXid});
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage parent = gist_page(buffer);
  if (!parent.has_sound_items() || !parent.remove(record.downlinkOffset))
    return redo.corrupted("deleted page has no downlink");
  redo.changed(buffer);
  return Status::ok;
}

}  // namespace

Status gist_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_GIST_PAGE_UPDATE:
      return page_update(redo);
    case XLOG_GIST_DELETE:
      return delete_items(redo);
    case XLOG_GIST_PAGE_SPLIT:
      return page_split(redo);
    case XLOG_GIST_PAGE_DELETE:
      return page_delete(redo);
    case XLOG_GIST_PAGE_REUSE:  // For standbys with queries.
    case XLOG_GIST_ASSIGN_LSN:  // Takes up a position of the log, nothing more.
      return Status::ok;
    default:
      return redo.corrupted("unknown record type");
  }
}

void gist_mask(Page page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_page_hint_bits(page);
  mask_unused_space(page);
  const IndexPage masked(page, special_size);
  if (!masked.is_sound()) return;
  GISTPageOpaqueData& opaque = opaque_of(masked);
  set_nsn(opaque, invalid_lsn);
  // Changed on the left child after the record was made; garbage is not marked by replay.
  clear_flag(opaque, F_FOLLOW_RIGHT | F_HAS_GARBAGE);
  // Entries are marked dead without a record.
  if ((opaque.flags & F_LEAF) != 0 && (opaque.flags & F_DELETED) == 0) mask_lp_flags(page);
}

}  // namespace pgdata
