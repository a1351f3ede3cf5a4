// PartitionRows: the rows of a partition, numbered from 0 as they come, read by several readers that mostly go forward.
//
// Packed rows in chunks. Once the chunks in memory take their limit, further ones go to a temporary file; rows that nobody
// needs any more give their memory back. Source of the idea: src/backend/utils/sort/tuplestore.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "executor/packed_row.h"
#include "temp/temporary_file.h"

namespace pgdata {

class PartitionRows {
 public:
  // A chunk takes so many bytes, or one row that is larger. Every reader of a file has one.
  static constexpr size_t chunk_bytes = 8192;

  PartitionRows(TemporarySpace& space, std::vector<ValueType> types, MemoryAccount& account,
                uint64_t limit_bytes);
  ~PartitionRows() { clear(); }
  PartitionRows(const PartitionRows&) = delete;

  const RowPacker& packer() const { return packer_; }
  // So many were added.
  uint64_t rows() const { return rows_; }
  // The errors of TemporaryFile.
  Status add(const std::vector<Column>& columns, uint32_t row);
  // Rows before that one will not be read again.
  void trim(uint64_t first);
  // There are none again; readers begin anew.
  void clear();

  uint64_t peak_bytes() const { return peak_bytes_; }
  // Of all partitions so far.
  uint64_t disk_bytes() const { return disk_bytes_; }

  class Reader;

 private:
  struct Chunk {
    uint64_t first = 0;
    uint32_t rows = 0;
    uint32_t size = 0;
    uint32_t room = 0;
    uint64_t offset = 0;                 // in the file
    std::unique_ptr<std::byte[]> bytes;  // null once it is in the file
  };
  void charge(uint64_t bytes);
  Status begin_chunk(uint32_t row_bytes);

  RowPacker packer_;
  MemoryAccount& account_;
  const uint64_t limit_bytes_;
  TemporaryFile file_;
  std::deque<Chunk> chunks_;
  uint64_t dropped_ = 0;  // chunks of this partition that were trimmed
  uint64_t rows_ = 0;
  uint64_t held_ = 0;
  uint64_t peak_bytes_ = 0;
  uint64_t disk_bytes_ = 0;
  uint64_t partition_ = 0;  // how many there were before
};

class PartitionRows::Reader {
 public:
  Reader(PartitionRows& rows, MemoryAccount& account) : rows_(rows), account_(account) {}
  ~Reader() { account_.give(room_); }
  Reader(const Reader&) = delete;

  // A row that was added and not trimmed; good until the next call, and until rows are trimmed.
  Status read(uint64_t row, const std::byte** packed);
  // The first row that is not in the same chunk as the one that was read last: those before it stay good together.
  uint64_t chunk_end() const { return chunk_first_ + chunk_rows_; }

 private:
  Status find(uint64_t row);
  Status load(Chunk& chunk);

  PartitionRows& rows_;
  MemoryAccount& account_;
  uint64_t partition_ = UINT64_MAX;
  uint64_t chunk_ = 0;  // its number, trimmed ones counted
  uint64_t chunk_first_ = 0;
  uint32_t chunk_rows_ = 0;
  const std::byte* start_ = nullptr;
  // Where the row that was read last is.
  uint64_t row_ = 0;
  const std::byte* at_ = nullptr;
  // A chunk of the file.
  std::unique_ptr<std::byte[]> bytes_;
  size_t room_ = 0;
  uint64_t loaded_ = UINT64_MAX;
};

}  // namespace pgdata
