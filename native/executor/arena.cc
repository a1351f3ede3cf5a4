// Arena: blocks of doubling size.
#include "executor/arena.h"

#include <algorithm>

namespace pgdata {

void Arena::add_block(size_t needed) {
  const size_t usual =
      blocks_.empty() ? block_bytes_min : std::min(blocks_.back().size * 2, block_bytes_);
  const size_t size = std::max(usual, needed);
  blocks_.push_back({std::unique_ptr<std::byte[]>(new std::byte[size]), size});
  held_ += size;
  account_.take(size);
  next_ = blocks_.back().bytes.get();
  room_ = size;
}

void Arena::reset() {
  if (blocks_.empty()) return;
  const size_t kept = blocks_.front().size;
  blocks_.resize(1);
  account_.give(held_ - kept);
  held_ = kept;
  next_ = blocks_.front().bytes.get();
  room_ = kept;
}

}  // namespace pgdata
