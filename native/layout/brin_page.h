// Pages of a BRIN index: special space, metapage, range map.
//
// Block 0 is the metapage, then come range map pages, then regular pages with summary tuples. Every
// page ends in 8 bytes of which bytes 4 and 5 are BRIN_EVACUATE_PAGE or 0, bytes 6 and 7 its type.
// The metapage holds, from byte 24,
//
//   offset  size  field           meaning
//        0     4  brinMagic       0xA8109CFA
//        4     4  brinVersion     1
//        8     4  pagesPerRange   heap blocks that one summary covers
//       12     4  lastRevmapPage  last page of the range map
//
// A range map page holds, from byte 24 to its special space, ItemPointers to the summary tuples of
// consecutive ranges.
//
// Little-endian. Source: src/include/access/brin_page.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

struct BrinSpecialSpace {
  uint16_t unused[2];
  uint16_t flags;
  uint16_t type;
};
static_assert(sizeof(BrinSpecialSpace) == 8);
static_assert(std::has_unique_object_representations_v<BrinSpecialSpace>);

inline constexpr uint16_t BRIN_PAGETYPE_META = 0xF091;
inline constexpr uint16_t BRIN_PAGETYPE_REVMAP = 0xF092;
inline constexpr uint16_t BRIN_PAGETYPE_REGULAR = 0xF093;
inline constexpr uint16_t BRIN_EVACUATE_PAGE = 1 << 0;

struct BrinMetaPageData {
  uint32_t brinMagic;
  uint32_t brinVersion;
  uint32_t pagesPerRange;
  BlockNumber lastRevmapPage;
};
static_assert(sizeof(BrinMetaPageData) == 16);
static_assert(std::has_unique_object_representations_v<BrinMetaPageData>);
inline constexpr uint32_t BRIN_META_MAGIC = 0xA8109CFA;
inline constexpr BlockNumber BRIN_METAPAGE_BLKNO{0};

// ItemPointers of a range map page.
constexpr uint32_t brin_revmap_page_items_max(uint32_t block_size) {
  return static_cast<uint32_t>((block_size - 24 - sizeof(BrinSpecialSpace)) / sizeof(ItemPointer));
}
static_assert(brin_revmap_page_items_max(8192) == 1360);

}  // namespace pgdata
