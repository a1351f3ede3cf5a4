// Page: a view of one page in memory, with the operations common to all pages.
//
// A Page owns nothing. Functions that take disk bytes (`verify`) report
// corruption; the rest assert a page that was verified when it was read.
// Source: src/backend/storage/page/bufpage.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/invariant.h"
#include "base/status.h"
#include "base/types.h"
#include "layout/page_header.h"

namespace pgdata {

class Page {
 public:
  Page() = default;
  Page(std::byte* bytes, uint32_t size_bytes) : bytes_(bytes), size_(size_bytes) {}

  std::byte* bytes() const { return bytes_; }
  uint32_t size() const { return size_; }
  PageHeader& header() const { return *reinterpret_cast<PageHeader*>(bytes_); }

  Lsn lsn() const { return (static_cast<Lsn>(header().pd_lsn_high) << 32) | header().pd_lsn_low; }
  void set_lsn(Lsn lsn) const {
    header().pd_lsn_high = static_cast<uint32_t>(lsn >> 32);
    header().pd_lsn_low = static_cast<uint32_t>(lsn);
  }

  // A page that was never initialised (a crash while extending leaves zeroes).
  bool is_new() const { return header().pd_upper == 0; }

  // Number of line pointers.
  OffsetNumber max_offset() const {
    const uint16_t lower = header().pd_lower;
    return lower <= sizeof(PageHeader)
               ? OffsetNumber{0}
               : static_cast<OffsetNumber>((lower - sizeof(PageHeader)) / sizeof(LinePointer));
  }
  LinePointer& line_pointer(OffsetNumber offset) const {
    return reinterpret_cast<LinePointer*>(bytes_ + sizeof(PageHeader))[offset - 1];
  }
  std::byte* item(LinePointer pointer) const { return bytes_ + pointer.lp_off(); }
  std::byte* item_at(OffsetNumber offset) const { return item(line_pointer(offset)); }
  std::byte* special() const { return bytes_ + header().pd_special; }
  uint32_t special_size() const { return size_ - header().pd_special; }

  // Zeroes the page and writes a header with room for `special_size` bytes at the end.
  void initialize(uint32_t special_size) const;

  // Bytes between pd_lower and pd_upper, exact (PageGetExactFreeSpace), less one
  // line pointer (PageGetFreeSpace), and for heap pages, 0 when no line pointer
  // can be added (PageGetHeapFreeSpace).
  uint32_t exact_free_bytes() const;
  uint32_t free_bytes() const;
  uint32_t heap_free_bytes() const;

  // Adds an item at `offset` (shifting later line pointers), or, when `offset`
  // is invalid_offset_number, at the first unused line pointer if
  // PD_HAS_FREE_LINES says there may be one, else at the end. `heap` bounds the
  // number of line pointers by items_per_page_max. Returns the place, or
  // invalid_offset_number when it does not fit.
  OffsetNumber add_item(const std::byte* item, uint32_t length, OffsetNumber offset,
                        bool heap) const;
  // Adds an item at exactly `offset`, which must be an unused line pointer or the
  // one after the last (PAI_OVERWRITE); else returns invalid_offset_number.
  OffsetNumber add_item_overwrite(const std::byte* item, uint32_t length,
                                  OffsetNumber offset) const;

  // Index pages: remove one item, or several (ascending), closing the gaps.
  void delete_item(OffsetNumber offset) const;
  void delete_items(const OffsetNumber* offsets, int count) const;
  // Index pages: replace an item in place, moving others when its size changes.
  // Returns false when the new one does not fit.
  bool overwrite_item(OffsetNumber offset, const std::byte* item, uint32_t length) const;
  // Heap pages: remove the storage of dead items and close the gaps
  // (PageRepairFragmentation), and drop unused line pointers at the end.
  void repair_fragmentation() const;
  // Heap pages: drop unused line pointers at the end, all but the first
  // (PageTruncateLinePointerArray).
  void truncate_line_pointers() const;

  // From disk: whether every line pointer points at a place that an item can have
  // and the items fit together, so that the functions above may be called. For
  // pages with items only (not a B-tree's metapage). `what` as in verify_page.
  Status verify_items(BlockNumber block, const char* what) const;

 private:
  std::byte* bytes_ = nullptr;
  uint32_t size_ = 0;
};

// Where a line pointer lies, in bytes from the start of its page.
constexpr uint32_t line_pointer_place(OffsetNumber offset) {
  return static_cast<uint32_t>(sizeof(PageHeader) + (offset - 1) * sizeof(LinePointer));
}

inline uint32_t items_per_page_max(uint32_t block_size) {
  return static_cast<uint32_t>((block_size - sizeof(PageHeader)) /
                               (max_align(23) + sizeof(LinePointer)));
}

// PostgreSQL's page checksum of the bytes with pd_checksum taken as zero, mixed
// with the block number; never 0. Source: src/include/storage/checksum_impl.h.
uint16_t page_checksum(const std::byte* page, uint32_t size_bytes, BlockNumber block);

// Whether a page that was read from disk can be used: zeroed, or a sane header
// and, when `check_checksum`, the right checksum. `what` names the relation file
// for the message, as in `invalid page in block 7 of relation "base/5/16384"`.
Status verify_page(const std::byte* page, uint32_t size_bytes, BlockNumber block,
                   bool check_checksum, const char* what);

}  // namespace pgdata
