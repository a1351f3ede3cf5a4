// TupleLayout: what forming and deforming need of a TupleDesc, packed and precomputed.
//
// Make one per relation or index and keep it: it costs a pass over the columns. The TupleDesc
// must outlive it, since missing values stay there.
// Source: src/backend/access/common/tupdesc.c (CompactAttribute), PostgreSQL 18.
#pragma once

#include <cstdint>
#include <vector>

#include "tuple/tuple_desc.h"

namespace pgdata {

struct CompactAttribute {
  // Offset in the data area when no earlier column is null; -1 when a variable-width column
  // comes before. For a varlena the first one only, and only when already aligned.
  int32_t cached_offset = -1;
  int16_t attlen = 0;
  uint8_t alignment = 1;
  bool attbyval = false;
  // A varlena whose storage is not plain: its header may be shortened.
  bool packable = false;
  bool has_missing = false;
};

class TupleLayout {
 public:
  explicit TupleLayout(const TupleDesc& desc);

  int natts() const { return static_cast<int>(attributes_.size()); }
  const CompactAttribute* attributes() const { return attributes_.data(); }
  const CompactAttribute& attribute(int index) const {
    return attributes_[static_cast<size_t>(index)];
  }
  const TupleDesc& desc() const { return *desc_; }

  // The leading columns that are all of fixed width, and where the last of them ends: without
  // nulls among them they lie at their cached offsets.
  int fixed_count() const { return fixed_count_; }
  uint32_t fixed_end() const { return fixed_end_; }

 private:
  const TupleDesc* desc_;
  std::vector<CompactAttribute> attributes_;
  int fixed_count_ = 0;
  uint32_t fixed_end_ = 0;
};

}  // namespace pgdata
