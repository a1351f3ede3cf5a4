// DeadTids: two arrays, searched by halves.
#include "vacuum/dead_tids.h"

#include <algorithm>

#include "base/invariant.h"

namespace pgdata {

void DeadTids::add(BlockNumber block, std::span<const OffsetNumber> offsets) {
  INVARIANT(!offsets.empty());
  INVARIANT(blocks_.empty() || value_of(blocks_.back().number) < value_of(block));
  blocks_.push_back(
      {block, static_cast<uint32_t>(offsets_.size()), static_cast<uint32_t>(offsets.size())});
  offsets_.insert(offsets_.end(), offsets.begin(), offsets.end());
}

bool DeadTids::contains(ItemPointer tid) const {
  const auto found = std::lower_bound(blocks_.begin(), blocks_.end(), tid.block(),
                                      [](const Block& block, BlockNumber number) {
                                        return value_of(block.number) < value_of(number);
                                      });
  if (found == blocks_.end() || found->number != tid.block()) return false;
  const auto start = offsets_.begin() + found->start;
  return std::binary_search(start, start + found->count, tid.offset());
}

void DeadTids::clear() {
  blocks_.clear();
  offsets_.clear();
}

}  // namespace pgdata
