// TidBitmap: sorted addresses, and bits of blocks.
#include "executor/tid_bitmap.h"

#include <algorithm>
#include <bit>

namespace pgdata {
namespace {

constexpr size_t tids_min = 1024;

bool is_before(const ItemPointer& left, const ItemPointer& right) {
  if (left.block() != right.block()) return left.block() < right.block();
  return left.offset() < right.offset();
}

bool is_same(const ItemPointer& left, const ItemPointer& right) {
  return left.block() == right.block() && left.offset() == right.offset();
}

}  // namespace

TidBitmap::TidBitmap(MemoryAccount& account, uint64_t memory_bytes)
    : account_(account),
      tids_max_(std::max<size_t>(tids_min, memory_bytes / sizeof(ItemPointer) / 2)) {}

void TidBitmap::charge() {
  const size_t bytes =
      exact_.capacity() * sizeof(ItemPointer) + blocks_.capacity() * sizeof(uint64_t);
  account_.give(charged_);
  account_.take(bytes);
  charged_ = bytes;
}

bool TidBitmap::has_block(BlockNumber block) const {
  const uint32_t number = value_of(block);
  return number / 64 < blocks_.size() && (blocks_[number / 64] >> (number % 64) & 1) != 0;
}

void TidBitmap::keep_block(BlockNumber block) {
  const uint32_t number = value_of(block);
  if (number / 64 >= blocks_.size()) blocks_.resize(number / 64 + 1);
  blocks_[number / 64] |= uint64_t{1} << (number % 64);
}

void TidBitmap::make_room() {
  for (const ItemPointer& tid : exact_) keep_block(tid.block());
  exact_.clear();
}

void TidBitmap::add(std::span<const ItemPointer> tids) {
  for (const ItemPointer& tid : tids) {
    if (has_block(tid.block())) continue;
    if (exact_.size() == tids_max_) {
      make_room();
      keep_block(tid.block());
      continue;
    }
    exact_.push_back(tid);
  }
  charge();
}

void TidBitmap::finish() {
  std::erase_if(exact_, [&](const ItemPointer& tid) { return has_block(tid.block()); });
  std::sort(exact_.begin(), exact_.end(), is_before);
  exact_.erase(std::unique(exact_.begin(), exact_.end(), is_same), exact_.end());
}

bool TidBitmap::next_block() {
  while (next_lossy_ / 64 < blocks_.size()) {
    const uint64_t rest = blocks_[next_lossy_ / 64] >> (next_lossy_ % 64);
    if (rest != 0) {
      next_lossy_ += static_cast<uint64_t>(std::countr_zero(rest));
      break;
    }
    next_lossy_ = (next_lossy_ / 64 + 1) * 64;
  }
  const bool has_lossy = next_lossy_ / 64 < blocks_.size();
  const bool has_exact = next_ < exact_.size();
  if (!has_lossy && !has_exact) return false;
  is_lossy_ = has_lossy && (!has_exact || next_lossy_ < value_of(exact_[next_].block()));
  if (is_lossy_) {
    block_ = BlockNumber{static_cast<uint32_t>(next_lossy_++)};
    tids_ = {};
    return true;
  }
  const size_t first = next_;
  block_ = exact_[first].block();
  while (next_ < exact_.size() && exact_[next_].block() == block_) next_++;
  tids_ = std::span(exact_).subspan(first, next_ - first);
  return true;
}

}  // namespace pgdata
