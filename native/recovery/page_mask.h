// Masks of what every kind of page may have different between a primary and replay.
//
// A mask overwrites with zeroes; two pages agree when their masked copies are equal. A resource manager's mask
// is made of these and of its own rules. The pages have a sane header (`verify_page`), nothing else is believed.
// Source: src/backend/access/common/bufmask.c, PostgreSQL 18.
#pragma once

#include "base/types.h"
#include "page/page.h"

namespace pgdata {

// The page as of another moment has another LSN; and a masked page another checksum.
void mask_page_lsn_and_checksum(Page page);
// pd_prune_xid and pd_flags are hints, or set without the page's LSN.
void mask_page_hint_bits(Page page);
// What lies between pd_lower and pd_upper.
void mask_unused_space(Page page);
// Index pages on which line pointers are marked dead without logging it.
void mask_lp_flags(Page page);
// Pages, such as deleted ones, of which nothing matters but that they are there.
void mask_page_content(Page page);

}  // namespace pgdata
