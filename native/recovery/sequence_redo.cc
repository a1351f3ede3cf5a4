// Redo of Sequence, and the mask of its pages: a record has the whole page.
//
// Source: src/backend/commands/sequence.c (seq_redo, seq_mask), PostgreSQL 18.
#include "layout/sequence_page.h"
#include "recovery/page_mask.h"
#include "recovery/redo_context.h"
#include "recovery/redo_functions.h"

namespace pgdata {

Status sequence_redo(RedoContext& redo) {
  if (redo.info() != XLOG_SEQ_LOG) return redo.corrupted("unknown operation");
  RedoBytes main(redo);
  const size_t length = main.take(sizeof(xl_seq_rec)) == nullptr ? 0 : main.left();
  const std::byte* tuple = main.take(length);
  if (length == 0 || length > block_size_max) return redo.corrupted("sequence without a tuple");

  BufferRef buffer;
  RETURN_IF_ERROR(redo.init_block(0, &buffer));
  const Page page = buffer.page();
  page.initialize(sizeof(sequence_magic));
  store(page.special(), sequence_magic{SEQ_MAGIC});
  if (page.add_item(tuple, static_cast<uint32_t>(length), first_offset_number, false) ==
      invalid_offset_number)
    return redo.corrupted("failed to add item to page");
  redo.changed(buffer);
  return Status::ok;
}

void sequence_mask(Page page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_unused_space(page);
}

}  // namespace pgdata
