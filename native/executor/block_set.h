// BlockSet: blocks of a table, a bit each.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace pgdata {

class BlockSet {
 public:
  void add(BlockNumber block) {
    const uint32_t number = value_of(block);
    if (number / 64 >= words_.size()) words_.resize(number / 64 + 1);
    words_[number / 64] |= uint64_t{1} << (number % 64);
  }
  bool has(BlockNumber block) const {
    const uint32_t number = value_of(block);
    return number / 64 < words_.size() && (words_[number / 64] >> (number % 64) & 1) != 0;
  }
  void unite(const BlockSet& other) {
    if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
    for (size_t i = 0; i < other.words_.size(); i++) words_[i] |= other.words_[i];
  }
  void intersect(const BlockSet& other) {
    if (words_.size() > other.words_.size()) words_.resize(other.words_.size());
    for (size_t i = 0; i < words_.size(); i++) words_[i] &= other.words_[i];
  }
  // The first block from `number` on; false if there is none.
  bool next(uint64_t number, BlockNumber* block) const {
    for (; number / 64 < words_.size(); number = (number / 64 + 1) * 64) {
      const uint64_t rest = words_[number / 64] >> (number % 64);
      if (rest == 0) continue;
      *block = BlockNumber{static_cast<uint32_t>(number) +
                           static_cast<uint32_t>(std::countr_zero(rest))};
      return true;
    }
    return false;
  }
  bool is_empty() const {
    BlockNumber block{};
    return !next(0, &block);
  }
  size_t bytes() const { return words_.capacity() * sizeof(uint64_t); }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace pgdata
