// TidBitmap: rows that an index leads to, in the order of the table, within an amount of memory.
//
// What there is no room for is kept by its block alone: of such a block all rows are meant that may be, and whoever reads it
// tests them again. Source: src/backend/nodes/tidbitmap.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"
#include "executor/arena.h"

namespace pgdata {

class TidBitmap {
 public:
  // It takes no more than `memory_bytes`, but for a bit for each block of the table.
  TidBitmap(MemoryAccount& account, uint64_t memory_bytes);
  ~TidBitmap() { account_.give(charged_); }
  TidBitmap(const TidBitmap&) = delete;

  void add(std::span<const ItemPointer> tids);
  // After the last one: what was added can be taken.
  void finish();

  // The next block; false after the last one.
  bool next_block();
  // Begins with the first block again.
  void rewind() {
    next_ = 0;
    next_lossy_ = 0;
  }
  BlockNumber block() const { return block_; }
  // Only the block is known.
  bool is_lossy() const { return is_lossy_; }
  // Of a block that is not lossy, ascending.
  std::span<const ItemPointer> tids() const { return tids_; }

 private:
  void make_room();
  void keep_block(BlockNumber block);
  bool has_block(BlockNumber block) const;
  void charge();

  MemoryAccount& account_;
  const size_t tids_max_;
  size_t charged_ = 0;
  std::vector<ItemPointer> exact_;
  std::vector<uint64_t> blocks_;  // a bit each
  size_t next_ = 0;               // of exact_
  uint64_t next_lossy_ = 0;       // block
  BlockNumber block_ = invalid_block_number;
  bool is_lossy_ = false;
  std::span<const ItemPointer> tids_;
};

}  // namespace pgdata
