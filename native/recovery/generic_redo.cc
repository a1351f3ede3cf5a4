// Redo of Generic, and the mask of its pages.
//
// Extensions log with it: a block's data is a list of fragments, each a uint16 offset, a uint16 length, and the
// bytes to put there. What lies between pd_lower and pd_upper is zero afterwards.
// Source: src/backend/access/transam/generic_xlog.c, PostgreSQL 18.
#include <cstring>

#include "recovery/page_mask.h"
#include "recovery/redo_context.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr int blocks_max = XLR_MAX_BLOCK_ID + 1;

Status apply_fragments(RedoContext& redo, const Page& page, RedoBytes delta) {
  while (delta.left() > 0) {
    uint16_t offset = 0;
    uint16_t length = 0;
    if (!delta.read(&offset) || !delta.read(&length))
      return redo.corrupted("fragment without a header");
    const std::byte* bytes = delta.take(length);
    if (bytes == nullptr || uint32_t{offset} + length > page.size())
      return redo.corrupted("fragment beyond the page");
    std::memcpy(page.bytes() + offset, bytes, length);
  }
  const BlockNumber block{};  // No checksum is checked.
  if (page.is_new() || !verify_page(page.bytes(), page.size(), block, false, "").is_ok())
    return redo.corrupted("fragments that spoil the page header");
  const PageHeader& header = page.header();
  std::memset(page.bytes() + header.pd_lower, 0, uint32_t{header.pd_upper} - header.pd_lower);
  return Status::ok;
}

}  // namespace

Status generic_redo(RedoContext& redo) {
  // All pages stay locked until the last one is changed, as when it was logged.
  BufferRef buffers[blocks_max];
  for (int id = 0; id < redo.record().block_count; id++) {
    if (!redo.has_block(id)) continue;
    RedoAction action;
    RETURN_IF_ERROR(redo.read_block(id, &buffers[id], &action));
    if (action != RedoAction::needs_redo) continue;
    RETURN_IF_ERROR(apply_fragments(redo, buffers[id].page(), RedoBytes(redo.block(id))));
    redo.changed(buffers[id]);
  }
  return Status::ok;
}

void generic_mask(Page page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_unused_space(page);
}

}  // namespace pgdata
