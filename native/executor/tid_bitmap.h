// TidBitmap: rows that indexes lead to, in the order of the table, within an amount of memory.
//
// What there is no room for is kept by its block alone: of such a block all rows are meant that may be, and whoever reads it
// tests them again. Source: src/backend/nodes/tidbitmap.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"
#include "executor/arena.h"
#include "executor/block_set.h"

namespace pgdata {

class TidBitmap {
 public:
  // It takes no more than `memory_bytes`, but for two bits for each block of the table.
  TidBitmap(MemoryAccount& account, uint64_t memory_bytes);
  ~TidBitmap() { account_.give(charged_); }
  TidBitmap(const TidBitmap&) = delete;

  void add(std::span<const ItemPointer> tids);
  // What the other one has, which is finished.
  void unite(const TidBitmap& other);
  // After the last one: what was added can be taken.
  void finish();
  // Keeps what the other one has, too; both are finished, and this one stays so.
  void intersect(const TidBitmap& other);
  // It is finished, and has nothing.
  bool is_empty() const { return exact_.empty() && lossy_.is_empty(); }

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
  // Not all of the block's rows are meant for certain.
  bool is_uncertain() const { return is_lossy_ || uncertain_.has(block_); }

 private:
  void make_room();
  void charge();

  MemoryAccount& account_;
  const size_t tids_max_;
  size_t charged_ = 0;
  std::vector<ItemPointer> exact_;
  BlockSet lossy_;
  BlockSet uncertain_;       // of blocks of exact_, or of others, which does not matter
  size_t next_ = 0;          // of exact_
  uint64_t next_lossy_ = 0;  // block
  BlockNumber block_ = invalid_block_number;
  bool is_lossy_ = false;
  std::span<const ItemPointer> tids_;
};

}  // namespace pgdata
