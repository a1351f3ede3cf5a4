// RowSort: packed rows in order, in memory.
//
// Rows are sorted in runs while they are added, and the runs are merged while the rows are read: no call takes long. When
// only the first so many are wanted, no more than a few times as many are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "executor/packed_row.h"

namespace pgdata {

struct SortKey {
  size_t column = 0;
  KeyColumn order;  // with its direction, and where nulls come
};

class RowSort {
 public:
  // `wanted`: only so many of the first rows will be asked for; 0: all.
  RowSort(std::vector<ValueType> types, std::vector<SortKey> keys, uint64_t wanted,
          MemoryAccount& account);
  ~RowSort() { account_.give(charged_); }

  const RowPacker& packer() const { return packer_; }
  void add(const Batch& batch);
  // After the last one.
  void finish();
  // The next row, or null at the end.
  const std::byte* next();
  // Some were left out, since they were not wanted.
  bool is_bounded() const { return is_bounded_; }

 private:
  // What orders most rows without a look at them: the rank of null or not, then bits of the first key.
  struct Entry {
    uint64_t bits;
    const std::byte* packed;
    uint8_t rank;
  };
  struct Run {
    size_t next;
    size_t end;
  };

  Entry entry_of(const Batch& batch, uint32_t row);
  bool before(const Entry& left, const Entry& right) const;
  bool before_rows(const std::byte* left, const std::byte* right) const;
  void end_run();
  void keep_wanted();
  void charge();

  static constexpr size_t run_rows = 16 * 1024;

  RowPacker packer_;
  std::vector<SortKey> keys_;
  bool leading_is_exact_;
  // 0: all rows are.
  size_t wanted_ = 0;
  MemoryAccount& account_;
  std::unique_ptr<Arena> rows_;
  std::vector<Entry> entries_;
  size_t charged_ = 0;
  size_t run_begin_ = 0;
  bool is_bounded_ = false;
  // Its last one is the last of those that are wanted so far.
  bool has_enough_ = false;
  // A heap, the run with the first row on top.
  std::vector<Run> runs_;
};

}  // namespace pgdata
