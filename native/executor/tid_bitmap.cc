// TidBitmap: sorted addresses, and bits of blocks.
#include "executor/tid_bitmap.h"

#include <algorithm>

namespace pgdata {
namespace {

constexpr size_t tids_min = 1024;

// Of the block of the first one, so many.
size_t block_run(std::span<const ItemPointer> tids) {
  size_t count = 0;
  while (count < tids.size() && tids[count].block() == tids[0].block()) count++;
  return count;
}

}  // namespace

TidBitmap::TidBitmap(MemoryAccount& account, uint64_t memory_bytes)
    : account_(account),
      tids_max_(std::max<size_t>(tids_min, memory_bytes / sizeof(ItemPointer) / 2)) {}

void TidBitmap::charge() {
  const size_t bytes =
      exact_.capacity() * sizeof(ItemPointer) + lossy_.bytes() + uncertain_.bytes();
  account_.give(charged_);
  account_.take(bytes);
  charged_ = bytes;
}

void TidBitmap::make_room() {
  for (const ItemPointer& tid : exact_) lossy_.add(tid.block());
  exact_.clear();
}

void TidBitmap::add(std::span<const ItemPointer> tids) {
  for (const ItemPointer& tid : tids) {
    if (lossy_.has(tid.block())) continue;
    if (exact_.size() == tids_max_) {
      make_room();
      lossy_.add(tid.block());
      continue;
    }
    exact_.push_back(tid);
  }
  charge();
}

void TidBitmap::unite(const TidBitmap& other) {
  lossy_.unite(other.lossy_);
  uncertain_.unite(other.uncertain_);
  add(other.exact_);
}

void TidBitmap::finish() {
  std::erase_if(exact_, [&](const ItemPointer& tid) { return lossy_.has(tid.block()); });
  std::sort(exact_.begin(), exact_.end());
  exact_.erase(std::unique(exact_.begin(), exact_.end()), exact_.end());
}

void TidBitmap::intersect(const TidBitmap& other) {
  // Of a block that one has as a whole, the other one's rows are left; whether the first one means them is to be seen.
  size_t kept = 0;
  size_t theirs = 0;
  for (size_t i = 0; i < exact_.size(); i++) {
    const ItemPointer tid = exact_[i];
    while (theirs < other.exact_.size() && other.exact_[theirs] < tid) theirs++;
    const bool is_theirs = theirs < other.exact_.size() && other.exact_[theirs] == tid;
    if (is_theirs || other.lossy_.has(tid.block())) exact_[kept++] = tid;
  }
  exact_.erase(exact_.begin() + static_cast<ptrdiff_t>(kept), exact_.end());
  uncertain_.unite(other.uncertain_);
  uncertain_.unite(other.lossy_);
  uncertain_.unite(lossy_);
  BlockSet lossy = lossy_;
  lossy.intersect(other.lossy_);
  for (size_t i = 0; i < other.exact_.size();) {
    const std::span<const ItemPointer> rest = std::span(other.exact_).subspan(i);
    const size_t count = block_run(rest);
    i += count;
    if (!lossy_.has(rest[0].block())) continue;
    if (exact_.size() + count <= tids_max_)
      exact_.insert(exact_.end(), rest.begin(), rest.begin() + static_cast<ptrdiff_t>(count));
    else
      lossy.add(rest[0].block());
  }
  lossy_ = std::move(lossy);
  std::sort(exact_.begin(), exact_.end());
  charge();
}

bool TidBitmap::next_block() {
  BlockNumber lossy{};
  const bool has_lossy = lossy_.next(next_lossy_, &lossy);
  const bool has_exact = next_ < exact_.size();
  if (!has_lossy && !has_exact) return false;
  is_lossy_ = has_lossy && (!has_exact || lossy < exact_[next_].block());
  if (is_lossy_) {
    block_ = lossy;
    next_lossy_ = uint64_t{value_of(lossy)} + 1;
    tids_ = {};
    return true;
  }
  const std::span<const ItemPointer> rest = std::span(exact_).subspan(next_);
  tids_ = rest.first(block_run(rest));
  block_ = tids_[0].block();
  next_ += tids_.size();
  return true;
}

}  // namespace pgdata
