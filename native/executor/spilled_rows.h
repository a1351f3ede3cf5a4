// SpilledRows: rows that an operator has no memory for, written to a temporary file and read back in the same order.
#pragma once

#include <memory>
#include <vector>

#include "executor/packed_row.h"
#include "temp/temporary_stream.h"

namespace pgdata {

class SpilledRows {
 public:
  // While it is written and while it is read it holds a block; its batches come on top.
  static constexpr size_t memory_bytes = TemporaryStream::block_bytes;

  SpilledRows(TemporarySpace& space, const std::vector<ValueType>& types, MemoryAccount& account)
      : stream_(space), packer_(types), account_(account) {}
  ~SpilledRows() { charge(0); }
  SpilledRows(const SpilledRows&) = delete;

  uint64_t rows() const { return rows_; }
  uint64_t size_bytes() const { return stream_.size_bytes(); }
  // The errors of TemporaryFile.
  Status write(const std::vector<Column>& columns, uint32_t row);
  // One that is packed.
  Status write(const std::byte* packed);
  // After the last row; gives its memory back until rows are read.
  Status end_writing();
  // The next rows, good until the next call; null after the last one.
  Status read(const Batch** batch);
  // The next rows are the first ones again; more may be written when all were read.
  Status rewind() { return stream_.rewind(); }

 private:
  void charge(size_t bytes);

  TemporaryStream stream_;
  RowPacker packer_;
  MemoryAccount& account_;
  size_t charged_ = 0;
  uint64_t rows_ = 0;
  std::unique_ptr<BatchStorage> read_;
};

// One for each part of the hashes; those that get no row make no file. `level` makes other parts of the same hashes.
class SpilledParts {
 public:
  SpilledParts(TemporarySpace& space, const std::vector<ValueType>& types, MemoryAccount& account,
               size_t parts, uint32_t level);

  Status write(const std::vector<Column>& columns, uint32_t row, uint64_t hash) {
    return parts_[part_of(hash)]->write(columns, row);
  }
  Status write(const std::byte* packed, uint64_t hash) {
    return parts_[part_of(hash)]->write(packed);
  }
  size_t part_of(uint64_t hash) const;
  Status end_writing();
  SpilledRows& part(size_t i) { return *parts_[i]; }
  std::unique_ptr<SpilledRows> take(size_t i) { return std::move(parts_[i]); }

  // How many there are where an operator may take that much memory: a power of two, and their blocks take a quarter of it.
  static size_t parts_within(uint64_t memory_bytes);

 private:
  std::vector<std::unique_ptr<SpilledRows>> parts_;
  uint32_t level_;
};

}  // namespace pgdata
