// DeadTids: the dead line pointers that a vacuum has found and not yet removed from the indexes.
//
// Filled in order of blocks. Two bytes a line pointer and twelve a block, whatever their distribution.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"
#include "btree/btree_vacuum.h"

namespace pgdata {

class DeadTids final : public DeadRows {
 public:
  // `block` is greater than those added before; `offsets` ascend and are not empty.
  void add(BlockNumber block, std::span<const OffsetNumber> offsets);
  bool contains(ItemPointer tid) const override;
  void clear();

  uint64_t count() const { return offsets_.size(); }
  size_t block_count() const { return blocks_.size(); }
  size_t memory_bytes() const {
    return blocks_.size() * sizeof(Block) + offsets_.size() * sizeof(OffsetNumber);
  }
  BlockNumber block(size_t i) const { return blocks_[i].number; }
  std::span<const OffsetNumber> offsets(size_t i) const {
    return {offsets_.data() + blocks_[i].start, blocks_[i].count};
  }

 private:
  struct Block {
    BlockNumber number;
    uint32_t start;  // in offsets_
    uint32_t count;
  };
  std::vector<Block> blocks_;
  std::vector<OffsetNumber> offsets_;
};

}  // namespace pgdata
