// Overwriting the parts of a page that replay need not reproduce.
#include "recovery/page_mask.h"

#include <cstring>

namespace pgdata {

void mask_page_lsn_and_checksum(Page page) {
  page.set_lsn(invalid_lsn);
  page.header().pd_checksum = 0;
}

void mask_page_hint_bits(Page page) {
  PageHeader& header = page.header();
  header.pd_prune_xid = invalid_transaction_id;
  header.pd_flags = static_cast<uint16_t>(
      header.pd_flags & ~static_cast<unsigned>(PD_HAS_FREE_LINES | PD_PAGE_FULL | PD_ALL_VISIBLE));
}

void mask_unused_space(Page page) {
  const PageHeader& header = page.header();
  std::memset(page.bytes() + header.pd_lower, 0, uint32_t{header.pd_upper} - header.pd_lower);
}

void mask_lp_flags(Page page) {
  const OffsetNumber last = page.max_offset();
  for (OffsetNumber offset = first_offset_number; offset <= last; offset++) {
    LinePointer& pointer = page.line_pointer(offset);
    pointer = LinePointer(pointer.lp_off(), LinePointerFlags::LP_UNUSED, pointer.lp_len());
  }
}

void mask_page_content(Page page) {
  std::memset(page.bytes() + sizeof(PageHeader), 0, page.size() - sizeof(PageHeader));
  page.header().pd_lower = 0;
  page.header().pd_upper = 0;
}

}  // namespace pgdata
