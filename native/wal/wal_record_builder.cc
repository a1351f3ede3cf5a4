// WalRecord: collecting a record's parts, and laying them out in the order of the log.
//
// Source: src/backend/access/transam/xloginsert.c (XLogRecordAssemble), PostgreSQL 18.
#include <algorithm>

#include "base/crc32c.h"
#include "base/invariant.h"
#include "layout/wal_xlog_records.h"
#include "wal/wal.h"

namespace pgdata {

void WalRecord::begin(RmgrId rmgr, uint8_t info, TransactionId xid) {
  INVARIANT((info & ~(XLR_RMGR_INFO_MASK | XLR_SPECIAL_REL_UPDATE | XLR_CHECK_CONSISTENCY)) == 0);
  rmgr_ = rmgr;
  info_ = info;
  flags_ = 0;
  xid_ = xid;
  block_count_ = 0;
  piece_count_ = 0;
  first_data_piece_ = -1;
  last_data_piece_ = -1;
  data_size_ = 0;
}

void WalRecord::block(uint8_t id, RelFileLocator relation, ForkNumber fork, BlockNumber number,
                      Page page, uint8_t flags) {
  INVARIANT(id < blocks_max);
  INVARIANT(page.bytes() != nullptr);
  for (; block_count_ <= id; block_count_++) blocks_[block_count_].in_use = false;
  Block& block = blocks_[id];
  INVARIANT(!block.in_use);
  block = {true, flags, fork, relation, number, page, 0, -1, -1};
}

void WalRecord::add_piece(const void* bytes, size_t size, int16_t* first, int16_t* last) {
  INVARIANT(piece_count_ < pieces_max);
  const int16_t index = static_cast<int16_t>(piece_count_++);
  pieces_[index] = {static_cast<const std::byte*>(bytes), static_cast<uint32_t>(size)};
  next_piece_[index] = -1;
  if (*last >= 0) {
    next_piece_[*last] = index;
  } else {
    *first = index;
  }
  *last = index;
}

void WalRecord::data(const void* bytes, size_t size) {
  if (size == 0) return;
  INVARIANT(size <= XLogRecordMaxSize - data_size_);
  add_piece(bytes, size, &first_data_piece_, &last_data_piece_);
  data_size_ += static_cast<uint32_t>(size);
}

void WalRecord::block_data(uint8_t id, const void* bytes, size_t size) {
  INVARIANT(id < block_count_);
  Block& block = blocks_[id];
  INVARIANT(block.in_use);
  if (size == 0) return;
  INVARIANT(size <= UINT16_MAX - block.data_size);  // The length field has two bytes.
  add_piece(bytes, size, &block.first_piece, &block.last_piece);
  block.data_size += static_cast<uint32_t>(size);
}

void WalRecord::assemble(bool full_page_writes, Lsn redo, Assembled* out) const {
  std::byte* header = out->header + SizeOfXLogRecord;
  out->count = 1;
  out->images = 0;
  out->oldest_without_image = invalid_lsn;
  uint64_t size = 0;  // of what follows the headers

  const auto append = [&](const std::byte* bytes, uint32_t length) {
    out->pieces[out->count++] = {bytes, length};
    size += length;
  };
  const auto append_chain = [&](int16_t first) {
    for (int16_t piece = first; piece >= 0; piece = next_piece_[piece])
      append(pieces_[piece].bytes, pieces_[piece].size);
  };

  const Block* previous = nullptr;
  for (int id = 0; id < block_count_; id++) {
    const Block& block = blocks_[id];
    if (!block.in_use) continue;

    bool needs_image;
    if ((block.flags & REGBUF_FORCE_IMAGE) != 0) {
      needs_image = true;
    } else if ((block.flags & REGBUF_NO_IMAGE) != 0 || !full_page_writes) {
      needs_image = false;
    } else {
      needs_image = block.page.lsn() <= redo;
    }
    // A record that was made without full-page writes, or spares an image because of the redo pointer it
    // saw, must be made again if that changed meanwhile.
    if (!needs_image && (block.flags & REGBUF_NO_IMAGE) == 0) {
      const Lsn page_lsn = block.page.lsn();
      if (out->oldest_without_image == invalid_lsn || page_lsn < out->oldest_without_image)
        out->oldest_without_image = page_lsn;
    }
    const bool has_data =
        block.data_size > 0 && ((block.flags & REGBUF_KEEP_DATA) != 0 || !needs_image);
    const bool includes_image = needs_image || (info_ & XLR_CHECK_CONSISTENCY) != 0;
    const bool same_relation = previous != nullptr && previous->relation == block.relation;

    uint8_t fork_flags = static_cast<uint8_t>(block.fork);
    if ((block.flags & REGBUF_WILL_INIT) == REGBUF_WILL_INIT) fork_flags |= BKPBLOCK_WILL_INIT;
    if (includes_image) fork_flags |= BKPBLOCK_HAS_IMAGE;
    if (has_data) fork_flags |= BKPBLOCK_HAS_DATA;
    if (same_relation) fork_flags |= BKPBLOCK_SAME_REL;
    *header++ = static_cast<std::byte>(id);
    *header++ = static_cast<std::byte>(fork_flags);
    store<uint16_t>(header, static_cast<uint16_t>(has_data ? block.data_size : 0));
    header += sizeof(uint16_t);

    if (includes_image) {
      const std::byte* page = block.page.bytes();
      const uint32_t page_size = block.page.size();
      uint32_t hole_offset = 0;
      uint32_t hole_length = 0;
      if ((block.flags & REGBUF_STANDARD) != 0) {
        const PageHeader& page_header = block.page.header();
        if (page_header.pd_lower >= sizeof(PageHeader) &&
            page_header.pd_upper > page_header.pd_lower && page_header.pd_upper <= page_size) {
          hole_offset = page_header.pd_lower;
          hole_length = page_header.pd_upper - page_header.pd_lower;
        }
      }
      const uint32_t image_length = page_size - hole_length;
      uint8_t bimg_info = 0;
      if (hole_length > 0) bimg_info |= BKPIMAGE_HAS_HOLE;
      if (needs_image) bimg_info |= BKPIMAGE_APPLY;
      store<uint16_t>(header, static_cast<uint16_t>(image_length));
      store<uint16_t>(header + 2, static_cast<uint16_t>(hole_offset));
      header[4] = static_cast<std::byte>(bimg_info);
      header += SizeOfXLogRecordBlockImageHeader;
      out->images++;

      if (hole_length == 0) {
        append(page, page_size);
      } else {
        append(page, hole_offset);
        const uint32_t after = hole_offset + hole_length;
        if (after < page_size) append(page + after, page_size - after);
      }
    }
    if (has_data) append_chain(block.first_piece);

    if (!same_relation) {
      store(header, block.relation);
      header += sizeof(RelFileLocator);
    }
    store(header, block.number);
    header += sizeof(BlockNumber);
    previous = &block;
  }

  if (data_size_ > 0) {
    if (data_size_ > UINT8_MAX) {
      *header++ = std::byte{XLR_BLOCK_ID_DATA_LONG};
      store<uint32_t>(header, data_size_);
      header += sizeof(uint32_t);
    } else {
      *header++ = std::byte{XLR_BLOCK_ID_DATA_SHORT};
      *header++ = static_cast<std::byte>(data_size_);
    }
    append_chain(first_data_piece_);
  }

  const uint32_t header_size = static_cast<uint32_t>(header - out->header);
  INVARIANT(header_size <= Assembled::header_max);
  out->pieces[0] = {out->header, header_size};
  size += header_size;
  INVARIANT(size <= XLogRecordMaxSize);
  out->size = static_cast<uint32_t>(size);

  uint32_t crc =
      crc32c(crc32c_initial, out->header + SizeOfXLogRecord, header_size - SizeOfXLogRecord);
  for (int i = 1; i < out->count; i++) crc = crc32c(crc, out->pieces[i].bytes, out->pieces[i].size);
  out->crc = crc;

  XLogRecord record{};
  record.xl_tot_len = out->size;
  record.xl_xid = xid_;
  record.xl_info = info_;
  record.xl_rmid = static_cast<uint8_t>(rmgr_);
  store(out->header, record);
}

}  // namespace pgdata
