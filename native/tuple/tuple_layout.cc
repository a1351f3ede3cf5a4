// Computes a TupleLayout: alignment in bytes, packability, and the offsets that never change.
#include "tuple/tuple_layout.h"

#include "base/invariant.h"
#include "layout/heap_tuple.h"
#include "layout/varlena.h"

namespace pgdata {

TupleLayout::TupleLayout(const TupleDesc& desc) : desc_(&desc) {
  INVARIANT(desc.natts() <= tuple_attributes_max);
  attributes_.resize(desc.attributes.size());
  size_t offset = 0;
  bool fixed = true;
  for (size_t i = 0; i < attributes_.size(); ++i) {
    const Attribute& from = desc.attributes[i];
    CompactAttribute& to = attributes_[i];
    INVARIANT(from.attlen > 0 || from.attlen == -1 || from.attlen == -2);
    INVARIANT(!from.attbyval || from.attlen == 1 || from.attlen == 2 || from.attlen == 4 ||
              from.attlen == 8);
    to.attlen = from.attlen;
    to.alignment = static_cast<uint8_t>(from.alignment());
    to.attbyval = from.attbyval;
    to.packable = from.attlen == -1 && from.attstorage != TYPSTORAGE_PLAIN;
    to.has_missing = from.has_missing;
    if (!fixed) continue;
    if (from.attlen > 0) {
      offset = align_up(offset, to.alignment);
      to.cached_offset = static_cast<int32_t>(offset);
      offset += static_cast<size_t>(from.attlen);
      fixed_count_ = static_cast<int>(i) + 1;
      fixed_end_ = static_cast<uint32_t>(offset);
    } else {
      // A varlena that begins aligned begins here, whichever header it has.
      if (align_up(offset, to.alignment) == offset) to.cached_offset = static_cast<int32_t>(offset);
      fixed = false;
    }
  }
}

}  // namespace pgdata
