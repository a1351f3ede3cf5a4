// TupleBatch: formed tuples waiting to be inserted, their bytes in memory that is kept for the
// next batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"

namespace pgdata {

// A formed tuple in the caller's memory, 8-byte aligned. Inserting sets its header's transaction
// fields and `self`.
struct NewTuple {
  std::byte* bytes = nullptr;
  uint32_t length = 0;
  ItemPointer self;
};

class TupleBatch {
 public:
  // Adds a tuple of `length` bytes, to be formed at the returned address. Earlier ones stay put.
  std::byte* append(size_t length) {
    const size_t needed = (length + 7) & ~size_t{7};
    if (block_ == blocks_.size() || blocks_[block_].size - used_ < needed) next_block(needed);
    std::byte* bytes = blocks_[block_].bytes.get() + used_;
    used_ += needed;
    bytes_ += needed;
    tuples_.push_back({bytes, static_cast<uint32_t>(length), ItemPointer()});
    return bytes;
  }
  std::span<NewTuple> tuples() { return tuples_; }
  size_t count() const { return tuples_.size(); }
  size_t bytes() const { return bytes_; }
  // Forgets the tuples, keeps the memory.
  void clear() {
    tuples_.clear();
    block_ = 0;
    used_ = 0;
    bytes_ = 0;
  }

 private:
  static constexpr size_t block_bytes = 64 * 1024;
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    size_t size;
  };

  void next_block(size_t needed) {
    if (block_ < blocks_.size()) ++block_;
    used_ = 0;
    // A kept block that is too small for this tuple is passed over until the next clear.
    while (block_ < blocks_.size() && blocks_[block_].size < needed) ++block_;
    if (block_ < blocks_.size()) return;
    const size_t size = needed > block_bytes ? needed : block_bytes;
    blocks_.push_back({std::unique_ptr<std::byte[]>(new std::byte[size]), size});
  }

  std::vector<Block> blocks_;
  std::vector<NewTuple> tuples_;
  size_t block_ = 0;
  size_t used_ = 0;
  size_t bytes_ = 0;
};

}  // namespace pgdata
